// provenance/lineage/level_rows.hpp: the edges that a walk down follows from one level to the next. Layer 4. Threads:
// safe; a large level is read by two.
#pragma once
#include <array>
#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "provenance/lineage/graph.hpp"
#include "storage/edge_row.hpp"
#include "storage/index.hpp"

namespace hm::provenance::lineage {
/// What is followed on the way down.
struct Downward {
  explicit Downward(const Walk& walk);
  /// Costs some milliseconds, and spares tens of microseconds for each child; not needed to look at one node.
  Result<> read_filter(const storage::Index& index);
  bool wants(const storage::EdgeView& e) const {
    return e.evidence >= evidence_min && relations[static_cast<std::size_t>(e.relation)];
  }
  storage::Evidence evidence_min;
  std::array<bool, storage::kRelationCount> relations{};
  std::vector<storage::EdgeClass> classes;  ///< ascending
  storage::EdgeFilter filter;
};

/// An edge on the way down, and whether its child may have some. Its texts are good during the call.
struct LevelRow {
  std::size_t prefix;  ///< its place among those that were asked for
  storage::EdgeView edge;
  storage::EdgeFilter::Found below;
};
using LookAtRows = std::function<Result<bool>(std::span<const LevelRow>)>;
/// Edges that begin with one of these prefixes, which ascend, in their order, as far as they are followed, some at a
/// time, until `look` returns false, and so does this. `look` is called by the caller's thread alone. @returns Corrupt;
/// errors of `look`.
Result<bool> each_row_of(const storage::Index& index, std::span<const std::string> prefixes, const Downward& down,
                         const LookAtRows& look);
}  // namespace hm::provenance::lineage
