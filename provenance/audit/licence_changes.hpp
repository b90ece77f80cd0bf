// provenance/audit/licence_changes.hpp: where the licence that a repository states changes, in a sequence of its
// revisions or listings. Layer 4; pure functions; what is compared comes from strangers. docs/audits.md
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "provenance/licence/catalogue.hpp"
#include "provenance/report/figures.hpp"
#include "storage/rows.hpp"

namespace hm::provenance::audit {
/// What one revision, or one listing, says of the licence.
struct LicenceStatement {
  std::string commit;                 ///< hex; "" where the statement is of no commit
  std::int64_t time_ms = 0;           ///< of the commit, or when it was seen; not compared
  std::vector<std::string> licences;  ///< as written; order and duplicates do not matter
  std::string name, link;             ///< license_name and license_link
  bool readable = true;               ///< false: there is a card, and nobody can say what it states
  bool stated() const { return readable && !(licences.empty() && name.empty()); }
};
LicenceStatement statement_of(const storage::CardFacts& card, std::string commit, std::int64_t time_ms);
/// "MIT", "other (llama3)", "none stated", "unreadable".
std::string text_of(const LicenceStatement& statement);

enum class LicenceMove : std::uint8_t {
  Stated,      ///< none was, one is
  Withdrawn,   ///< one was, none is
  Stricter,    ///< another that forbids more
  MoreDuties,  ///< another that forbids nothing more and asks for more
  Looser,      ///< another that forbids and asks for nothing more
  Other,       ///< another, and one of the two is not in the catalogue
  Respelled,   ///< the same licence, written otherwise; or its link alone changed
  Unreadable,  ///< the card cannot be read any more
  ReadAgain,   ///< it can, and states what it did before that
};
std::string_view name_of(LicenceMove move);  ///< "stated", "withdrawn", …

struct LicenceChange {
  std::size_t before = 0, after = 0;  ///< places in the sequence: the last statement that could be read, and this one
  LicenceMove move = LicenceMove::Other;
  std::string what;  ///< of Stricter and MoreDuties what came with it: "non-commercial, attribution"
};
/// Withdrawn and Stricter are problems; MoreDuties, Other and Unreadable warnings; the others notes.
report::Severity severity_of(LicenceMove move);

/// Every change from one statement to the next, in their order; the first statement is none. What equals the statement
/// before it is none, whatever lies between two equal statements that could not be read is told as Unreadable and
/// ReadAgain. Of "other" its name and link count too.
std::vector<LicenceChange> licence_changes(const licence::Catalogue& catalogue,
                                           const std::vector<LicenceStatement>& statements);
}  // namespace hm::provenance::audit
