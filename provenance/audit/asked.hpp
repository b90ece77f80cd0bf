// provenance/audit/asked.hpp: what audits of single repositories are asked about, and what their reports share. Layer 4;
// values.
#pragma once
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "provenance/report/figures.hpp"

namespace hm::provenance::audit {
struct Asked {
  std::vector<RepoKey> keys;      ///< ascending, each once
  std::string words;              ///< "everything that is mirrored"
  std::vector<report::Gap> gaps;  ///< meant, and not to be found here
};
/// "1 repository", "3 repositories".
std::string counted(std::size_t count, const std::string& one, const std::string& many);
inline constexpr std::size_t kFindingsMax = 20'000;  ///< of one report; nobody reads more
/// Orders the findings and keeps the first kFindingsMax; what was left out is a gap of the first table.
void finish_findings(report::Report& report);
}  // namespace hm::provenance::audit
