#include "provenance/audit/licences.hpp"

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/text.hpp"
#include "provenance/audit/affected.hpp"
#include "provenance/audit/licence_tally.hpp"
#include "provenance/licence/engine.hpp"
#include "provenance/licence/index_lineage.hpp"
#include "provenance/licence/spdx.hpp"
#include "storage/key_space.hpp"

namespace hm::provenance::audit {
using licence::Acceptance;
using licence::Declaration;
using licence::History;
using licence::IndexLineage;
using licence::Judge;
using licence::NodeId;
using licence::Said;
using licence::Verdict;
using licence::words_of;
using report::Figure;
using report::FigureTable;
using report::Report;

namespace {
constexpr std::size_t kGraphNodesMax = 2'000;  // more nobody can read

std::string decision_of(const Acceptance& acceptance) {
  return std::string(kDecisions[static_cast<std::size_t>(acceptance.decision)]);
}
std::string inherited_text(const Verdict& verdict) {
  std::string out;
  for (const licence::Inherited& term : verdict.inherited) {
    out += (out.empty() ? "" : ", ") + term.expression;
    if (term.carry != licence::Carry::Content)
      out += " (" + std::string(licence::kCarryNames[static_cast<std::size_t>(term.carry)]) + ")";
  }
  return out;
}
Figure figure_of(std::string text) { return text.empty() ? Figure() : Figure(std::move(text)); }
std::string said_text(const char* where, const Said& said) {
  return iso8601(said.seen_ms) + " " + where + (said.commit.empty() ? "" : " of " + said.commit.substr(0, 12)) + ": " +
         said.expression;
}

FigureTable verdicts_table(const std::string& words, bool with_policy) {
  FigureTable table;
  table.id = "verdicts";
  table.title = "Verdicts";
  table.population = words;
  table.columns = {{"repository", "as it is called upstream"},
                   {"outcome", "as in the table of outcomes"},
                   {"licence", "SPDX expression of what its card, its files or its listing say"},
                   {"inherited", "licences of its ancestors, each once; in brackets how they come when not as content"},
                   {"restrictions", "of its own licence and of what reaches it, but over training data"},
                   {"duties", "the same: what whoever distributes something made from it has to do"}};
  if (with_policy) table.columns.push_back({"decision", "of the licence policy"});
  return table;
}

class Audit {
 public:
  Audit(const storage::Index& index, const LicenceQuestion& question, const Subjects& subjects)
      : index_(index),
        question_(question),
        subjects_(subjects),
        lineage_(index, question.catalogue),
        judge_(question.catalogue) {}

  Result<Report> run() {
    out_.id = "audit-licences";
    out_.title = "Licences of " + subjects_.words;
    FigureTable verdicts = verdicts_table(subjects_.words, question_.policy != nullptr);
    HM_TRY(const auto downloads, downloads_of_all());
    std::uint64_t not_known = 0;
    for (std::size_t i = 0; i < subjects_.keys.size(); ++i) {
      HM_TRY(const auto node, lineage_.node_of(subjects_.keys[i], History::Read));
      if (!node) {
        ++not_known;
        continue;
      }
      HM_TRY(verdicts.rows.emplace_back(), one(*node, downloads[i]));
    }
    verdicts.judged = tally_.judged();
    verdicts.gaps = tally_.gaps();
    verdicts.gaps.push_back({"not known", not_known, "neither a listing nor a visit told of them"});
    verdicts.gaps.push_back({"files not read", unread_,
                             "licence texts or model files of revisions that were published before files were read"});
    verdicts.gaps.insert(verdicts.gaps.end(), subjects_.gaps.begin(), subjects_.gaps.end());
    if (subjects_.keys.size() != 1) answer_for_all();
    out_.tables.push_back(std::move(verdicts));
    out_.tables.push_back(tally_.outcomes_table(subjects_.words));
    if (question_.policy != nullptr)
      out_.tables.push_back(tally_.acceptance_table(subjects_.words, question_.policy_name));
    out_.tables.push_back(tally_.rules_table(subjects_.words));
    out_.tables.push_back(tally_.licences_table(subjects_.words));
    out_.sort_findings();
    return std::move(out_);
  }

 private:
  Result<std::vector<std::uint64_t>> downloads_of_all() const {
    std::vector<std::string> keys;
    for (const RepoKey& key : subjects_.keys) keys.push_back(storage::key::repo(key));
    return downloads_of(index_, {keys.begin(), keys.end()});
  }
  /// @returns the row of one subject.
  Result<std::vector<Figure>> one(NodeId node, std::uint64_t downloads) {
    HM_TRY(const Verdict verdict, explain(judge_, lineage_, node));
    const Declaration& said = lineage_.declaration(node);
    std::optional<Acceptance> acceptance;
    if (question_.policy != nullptr) acceptance = accept(*question_.policy, verdict, judge_);
    LicenceTally::Subject counted;
    counted.kind = lineage_.key_of(node).kind;
    counted.summary = verdict.summary;
    counted.downloads = downloads;
    counted.expression = verdict.expression;
    counted.published = said.published;
    if (acceptance) counted.decision = acceptance->decision;
    tally_.add(counted);
    unread_ += said.unread;

    rules_.clear();
    for (const licence::Finding& finding : verdict.findings) add(finding_of(finding, verdict.name));
    for (const licence::ClaimFinding& finding : said.said.findings)
      add({severity_of(finding.id), std::string(finding.id), verdict.name, finding.what, {}});
    add_history(said, verdict.name);
    if (acceptance) add_acceptance(*acceptance, verdict.name);
    for (const std::string& rule : rules_) tally_.add_rule(rule, downloads);

    if (subjects_.keys.size() == 1) {
      answer_for_one(verdict, acceptance);
      HM_TRY(add_graph(node, verdict));
    }
    std::vector<Figure> row{verdict.name,
                            std::string(kOutcomes[outcome_of(verdict.summary)]),
                            verdict.expression,
                            figure_of(inherited_text(verdict)),
                            figure_of(words_of(verdict.summary.restricts, licence::kRestrictionNames)),
                            figure_of(words_of(verdict.summary.demands, licence::kDemandNames))};
    if (acceptance) row.emplace_back(decision_of(*acceptance));
    return row;
  }
  void add(report::Finding finding) {
    rules_.insert(finding.rule);
    out_.findings.push_back(std::move(finding));
  }
  void add_history(const Declaration& said, const std::string& name) {
    const auto add_changes = [&](const std::vector<Said>& history, const char* where, const char* sentence) {
      if (history.size() < 2) return;
      report::Finding finding{severity_of(kChanged), std::string(kChanged), name, {}, {}};
      finding.what = std::string(sentence) + " from " + history[history.size() - 2].expression + " to " +
                     history.back().expression + ", first seen " + iso8601(history.back().seen_ms);
      for (const Said& one : history) finding.path.push_back(said_text(where, one));
      add(std::move(finding));
    };
    add_changes(said.listings, "listing", "listings changed its licence");
    add_changes(said.commits, "revision", "published revisions changed its licence");
    if (!said.published || !said.listing_is_newer || said.listed.empty() || said.listed == said.card) return;
    const bool gone = said.listed == licence::kNoAssertion;
    const std::string_view rule = gone ? kGoneUpstream : kChangedUpstream;
    add({severity_of(rule),
         std::string(rule),
         name,
         "the card of revision " + said.commit.substr(0, 12) + " here says " + said.card + ", the newest listing " +
             (gone ? "none; what was granted for this copy stays granted" : said.listed),
         {}});
  }
  void add_acceptance(const Acceptance& acceptance, const std::string& name) {
    if (acceptance.decision == Acceptance::Decision::Accepted) return;
    const bool refused = acceptance.decision == Acceptance::Decision::Refused;
    const std::string_view rule = refused ? kRefused : kUndecided;
    add({severity_of(rule),
         std::string(rule),
         name,
         "the policy " + question_.policy_name + (refused ? " refuses it: " : " cannot decide: ") +
             joined(acceptance.reasons, "; "),
         {}});
  }

  void answer_for_one(const Verdict& verdict, const std::optional<Acceptance>& acceptance) {
    const licence::Summary& s = verdict.summary;
    std::string first = verdict.name + ": " + std::string(kOutcomes[outcome_of(s)]) + ". Its own licence: " +
                        (verdict.expression == licence::kNoAssertion ? "none that is known" : verdict.expression);
    const std::string inherited = inherited_text(verdict);
    first += inherited.empty() ? "; no ancestor is named." : "; of its ancestors: " + inherited + ".";
    out_.answer.push_back(std::move(first));
    if (s.restricts != 0)
      out_.answer.push_back("Restrictions that hold: " + words_of(s.restricts, licence::kRestrictionNames) + ".");
    if (s.data_restricts != 0)
      out_.answer.push_back("Its training data restrict: " + words_of(s.data_restricts, licence::kRestrictionNames) +
                            "; whether that reaches weights is not settled.");
    if (acceptance)
      out_.answer.push_back("The policy " + question_.policy_name + ": " + decision_of(*acceptance) +
                            (acceptance->reasons.empty() ? "" : ", because of " + joined(acceptance->reasons, "; ")) +
                            ".");
    out_.answer.push_back(kNoAdvice);
  }
  void answer_for_all() {
    const std::string size = counted(tally_.size(), "repository");
    out_.answer.push_back("Of " + subjects_.words + (subjects_.words == size ? "" : ", " + size) + ": " +
                          tally_.outcomes_text() + ".");
    if (question_.policy != nullptr) out_.answer.push_back(tally_.decisions_text(question_.policy_name));
    out_.answer.push_back(kNoAdvice);
  }

  /// Of the licence that binds most, when all hold together.
  std::string class_of(const std::string& expression) {
    auto worst = licence::Class::PublicDomain;
    for (const licence::Licence* l : judge_.alternatives(judge_.intern(expression)).front())
      worst = std::max(worst, l->klass);
    return std::string(licence::kClassNames[static_cast<std::size_t>(worst)]);
  }
  Result<report::GraphNode> graph_node(NodeId node, const std::string& id) {
    HM_TRY(const licence::Claim claim, lineage_.claim(node));
    return report::GraphNode{id, claim.name, class_of(claim.expression), false, claim.expression};
  }
  /// Its ancestors, nearest first.
  Result<> add_graph(NodeId subject, const Verdict& verdict) {
    report::Graph graph;
    graph.title = "What " + verdict.name + " is made from, by class of licence";
    std::map<NodeId, std::string> ids{{subject, "0"}};
    HM_TRY(graph.nodes.emplace_back(), graph_node(subject, "0"));
    graph.nodes.back().subject = true;
    graph.nodes.back().note += "; " + std::string(kOutcomes[outcome_of(verdict.summary)]);
    std::deque<NodeId> open{subject};
    std::vector<licence::Edge> edges;
    std::set<NodeId> left_out;
    while (!open.empty()) {
      const NodeId child = open.front();
      open.pop_front();
      edges.clear();
      HM_TRY(lineage_.parents(child, edges));
      for (const licence::Edge& edge : edges) {
        const bool missing = edge.parent == licence::kNoNode;
        auto known = missing ? ids.end() : ids.find(edge.parent);
        if (known == ids.end() && graph.nodes.size() == kGraphNodesMax) {
          if (missing || left_out.insert(edge.parent).second) ++graph.left_out;
          continue;
        }
        std::string id = known == ids.end() ? std::to_string(graph.nodes.size()) : known->second;
        if (missing) {
          graph.nodes.push_back({id, edge.source, "not to be found", false, "named, and not to be found"});
        } else if (known == ids.end()) {
          ids.emplace(edge.parent, id);
          HM_TRY(graph.nodes.emplace_back(), graph_node(edge.parent, id));
          open.push_back(edge.parent);
        }
        graph.edges.push_back(
            {ids.at(child), id,
             std::string(storage::name_of(edge.relation)) + ", " + std::string(storage::name_of(edge.evidence)),
             edge.evidence <= question_.catalogue.rules().possible_up_to});
      }
    }
    out_.graphs.push_back(std::move(graph));
    return ok();
  }

  const storage::Index& index_;
  const LicenceQuestion& question_;
  const Subjects& subjects_;
  IndexLineage lineage_;
  Judge judge_;
  LicenceTally tally_;
  std::set<std::string> rules_;  ///< of the subject that is looked at
  std::uint64_t unread_ = 0;
  Report out_;
};
}  // namespace

Result<Report> licences(const storage::Index& index, const LicenceQuestion& question, const Subjects& subjects) {
  HM_TRY(Report report, Audit(index, question, subjects).run());
  HM_TRY(report.basis, report::basis_of(index));
  return report;
}
}  // namespace hm::provenance::audit
