// provenance/licence/index_lineage.hpp: the lineage of single repositories, read from the index as it is asked for.
// Layer 4; one thread. For all repositories at once: hub_lineage.hpp.
#pragma once
#include <deque>
#include <map>
#include <optional>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "provenance/licence/declared.hpp"
#include "provenance/licence/lineage.hpp"
#include "provenance/lineage/graph.hpp"
#include "storage/index.hpp"

namespace hm::provenance::licence {
/// Keeps what it has read: it tells of one state of the index.
class IndexLineage final : public Lineage {
 public:
  /// Both outlive it.
  IndexLineage(const storage::Index& index, const Catalogue& catalogue);
  /// nullopt: nobody told of this repository. @param history Read for who is asked about, which no ancestor needs
  Result<std::optional<NodeId>> node_of(const RepoKey& key, History history = History::Skip) const;
  const RepoKey& key_of(NodeId node) const { return nodes_[node].key; }
  const Declaration& declaration(NodeId node) const { return nodes_[node].declaration; }

  Result<Claim> claim(NodeId node) const override;
  Result<> parents(NodeId node, std::vector<Edge>& into) const override;

 private:
  struct Node {
    RepoKey key;
    Declaration declaration;
    bool with_history = false;
    std::optional<std::vector<Edge>> parents;
  };
  DeclarationReader reader_;
  lineage::Graph graph_;
  lineage::Walk walk_;  ///< relations that carry something
  mutable std::deque<Node> nodes_;
  mutable std::map<RepoKey, std::optional<NodeId>> ids_;
};
}  // namespace hm::provenance::licence
