// provenance/licence/hub_lineage.hpp: the lineage of everything that is known, for judge_all(): licences from the
// columns of the listings, edges from the index's own, and over both what published revisions say. Some 100 bytes for
// each repository. Layer 4; not changed once it is read, calls from one thread.
#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "provenance/licence/catalogue.hpp"
#include "provenance/licence/lineage.hpp"
#include "provenance/licence/normalise.hpp"
#include "storage/index.hpp"

namespace hm::provenance::licence {
class HubLineage final : public Lineage {
 public:
  /// The catalogue outlives it. @returns Corrupt.
  static Result<HubLineage> read(const storage::Index& index, const Catalogue& catalogue);

  /// Repositories in the order in which they were listed, behind them those that are mirrored and were never listed.
  NodeId size() const { return static_cast<NodeId>(state_.size()); }
  /// Listed and neither gone nor private, or mirrored: what is counted. Others are ancestors at most.
  bool counts(NodeId node) const { return (state_[node] & kCounts) != 0; }
  RepoKind kind(NodeId node) const { return static_cast<RepoKind>(state_[node] & kKind); }
  std::uint64_t downloads(NodeId node) const { return downloads_[node]; }
  const std::string& expression(NodeId node) const { return said_[said_of_[node]].expression; }
  bool published(NodeId node) const { return published_.contains(node); }
  std::uint64_t published_count() const { return published_.size(); }
  Result<RepoKey> key_of(const storage::Index& index, NodeId node) const;

  /// The name is there only where a licence's rule about names may look at it.
  Result<Claim> claim(NodeId node) const override;
  Result<> parents(NodeId node, std::vector<Edge>& into) const override;

 private:
  static constexpr std::uint8_t kKind = 3, kCounts = 4, kAdapter = 8;
  struct Place {
    std::uint64_t high;
    std::uint32_t low, node;
  };
  struct Said {
    std::string expression, offered;
    auto operator<=>(const Said&) const = default;
  };
  struct Parent {
    NodeId node;
    Relation relation;
    Evidence evidence;
  };
  class Reader;

  std::vector<std::uint8_t> state_;
  std::vector<std::uint64_t> downloads_;
  std::vector<std::uint32_t> said_of_;
  std::vector<Said> said_;
  std::array<std::vector<Place>, 3> places_;  ///< of each kind, sorted
  std::vector<RepoKey> unlisted_;
  std::unordered_map<NodeId, std::string> names_, earlier_;
  std::unordered_map<NodeId, Claim> published_;
  std::vector<std::uint32_t> parents_begin_;
  std::vector<Parent> parents_;
};
}  // namespace hm::provenance::licence
