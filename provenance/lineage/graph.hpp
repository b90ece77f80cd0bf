// provenance/lineage/graph.hpp: who descends from whom, over everything that listings, cards and files say. Layer 4.
// Threads: safe; calls block on the index. Whatever strangers wrote ends here: cycles, loops, a hundred thousand
// children, parents that nobody has. docs/lineage.md
#pragma once
#include <climits>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/edge_row.hpp"
#include "storage/index.hpp"

namespace hm::provenance::lineage {
/// A repository; without a key it is a name that means nobody here (a parent that was deleted, never listed, or never a
/// repository).
struct Node {
  std::optional<RepoKey> key;
  RepoId repo;  ///< as spelled where it is known, else as written by whoever named it
  bool operator==(const Node& other) const;
};

/// One statement behind an edge.
struct Statement {
  storage::EdgeOrigin origin = storage::EdgeOrigin::Listing;
  storage::Evidence evidence = storage::Evidence::Declared;
  std::string field, text;
  // Of published revisions: the first and the last that said so, and when they were seen.
  std::optional<Commit> first, last;
  std::int64_t first_ms = 0, last_ms = 0;
};
struct Edge {
  Node from, to;  ///< child, parent
  storage::Relation relation = storage::Relation::DerivedFrom;
  std::vector<Statement> statements;  ///< the best founded first
  storage::Evidence evidence() const { return statements.front().evidence; }
};

struct Walk {
  int depth_max = INT_MAX;                   ///< levels; nobody is followed twice, so each way ends
  std::vector<storage::Relation> relations;  ///< empty: all that are lineage
  storage::Evidence evidence_min = storage::Evidence::Inferred;
};

bool follows(const Walk& walk, storage::Relation relation);

/// Seen on the way down. Views are good during the call.
struct Descendant {
  std::string_view key;   ///< key::repo()
  std::string_view name;  ///< "" where only its own rows tell: Graph::name_of()
  storage::Relation relation;
  storage::Evidence evidence;
  int depth;             ///< 1: a child
  std::uint32_t parent;  ///< how many were seen before its parent was; kRoot for a child of the root
  static constexpr std::uint32_t kRoot = UINT32_MAX;
};
/// Seen on the way up.
struct Ancestor {
  Edge edge;           ///< from somebody nearer to `edge.to`
  int depth;           ///< 1: a parent
  bool again = false;  ///< `edge.to` was reached before: a second way, or a cycle; not followed
};

class Graph {
 public:
  explicit Graph(const storage::Index& index) : index_(index) {}
  /// Whoever has the name now, had it, is called so by who gives its id for a base, or nobody.
  Result<Node> find(const RepoId& repo) const;
  Result<Node> find(const RepoKey& key) const;
  /// As last listed, else as last visited; nullopt when neither ever was.
  Result<std::optional<std::string>> name_of(const RepoKey& key) const;

  /// What a repository says it is made from; a parent that is named by listing and card alike is one edge of a
  /// relation. Nothing for a node without a key. @param cut set when it says more than is read, kClaimsMax
  Result<std::vector<Edge>> parents(const Node& node, const Walk& walk, bool* cut = nullptr) const;
  /// Every repository once, nearest first, until `visit` returns false. Does not give the node itself.
  Result<> descendants(const Node& node, const Walk& walk, const std::function<bool(const Descendant&)>& visit) const;
  /// Every edge once, nearest first.
  Result<std::vector<Ancestor>> ancestors(const Node& node, const Walk& walk) const;
  /// The shortest way up from one to the other, child first; empty when there is none.
  Result<std::vector<Edge>> way_up(const Node& from, const Node& to, const Walk& walk) const;

 private:
  Result<Node> resolved(const storage::EdgeTarget& target, std::string_view text) const;
  const storage::Index& index_;
};
}  // namespace hm::provenance::lineage
