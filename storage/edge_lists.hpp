// storage/edge_lists.hpp: the edges of lineage once more, as they were at one moment, in the order in which a walk down
// meets them. Layer 3; rows in Family::Edges. docs/formats/index_keys.md
//
// Rows lie in the order of their targets, so a walk down a family of a hundred thousand looks into the index at tens of
// thousands of places. Here the edges to one target are a list, every edge tells which lists are its child's, and lists
// are numbered and stored breadth first: the same walk reads some dozens of chunks one after the other. Lists are
// written anew after a sweep and after a rebuild. Rows stay what counts: with each that changes goes a mark, in the
// same batch, and whoever reads a list reads what is marked from the rows.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "storage/edge_row.hpp"
#include "storage/index.hpp"

namespace hm::storage {
/// Reads lists. Sees the lists as they were when it was opened and rows at least as new; when lists are written anew
/// meanwhile it goes on with rows. Threads: one.
class EdgeLists {
 public:
  // Instead of the number of a list.
  static constexpr std::uint32_t kNone = UINT32_MAX;      ///< there is no edge
  static constexpr std::uint32_t kRows = UINT32_MAX - 1;  ///< only the rows tell
  /// What is known of a child.
  struct Below {
    std::uint32_t by_id = kRows, by_name = kRows;                          ///< lists of EdgeClass::Lineage
    bool others_by_id = true, others_by_name = true, former_names = true;  ///< false: there are none
    bool is_empty() const {
      return by_id == kNone && by_name == kNone && !others_by_id && !others_by_name && !former_names;
    }
  };
  /// Texts are good during the call. False ends it.
  using Visit = std::function<Result<bool>(const EdgeView& edge, const Below& below)>;

  /// @param others whether edges of EdgeClass::Other will be asked for @returns Corrupt.
  static Result<EdgeLists> open(const Index& index, bool others);
  /// False: only rows tell. Once they did not, or no more, it stays so.
  bool are_there() const { return number_ != 0; }

  /// The list of the edges that begin with key::edges_to() of EdgeClass::Lineage, kNone or kRows. Of former names:
  /// kNone, or there may be some. Holds when look_again() is called afterwards and they are still there.
  Result<std::uint32_t> find(std::string_view prefix) const;
  /// Lists that were written anew since these were opened are as good as none.
  Result<> look_again();
  /// False: lists tell all, and nothing changed since they were written.
  bool may_have_changed() const { return number_ == 0 || any_changed_; }
  /// False: no edge to this repository, by its id or by this name, and no former name of it has changed.
  bool may_concern(std::string_view repo_key, std::string_view name) const;
  /// Whether a row with this prefix of edges or former names may have changed since the lists were written.
  Result<bool> changed(std::string_view prefix);
  /// The edges that begin with this prefix, as they are now, in the order of their keys.
  /// @returns false when `visit` did; Corrupt.
  Result<bool> each(std::string_view prefix, std::uint32_t list, const Visit& visit);

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  struct Chunk {
    std::uint32_t number = 0;
    std::uint64_t used = 0;
    std::string bytes;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> runs;  ///< list, offset; ascending
  };
  /// What keys of changed rows have behind the prefix, ascending.
  using Tails = std::vector<std::string>;

  EdgeLists(const Index& index, bool others) : index_(&index), others_(others) {}
  Result<const Tails*> changes_of(std::string_view prefix);
  Result<> read_changes(std::string_view prefix);
  Result<> read_all_changes();
  Result<const Chunk*> chunk(std::uint32_t number);
  Result<bool> each_row(std::string_view prefix, const Visit& visit) const;
  Result<bool> each_change(std::string_view prefix, const Tails& tails, std::size_t first, std::size_t last,
                           const Visit& visit) const;
  Result<bool> each_listed(std::uint32_t list, const Visit& visit);
  Result<bool> each_merged(std::string_view prefix, std::uint32_t list, const Tails& tails, const Visit& visit);

  const Index* index_;
  bool others_;
  std::uint32_t number_ = 0;              ///< of these lists; 0: there are none
  std::uint32_t begun_ = 0;               ///< the last number that marks have
  std::vector<std::uint64_t> directory_;  ///< for each chunk twice its first list, and one more when that began before
  std::vector<Chunk> chunks_;             ///< those that were used last
  std::uint64_t uses_ = 0;
  bool any_changed_ = false, all_changes_read_ = false;
  std::size_t looks_ = 0;  ///< for changes of one prefix
  std::unordered_map<std::string, Tails, Hash, std::equal_to<>> changes_;
  std::vector<bool>
      concerned_;  ///< bits for ids and names in changes_, when all are read: most leaves are none of them
};

/// Writes the marks. One for each batch; whoever makes batches with edges does so under the lock under which
/// begin_edge_lists() is called.
class EdgeChanges {
 public:
  explicit EdgeChanges(const Index& index) : index_(index) {}
  /// A row of an edge or of a former name is put or removed in `batch`.
  Result<> note(const std::string& edge_key, Batch& batch);

 private:
  const Index& index_;
  std::optional<std::uint32_t> number_;  ///< 0: there are no lists
  std::set<std::string> noted_;
};

/// Number of the lists that were begun last, 0 when there never were any.
Result<std::uint32_t> last_edge_lists(const Index& index);
/// Lists are to be written: from `batch` on, marks are for these too. @returns their number, above `after`; nullopt
/// when nothing changed since the last ones.
Result<std::optional<std::uint32_t>> begin_edge_lists(const Index& index, Batch& batch, std::uint32_t after = 0);
/// Writes them while others may commit, and removes older ones; one at a time. Killed in between, what was there stays
/// in use, and what is left of it is removed by the next one. Takes some seconds for a million edges and some hundred
/// bytes of memory for each repository that is a base. @returns NoSpace before it begins when lists may not fit.
Result<> write_edge_lists(Index& index, std::uint32_t number);
}  // namespace hm::storage
