// storage/listing_row.hpp: what the newest listing said of one repository, mirrored or not. Layer 3; values, rows in
// Family::Listings under key::repo(). docs/formats/index_keys.md
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/index.hpp"

namespace hm::storage {
struct ListingRow {
  std::uint32_t ordinal = 0;  ///< its place in every column, storage/columns.hpp
  std::int64_t first_seen_ms = 0;
  std::int64_t changed_ms = 0;        ///< when `name`, `facts` or gone_status was last seen to have changed
  std::int64_t missing_since_ms = 0;  ///< end of the first of the sweeps in a row that did not list it; 0 = listed
  int gone_status = 0;                ///< HTTP status when upstream no longer has it, else 0
  std::string src;                    ///< host of the upstream
  std::string name;                   ///< as spelled upstream
  std::string facts;                  ///< the Hub's JSON less what changes by itself (downloads, likes, trendingScore)
  bool operator==(const ListingRow&) const = default;
};
std::string pack_listing(const ListingRow& row);
Result<ListingRow> unpack_listing(std::string_view bytes);  ///< @returns Corrupt

Result<std::optional<ListingRow>> find_listing(const Index& index, const RepoKey& key);
/// In key order until `visit` returns false. @returns Corrupt for a key or row of the wrong form.
Result<> each_listing(const Index& index, const std::function<bool(const RepoKey&, const ListingRow&)>& visit);
}  // namespace hm::storage
