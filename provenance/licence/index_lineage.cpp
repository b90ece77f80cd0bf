#include "provenance/licence/index_lineage.hpp"

#include <utility>

#include "base/text.hpp"

namespace hm::provenance::licence {
namespace {
/// "listing baseModels: org/base", "revision 0123456789ab base_model: org/base".
std::string source_of(const lineage::Statement& statement) {
  std::string out = statement.origin == storage::EdgeOrigin::Listing ? "listing" : "revision";
  if (statement.last) out += " " + statement.last->hex().substr(0, 12);
  if (!statement.field.empty()) out += " " + statement.field;
  return out + ": " + statement.text;
}
}  // namespace

IndexLineage::IndexLineage(const storage::Index& index, const Catalogue& catalogue)
    : reader_(index, catalogue), graph_(index) {
  for (int i = 0; i < storage::kRelationCount; ++i)
    if (catalogue.rules().carries[static_cast<std::size_t>(i)]) walk_.relations.push_back(static_cast<Relation>(i));
}

Result<std::optional<NodeId>> IndexLineage::node_of(const RepoKey& key, History history) const {
  const auto known = ids_.find(key);
  const bool is_new = known == ids_.end();
  if (!is_new && (!known->second || history == History::Skip || nodes_[*known->second].with_history))
    return known->second;
  HM_TRY(auto declaration, reader_.read(key, history));
  if (!is_new && declaration) {
    Node& node = nodes_[*known->second];
    node.declaration = std::move(*declaration);
    node.with_history = true;
    return known->second;
  }
  std::optional<NodeId> id;
  if (declaration) {
    id = static_cast<NodeId>(nodes_.size());
    nodes_.push_back({key, std::move(*declaration), history == History::Read, std::nullopt});
  }
  ids_.emplace(key, id);
  return id;
}

Result<Claim> IndexLineage::claim(NodeId node) const {
  Claim claim = claim_of(nodes_[node].declaration);
  claim.name = RepoId{nodes_[node].key.kind, claim.name}.text();
  return claim;
}

Result<> IndexLineage::parents(NodeId node, std::vector<Edge>& into) const {
  if (!nodes_[node].parents) {
    std::vector<Edge> edges;
    const Node& child = nodes_[node];
    HM_TRY(const auto found, graph_.parents({child.key, {child.key.kind, child.declaration.name}}, walk_));
    for (const lineage::Edge& edge : found) {
      Edge one{kNoNode, edge.relation, edge.evidence(), source_of(edge.statements.front())};
      if (edge.to.key) {
        HM_TRY(const auto parent, node_of(*edge.to.key));
        one.parent = parent.value_or(kNoNode);
      }
      edges.push_back(std::move(one));
    }
    nodes_[node].parents = std::move(edges);
  }
  into.insert(into.end(), nodes_[node].parents->begin(), nodes_[node].parents->end());
  return ok();
}
}  // namespace hm::provenance::licence
