// provenance/audit/licences.hpp: which terms hold for repositories, along which descent, and what conflicts; against an
// institution's policy, if there is one. Layer 4. Threads: one call at a time for one question. docs/licences.md
#pragma once
#include <string>

#include "base/result.hpp"
#include "provenance/audit/subjects.hpp"
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
/// Each of them with all its findings and their paths; of one alone also a drawing of its ancestry. About a millisecond
/// for each. @returns Corrupt.
Result<report::Report> licences(const storage::Index& index, const LicenceQuestion& question, const Subjects& subjects);
/// Everything that is listed or mirrored: counts, and of each rule the findings of those with the most downloads.
/// @returns Corrupt.
Result<report::Report> licences_of_all(const storage::Index& index, const LicenceQuestion& question);
}  // namespace hm::provenance::audit
