// crawler/listers/traits.hpp: what the listings of one Hub can do, found out once and remembered. Layer 5; values, rows
// in Meta. Hubs differ: mirrors and clones refuse some fields, sort by creation only, or know no cursors.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/index.hpp"

namespace hm::crawler {
/// Orders a listing can be asked in. Created ascends where the Hub lets it; all others descend.
enum class Order : std::uint8_t { Created, Modified, Downloads, Trending };

struct ListingTraits {
  std::vector<std::string> expand;  ///< fields to ask for; empty: full=true
  std::size_t page = 1000;          ///< rows to ask for
  bool sorts_by_created = true, sorts_by_modified = true;
  bool direction = true;  ///< knows direction=1; else the newest come first
  bool cursors = true;    ///< says where the next page is; else one page is all there is
  bool operator==(const ListingTraits&) const = default;
};
/// What the Hub itself can do: the start of every probe.
ListingTraits usual_traits(RepoKind kind);
/// "limit=1000&sort=createdAt&direction=1&expand=sha&…"
std::string listing_query(const ListingTraits& traits, Order order);

Result<ListingTraits> load_traits(const storage::Index& index, const std::string& src, RepoKind kind);
void save_traits(storage::Batch& batch, const std::string& src, RepoKind kind, const ListingTraits& traits);
/// Meta: "crawl/<src>/<kind>/<what>".
std::string crawl_key(const std::string& src, RepoKind kind, std::string_view what);
}  // namespace hm::crawler
