// provenance/audit/licence_tally.hpp: what both forms of the licence audit share: the words of its findings, and its
// counts. Layer 4; for audit/licences*.cpp alone.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/words.hpp"
#include "provenance/audit/licences.hpp"
#include "provenance/licence/lineage.hpp"
#include "provenance/report/figures.hpp"

namespace hm::provenance::audit {
// Rules of the audit itself, beside those of verdicts and of declarations.
inline constexpr std::string_view kChanged = "licence-changed", kChangedUpstream = "licence-changed-upstream",
                                  kGoneUpstream = "licence-gone-upstream", kRefused = "refused-by-policy",
                                  kUndecided = "undecided-by-policy";
/// What a rule means, whatever it is of; "" for one that there is not.
std::string_view meaning_of(std::string_view rule);
report::Severity severity_of(const licence::Finding& finding);
/// Of a finding of a declaration, or of the audit itself.
report::Severity severity_of(std::string_view rule);
report::Finding finding_of(const licence::Finding& finding, const std::string& subject);
/// By licence::Acceptance::Decision.
inline constexpr std::array<std::string_view, 3> kDecisions{"accepted", "undecided", "refused"};
/// Outcomes, with conflicts that are only possible by themselves.
inline constexpr std::array<std::string_view, 5> kOutcomes{"compatible", "restricted", "unknown", "possible conflict",
                                                           "conflict"};
std::size_t outcome_of(const licence::Summary& summary);
/// What both forms say at the end of their answer.
inline constexpr const char* kNoAdvice = "It is a reading of what people declared, not legal advice.";

/// Counts over subjects.
class LicenceTally {
 public:
  struct Subject {
    RepoKind kind = RepoKind::Model;
    licence::Summary summary;
    std::string_view expression;
    std::uint64_t downloads = 0;
    std::optional<licence::Acceptance::Decision> decision;
    bool published = false;
  };
  void add(const Subject& subject);
  void add_rule(std::string_view rule, std::uint64_t downloads);

  std::uint64_t size() const { return all_; }
  std::uint64_t outcome(std::size_t which) const;
  std::uint64_t decided(licence::Acceptance::Decision decision) const;
  /// "7 are compatible, 2 restricted, …".
  std::string outcomes_text() const;
  std::string decisions_text(const std::string& policy) const;  ///< "The policy P accepts 7, …"
  report::FigureTable outcomes_table(const std::string& words) const;
  report::FigureTable acceptance_table(const std::string& words, const std::string& policy) const;
  report::FigureTable rules_table(const std::string& words) const;
  report::FigureTable licences_table(const std::string& words) const;
  report::Share judged() const { return {all_ - outcome(2), all_}; }
  std::vector<report::Gap> gaps() const;

 private:
  struct Count {
    std::uint64_t repositories = 0, downloads = 0;
    void add(std::uint64_t of) { ++repositories, downloads += of; }
  };
  std::map<RepoKind, std::array<Count, kOutcomes.size()>> outcomes_;
  std::map<RepoKind, std::array<Count, 3>> decisions_;
  std::map<std::string, Count, std::less<>> rules_;
  std::map<std::string, Count, std::less<>> licences_;
  std::uint64_t all_ = 0, published_ = 0, undeclared_ = 0, unknown_licence_ = 0, unknown_base_ = 0, truncated_ = 0;
};
}  // namespace hm::provenance::audit
