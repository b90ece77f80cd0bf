// provenance/licence/catalogue.hpp: what is known of each licence, and the table that decides between two of them:
// config/licences/*.toml, compiled in, and an operator's folder over it. Layer 4; values; immutable once loaded.
// docs/licences.md says how to change it.
#pragma once
#include <array>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "storage/edge_row.hpp"

namespace hm::config {
struct TomlSection;
}
namespace hm::provenance::licence {
/// What a licence is for the table; rows.
enum class Class : std::uint8_t {
  PublicDomain,
  Permissive,
  Attribution,
  WeakCopyleft,
  StrongCopyleft,
  NonCommercial,
  NoDerivatives,
  ResponsibleAi,
  Community,
  Unknown,
};
inline constexpr std::array<std::string_view, 10> kClassNames{
    "public-domain",  "permissive",     "attribution",    "weak-copyleft", "strong-copyleft",
    "non-commercial", "no-derivatives", "responsible-ai", "community",     "unknown"};
/// Columns: the classes, but Community is split in two.
inline constexpr std::array<std::string_view, 11> kColumnNames{
    "public-domain",  "permissive",     "attribution",    "weak-copyleft",   "strong-copyleft", "non-commercial",
    "no-derivatives", "responsible-ai", "community-same", "community-other", "unknown"};

using Flags = std::uint32_t;  ///< of kDemandNames or kRestrictionNames, bit i for word i
inline constexpr std::array<std::string_view, 13> kDemandNames{
    "text",    "notice",    "notice-file",    "attribution", "changes", "source", "share-alike",
    "network", "use-annex", "acceptable-use", "built-with",  "name",    "outputs"};
namespace demand {
inline constexpr Flags kText = 1U << 0, kNoticeFile = 1U << 2, kShareAlike = 1U << 6, kUseAnnex = 1U << 8,
                       kName = 1U << 11, kOutputs = 1U << 12;
}
inline constexpr std::array<std::string_view, 9> kRestrictionNames{"non-commercial",  "research-only", "no-derivatives",
                                                                   "use-based",       "field-of-use",  "user-ceiling",
                                                                   "revenue-ceiling", "territory",     "outputs"};
namespace restriction {
inline constexpr Flags kUserCeiling = 1U << 5, kTerritory = 1U << 7, kOutputs = 1U << 8;
}
/// "non-commercial, territory"; "" of none.
std::string words_of(Flags flags, const auto& names) {
  std::string out;
  for (std::size_t i = 0; i < names.size(); ++i)
    if ((flags >> i & 1U) != 0) out += (out.empty() ? "" : ", ") + std::string(names[i]);
  return out;
}

struct Licence {
  std::string id;  ///< SPDX identifier or LicenseRef
  std::string name, family, name_begins, users_max, source, read, notes;
  Class klass = Class::Unknown;
  Flags demands = 0, restricts = 0;
  bool results_free = false, imprecise = false;
  std::vector<std::string> hub, spellings, derivatives, not_with, phrases, own_words;
  std::string place;             ///< "file:line:column: "
  std::uint32_t family_bit = 0;  ///< 1 + number of the family; 0: none
};

enum class Cell : std::uint8_t { Fine, Warning, Drift, Conflict, Listed, Stricter, Annex };
using storage::Evidence;
using storage::Relation;
/// What of the parent is in the child, the strongest first. Also how an ancestor's terms reach a node.
enum class Carry : std::uint8_t { Content, Outputs, Use, Data };
inline constexpr std::array<std::string_view, 4> kCarryNames{"content", "outputs", "use", "data"};

struct Rules {
  std::array<std::array<Cell, kColumnNames.size()>, kClassNames.size()> table{};
  std::array<std::string, kClassNames.size()> clauses;
  /// By Relation; nullopt: nothing. What no file names carries content, the strict side.
  std::array<std::optional<Carry>, storage::kRelationCount> carries = [] {
    std::array<std::optional<Carry>, storage::kRelationCount> all;
    all.fill(Carry::Content);
    return all;
  }();
  Evidence possible_up_to = Evidence::Declared;
};

class Catalogue {
 public:
  /// The files that were compiled in. @returns Corrupt when they are wrong, which a test rules out.
  static Result<Catalogue> built_in();
  /// built_in() and over it the *.toml of the folder, in the order of their names: a section of a licence replaces the
  /// one before it, rules.toml changes single keys. @returns BadInput with file, line, what and why; Io.
  static Result<Catalogue> with_folder(const std::string& folder);
  /// The same with files that are in memory.
  struct Source {
    std::string name, text;  ///< "rules.toml" is the rules, whatever folder stands before it
  };
  static Result<Catalogue> with_sources(const std::vector<Source>& sources);

  const Licence* find(std::string_view id) const;               ///< as to_string(Expression) writes it; null: not here
  const Licence* by_hub_id(std::string_view hub_id) const;      ///< any case
  const Licence* by_spelling(std::string_view spelling) const;  ///< names, identifiers, spellings; loose comparison
  const std::deque<Licence>& licences() const { return licences_; }
  const Rules& rules() const { return rules_; }
  std::size_t family_count() const { return families_.size(); }

 private:
  Result<> add(const Source& source);
  Result<> add_licence(const config::TomlSection& section);
  Result<> add_rule(const config::TomlSection& section);
  Result<> finish();
  std::deque<Licence> licences_;  ///< pointers into it stay
  std::unordered_map<std::string, std::size_t> by_id_, by_hub_, by_spelling_, families_;
  Rules rules_;
};

/// Lower case letters, digits and "+" only: how spellings are compared.
std::string loose(std::string_view text);
}  // namespace hm::provenance::licence
