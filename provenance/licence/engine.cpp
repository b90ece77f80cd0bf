#include "provenance/licence/engine.hpp"

#include <algorithm>
#include <array>
#include <queue>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "base/text.hpp"

namespace hm::provenance::licence {
namespace {
/// How terms that reach one node as `i` reach another, further down, for each of the four.
using CarryMap = std::array<Carry, kCarryNames.size()>;
constexpr CarryMap kUnchanged{Carry::Content, Carry::Outputs, Carry::Use, Carry::Data};
std::uint64_t packed(const CarryMap& map) {
  std::uint64_t bits = 0;
  for (const Carry c : map) bits = bits << 2 | static_cast<std::uint64_t>(c);
  return bits;
}

/// An ancestor, reached on one way. Labels form trees that grow upwards from the node that was asked about.
struct Label {
  NodeId node = kNoNode;
  std::uint32_t below = 0;  ///< label of the child
  std::uint32_t depth = 0;
  CarryMap map = kUnchanged;
  Evidence weakest = Evidence::Identical;
  Edge edge;  ///< from the child to this node
};
struct Waiting {
  Evidence weakest;
  std::uint32_t depth, label;
  /// Best evidence first, then fewest hops, then the order of discovery: the answer does not depend on chance.
  bool operator<(const Waiting& o) const {
    return std::tuple(o.weakest, depth, label) > std::tuple(weakest, o.depth, o.label);
  }
};

class Walk {
 public:
  Walk(Judge& judge, const Lineage& lineage, NodeId start) : judge_(judge), lineage_(lineage), start_(start) {}
  Result<Verdict> run() {
    HM_TRY(const Claim* const own, claim_of(start_));
    verdict_.name = own->name;
    const NodeFacts facts = judge_.facts_of(*own);
    verdict_.expression = judge_.text_of(facts.own);
    labels_.push_back({start_});
    HM_TRY(expand(0));
    while (!queue_.empty()) {
      const std::uint32_t label = queue_.top().label;
      queue_.pop();
      HM_TRY(settle(label));
    }
    HM_TRY(collect_terms());
    HM_TRY(report(facts));
    return std::move(verdict_);
  }

 private:
  Result<const Claim*> claim_of(NodeId node) {
    if (const auto known = claims_.find(node); known != claims_.end()) return &known->second;
    HM_TRY(Claim claim, lineage_.claim(node));
    return &claims_.emplace(node, std::move(claim)).first->second;
  }

  /// The first time that a node comes up with this map is the best one.
  Result<> settle(std::uint32_t label) {
    const NodeId node = labels_[label].node;
    if (node != kNoNode && !settled_.emplace(key_of(labels_[label]), label).second) return ok();
    reached_.push_back(label);
    if (node == kNoNode) return ok();
    return expand(label);
  }
  static std::uint64_t key_of(const Label& label) {
    return static_cast<std::uint64_t>(label.node) << 8 | packed(label.map);
  }

  Result<> expand(std::uint32_t label) {
    edges_.clear();
    HM_TRY(lineage_.parents(labels_[label].node, edges_));
    if (edges_.empty()) return ok();
    if (labels_[label].depth == kDepthMax) {
      truncated_ = true;
      return ok();
    }
    HM_TRY(const Claim* const child, claim_of(labels_[label].node));
    for (Edge& edge : edges_) {
      const auto carry = carry_of(judge_.catalogue().rules(), edge.relation);
      if (!carry) continue;
      if (edge.parent == start_) {
        cycle_ = true;
        continue;
      }
      if (edge.parent == labels_[label].node) continue;  // a node brings itself nothing
      if (labels_.size() == kLabelsMax) {
        truncated_ = true;
        return ok();
      }
      Label next;
      next.node = edge.parent;
      next.below = label;
      next.depth = labels_[label].depth + 1;
      next.weakest = std::min(labels_[label].weakest, edge.evidence);
      for (std::size_t i = 0; i < next.map.size(); ++i) {
        const Carry at_child = carried(*carry, child->material, static_cast<Carry>(i));
        next.map[i] = labels_[label].map[static_cast<std::size_t>(at_child)];
      }
      if (edge.parent != kNoNode && settled_.contains(key_of(next))) continue;
      next.edge = std::move(edge);
      queue_.push({next.weakest, next.depth, static_cast<std::uint32_t>(labels_.size())});
      labels_.push_back(std::move(next));
    }
    return ok();
  }

  /// Terms in the order in which bulk.hpp sees them; of an ancestor, each way of carrying once.
  Result<> collect_terms() {
    std::unordered_map<std::uint64_t, std::uint32_t> seen;
    std::vector<std::pair<Term, std::uint32_t>> all;
    for (const std::uint32_t i : reached_) {
      const Label& label = labels_[i];
      const Carry carry = label.map[static_cast<std::size_t>(Carry::Content)];
      if (label.node != kNoNode &&
          !seen.emplace(static_cast<std::uint64_t>(label.node) << 2 | static_cast<std::uint64_t>(carry), i).second)
        continue;
      ExpressionId expression = kMissing;
      if (label.node != kNoNode) {
        HM_TRY(const Claim* const claim, claim_of(label.node));
        expression = judge_.intern(claim->expression);
      }
      all.push_back({Term{expression, carry, label.weakest}, i});
    }
    std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    for (const auto& [term, label] : all) {
      terms_.push_back(term);
      label_of_term_.push_back(label);
      verdict_.inherited.push_back({judge_.text_of(term.expression), term.carry});
    }
    std::sort(verdict_.inherited.begin(), verdict_.inherited.end());
    verdict_.inherited.erase(std::unique(verdict_.inherited.begin(), verdict_.inherited.end()),
                             verdict_.inherited.end());
    return ok();
  }

  Path path_to(std::uint32_t label) {
    Path path;
    for (std::uint32_t i = label; i != 0; i = labels_[i].below) {
      const Label& l = labels_[i];
      Step step{l.node,        l.edge.relation,          l.edge.evidence,
                l.edge.source, printable(l.edge.source), std::string("NOASSERTION")};
      // Whoever stands on a path was expanded or judged, so its claim is here.
      if (const auto claim = claims_.find(l.node); claim != claims_.end()) {
        step.name = claim->second.name;
        step.expression = judge_.text_of(judge_.intern(claim->second.expression));
      }
      path.push_back(std::move(step));
    }
    std::reverse(path.begin(), path.end());
    return path;
  }

  Finding finding_of(const Judge::Found& found) {
    Finding f;
    f.rule = found.rule;
    f.severity = found.severity;
    f.possible = found.possible;
    f.clause = found.clause;
    f.origin = start_;
    f.origin_name = verdict_.name;
    f.expression = verdict_.expression;
    if (!found.term) return f;
    const Label& label = labels_[label_of_term_[*found.term]];
    f.weakest = label.weakest;
    f.path = path_to(label_of_term_[*found.term]);
    f.origin = label.node;
    f.origin_name = f.path.back().name;
    f.expression = judge_.text_of(terms_[*found.term].expression);
    if (!found.other) return f;
    const std::uint32_t other = label_of_term_[*found.other];
    f.weakest = std::min(f.weakest, labels_[other].weakest);
    f.other_path = path_to(other);
    if (other < label_of_term_[*found.term]) {  // the parent that is named first comes first
      std::swap(f.path, f.other_path);
      f.origin = f.path.back().parent;
      f.origin_name = f.path.back().name;
      f.expression = f.path.back().expression;
    }
    return f;
  }

  /// Paths are made for those findings only that are shown.
  Result<> report(const NodeFacts& facts) {
    struct Kept {
      Judge::Found found;
      std::uint32_t depth, label;  ///< 0: the node itself
    };
    std::vector<Kept> kept;
    Summary& summary = verdict_.summary;
    summary = judge_.judge(facts, terms_, [&](const Judge::Found& f) {
      const std::uint32_t label = f.term ? label_of_term_[*f.term] : 0;
      kept.push_back({f, labels_[label].depth, label});
    });
    summary.truncated = summary.truncated || truncated_;
    if (summary.truncated && summary.outcome < Outcome::Unknown) summary.outcome = Outcome::Unknown;
    auto add = [&](RuleId rule, std::string_view clause) {
      summary.rules |= 1U << static_cast<unsigned>(rule);
      kept.push_back({{rule, Severity::Warning, false, clause, {}, {}}, 0, 0});
    };
    if (cycle_) add(RuleId::Cycle, "the lineage leads back to where it began");
    if (summary.truncated) add(RuleId::Truncated, "a limit was met, more ancestors may be there");
    std::stable_sort(kept.begin(), kept.end(), [](const Kept& a, const Kept& b) {
      return std::tuple(b.found.severity, a.found.possible, a.depth, a.label) <
             std::tuple(a.found.severity, b.found.possible, b.depth, b.label);
    });
    if (kept.size() > kFindingsMax) {
      verdict_.findings_left_out = kept.size() - kFindingsMax;
      kept.resize(kFindingsMax);
    }
    for (const Kept& k : kept) verdict_.findings.push_back(finding_of(k.found));
    return ok();
  }

  Judge& judge_;
  const Lineage& lineage_;
  const NodeId start_;
  Verdict verdict_;
  std::vector<Label> labels_;
  std::vector<Edge> edges_;  ///< of the node being expanded
  std::vector<std::uint32_t> reached_;
  std::priority_queue<Waiting> queue_;
  std::unordered_map<std::uint64_t, std::uint32_t> settled_;
  std::unordered_map<NodeId, Claim> claims_;
  std::vector<Term> terms_;
  std::vector<std::uint32_t> label_of_term_;
  bool truncated_ = false, cycle_ = false;
};

std::string path_text(std::string_view node_name, const Path& path) {
  std::string out(node_name);
  for (const Step& step : path)
    out += " <-" + std::string(storage::name_of(step.relation)) + " " + std::string(storage::name_of(step.evidence)) +
           "- " + step.name + " (" + step.expression + ")";
  return out;
}
}  // namespace

Carry carried(Carry edge, Material child, Carry at_parent) {
  switch (edge) {
    case Carry::Content:
      // A model whose content comes from an adapter has the adapter's base merged in.
      return at_parent == Carry::Use && child == Material::Model ? Carry::Content : at_parent;
    case Carry::Data:
      return Carry::Data;
    case Carry::Use:
      return at_parent == Carry::Data ? Carry::Data : Carry::Use;
    case Carry::Outputs:
      return at_parent == Carry::Data ? Carry::Data : Carry::Outputs;
  }
  return at_parent;
}

std::string_view name_of(Severity severity) {
  constexpr std::array<std::string_view, 3> kNames{"warning", "drift", "conflict"};
  return kNames[static_cast<std::size_t>(severity)];
}

std::string to_string(const Finding& finding, std::string_view node_name) {
  std::string out = finding.possible ? "possible " : "";
  out += std::string(name_of(finding.severity)) + ": " + std::string(name_of(finding.rule)) + ": " + finding.clause;
  if (finding.path.empty()) return out + " (" + finding.expression + " of " + std::string(node_name) + ")";
  out += " (" + finding.expression + " of " + finding.origin_name + "); path " + path_text(node_name, finding.path);
  if (!finding.other_path.empty()) out += "; and " + path_text(node_name, finding.other_path);
  return out;
}

Result<Verdict> explain(Judge& judge, const Lineage& lineage, NodeId node) { return Walk(judge, lineage, node).run(); }
}  // namespace hm::provenance::licence
