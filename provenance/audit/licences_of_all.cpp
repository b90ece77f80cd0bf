// Everything at once: counts from one pass, and a few examples that are explained.
#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <utility>

#include "base/text.hpp"
#include "provenance/audit/licence_tally.hpp"
#include "provenance/audit/licences.hpp"
#include "provenance/licence/bulk.hpp"
#include "provenance/licence/engine.hpp"
#include "provenance/licence/hub_lineage.hpp"
#include "provenance/licence/index_lineage.hpp"

namespace hm::provenance::audit {
using licence::Acceptance;
using licence::Bulk;
using licence::HubLineage;
using licence::NodeId;
using licence::Verdict;
using report::Report;

namespace {
constexpr std::size_t kExamples = 5;  // of each rule; who wants all of them asks for a policy's choice
const char* const kWords = "everything that is listed and neither gone nor private, or mirrored";

/// Those with the most downloads; among equals who was listed first.
class Examples {
 public:
  void offer(NodeId node, std::uint64_t downloads) {
    if (best_.size() == kExamples && best_.back().first >= downloads) return;
    const auto at = std::upper_bound(best_.begin(), best_.end(), downloads,
                                     [](std::uint64_t d, const auto& known) { return d > known.first; });
    best_.insert(at, {downloads, node});
    if (best_.size() > kExamples) best_.pop_back();
  }
  const std::vector<std::pair<std::uint64_t, NodeId>>& all() const { return best_; }

 private:
  std::vector<std::pair<std::uint64_t, NodeId>> best_;
};

class AuditOfAll {
 public:
  AuditOfAll(const storage::Index& index, const LicenceQuestion& question)
      : index_(index), question_(question), judge_(question.catalogue) {}

  Result<Report> run() {
    HM_TRY(count());
    Report out;
    out.id = "audit-licences";
    out.title = "Licences of all that is known";
    out.answer.push_back("Of all that is known here, " + counted(tally_.size(), "repository") + ": " +
                         tally_.outcomes_text() + ".");
    if (question_.policy != nullptr) out.answer.push_back(tally_.decisions_text(question_.policy_name));
    out.answer.emplace_back("Findings are counted; of each rule those with the most downloads are shown.");
    out.answer.emplace_back(kNoAdvice);
    out.tables.push_back(tally_.outcomes_table(kWords));
    if (question_.policy != nullptr) out.tables.push_back(tally_.acceptance_table(kWords, question_.policy_name));
    out.tables.push_back(tally_.rules_table(kWords));
    out.tables.push_back(tally_.licences_table(kWords));
    HM_TRY(add_examples(out));
    out.sort_findings();
    return out;
  }

 private:
  /// What is needed of millions goes before the examples are explained.
  Result<> count() {
    HM_TRY(const HubLineage hub, HubLineage::read(index_, question_.catalogue));
    licence::Decide decide;
    if (question_.policy != nullptr)
      decide = [&](const Verdict& verdict) {
        return static_cast<std::uint8_t>(accept(*question_.policy, verdict, judge_).decision);
      };
    HM_TRY(const Bulk bulk, judge_all(judge_, hub, hub.size(), decide));
    for (NodeId node = 0; node < hub.size(); ++node) {
      if (!hub.counts(node)) continue;
      const licence::Summary& summary = bulk.summaries[node];
      const std::uint64_t downloads = hub.downloads(node);
      LicenceTally::Subject subject{hub.kind(node), summary,      hub.expression(node),
                                    downloads,      std::nullopt, hub.published(node)};
      if (question_.policy != nullptr) {
        subject.decision = static_cast<Acceptance::Decision>(bulk.decisions[node]);
        note_decision(*subject.decision, node, downloads);
      }
      tally_.add(subject);
      for (std::size_t rule = 0; rule < licence::kRuleNames.size(); ++rule) {
        if ((summary.rules >> rule & 1U) == 0) continue;
        tally_.add_rule(licence::kRuleNames[rule], downloads);
        of_rule_[rule].offer(node, downloads);
      }
    }
    return take_keys(hub);
  }
  void note_decision(Acceptance::Decision decision, NodeId node, std::uint64_t downloads) {
    if (decision == Acceptance::Decision::Accepted) return;
    const bool refused = decision == Acceptance::Decision::Refused;
    tally_.add_rule(refused ? kRefused : kUndecided, downloads);
    (refused ? refused_ : undecided_).offer(node, downloads);
  }
  Result<> take_keys(const HubLineage& hub) {
    const auto take = [&](const Examples& examples) -> Result<> {
      for (const auto& [downloads, node] : examples.all()) {
        HM_TRY(keys_[node], hub.key_of(index_, node));
      }
      return ok();
    };
    for (const Examples& examples : of_rule_) {
      HM_TRY(take(examples));
    }
    HM_TRY(take(refused_));
    return take(undecided_);
  }

  Result<> add_examples(Report& out) {
    const licence::IndexLineage lineage(index_, question_.catalogue);
    const auto verdict_of = [&](NodeId node) -> Result<Verdict> {
      HM_TRY(const auto at, lineage.node_of(keys_.at(node), licence::History::Read));
      if (!at)
        return Error{Errc::Corrupt,
                     "the columns of the index do not fit its listing rows; run: hubmirror index rebuild"};
      return explain(judge_, lineage, *at);
    };
    for (std::size_t rule = 0; rule < of_rule_.size(); ++rule) {
      for (const auto& [downloads, node] : of_rule_[rule].all()) {
        HM_TRY(const Verdict verdict, verdict_of(node));
        const auto found = std::find_if(verdict.findings.begin(), verdict.findings.end(), [&](const auto& finding) {
          return static_cast<std::size_t>(finding.rule) == rule;
        });
        if (found != verdict.findings.end()) out.findings.push_back(finding_of(*found, verdict.name));
      }
    }
    if (question_.policy == nullptr) return ok();
    for (const Examples* examples : {&refused_, &undecided_}) {
      const std::string_view rule = examples == &refused_ ? kRefused : kUndecided;
      for (const auto& [downloads, node] : examples->all()) {
        HM_TRY(const Verdict verdict, verdict_of(node));
        out.findings.push_back({severity_of(rule),
                                std::string(rule),
                                verdict.name,
                                std::string(meaning_of(rule)) + " (" + question_.policy_name +
                                    "): " + joined(accept(*question_.policy, verdict, judge_).reasons, "; "),
                                {}});
      }
    }
    return ok();
  }

  const storage::Index& index_;
  const LicenceQuestion& question_;
  licence::Judge judge_;
  LicenceTally tally_;
  std::array<Examples, licence::kRuleNames.size()> of_rule_;
  Examples refused_, undecided_;
  std::map<NodeId, RepoKey> keys_;
};
}  // namespace

Result<Report> licences_of_all(const storage::Index& index, const LicenceQuestion& question) {
  HM_TRY(Report report, AuditOfAll(index, question).run());
  HM_TRY(report.basis, report::basis_of(index));
  return report;
}
}  // namespace hm::provenance::audit
