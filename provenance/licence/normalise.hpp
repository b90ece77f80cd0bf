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
struct Declared {
  std::vector<std::string> ids;  ///< the card's `license`, as written
  std::string name, link;        ///< its license_name and license_link
  std::vector<TextFinding> texts;
};
struct ClaimFinding {
  std::string_view id;  ///< docs/licences.md has a row for each
  std::string what;
  bool operator==(const ClaimFinding&) const = default;
};
struct Normalised {
  std::string expression{"NOASSERTION"};
  std::vector<ClaimFinding> findings;
};
/// The card's identifiers hold together (AND); texts that the card does not name hold beside them, because a text is
/// the stronger claim and none of the two may be dropped by a program.
Normalised normalise(const Catalogue& catalogue, const Declared& declared);
}  // namespace hm::provenance::licence
