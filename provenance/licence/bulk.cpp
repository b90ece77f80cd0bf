#include "provenance/licence/bulk.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "provenance/licence/engine.hpp"

namespace hm::provenance::licence {
namespace {
using StateId = std::uint32_t;  ///< 0: no terms

/// Sets of terms, each stored once.
class States {
 public:
  States() { intern({}, false); }
  struct View {
    std::span<const Term> terms;
    bool truncated;
  };
  View view(StateId id) const {
    const Entry& e = entries_[id];
    return {std::span(arena_).subspan(e.begin, e.count), e.truncated};
  }
  std::size_t size() const { return entries_.size(); }
  StateId intern(std::span<const Term> terms, bool truncated) {
    std::uint64_t hash = truncated ? 1 : 0;
    for (const Term& t : terms)
      hash = (hash ^ (static_cast<std::uint64_t>(t.expression) << 8 | static_cast<std::uint64_t>(t.carry) << 4 |
                      static_cast<std::uint64_t>(t.weakest))) *
                 0x9E3779B97F4A7C15ULL +
             (hash >> 29);
    auto& same_hash = by_hash_[hash];
    for (const StateId id : same_hash) {
      const View known = view(id);
      if (known.truncated == truncated &&
          std::equal(known.terms.begin(), known.terms.end(), terms.begin(), terms.end()))
        return id;
    }
    const auto id = static_cast<StateId>(entries_.size());
    entries_.push_back({arena_.size(), static_cast<std::uint32_t>(terms.size()), truncated});
    arena_.insert(arena_.end(), terms.begin(), terms.end());
    same_hash.push_back(id);
    return id;
  }

 private:
  struct Entry {
    std::size_t begin;
    std::uint32_t count;
    bool truncated;
  };
  std::vector<Term> arena_;
  std::vector<Entry> entries_;
  std::unordered_map<std::uint64_t, std::vector<StateId>> by_hash_;
};

/// Terms on their way into one node: sorted, of an expression carried in one way only the best evidence.
class Gathering {
 public:
  void clear() { terms_.clear(), truncated_ = false, compact_at_ = kCompactAt; }
  void add(const Term& term) {
    terms_.push_back(term);
    if (terms_.size() < compact_at_) return;
    compact();
    compact_at_ = std::max(kCompactAt, terms_.size() * 2);
  }
  void truncated() { truncated_ = true; }
  StateId intern_into(States& states) {
    compact();
    if (terms_.size() > kTermsMax) {
      terms_.resize(kTermsMax);
      truncated_ = true;
    }
    return states.intern(terms_, truncated_);
  }

 private:
  static constexpr std::size_t kCompactAt = 4096;
  void compact() {
    std::sort(terms_.begin(), terms_.end());
    std::size_t kept = 0;
    for (std::size_t i = 0; i < terms_.size(); ++i) {
      const bool better_follows = i + 1 < terms_.size() && terms_[i + 1].expression == terms_[i].expression &&
                                  terms_[i + 1].carry == terms_[i].carry;
      if (!better_follows) terms_[kept++] = terms_[i];
    }
    terms_.resize(kept);
  }
  std::vector<Term> terms_;
  std::size_t compact_at_ = kCompactAt;
  bool truncated_ = false;
};

class Pass {
 public:
  Pass(Judge& judge, const Lineage& lineage, NodeId count, const Decide& decide)
      : judge_(judge), lineage_(lineage), count_(count), decide_(decide) {}
  Result<Bulk> run() {
    HM_TRY(read());
    order();
    for (std::size_t i = 0; i < order_.size(); ++i) {
      HM_TRY(update(order_[i]));
    }
    HM_TRY(settle_cycles());
    HM_TRY(judge_nodes());
    bulk_.states = states_.size();
    return std::move(bulk_);
  }

 private:
  /// Claims, and for each node its children, as one list behind each other.
  Result<> read() {
    facts_.resize(count_);
    material_.resize(count_);
    parents_left_.assign(count_, 0);
    children_begin_.assign(static_cast<std::size_t>(count_) + 1, 0);
    self_.assign(count_, false);
    for (NodeId node = 0; node < count_; ++node) {
      HM_TRY(const Claim claim, lineage_.claim(node));
      facts_[node] = static_cast<std::uint32_t>(facts_number(judge_.facts_of(claim)));
      material_[node] = claim.material;
      HM_TRY(each_parent(node, [&](const Edge& edge) {
        if (edge.parent == node) self_[node] = true;
        if (edge.parent >= count_ || edge.parent == node) return;
        ++children_begin_[edge.parent + 1];
        ++parents_left_[node];
      }));
    }
    for (NodeId node = 0; node < count_; ++node) children_begin_[node + 1] += children_begin_[node];
    children_.resize(children_begin_[count_]);
    std::vector<std::uint32_t> filled(children_begin_.begin(), children_begin_.end() - 1);
    for (NodeId node = 0; node < count_; ++node) {
      HM_TRY(each_parent(node, [&](const Edge& edge) {
        if (edge.parent < count_ && edge.parent != node) children_[filled[edge.parent]++] = node;
      }));
    }
    return ok();
  }
  template <class F>
  Result<> each_parent(NodeId node, F&& f) {
    edges_.clear();
    HM_TRY(lineage_.parents(node, edges_));
    for (const Edge& edge : edges_)
      if (carry_of(judge_.catalogue().rules(), edge.relation)) f(edge);
    return ok();
  }
  std::size_t facts_number(const NodeFacts& facts) {
    const auto [at, is_new] = facts_numbers_.emplace(facts, distinct_facts_.size());
    if (is_new) distinct_facts_.push_back(facts);
    return at->second;
  }

  /// Nodes whose parents all come before them. Who is in a cycle, or below one, is left out.
  void order() {
    order_.reserve(count_);
    for (NodeId node = 0; node < count_; ++node)
      if (parents_left_[node] == 0) order_.push_back(node);
    for (std::size_t i = 0; i < order_.size(); ++i)
      for (std::uint32_t c = children_begin_[order_[i]]; c < children_begin_[order_[i] + 1]; ++c)
        if (--parents_left_[children_[c]] == 0) order_.push_back(children_[c]);
    state_.assign(count_, 0);
  }

  /// What reaches the node, from what reaches its parents now. @returns whether that is new.
  Result<bool> update(NodeId node) {
    gathering_.clear();
    HM_TRY(each_parent(node, [&](const Edge& edge) {
      if (edge.parent == node) return;
      const Carry carry = *carry_of(judge_.catalogue().rules(), edge.relation);
      auto add = [&](const Term& at_parent) {
        gathering_.add({at_parent.expression, carried(carry, material_[node], at_parent.carry),
                        std::min(at_parent.weakest, edge.evidence)});
      };
      if (edge.parent >= count_) return add({kMissing, Carry::Content, Evidence::Identical});
      add({distinct_facts_[facts_[edge.parent]].own, Carry::Content, Evidence::Identical});
      const States::View inherited = states_.view(state_[edge.parent]);
      if (inherited.truncated) gathering_.truncated();
      for (const Term& term : inherited.terms) add(term);
    }));
    const StateId next = gathering_.intern_into(states_);
    return std::exchange(state_[node], next) != next;
  }

  /// Terms only ever come in or get better evidence, so going round ends.
  Result<> settle_cycles() {
    std::vector<NodeId> work;
    for (NodeId node = 0; node < count_; ++node)
      if (parents_left_[node] != 0) work.push_back(node);
    bulk_.in_cycles = work.size();
    std::vector<bool> waits(count_, false);
    for (const NodeId node : work) waits[node] = true;
    for (std::size_t i = 0; i < work.size(); ++i) {
      const NodeId node = work[i];
      waits[node] = false;
      HM_TRY(const bool is_new, update(node));
      if (!is_new) continue;
      for (std::uint32_t c = children_begin_[node]; c < children_begin_[node + 1]; ++c) {
        if (waits[children_[c]]) continue;
        waits[children_[c]] = true;
        work.push_back(children_[c]);
      }
    }
    return ok();
  }

  /// @returns the summary, and what `decide_` says.
  std::pair<Summary, std::uint8_t> judge_state(const NodeFacts& facts, const States::View& view) {
    Verdict verdict;
    Judge::Sink sink;
    if (decide_)
      sink = [&](const Judge::Found& found) {
        Finding f;
        f.rule = found.rule;
        f.severity = found.severity;
        f.possible = found.possible;
        f.clause = found.clause;
        f.expression = judge_.text_of(found.term ? view.terms[*found.term].expression : facts.own);
        verdict.findings.push_back(std::move(f));
      };
    verdict.summary = judge_.judge(facts, view.terms, sink);
    if (view.truncated) verdict.summary.truncated = true;
    if (verdict.summary.truncated && verdict.summary.outcome < Outcome::Unknown)
      verdict.summary.outcome = Outcome::Unknown;
    if (!decide_) return {verdict.summary, 0};
    verdict.expression = judge_.text_of(facts.own);
    for (const Term& term : view.terms) verdict.inherited.push_back({judge_.text_of(term.expression), term.carry});
    std::sort(verdict.inherited.begin(), verdict.inherited.end());
    return {verdict.summary, decide_(verdict)};
  }

  Result<> judge_nodes() {
    std::unordered_map<std::uint64_t, std::pair<Summary, std::uint8_t>> known;
    bulk_.summaries.resize(count_);
    if (decide_) bulk_.decisions.resize(count_);
    std::size_t explained = 0;
    for (NodeId node = 0; node < count_; ++node) {
      std::pair<Summary, std::uint8_t> judged;
      const std::uint64_t key = static_cast<std::uint64_t>(state_[node]) << 32 | facts_[node];
      if (parents_left_[node] != 0 && explained < kCyclesExplained) {
        ++explained;
        HM_TRY(const Verdict verdict, explain(judge_, lineage_, node));
        judged = {verdict.summary, decide_ ? decide_(verdict) : std::uint8_t{0}};
      } else if (const auto same = known.find(key); same != known.end()) {
        judged = same->second;
      } else {
        judged = judge_state(distinct_facts_[facts_[node]], states_.view(state_[node]));
        known.emplace(key, judged);
      }
      Summary& summary = bulk_.summaries[node];
      summary = judged.first;
      if (decide_) bulk_.decisions[node] = judged.second;
      if (self_[node]) summary.rules |= 1U << static_cast<unsigned>(RuleId::Cycle);
      if (summary.truncated) summary.rules |= 1U << static_cast<unsigned>(RuleId::Truncated);
      ++bulk_.outcomes[static_cast<std::size_t>(summary.outcome)];
      for (std::size_t rule = 0; rule < kRuleNames.size(); ++rule) bulk_.counts[rule] += summary.rules >> rule & 1U;
    }
    return ok();
  }

  Judge& judge_;
  const Lineage& lineage_;
  const NodeId count_;
  const Decide& decide_;
  Bulk bulk_;
  std::vector<std::uint32_t> facts_;  ///< by node, number in distinct_facts_
  std::vector<NodeFacts> distinct_facts_;
  std::map<NodeFacts, std::size_t> facts_numbers_;
  std::vector<Material> material_;
  std::vector<bool> self_;  ///< names itself as its parent
  std::vector<std::uint32_t> parents_left_, children_begin_;
  std::vector<NodeId> children_, order_;
  std::vector<StateId> state_;
  States states_;
  Gathering gathering_;
  std::vector<Edge> edges_;
};
}  // namespace

Result<Bulk> judge_all(Judge& judge, const Lineage& lineage, NodeId count, const Decide& decide) {
  return Pass(judge, lineage, count, decide).run();
}
}  // namespace hm::provenance::licence
