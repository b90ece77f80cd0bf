// provenance/report/page_graph.hpp: where the nodes and edges of a report's graph are drawn. Layer 4; pure functions.
// Small graphs stand in columns, bases left, what was made from them right. Large ones are heads on rings: what has
// children is a head with its childless children as dots around it, bases in the middle.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "provenance/report/figures.hpp"

namespace hm::provenance::report {
inline constexpr std::size_t kColours = 7;      ///< groups with a colour of their own, the largest ones
inline constexpr std::size_t kGrey = kColours;  ///< no group, unknown, and groups beyond the seventh
inline constexpr std::size_t kGatherMin = 30;   ///< so many leaves of one parent and group are drawn singly
inline constexpr std::size_t kColumnsMax = 72;  ///< nodes that stand in columns; more stand on rings
inline constexpr std::size_t kDotsMax = 6'000;  ///< more leaves than this share dots
inline constexpr std::size_t kLabelsMax = 32;   ///< of a drawing in rings

struct Point {
  double x = 0, y = 0;
};
/// Coordinates are CSS pixels from the upper left corner.
struct PlacedNode {
  enum class Form : std::uint8_t {
    Box,    ///< label in a box; x, y is its middle
    Stack,  ///< the same for `count` leaves together
    Head,   ///< a circle
    Dot,    ///< a childless node, or some
  };
  Form form = Form::Box;
  Point at;
  double width = 0, height = 0;  ///< of a box; of a circle both are its diameter
  std::size_t colour = kGrey;
  bool subject = false;
  std::uint64_t count = 1;  ///< nodes of the graph that it stands for
  std::string owner;        ///< of a box: what of the name stands before its last '/', in a line of its own; "" none
  std::string label;        ///< of a box: the rest, cut to what fits
  std::string title;        ///< all there is to say
};
struct PlacedEdge {
  std::vector<Point> points;  ///< begin, then two controls and an end for each cubic curve
  bool weak = false;
  bool aside = false;  ///< closes a cycle, or leads to one more parent: drawn faintly
  std::string title;
};
struct PlacedLabel {
  Point at;
  enum class Anchor : std::uint8_t { Start, Middle, End } anchor = Anchor::Start;
  bool subject = false;
  std::string text;
};
struct LegendEntry {
  std::string name;
  std::size_t colour = kGrey;
  std::uint64_t count = 0;
};
struct Layout {
  bool rings = false;
  double width = 0, height = 0;
  std::vector<PlacedNode> nodes;  ///< in the order of drawing
  std::vector<PlacedEdge> edges;
  std::vector<PlacedLabel> labels;  ///< of rings; boxes have their own
  std::vector<LegendEntry> legend;  ///< most nodes first, what is grey last
  std::uint64_t shown = 0;          ///< nodes that are drawn, singly or together
  std::uint64_t each_dot = 1;       ///< childless nodes that a dot stands for
};
/// Any edges are fine: cycles, loops, ids that no node has (left out), the same twice (drawn once).
Layout lay_out(const Graph& graph);
/// At most `columns` characters, the middle left out when it is longer: names differ at their ends.
std::string shortened(const std::string& label, std::size_t columns);
}  // namespace hm::provenance::report
