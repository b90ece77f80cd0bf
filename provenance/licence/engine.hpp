// provenance/licence/engine.hpp: the licence verdict of one node, with the paths along which terms reach it. Layer 4;
// one thread. For all nodes at once: bulk.hpp.
#pragma once
#include "provenance/licence/judge.hpp"
#include "provenance/licence/lineage.hpp"

namespace hm::provenance::licence {
inline constexpr std::size_t kLabelsMax = 1'000'000;  ///< (ancestor, way of carrying) pairs of one node; some 100 MB

/// Looks at every ancestor up to kDepthMax hops away, on the way with the best evidence, of those on the shortest.
/// Cycles, self-loops and any number of parents are fine; what a limit left out makes the verdict Unknown at best, with
/// a finding. @returns what the lineage returned.
Result<Verdict> explain(Judge& judge, const Lineage& lineage, NodeId node);

/// What an edge that carries `edge` makes of terms that reach the parent as `at_parent`, in a child of that material.
Carry carried(Carry edge, Material child, Carry at_parent);
/// What edges of that relation carry; nullopt: nothing, they are not followed.
inline std::optional<Carry> carry_of(const Rules& rules, Relation relation) {
  return rules.carries[static_cast<std::size_t>(relation)];
}
}  // namespace hm::provenance::licence
