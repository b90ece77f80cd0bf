// provenance/lineage/drawing.hpp: lineage to look at: a tree of text, a graph for a page, Graphviz, Mermaid. Layer 4.
// Threads: safe; calls block on the index. Names come from strangers: what is written here is printable, and ends no
// string of the language it is written in.
#pragma once
#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "provenance/lineage/graph.hpp"
#include "provenance/report/figures.hpp"
#include "storage/index.hpp"

namespace hm::provenance::lineage {
enum class Direction { Up, Down };
inline constexpr std::size_t kDrawnMax = 2'000;  ///< nodes of a drawing; in more nobody finds anything
using Out = std::function<void(std::string_view)>;

/// The node on a line, then what it is made from (or what is made from it) line by line, depth first: relation, name,
/// evidence and who says it, and whether it is mirrored. Upwards what was there before is marked and not followed
/// again; downwards each repository is there once, below the nearest of its parents, and only mirrored ones say who
/// says it.
/// @returns how many lines below the first.
Result<std::size_t> write_tree(const storage::Index& index, const Node& node, Direction direction, const Walk& walk,
                               const Out& out);

/// The nearest kDrawnMax, with all edges between them. Groups are words of Standing.
Result<report::Graph> graph_of(const storage::Index& index, const Node& node, Direction direction, const Walk& walk);
std::string to_dot(const report::Graph& graph);      ///< of Graphviz; parents above children
std::string to_mermaid(const report::Graph& graph);  ///< a flowchart
}  // namespace hm::provenance::lineage
