// tests/unit/provenance/licence_graph.hpp: a lineage in memory for the tests of the licence engine.
#pragma once
#include <map>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "provenance/licence/lineage.hpp"

namespace hm::provenance::licence {
struct MemoryLineage final : Lineage {
  std::vector<Claim> claims;
  std::vector<std::vector<Edge>> edges;

  NodeId add(Claim claim) {
    claims.push_back(std::move(claim));
    edges.emplace_back();
    return static_cast<NodeId>(claims.size() - 1);
  }
  NodeId add(std::string name, std::string expression, Material material = Material::Model) {
    Claim claim;
    claim.name = std::move(name);
    claim.expression = std::move(expression);
    claim.material = material;
    return add(std::move(claim));
  }
  void link(NodeId child, Relation relation, Evidence evidence, NodeId parent, std::string source = {}) {
    edges[child].push_back({parent, relation, evidence, std::move(source)});
  }
  Result<Claim> claim(NodeId node) const override { return claims.at(node); }
  Result<> parents(NodeId node, std::vector<Edge>& into) const override {
    into.insert(into.end(), edges.at(node).begin(), edges.at(node).end());
    return ok();
  }
};
}  // namespace hm::provenance::licence
