#include "provenance/lineage/drawing.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "base/text.hpp"
#include "provenance/lineage/descent.hpp"
#include "provenance/lineage/standing.hpp"

namespace hm::provenance::lineage {
namespace {
/// An edge of an outline: to which node it leads, and which of the caller's edges it is.
struct Branch {
  std::uint32_t node = 0, what = 0;
};
using Outline = std::vector<std::vector<Branch>>;  ///< by node; 0 is the root
enum class Seen : std::uint8_t { No, OnTheWay, Before };

/// Depth first without recursion: a way may be as long as there are nodes.
Result<std::size_t> write_outline(const Outline& outline,
                                  const std::function<Result<std::string>(const Branch&, Seen)>& text_of_branch,
                                  const Out& out) {
  struct Frame {
    std::uint32_t node;
    std::size_t next;
    std::string indent;
  };
  std::vector<Seen> seen(outline.size(), Seen::No);
  std::vector<Frame> frames{{0, 0, {}}};
  seen[0] = Seen::OnTheWay;
  std::size_t lines = 0;
  while (!frames.empty()) {
    Frame& at = frames.back();
    const auto& branches = outline[at.node];
    if (at.next == branches.size()) {
      seen[at.node] = Seen::Before;
      frames.pop_back();
      continue;
    }
    const Branch branch = branches[at.next++];
    const bool is_last = at.next == branches.size();
    HM_TRY(const std::string text, text_of_branch(branch, seen[branch.node]));
    out(at.indent + (is_last ? "└─ " : "├─ ") + text + "\n");
    ++lines;
    if (seen[branch.node] != Seen::No) continue;
    seen[branch.node] = Seen::OnTheWay;
    frames.push_back({branch.node, 0, at.indent + (is_last ? "   " : "│  ")});
  }
  return lines;
}

/// "  (mirrored)"; nothing for what is known and no more.
std::string mark_of(const Standing& standing) {
  if (standing.mirrored && standing.gone_status != 0) return "  (mirrored, gone upstream)";
  const std::string_view word = standing.word();
  return word == "known" ? std::string() : "  (" + std::string(word) + ")";
}

std::string said_of(const Edge& edge) {
  std::string out(storage::name_of(edge.evidence()));
  std::vector<std::string> all;
  for (const Statement& statement : edge.statements) {
    std::string one = said_text(edge, statement);
    if (std::find(all.begin(), all.end(), one) == all.end()) all.push_back(std::move(one));
  }
  for (std::size_t i = 0; i < all.size(); ++i) out += (i == 0 ? ": " : "; ") + all[i];
  return out;
}

Result<std::size_t> write_up(const storage::Index& index, const Node& node, const Walk& walk, const Out& out) {
  HM_TRY(const auto all, Graph(index).ancestors(node, walk));
  std::unordered_map<std::string, std::uint32_t> numbers{{id_of(node), 0}};
  Outline outline(1);
  auto number_of = [&](const Node& of) {
    const auto [at, is_new] = numbers.emplace(id_of(of), static_cast<std::uint32_t>(outline.size()));
    if (is_new) outline.emplace_back();
    return at->second;
  };
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    const std::uint32_t from = number_of(all[i].edge.from), to = number_of(all[i].edge.to);
    outline[from].push_back({to, i});
  }
  return write_outline(
      outline,
      [&](const Branch& branch, Seen seen) -> Result<std::string> {
        const Edge& edge = all[branch.what].edge;
        HM_TRY(const Standing standing, standing_of(index, edge.to));
        std::string text = std::string(storage::name_of(edge.relation)) + "  " + lineage::text_of(edge.to) + "  [" +
                           said_of(edge) + "]" + mark_of(standing);
        if (seen == Seen::Before && !outline[branch.node].empty()) text += "  (again, see above)";
        if (seen == Seen::OnTheWay) text += "  (again, see above: a cycle)";
        return text;
      },
      out);
}

/// Children of each node, by relation and name.
Outline outline_of(const Descent& descent) {
  Outline outline(descent.size() + 1);
  for (std::uint32_t i = 0; i < descent.size(); ++i) {
    const std::uint32_t parent = descent[i].parent == Descendant::kRoot ? 0 : descent[i].parent + 1;
    outline[parent].push_back({i + 1, i});
  }
  for (auto& branches : outline)
    std::sort(branches.begin(), branches.end(), [&](const Branch& a, const Branch& b) {
      return std::make_tuple(descent[a.what].relation, descent.name(a.what), a.what) <
             std::make_tuple(descent[b.what].relation, descent.name(b.what), b.what);
    });
  return outline;
}

Result<std::size_t> write_down(const storage::Index& index, const Node& node, const Walk& walk, const Out& out) {
  HM_TRY(const auto descent, Descent::read(index, node, walk));
  HM_TRY(const auto mirrored_ones, MirroredAmong::read(index));
  const Graph graph(index);
  return write_outline(
      outline_of(descent),
      [&](const Branch& branch, Seen) -> Result<std::string> {
        const Descent::Row& row = descent[branch.what];
        const std::string name = lineage::text_of(descent.node(branch.what));
        HM_TRY(const bool mirrored, mirrored_ones.has(descent.key(branch.what)));
        std::string text = std::string(storage::name_of(row.relation)) + "  " + name + "  [" +
                           std::string(storage::name_of(row.evidence)) + "]";
        if (!mirrored) return text;
        HM_TRY(const auto edge, descent.edge(graph, branch.what, node));  // its revisions may say more than the listing
        if (edge) text = std::string(storage::name_of(edge->relation)) + "  " + name + "  [" + said_of(*edge) + "]";
        return text + "  (mirrored)";
      },
      out);
}

/// A graph while nodes and edges come in.
class Canvas {
 public:
  explicit Canvas(const storage::Index& index) : index_(index) {}
  /// False when there is no room for one more.
  Result<bool> add(const Node& node) {
    std::string id = id_of(node);
    if (ids_.contains(id)) return true;
    if (graph_.nodes.size() == kDrawnMax) {
      left_out_.insert(std::move(id));
      return false;
    }
    HM_TRY(const Standing standing, standing_of(index_, node));
    report::GraphNode drawn;
    drawn.id = id;
    drawn.label = lineage::text_of(node);
    drawn.group = standing.word();
    drawn.subject = graph_.nodes.empty();
    drawn.note = (node.key ? node.key->text() + ", " : std::string()) + std::string(standing.word());
    if (standing.mirrored && standing.gone_status != 0) drawn.note += ", gone upstream";
    graph_.nodes.push_back(std::move(drawn));
    ids_.insert(std::move(id));
    return true;
  }
  void add(const Edge& edge) {
    report::GraphEdge drawn{id_of(edge.from), id_of(edge.to), {}, edge.evidence() < storage::Evidence::Declared};
    if (!ids_.contains(drawn.from) || !ids_.contains(drawn.to)) return;
    drawn.label = std::string(storage::name_of(edge.relation)) + ", " + std::string(storage::name_of(edge.evidence()));
    graph_.edges.push_back(std::move(drawn));
  }
  report::Graph take(std::string title, std::uint64_t more_left_out) {
    graph_.title = std::move(title);
    graph_.left_out = left_out_.size() + more_left_out;
    return std::move(graph_);
  }

 private:
  const storage::Index& index_;
  report::Graph graph_;
  std::set<std::string> ids_, left_out_;
};

/// In Graphviz a quoted string has escapes of its own, and entities.
std::string dot_quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : printable(text)) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      default:
        out.push_back(c);
    }
  }
  return out + "\"";
}

/// In Mermaid a label is between quotes and may still be Markdown, HTML or an entity: all but plain characters are
/// written by number.
std::string mermaid_quoted(std::string_view text) {
  constexpr std::string_view kPlain = " ._-/,:()";
  std::string out = "\"";
  const std::string safe = printable(text);  // valid UTF-8
  for (std::size_t i = 0; i < safe.size();) {
    const auto lead = static_cast<unsigned char>(safe[i]);
    const std::size_t bytes = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    std::uint32_t code = bytes == 1 ? lead : lead & (0x7fU >> bytes);
    for (std::size_t k = 1; k < bytes && i + k < safe.size(); ++k)
      code = (code << 6) | (static_cast<unsigned char>(safe[i + k]) & 0x3fU);
    const bool is_alnum = (lead >= '0' && lead <= '9') || ((lead | 0x20U) >= 'a' && (lead | 0x20U) <= 'z');
    if (bytes == 1 && (is_alnum || kPlain.find(safe[i]) != std::string_view::npos))
      out.push_back(safe[i]);
    else
      out += "#" + std::to_string(code) + ";";
    i += bytes;
  }
  return out + "\"";
}

std::map<std::string, std::size_t> places_of(const report::Graph& graph) {
  std::map<std::string, std::size_t> out;
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) out.emplace(graph.nodes[i].id, i);
  return out;
}
std::string left_out_text(const report::Graph& graph) {
  return "and " + std::to_string(graph.left_out) + " more that are not drawn";
}
}  // namespace

Result<std::size_t> write_tree(const storage::Index& index, const Node& node, Direction direction, const Walk& walk,
                               const Out& out) {
  HM_TRY(const Standing standing, standing_of(index, node));
  out(lineage::text_of(node) + mark_of(standing) + "\n");
  return direction == Direction::Up ? write_up(index, node, walk, out) : write_down(index, node, walk, out);
}

Result<report::Graph> graph_of(const storage::Index& index, const Node& node, Direction direction, const Walk& walk) {
  const Graph graph(index);
  Canvas canvas(index);
  HM_TRY(canvas.add(node));
  if (direction == Direction::Up) {
    HM_TRY(const auto all, graph.ancestors(node, walk));
    for (const Ancestor& step : all) {
      HM_TRY(canvas.add(step.edge.to));
    }
    for (const Ancestor& step : all) canvas.add(step.edge);
    return canvas.take("What " + lineage::text_of(node) + " is made from", 0);
  }
  HM_TRY(const auto descent, Descent::read(index, node, walk));
  const auto shown = static_cast<std::uint32_t>(std::min<std::size_t>(descent.size(), kDrawnMax - 1));
  for (std::uint32_t i = 0; i < shown; ++i) {
    HM_TRY(canvas.add(descent.node(i)));
  }
  // From their own words, so that a second parent and a cycle are drawn too.
  for (std::uint32_t i = 0; i < shown; ++i) {
    HM_TRY(const auto edges, graph.parents(descent.node(i), walk));
    for (const Edge& edge : edges) canvas.add(edge);
  }
  return canvas.take("What is made from " + lineage::text_of(node), descent.size() - shown);
}

std::string to_dot(const report::Graph& graph) {
  const auto places = places_of(graph);
  std::string out = "digraph lineage {\n  label=" + dot_quoted(graph.title) +
                    ";\n  rankdir=BT;\n  node [shape=box, style=rounded];\n";
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const report::GraphNode& node = graph.nodes[i];
    out += "  n" + std::to_string(i) + " [label=" + dot_quoted(node.label) + ", tooltip=" + dot_quoted(node.note);
    if (node.subject) out += ", penwidth=3";
    if (node.group == "mirrored") out += R"(, style="rounded,filled", fillcolor="#d5e8d4")";
    if (node.group == "gone upstream") out += R"(, style="rounded,filled", fillcolor="#f8cecc")";
    if (node.group == "not known here") out += R"(, style="rounded,dashed")";
    out += "];\n";
  }
  for (const report::GraphEdge& edge : graph.edges)
    out += "  n" + std::to_string(places.at(edge.from)) + " -> n" + std::to_string(places.at(edge.to)) +
           " [label=" + dot_quoted(edge.label) + (edge.weak ? ", style=dashed" : "") + "];\n";
  if (graph.left_out != 0) out += "  more [shape=plaintext, label=" + dot_quoted(left_out_text(graph)) + "];\n";
  return out + "}\n";
}

std::string to_mermaid(const report::Graph& graph) {
  const auto places = places_of(graph);
  std::string out = "flowchart BT\n";
  for (std::size_t i = 0; i < graph.nodes.size(); ++i) {
    const report::GraphNode& node = graph.nodes[i];
    const char* const style = node.group == "mirrored"         ? ":::mirrored"
                              : node.group == "gone upstream"  ? ":::gone"
                              : node.group == "not known here" ? ":::unknown"
                                                               : "";
    out += "  n" + std::to_string(i) + "[" + mermaid_quoted(node.label) + "]" + style + "\n";
  }
  for (const report::GraphEdge& edge : graph.edges)
    out += "  n" + std::to_string(places.at(edge.from)) + (edge.weak ? " -.->|" : " -->|") +
           mermaid_quoted(edge.label) + "| n" + std::to_string(places.at(edge.to)) + "\n";
  if (graph.left_out != 0) out += "  more[" + mermaid_quoted(left_out_text(graph)) + "]\n";
  return out +
         "  classDef mirrored fill:#d5e8d4\n  classDef gone fill:#f8cecc\n"
         "  classDef unknown stroke-dasharray:4 4\n";
}
}  // namespace hm::provenance::lineage
