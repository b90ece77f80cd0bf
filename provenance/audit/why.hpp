// provenance/audit/why.hpp: why one repository is said to descend from another, and one repository's lineage as a page.
// Layer 4. Threads: safe; blocks on the index. docs/lineage.md
#pragma once
#include <vector>

#include "base/result.hpp"
#include "provenance/lineage/drawing.hpp"
#include "provenance/lineage/graph.hpp"
#include "provenance/report/figures.hpp"
#include "storage/index.hpp"

namespace hm::provenance::audit {
struct Why {
  std::vector<lineage::Edge> way;  ///< the shortest, child first; empty: there is none
  report::Report report;           ///< every statement behind every hop, the way as a drawing
};
Result<Why> why(const storage::Index& index, const lineage::Node& child, const lineage::Node& ancestor,
                const lineage::Walk& walk);
/// The name by which a statement was looked up, or the id that it gave: "org/base", "model:621ffdc036468d709f17434d".
std::string normalised(const lineage::Edge& edge, const lineage::Statement& statement);

/// Counts by relation and the drawing.
Result<report::Report> lineage_report(const storage::Index& index, const lineage::Node& node,
                                      lineage::Direction direction, const lineage::Walk& walk);
}  // namespace hm::provenance::audit
