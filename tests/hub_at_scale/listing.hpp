// tests/hub_at_scale/listing.hpp: one page of a listing, from a query to rows and the cursor of the next page. Not
// thread-safe: World has the lock.
#pragma once
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "tests/hub_at_scale/fields.hpp"
#include "tests/hub_at_scale/store.hpp"

namespace hm::test::scale {
/// How a Hub differs from the one that everybody knows.
struct HubTraits {
  std::size_t page_cap = 1000;           ///< rows of one answer, whatever `limit` says; the default too
  bool cursors = true;                   ///< false: no Link header ever, `cursor` is not looked at
  bool only_created_at = false;          ///< another `sort` is 400
  std::set<std::string> refused_expand;  ///< values of `expand` that are 400 although the Hub knows them
  bool direction_refused = false;        ///< `direction` is 400
  bool no_rid = false;                   ///< no `_id` in any answer, as from a mirror that is an upstream
};

/// A target taken apart; keys and values decoded, "[]" at the end of a key taken away for reading.
struct Query {
  std::string path;  ///< as sent
  std::vector<std::pair<std::string, std::string>> params;
  std::optional<std::string_view> get(std::string_view key) const;
  std::vector<std::string_view> all(std::string_view key) const;
};
Query parse_query(std::string_view target);

/// The fields that `expand` names, nullopt without one. @returns BadInput with the Hub's words.
Result<std::optional<Fields>> parse_expands(const Query& query, RepoKind kind, const HubTraits& traits);

struct Page {
  std::string rows;                   ///< the JSON array
  std::size_t count = 0;              ///< of rows
  std::optional<std::string> cursor;  ///< absent on the last page
};
/// @returns BadInput: what is answered with 400.
Result<Page> list_page(Store& store, RepoKind kind, const Query& query, const HubTraits& traits);
}  // namespace hm::test::scale
