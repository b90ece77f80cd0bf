// provenance/audit/ancestry.hpp: the ancestors of many repositories one after the other; most descend from the same
// few, whose edges are read once. Layer 4. Threads: used by one.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "provenance/lineage/graph.hpp"
#include "provenance/lineage/standing.hpp"
#include "storage/index.hpp"

namespace hm::provenance::audit {
/// One edge upwards on a shortest way from the repository that was asked about.
struct Step {
  static constexpr std::uint32_t kStart = UINT32_MAX;
  std::shared_ptr<const std::vector<lineage::Edge>> edges;
  std::size_t at = 0;
  std::uint32_t before = kStart;  ///< the step that reached edge().from
  int depth = 1;                  ///< 1: to a parent
  bool again = false;             ///< edge().to was reached before, or is the start itself; not followed
  const lineage::Edge& edge() const { return (*edges)[at]; }
};

class Ancestry {
 public:
  /// @param walk as of lineage::Graph::ancestors
  Ancestry(const storage::Index& index, lineage::Walk walk) : graph_(index), walk_(std::move(walk)) {}
  const lineage::Graph& graph() const { return graph_; }
  /// Every edge once, nearest first.
  Result<std::vector<Step>> above(const lineage::Node& start);
  /// Of the last above(): who of them says more than is read; "" nobody.
  const std::string& cut_at() const { return cut_at_; }

 private:
  struct Edges {
    std::shared_ptr<const std::vector<lineage::Edge>> all;
    bool cut = false;
  };
  Result<Edges> edges_of(const lineage::Node& node, const std::string& id, bool keep);
  static constexpr std::size_t kKeptMax = 20'000;  ///< nodes; some kilobytes each
  lineage::Graph graph_;
  lineage::Walk walk_;
  std::unordered_map<std::string, Edges> kept_;
  std::string cut_at_;
};
/// lineage::standing_of() for many nodes, of which most are met again.
class Standings {
 public:
  explicit Standings(const storage::Index& index) : index_(index) {}
  /// @param id lineage::id_of(node)
  Result<lineage::Standing> of(const lineage::Node& node, const std::string& id);

 private:
  static constexpr std::size_t kKeptMax = 200'000;
  const storage::Index& index_;
  std::unordered_map<std::string, lineage::Standing> kept_;
};
/// Along what weights come from, and of a dataset the datasets it is made from: not to training data.
lineage::Walk walk_to_bases();
/// The hops up to and with this step, child first, as findings show them.
std::vector<std::string> path_to(const std::vector<Step>& steps, std::uint32_t step);
}  // namespace hm::provenance::audit
