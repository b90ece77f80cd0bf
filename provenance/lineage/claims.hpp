// provenance/lineage/claims.hpp: what one repository says of its descent: the Hub's listing, its card, its files. Layer
// 4; pure functions. docs/lineage.md
#pragma once
#include <boost/json/object.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/canonical_json.hpp"
#include "base/ids.hpp"
#include "provenance/file_facts.hpp"
#include "storage/edge_row.hpp"
#include "storage/rows.hpp"

namespace hm::provenance::lineage {
/// One statement, with the words it was made in.
struct Claim {
  storage::EdgeTarget to;
  storage::Relation relation = storage::Relation::DerivedFrom;
  storage::Evidence evidence = storage::Evidence::Declared;
  std::string field;  ///< where it stands: "baseModels", "base_model", "adapter_config.json /revision"
  std::string text;   ///< as written
  bool operator==(const Claim&) const = default;
};
/// Of one repository or revision; the longest real list has hundreds. One with so many is taken to say more.
inline constexpr std::size_t kClaimsMax = 1'000;

/// A reference as authors write it: "ns/name", "name", a Hub URL with or without a path behind the name,
/// "datasets/ns/name", with blanks around it or a '/' behind it. What can be no repository (a folder of the author's, a
/// sentence) stays as it is, in lower case, and leads nowhere. @param expected the kind where the text does not tell
storage::EdgeTarget reference_of(RepoKind expected, std::string_view text);
/// Of the facts of a listing row. Each target and relation once.
std::vector<Claim> claims_of_listing(RepoKind kind, const json::object& facts);
std::vector<Claim> claims_of_card(RepoKind kind, const storage::CardFacts& card);
/// Of what the files of a published revision say. Where a model was loaded from is the least of it, and only a name
/// that a repository can have counts there.
std::vector<Claim> claims_of_files(RepoKind kind, const FileFacts& facts);
}  // namespace hm::provenance::lineage
