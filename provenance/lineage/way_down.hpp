// provenance/lineage/way_down.hpp: everything made from one repository, level by level. Layer 4. Threads: one; calls
// block on the index.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "provenance/lineage/graph.hpp"
#include "storage/edge_lists.hpp"
#include "storage/edge_row.hpp"
#include "storage/index.hpp"

namespace hm::provenance::lineage {
/// key::repo() of those that were seen: open addressing, since a walk asks it once for each edge.
class KeySet {
 public:
  /// False: it was there.
  bool add(std::string_view repo_key);

 private:
  using Slot = std::array<std::uint64_t, 2>;  // the kind is never 0, so neither is the first half of a slot in use
  static Slot slot_of(std::string_view repo_key);
  bool insert(const Slot& slot);
  void grow();
  std::vector<Slot> slots_ = std::vector<Slot>(1024);
  std::size_t count_ = 0;
};

/// One walk: Graph::descendants().
class WayDown {
 public:
  using Visit = std::function<bool(const Descendant&)>;
  WayDown(const Graph& graph, const storage::Index& index, const Walk& walk);
  Result<> run(const Node& root, const Visit& visit);

 private:
  using Below = storage::EdgeLists::Below;
  /// Somebody whose children are to be looked at. The key and, behind it, the name are in a Level's texts.
  struct Next {
    std::size_t text_at = 0, name_bytes = 0;
    std::uint32_t number = Descendant::kRoot;  ///< how many were seen before
    Below below;
  };
  struct Level {
    std::string texts;
    std::vector<Next> next;
    std::string_view key(const Next& of) const;   ///< key::repo()
    std::string_view name(const Next& of) const;  ///< "": to be looked up
  };
  /// Edges that lead to one of them, by its id or by a name.
  struct Look {
    std::string prefix;
    std::uint32_t list, number;
    std::uint32_t name = kById;  ///< place in names_
    static constexpr std::uint32_t kById = UINT32_MAX;
  };
  struct Name {
    std::string key, owner;     ///< key::name(); key::repo() of who is to be found under it
    std::optional<bool> holds;  ///< asked when there is an edge to follow, and not before
  };

  bool wants_others() const;
  bool wants(const storage::EdgeView& edge) const;
  Result<> prepare(const std::function<Result<>()>& add);
  Result<> add_looks_for_root(const Node& root);
  Result<> add_looks(const Level& level, const Next& next);
  Result<> add_look(std::string prefix, storage::EdgeClass edges, std::uint32_t list, bool others, std::uint32_t number,
                    std::uint32_t name);
  Result<bool> may_have_names(std::string_view key, std::string_view name, const Below& below);
  Result<> add_names(const RepoKey& repo, std::string_view present_name, std::uint32_t number, const Below& below);
  Result<bool> is_meant(const Look& look);
  Result<bool> look_at_all(int depth, const Visit& visit, Level& below);

  const Graph& graph_;
  const storage::Index& index_;
  const Walk& walk_;
  std::array<bool, storage::kRelationCount> relations_{};
  std::vector<storage::EdgeClass> classes_;
  std::optional<storage::EdgeLists> lists_;
  KeySet seen_;
  std::uint32_t count_ = 0;
  // Of the level that is looked at.
  std::vector<Look> looks_;
  std::vector<Name> names_;
};
}  // namespace hm::provenance::lineage
