// Drawings of a page as SVG: lineage graphs and bars of shares.
#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "provenance/report/page_graph.hpp"
#include "provenance/report/page_graph_parts.hpp"
#include "provenance/report/page_parts.hpp"

namespace hm::provenance::report {
namespace {
constexpr std::size_t kBarsMax = 12;             // more are in the table
constexpr std::size_t kEdgesListed = 200;        // of a graph as text
constexpr double kGrowMax = 1.4, kGrowTo = 960;  // of a small drawing in rings, whose dots are tiny
constexpr double kRingsMin = 640,
                 kShrinkMin = 0.85;  // smaller, and the text of a drawing could not be read: it scrolls instead

/// With one digit after the point; the same everywhere.
std::string px(double value) {
  const long tenths = std::lround(value * 10);
  std::string out = (tenths < 0 ? "-" : "") + std::to_string(std::labs(tenths) / 10);
  return tenths % 10 == 0 ? out : out + "." + std::to_string(std::labs(tenths) % 10);
}
std::string attribute(std::string_view name, double value) {
  return " " + std::string(name) + "=\"" + px(value) + "\"";
}
std::string colour_class(std::size_t colour) { return "c" + std::to_string(colour); }
/// Lines stay lines.
std::string title(const std::string& text) {
  if (text.empty()) return "";
  std::string out = "<title>";
  for (const std::string_view line : split(text, '\n')) out += (out.size() > 7 ? "\n" : "") + escaped(line);
  return out + "</title>";
}

std::string edge_svg(const PlacedEdge& edge) {
  std::string out = "<path class=\"e";
  if (edge.weak) out += " weak";
  if (edge.aside) out += " aside";
  out += "\" d=\"M" + px(edge.points[0].x) + " " + px(edge.points[0].y);
  for (std::size_t i = 1; i + 2 < edge.points.size(); i += 3)
    out += "C" + px(edge.points[i].x) + " " + px(edge.points[i].y) + " " + px(edge.points[i + 1].x) + " " +
           px(edge.points[i + 1].y) + " " + px(edge.points[i + 2].x) + " " + px(edge.points[i + 2].y);
  return out + "\">" + title(edge.title) + "</path>\n";
}

std::string rectangle(double x, double y, double width, double height, const std::string& classes) {
  return "<rect class=\"" + classes + "\"" + attribute("x", x) + attribute("y", y) + attribute("width", width) +
         attribute("height", height) + " rx=\"6\"/>";
}
std::string box_svg(const PlacedNode& node) {
  constexpr double kBehind = 3, kSpot = 15, kSpotRadius = 5, kText = 28, kBaseline = 4, kHalfLine = 7.5;
  const double x = node.at.x - node.width / 2, y = node.at.y - node.height / 2;
  std::string out = node.subject ? "<g class=\"n subject\">" : "<g class=\"n\">";
  if (node.form == PlacedNode::Form::Stack)
    for (const double off : {2 * kBehind, kBehind}) out += rectangle(x + off, y + off, node.width, node.height, "box");
  out += rectangle(x, y, node.width, node.height, "box");
  out += "<circle class=\"" + colour_class(node.colour) + "\"" + attribute("cx", x + kSpot) +
         attribute("cy", node.at.y) + attribute("r", kSpotRadius) + "/>";
  const double name_y = node.at.y + kBaseline + (node.owner.empty() ? 0 : kHalfLine);
  if (!node.owner.empty())
    out += "<text class=\"owner\"" + attribute("x", x + kText) + attribute("y", name_y - 2 * kHalfLine) + ">" +
           escaped(node.owner) + "</text>";
  out += "<text" + attribute("x", x + kText) + attribute("y", name_y) + ">" + escaped(node.label) + "</text>";
  return out + title(node.title) + "</g>\n";
}
std::string circle_svg(const PlacedNode& node) {
  const bool is_head = node.form == PlacedNode::Form::Head;
  return "<circle class=\"" + std::string(is_head ? node.subject ? "head subject " : "head " : "") +
         colour_class(node.colour) + "\"" + attribute("cx", node.at.x) + attribute("cy", node.at.y) +
         attribute("r", node.width / 2) + ">" + title(node.title) + "</circle>\n";
}
std::string label_svg(const PlacedLabel& label) {
  constexpr double kBaseline = 4;
  using Anchor = PlacedLabel::Anchor;
  const char* anchor = label.anchor == Anchor::Start ? "start" : label.anchor == Anchor::End ? "end" : "middle";
  return std::string("<text class=\"label") + (label.subject ? " subject" : "") + "\" text-anchor=\"" + anchor + "\"" +
         attribute("x", label.at.x) + attribute("y", label.at.y + kBaseline) + ">" + escaped(label.text) + "</text>\n";
}

std::string legend_of(const Layout& layout, const Graph& graph) {
  std::string out = "<ul class=\"legend\">";
  for (const LegendEntry& entry : layout.legend)
    out += "<li><svg width=\"12\" height=\"12\" aria-hidden=\"true\"><circle class=\"" + colour_class(entry.colour) +
           "\" cx=\"6\" cy=\"6\" r=\"5\"/></svg><bdi>" + escaped(entry.name) + "</bdi> <span>" +
           grouped_digits(entry.count) + "</span></li>";
  const auto key = [](const char* what, const char* words) {
    return std::string("<li><svg width=\"26\" height=\"12\" aria-hidden=\"true\">") + what + "</svg>" + words + "</li>";
  };
  const auto any = [&](auto member, const auto& list) {
    return std::any_of(list.begin(), list.end(), [&](const auto& one) { return one.*member; });
  };
  if (any(&GraphNode::subject, graph.nodes))
    out += key("<circle class=\"head subject ground\" cx=\"13\" cy=\"6\" r=\"4.5\"/>", "asked about");
  if (any(&PlacedEdge::weak, layout.edges)) out += key("<path class=\"e weak\" d=\"M0 6H26\"/>", "weak evidence");
  if (any(&PlacedEdge::aside, layout.edges))
    out += key("<path class=\"e aside\" d=\"M0 6H26\"/>", "one more base, or a circle");
  return out + "</ul>\n";
}

std::string caption_of(const Layout& layout, const Graph& graph) {
  std::string out = layout.rings
                        ? "Bases are in the middle, what was made from them outwards. A dot is a repository from "
                          "which nothing else shown descends, beside what it was made from."
                        : "Bases are on the left, what was made from them on the right.";
  if (layout.each_dot > 1) out += " A dot stands for up to " + grouped_digits(layout.each_dot) + ".";
  out += " " + grouped_digits(layout.shown) + (layout.shown == 1 ? " repository" : " repositories");
  if (graph.left_out != 0) out += "; " + grouped_digits(graph.left_out) + " more are left out";
  return out + ". Point at anything to read more.";
}

/// For who cannot see the drawing, and for searches in the page.
std::string edges_as_text(const Graph& graph) {
  if (graph.edges.empty()) return "";
  const Lineage lineage(graph);
  std::string out = "<details class=\"more\"><summary>The same as text</summary><ul class=\"edges\">";
  std::size_t listed = 0;
  for (const Link& link : lineage.links) {
    if (++listed > kEdgesListed) break;
    out += "<li><bdi>" + escaped(graph.nodes[link.child].label) + "</bdi> ← <bdi>" +
           escaped(graph.nodes[link.parent].label) + "</bdi>";
    if (!link.title.empty()) out += " <span>" + escaped(link.title) + "</span>";
    out += "</li>";
  }
  out += "</ul>";
  if (lineage.links.size() > kEdgesListed)
    out += "<p>and " + grouped_digits(lineage.links.size() - kEdgesListed) + " more</p>";
  return out + "</details>";
}
}  // namespace

std::string drawing_of(const Graph& graph) {
  if (graph.nodes.empty()) return "";
  const Layout layout = lay_out(graph);
  const double widest =
      layout.rings ? std::max(layout.width, std::min(layout.width * kGrowMax, kGrowTo)) : layout.width;
  std::string out = "<figure class=\"graph\">\n<h3>" + escaped(graph.title) + "</h3>\n" + legend_of(layout, graph);
  out += "<div class=\"scroll\"><svg viewBox=\"0 0 " + px(layout.width) + " " + px(layout.height) +
         "\" role=\"img\" aria-label=\"" + escaped(graph.title) + "\" style=\"max-width:" + px(widest) +
         "px;min-width:" + px(std::min(layout.rings ? kRingsMin : layout.width * kShrinkMin, layout.width)) +
         "px\">\n<g>\n";
  for (const PlacedEdge& edge : layout.edges) out += edge_svg(edge);
  out += "</g>\n";
  for (const PlacedNode& node : layout.nodes)
    out +=
        node.form == PlacedNode::Form::Box || node.form == PlacedNode::Form::Stack ? box_svg(node) : circle_svg(node);
  for (const PlacedLabel& label : layout.labels) out += label_svg(label);
  return out + "</svg></div>\n<figcaption>" + escaped(caption_of(layout, graph)) + "</figcaption>\n" +
         edges_as_text(graph) + "</figure>\n";
}

namespace {
struct Bar {
  std::string label;
  Share share;
};
/// Bars that together are the whole: of them a strip is drawn too, and each has a colour.
bool is_partition(const std::vector<Bar>& bars) {
  std::uint64_t sum = 0;
  for (const Bar& bar : bars) {
    if (bar.share.of != bars.front().share.of) return false;
    sum += bar.share.part;
  }
  return bars.size() > 1 && sum == bars.front().share.of;
}
double part_of(const Share& share) {
  return share.of == 0 ? 0 : static_cast<double>(share.part) / static_cast<double>(share.of);
}

std::string strip_svg(const std::vector<Bar>& bars, const std::vector<std::size_t>& colours) {
  constexpr double kWhole = 1000;
  std::string out =
      "<svg class=\"strip\" viewBox=\"0 0 1000 20\" preserveAspectRatio=\"none\" role=\"img\" "
      "aria-label=\"shares of the whole\">";
  double at = 0;
  for (std::size_t i = 0; i < bars.size(); ++i) {
    const double wide = kWhole * part_of(bars[i].share);
    if (wide > 0)
      out += "<rect class=\"" + colour_class(colours[i]) + "\"" + attribute("x", at) + " y=\"0\"" +
             attribute("width", wide) + " height=\"20\">" + title(bars[i].label + " " + text_of(bars[i].share)) +
             "</rect>";
    at += wide;
  }
  return out + "</svg>";
}
/// @param whole what the full width stands for: 1, or more where there is growth beyond it
std::string bar_row(const Bar& bar, std::size_t colour, double whole) {
  constexpr double kWhole = 1000;
  const std::string counts = grouped_digits(bar.share.part) + " of " + grouped_digits(bar.share.of);
  return "<li title=\"" + escaped(bar.label + ": " + counts) + "\"><bdi>" + escaped(bar.label) +
         "</bdi><svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"track\" "
         "width=\"1000\" height=\"10\"/><rect class=\"" +
         colour_class(colour) + "\"" + attribute("width", kWhole * part_of(bar.share) / whole) +
         " height=\"10\"/></svg><b>" + escaped(text_of(bar.share)) + "</b></li>";
}

std::vector<Bar> bars_in(const FigureTable& table, std::size_t column) {
  std::vector<Bar> out;
  for (const auto& row : table.rows) {
    if (column >= row.size() || !std::holds_alternative<Share>(row[column])) continue;
    std::string label;
    for (std::size_t k = 0; k < table.keys && k < row.size(); ++k)
      label += (label.empty() ? "" : " · ") + text_of(row[k]);
    out.push_back({std::move(label), std::get<Share>(row[column])});
  }
  return out;
}
std::vector<std::size_t> colours_of(const std::vector<Bar>& bars, bool partition) {
  std::vector<std::size_t> out;
  std::size_t next = 0;
  for (const Bar& bar : bars) {
    const bool unknown =
        bar.label == "unknown" || bar.label.starts_with("unknown ·") || bar.label.ends_with("· unknown");
    out.push_back(unknown ? kGrey : !partition ? 0 : std::min(next++, kGrey));
  }
  return out;
}
}  // namespace

std::string bars_of(const FigureTable& table) {
  std::string out;
  for (std::size_t column = table.keys; column < table.columns.size(); ++column) {
    std::vector<Bar> bars = bars_in(table, column);
    if (bars.empty()) continue;
    const bool partition = is_partition(bars);
    const auto colours = colours_of(bars, partition);
    out += "<figure class=\"bars\"><h4>" + escaped(table.columns[column].meaning) + "</h4>";
    if (partition) out += strip_svg(bars, colours);
    double whole = 1;
    for (const Bar& bar : bars) whole = std::max(whole, part_of(bar.share));
    out += "<ul>";
    for (std::size_t i = 0; i < bars.size() && i < kBarsMax; ++i) out += bar_row(bars[i], colours[i], whole);
    out += "</ul>";
    if (bars.size() > kBarsMax)
      out += "<figcaption>the first " + std::to_string(kBarsMax) + " of " + grouped_digits(bars.size()) +
             "; all are in the table</figcaption>";
    out += "</figure>\n";
  }
  return out.empty() ? out : "<div class=\"charts\">" + out + "</div>\n";
}
}  // namespace hm::provenance::report
