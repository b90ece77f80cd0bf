// provenance/lineage/edges.hpp: the edge rows that follow from what a repository says of itself. Layer 4. Threads: one
// editor per batch, used by one thread. docs/lineage.md
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "provenance/lineage/claims.hpp"
#include "storage/edge_lists.hpp"
#include "storage/edge_row.hpp"
#include "storage/index.hpp"

namespace hm::provenance::lineage {
/// What one repository said, and under which name it was listed.
struct Statements {
  std::string name;  ///< "" where the rows of the repository tell, storage::EdgeRow
  std::vector<Claim> claims;
};

class EdgeEditor {
 public:
  explicit EdgeEditor(const storage::Index& index) : index_(index), changes_(index) {}
  /// Of a listing, which is one statement after the other: rows of `after` that are not those of `before` are put,
  /// those of `before` alone removed.
  Result<> change(const RepoKey& from, storage::EdgeOrigin origin, const Statements& before, const Statements& after,
                  storage::Batch& batch);
  /// Of one revision beside others: a row stays where a better founded one is there.
  Result<> add_of_snapshot(const RepoKey& from, const std::vector<Claim>& claims, storage::Batch& batch);
  /// Of revisions that are dropped. @param left what all others say
  Result<> drop_of_snapshots(const RepoKey& from, const std::vector<Claim>& gone, const std::vector<Claim>& left,
                             storage::Batch& batch);
  /// It had this name; what names it by that leads to it still.
  Result<> add_former_name(const RepoKey& repo, std::string_view name, storage::Batch& batch);

 private:
  Result<> note(const std::string& row_key, storage::Batch& batch);
  Result<> put(std::string edge_key, std::string value, storage::Batch& batch);
  Result<> remove(std::string edge_key, storage::Batch& batch);
  const storage::Index& index_;
  storage::EdgeChanges changes_;
  std::map<std::string, std::optional<std::string>> of_snapshots_;  ///< rows as the batch leaves them
};
/// After storage::begin_edge_lists(). No answer needs the lists: where it fails, a warning is logged, and walks take
/// longer.
void write_lists(storage::Index& index, std::optional<std::uint32_t> number);
}  // namespace hm::provenance::lineage
