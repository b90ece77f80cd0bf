// provenance/audit/licences.hpp: which terms hold for repositories, along which descent, and what conflicts; against an
// institution's policy, if there is one. Layer 4. Threads: one call at a time for one question. docs/licences.md
#pragma once
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "provenance/licence/acceptance.hpp"
#include "provenance/licence/catalogue.hpp"
#include "provenance/report/figures.hpp"
#include "storage/index.hpp"

namespace hm::provenance::audit {
struct LicenceQuestion {
  const licence::Catalogue& catalogue;
  const licence::LicencePolicy* policy = nullptr;  ///< null: nothing is accepted or refused
  std::string policy_name;                         ///< as the report calls it
};
struct LicenceSubjects {
  std::vector<RepoKey> keys;      ///< ascending, each once
  std::string words;              ///< "everything that is mirrored"
  std::vector<report::Gap> gaps;  ///< what was meant and is not known
};
/// Each of them with all its findings and their paths; of one alone also a drawing of its ancestry. About a millisecond
/// for each. @returns Corrupt.
Result<report::Report> licences(const storage::Index& index, const LicenceQuestion& question,
                                const LicenceSubjects& subjects);
/// Everything that is listed or mirrored: counts, and of each rule the findings of those with the most downloads.
/// @returns Corrupt.
Result<report::Report> licences_of_all(const storage::Index& index, const LicenceQuestion& question);
}  // namespace hm::provenance::audit
