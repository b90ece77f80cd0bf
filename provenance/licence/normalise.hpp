// provenance/licence/normalise.hpp: what a repository says of its licence, in several places, as one expression. Layer
// 4; pure functions; the input comes from strangers. Nothing said is NOASSERTION, never a permission.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "provenance/licence/catalogue.hpp"
#include "provenance/licence/recognise.hpp"

namespace hm::provenance::licence {
inline constexpr std::size_t kDeclaredMax = 32;  ///< identifiers of one card; more are left out, with a finding

/// A licence file and what was recognised in it.
struct TextFinding {
  std::string file;
  Recognised recognised;
};
/// What the metadata of a file say, as GGUF's `general.license` does.
struct FileClaim {
  std::string file, id, name, link;
  auto operator<=>(const FileClaim&) const = default;
};
struct Declared {
  std::vector<std::string> ids;  ///< the card's `license`, as written
  std::string name, link;        ///< its license_name and license_link
  std::vector<TextFinding> texts;
  std::vector<FileClaim> claims;
};
struct ClaimFinding {
  std::string_view id;  ///< docs/licences.md has a row for each
  std::string what;
  bool operator==(const ClaimFinding&) const = default;
};
struct Normalised {
  std::string expression{"NOASSERTION"};
  std::string offered;  ///< the same, should its parts be a choice; "" when nobody can read it so: licence::Claim
  std::vector<ClaimFinding> findings;
};
/// The card's identifiers hold together (AND); texts and claims of files that the card does not name hold beside them,
/// because none of them may be dropped by a program. What is vague ("bsd", "other") gives way to a text that is not,
/// unless there is another text, which nobody knows; to metadata of files only where it has no name of its own.
Normalised normalise(const Catalogue& catalogue, const Declared& declared);
}  // namespace hm::provenance::licence
