// provenance/licence/bulk.hpp: the licence summary of every node of a graph. Layer 4; one thread. Parents are judged
// before their children; what reaches a node is kept as a number of a set of terms, of which there are few. 2.3 M nodes
// take seconds and some 60 bytes each: tests/bench/licence_bench.cpp.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <vector>

#include "provenance/licence/judge.hpp"
#include "provenance/licence/lineage.hpp"

namespace hm::provenance::licence {
inline constexpr std::size_t kTermsMax = 1024;           ///< of one node; more make it truncated
inline constexpr std::size_t kCyclesExplained = 10'000;  ///< nodes in cycles that are explained one by one

struct Bulk {
  std::vector<Summary> summaries;                         ///< by node; the same as explain() says
  std::array<std::uint64_t, kRuleNames.size()> counts{};  ///< nodes with such a finding
  std::array<std::uint64_t, kOutcomeNames.size()> outcomes{};
  std::size_t states = 0;               ///< distinct sets of terms
  std::vector<std::uint8_t> decisions;  ///< by node, what Decide said; empty without one
  std::size_t in_cycles = 0;            ///< nodes that are their own ancestors, or descend from such
};
/// Asked once for all nodes of equal facts and equal terms. Of the verdict `summary`, `expression`, `inherited` and, of
/// each finding, rule, severity, possible, clause and expression are there.
using Decide = std::function<std::uint8_t(const Verdict&)>;
/// Nodes are 0 .. count-1; edges to others count as missing parents. Unlike explain() it has no limit of depth. Nodes
/// in cycles beyond kCyclesExplained are judged as if they inherited from themselves too.
Result<Bulk> judge_all(Judge& judge, const Lineage& lineage, NodeId count, const Decide& decide = {});
}  // namespace hm::provenance::licence
