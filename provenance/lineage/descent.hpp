// provenance/lineage/descent.hpp: everything that descends from one repository, in arrays of some 60 bytes for each, so
// that a hundred thousand of them can be ordered. Layer 4; filled by one thread.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "provenance/lineage/graph.hpp"
#include "storage/index.hpp"

namespace hm::provenance::lineage {
class Descent {
 public:
  /// All, nearest first.
  static Result<Descent> read(const storage::Index& index, const Node& root, const Walk& walk);
  /// The next one; its name is looked up where it has none.
  Result<> add(const Graph& graph, const Descendant& seen);

  struct Row {
    storage::Relation relation;
    storage::Evidence evidence;
    std::uint16_t depth;   ///< 1: a child; no more than fits
    std::uint32_t parent;  ///< place of who it descends from, or Descendant::kRoot
  };
  std::uint32_t size() const { return static_cast<std::uint32_t>(rows_.size()); }
  const Row& operator[](std::uint32_t i) const { return rows_[i]; }
  std::string_view key(std::uint32_t i) const;   ///< key::repo()
  std::string_view name(std::uint32_t i) const;  ///< as spelled; never ""
  Node node(std::uint32_t i) const;
  /// The edge by which it is here, in the words of the child: all its statements, of which a row has the first that was
  /// met. nullopt: it says so no longer. Costs some hundred microseconds. @param root as of read()
  Result<std::optional<Edge>> edge(const Graph& graph, std::uint32_t i, const Node& root) const;
  /// Places from a child of the root down to `i`.
  std::vector<std::uint32_t> way_to(std::uint32_t i) const;

 private:
  std::vector<Row> rows_;
  std::string keys_, names_;
  std::vector<std::uint32_t> ends_;  ///< of the names
};
}  // namespace hm::provenance::lineage
