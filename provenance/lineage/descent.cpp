#include "provenance/lineage/descent.hpp"

#include <algorithm>
#include <limits>

#include "storage/key_space.hpp"

namespace hm::provenance::lineage {
Result<Descent> Descent::read(const storage::Index& index, const Node& root, const Walk& walk) {
  const Graph graph(index);
  Descent out;
  Result<> outcome = ok();
  HM_TRY(graph.descendants(root, walk, [&](const Descendant& seen) {
    outcome = out.add(graph, seen);
    return outcome.has_value();
  }));
  HM_TRY(std::move(outcome));
  return out;
}

Result<> Descent::add(const Graph& graph, const Descendant& seen) {
  const auto repo = storage::key::parse_repo(seen.key);
  if (!repo) return Error{Errc::Corrupt, "the index holds a malformed edge; run: hubmirror index rebuild"};
  std::string looked_up;
  std::string_view name = seen.name;
  if (name.empty()) {
    HM_TRY(auto found, graph.name_of(*repo));
    looked_up = found ? std::move(*found) : repo->rid.text();
    name = looked_up;
  }
  constexpr int kDepthMax = std::numeric_limits<std::uint16_t>::max();
  rows_.push_back(
      {seen.relation, seen.evidence, static_cast<std::uint16_t>(std::min(seen.depth, kDepthMax)), seen.parent});
  keys_.append(seen.key);
  names_.append(name);
  ends_.push_back(static_cast<std::uint32_t>(names_.size()));
  return ok();
}

std::string_view Descent::key(std::uint32_t i) const {
  return std::string_view(keys_).substr(i * storage::kRepoKeyBytes, storage::kRepoKeyBytes);
}
std::string_view Descent::name(std::uint32_t i) const {
  const std::uint32_t begin = i == 0 ? 0 : ends_[i - 1];
  return std::string_view(names_).substr(begin, ends_[i] - begin);
}
Node Descent::node(std::uint32_t i) const {
  const auto repo = storage::key::parse_repo(key(i));
  return {repo, {repo->kind, std::string(name(i))}};
}
Result<std::optional<Edge>> Descent::edge(const Graph& graph, std::uint32_t i, const Node& root) const {
  const Row& row = rows_[i];
  const Node above = row.parent == Descendant::kRoot ? root : node(row.parent);
  Walk all;
  for (int relation = 0; relation < storage::kRelationCount; ++relation)
    all.relations.push_back(static_cast<storage::Relation>(relation));
  HM_TRY(auto edges, graph.parents(node(i), all));
  std::optional<Edge> out;
  for (Edge& edge : edges) {
    if (!(edge.to == above)) continue;
    if (edge.relation == row.relation) return std::optional(std::move(edge));
    if (!out || edge.evidence() > out->evidence()) out = std::move(edge);
  }
  return out;
}
std::vector<std::uint32_t> Descent::way_to(std::uint32_t i) const {
  std::vector<std::uint32_t> out;
  for (; i != Descendant::kRoot; i = rows_[i].parent) out.push_back(i);
  std::reverse(out.begin(), out.end());
  return out;
}
}  // namespace hm::provenance::lineage
