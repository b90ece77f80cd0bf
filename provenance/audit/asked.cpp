#include "provenance/audit/asked.hpp"

namespace hm::provenance::audit {
std::string counted(std::size_t count, const std::string& one, const std::string& many) {
  return std::to_string(count) + " " + (count == 1 ? one : many);
}

void finish_findings(report::Report& report) {
  report.sort_findings();
  if (report.findings.size() <= kFindingsMax) return;
  const std::size_t left_out = report.findings.size() - kFindingsMax;
  report.findings.resize(kFindingsMax);
  if (!report.tables.empty())
    report.tables.front().gaps.push_back(
        {"findings not listed", left_out, "the report has the " + std::to_string(kFindingsMax) + " most severe"});
}
}  // namespace hm::provenance::audit
