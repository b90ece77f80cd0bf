#include "provenance/audit/finding_list.hpp"

#include <array>

#include "provenance/audit/subjects.hpp"

namespace hm::provenance::audit {
using report::Severity;

report::FigureTable FindingList::table(const std::vector<RuleText>& rules, std::string population,
                                       report::Share judged) const {
  report::FigureTable out;
  out.id = "rules";
  out.title = "Findings by rule";
  out.population = std::move(population);
  out.columns = {{"rule", "as findings name it"},
                 {"problems", "findings of this severity"},
                 {"warnings", "findings of this severity"},
                 {"notes", "findings of this severity"},
                 {"means", "what the rule says"}};
  for (const auto& [rule, meaning] : rules) {
    auto of = [&](Severity severity) -> std::uint64_t {
      const auto at = counts_.find({std::string(rule), severity});
      return at == counts_.end() ? 0 : at->second;
    };
    out.rows.push_back(
        {std::string(rule), of(Severity::Problem), of(Severity::Warning), of(Severity::Note), std::string(meaning)});
  }
  out.judged = judged;
  if (left_out_ != 0)
    out.gaps.push_back(
        {"findings that are counted and not listed", left_out_,
         "of each rule the first " + std::to_string(max_) + " are listed; ask about fewer repositories"});
  return out;
}

std::string FindingList::words() const {
  std::string out;
  for (const auto& [severity, noun] : {std::pair{Severity::Problem, "problem"}, std::pair{Severity::Warning, "warning"},
                                       std::pair{Severity::Note, "note"}})
    if (const std::uint64_t number = count(severity); number != 0)
      out += (out.empty() ? "" : ", ") + counted(number, noun);
  return out.empty() ? "nothing was found" : out;
}

void finish_findings(report::Report& report) {
  report.sort_findings();
  if (report.findings.size() <= kReportFindingsMax) return;
  const std::size_t left_out = report.findings.size() - kReportFindingsMax;
  report.findings.resize(kReportFindingsMax);
  if (!report.tables.empty())
    report.tables.front().gaps.push_back(
        {"findings not listed", left_out, "the report has the " + std::to_string(kReportFindingsMax) + " most severe"});
}
}  // namespace hm::provenance::audit
