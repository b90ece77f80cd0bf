// provenance/report/page_graph_parts.hpp: what both ways of drawing a graph share. Layer 4; inside of page_graph*.cpp
// only.
#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "provenance/report/page_graph.hpp"

namespace hm::provenance::report {
struct Link {
  std::size_t child = 0, parent = 0;
  bool weak = false;
  bool back = false;  ///< closes a cycle: left out where levels are counted
  std::string title;
};
/// The graph by numbers. Every node has a level: one more than the highest of its parents.
struct Lineage {
  explicit Lineage(const Graph& graph);
  std::size_t size() const { return graph.nodes.size(); }
  bool is_leaf(std::size_t node) const { return children[node].empty(); }
  std::string title_of(std::size_t node) const;

  const Graph& graph;
  std::vector<Link> links;                                  ///< each pair once
  std::vector<std::vector<std::size_t>> children, parents;  ///< links, those that close cycles left out
  std::vector<std::size_t> order;                           ///< parents before their children
  std::vector<std::size_t> level;
  std::vector<std::size_t> colour;
  std::vector<LegendEntry> legend;

 private:
  void read_links();
  void break_cycles();
  void count_levels();
  void give_colours();
};

struct Bucket {
  std::size_t parent = 0;
  std::vector<std::size_t> leaves;
};
/// Leaves of one parent, one colour and one kind of edge, where there are more than kGatherMin of them.
std::vector<Bucket> gathered(const Lineage& lineage);

Layout in_columns(const Lineage& lineage, const std::vector<Bucket>& buckets);
Layout on_rings(const Lineage& lineage);
/// "1,532".
std::string grouped_digits(std::uint64_t number);
/// About how wide the text is in the drawing's type, in pixels.
double width_of_text(const std::string& text);
}  // namespace hm::provenance::report
