// provenance/audit/finding_list.hpp: findings of an audit while they come in: all are counted, the first of each rule
// are kept. Layer 4; used by one thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "provenance/report/figures.hpp"

namespace hm::provenance::audit {
/// A rule as its table tells it.
struct RuleText {
  std::string_view rule, meaning;
};

class FindingList {
 public:
  explicit FindingList(std::size_t of_a_rule_max) : max_(of_a_rule_max) {}
  void add(report::Finding finding) {
    const std::size_t seen = ++counts_[{finding.rule, finding.severity}];
    if (seen <= max_)
      kept_.push_back(std::move(finding));
    else
      ++left_out_;
  }
  std::uint64_t count(report::Severity severity) const {
    std::uint64_t out = 0;
    for (const auto& [rule, number] : counts_) out += rule.second == severity ? number : 0;
    return out;
  }
  /// Every rule that is given, in this order, with how often it was met.
  report::FigureTable table(const std::vector<RuleText>& rules, std::string population, report::Share judged) const;
  /// "3 problems, 1 warning, 2 notes"; "nothing was found".
  std::string words() const;
  std::vector<report::Finding> take() { return std::move(kept_); }

 private:
  std::size_t max_;
  std::vector<report::Finding> kept_;
  std::map<std::pair<std::string, report::Severity>, std::size_t> counts_;
  std::uint64_t left_out_ = 0;
};

inline constexpr std::size_t kReportFindingsMax = 20'000;  ///< of one report; nobody reads more
/// For findings that were gathered without a list: orders them and keeps the first kReportFindingsMax; how many were
/// left out is a gap of the first table.
void finish_findings(report::Report& report);
}  // namespace hm::provenance::audit
