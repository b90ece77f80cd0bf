// provenance/selection.hpp: which of all listed repositories are meant: filters over the columns, an order, a limit.
// Layer
// 4. Millions of rows are narrowed down column by column; what is left is checked against the listing rows themselves.
// Threads: safe; calls block on the index. A search reads half of the columns on a thread of its own.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "config/mirror_policy.hpp"
#include "provenance/listing.hpp"
#include "storage/index.hpp"
#include "storage/listing_row.hpp"

namespace hm::provenance {
/// All that is given has to hold; of a list, one. Words compare without case.
struct Filter {
  std::optional<RepoKind> kind;
  std::vector<std::string> words;  ///< each is somewhere in the name
  std::vector<std::string> names;  ///< globs over the whole name, one must match
  std::vector<std::string> owners;
  std::vector<std::string> licences, libraries, tasks;
  std::vector<std::string> tags;  ///< all of them
  std::optional<bool> gated;
  std::uint64_t downloads_min = 0, likes_min = 0;
  std::optional<std::uint64_t> parameters_min, parameters_max, bytes_max;  ///< what is not known does not pass a bound
  std::optional<std::int64_t> created_since_ms, changed_since_ms;
  bool gone_too = false;
};
using SortBy = config::RankBy;
/// A place in an order: behind everything up to it, whatever was added meanwhile.
struct Place {
  std::uint64_t value = 0;  ///< of the column that orders
  std::uint32_t ordinal = 0;
};
/// Largest first, or smallest first; what has no such fact comes last. Among equals the one that was listed first.
struct Order {
  Order(SortBy b, bool is_ascending = false, std::optional<Place> a = std::nullopt)
      : by(b), ascending(is_ascending), after(a) {}
  SortBy by;
  bool ascending;
  std::optional<Place> after;
};

struct Found {
  RepoKey key;
  storage::ListingRow row;
  ListingFacts facts;
  Popularity popularity;
};
/// Words compare without case.
bool contains_fold(const std::vector<std::string>& list, std::string_view word);
/// What is stored of one repository; nullopt when no listing named it.
Result<std::optional<Found>> find_listed(const storage::Index& index, const RepoKey& key);
/// The same by its present or an earlier name.
Result<std::optional<Found>> find_listed(const storage::Index& index, const RepoId& repo);
/// All that pass, in the order in which they were first listed. Reads a row for each: some 40 microseconds.
/// @returns Refused, with nothing visited, when the columns let more than `count_max` pass.
Result<> each_match(const storage::Index& index, const Filter& filter, std::uint64_t count_max,
                    const std::function<void(const Found&)>& visit);
Place place_of(const Found& found, SortBy by);
/// The first `limit` in this order, or so many behind its place.
Result<std::vector<Found>> search(const storage::Index& index, const Filter& filter, const Order& order,
                                  std::size_t limit);
}  // namespace hm::provenance
