#include "provenance/report/page_graph.hpp"

#include <algorithm>
#include <map>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "provenance/report/page_graph_parts.hpp"

namespace hm::provenance::report {
namespace {
constexpr double kLetterPx = 7.1, kWideLetterPx = 12.5;  // of 12 px type that is rather wide

std::vector<std::string> characters(const std::string& text) {
  std::vector<std::string> out;
  for (const char c : text) {
    if (out.empty() || (static_cast<unsigned char>(c) & 0xC0) != 0x80)
      out.emplace_back(1, c);
    else
      out.back() += c;
  }
  return out;
}
}  // namespace

std::string shortened(const std::string& label, std::size_t columns) {
  const auto all = characters(label);
  if (all.size() <= columns) return label;
  const std::size_t tail = columns / 2, head = columns - 1 - tail;
  std::string out;
  for (std::size_t i = 0; i < head; ++i) out += all[i];
  out += "…";
  for (std::size_t i = all.size() - tail; i < all.size(); ++i) out += all[i];
  return out;
}

double width_of_text(const std::string& text) {
  double out = 0;
  for (const std::string& c : characters(text)) out += c.size() >= 3 && c != "…" ? kWideLetterPx : kLetterPx;
  return out;
}

std::string grouped_digits(std::uint64_t number) {
  std::string out = std::to_string(number);
  for (auto at = static_cast<std::ptrdiff_t>(out.size()) - 3; at > 0; at -= 3)
    out.insert(static_cast<std::size_t>(at), 1, ',');  // of a text g++ 12 warns in vain
  return out;
}

Lineage::Lineage(const Graph& g) : graph(g), children(g.nodes.size()), parents(g.nodes.size()), level(g.nodes.size()) {
  read_links();
  break_cycles();
  count_levels();
  give_colours();
}

void Lineage::read_links() {
  std::unordered_map<std::string, std::size_t> by_id;
  for (std::size_t i = 0; i < size(); ++i) by_id.emplace(graph.nodes[i].id, i);
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> known;
  for (const GraphEdge& edge : graph.edges) {
    const auto child = by_id.find(edge.from), parent = by_id.find(edge.to);
    if (child == by_id.end() || parent == by_id.end() || child->second == parent->second) continue;
    const auto [at, is_new] = known.emplace(std::pair(child->second, parent->second), links.size());
    if (is_new) {
      links.push_back({child->second, parent->second, edge.weak, false, edge.label});
      continue;
    }
    Link& link = links[at->second];
    link.weak = link.weak && edge.weak;
    if (!edge.label.empty() && link.title != edge.label) link.title += (link.title.empty() ? "" : "; ") + edge.label;
  }
}

/// Goes down from every node; a way back to where it came from closes a cycle.
void Lineage::break_cycles() {
  std::vector<std::vector<std::size_t>> down(size());
  std::vector<bool> has_parent(size(), false);
  for (std::size_t i = 0; i < links.size(); ++i) {
    down[links[i].parent].push_back(i);
    has_parent[links[i].child] = true;
  }
  enum : char { New, Open, Done };
  std::vector<char> state(size(), New);
  std::vector<std::pair<std::size_t, std::size_t>> stack;  // node, next of its links
  const auto visit = [&](std::size_t root) {
    if (state[root] != New) return;
    state[root] = Open;
    stack.emplace_back(root, 0);
    while (!stack.empty()) {
      const std::size_t node = stack.back().first;
      if (stack.back().second == down[node].size()) {
        state[node] = Done;
        order.push_back(node);
        stack.pop_back();
        continue;
      }
      Link& link = links[down[node][stack.back().second++]];
      if (state[link.child] == Open) {
        link.back = true;
      } else if (state[link.child] == New) {
        state[link.child] = Open;
        stack.emplace_back(link.child, 0);
      }
    }
  };
  for (std::size_t i = 0; i < size(); ++i)
    if (!has_parent[i]) visit(i);
  for (std::size_t i = 0; i < size(); ++i) visit(i);
  std::reverse(order.begin(), order.end());
}

void Lineage::count_levels() {
  for (std::size_t i = 0; i < links.size(); ++i) {
    if (links[i].back) continue;
    children[links[i].parent].push_back(i);
    parents[links[i].child].push_back(i);
  }
  for (const std::size_t node : order)
    for (const std::size_t i : children[node]) level[links[i].child] = std::max(level[links[i].child], level[node] + 1);
}

void Lineage::give_colours() {
  std::map<std::string, std::uint64_t> counts;
  for (const GraphNode& node : graph.nodes) ++counts[node.group];
  std::uint64_t grey = 0;
  for (const auto& [name, count] : counts)
    if (!name.empty() && name != "unknown") legend.push_back({name, kGrey, count});
  std::stable_sort(legend.begin(), legend.end(),
                   [](const LegendEntry& a, const LegendEntry& b) { return a.count > b.count; });
  std::map<std::string, std::size_t> colours;
  for (std::size_t i = 0; i < legend.size(); ++i) {
    if (i < kColours)
      colours[legend[i].name] = legend[i].colour = i;
    else
      grey += legend[i].count;
  }
  if (legend.size() > kColours) {
    const std::size_t others = legend.size() - kColours;
    legend.resize(kColours);
    legend.push_back({grouped_digits(others) + " others", kGrey, grey});
  }
  if (const auto it = counts.find("unknown"); it != counts.end()) legend.push_back({"unknown", kGrey, it->second});
  if (const auto it = counts.find(""); it != counts.end() && !legend.empty())
    legend.push_back({"not told", kGrey, it->second});
  colour.resize(size(), kGrey);
  for (std::size_t i = 0; i < size(); ++i)
    if (const auto it = colours.find(graph.nodes[i].group); it != colours.end()) colour[i] = it->second;
}

std::string Lineage::title_of(std::size_t i) const {
  const GraphNode& node = graph.nodes[i];
  std::string out = node.label;
  for (const std::string& more : {node.group, node.note})
    if (!more.empty()) out += "\n" + more;
  return out;
}

std::vector<Bucket> gathered(const Lineage& lineage) {
  std::vector<bool> has_way_back(lineage.size(), false);  // an edge that closes a cycle has to begin somewhere
  for (const Link& link : lineage.links)
    if (link.back) has_way_back[link.parent] = true;
  std::map<std::tuple<std::size_t, std::string, bool>, std::vector<std::size_t>> by;
  for (std::size_t i = 0; i < lineage.size(); ++i) {
    if (!lineage.is_leaf(i) || has_way_back[i] || lineage.parents[i].size() != 1 || lineage.graph.nodes[i].subject)
      continue;
    const Link& link = lineage.links[lineage.parents[i].front()];
    by[{link.parent, lineage.graph.nodes[i].group, link.weak}].push_back(i);
  }
  std::vector<Bucket> out;
  for (auto& [key, leaves] : by)
    if (leaves.size() > kGatherMin) out.push_back({std::get<0>(key), std::move(leaves)});
  return out;
}

Layout lay_out(const Graph& graph) {
  const Lineage lineage(graph);
  const auto buckets = gathered(lineage);
  std::size_t singly = graph.nodes.size();
  for (const Bucket& bucket : buckets) singly -= bucket.leaves.size() - 1;
  Layout out = singly <= kColumnsMax ? in_columns(lineage, buckets) : on_rings(lineage);
  out.legend = lineage.legend;
  out.shown = graph.nodes.size();
  return out;
}
}  // namespace hm::provenance::report
