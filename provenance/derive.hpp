// provenance/derive.hpp: one journal entry → the index rows that follow from it. Layer 4. Recording and rebuilding both
// run this and nothing else. Threads: one Deriver per batch, used by one thread.
#pragma once
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "provenance/lineage/edges.hpp"
#include "storage/index.hpp"
#include "storage/journal.hpp"
#include "storage/manifest.hpp"
#include "storage/rows.hpp"

namespace hm::provenance {
/// Sees the index as it will be once the batch under construction is committed: later entries of a batch build on
/// earlier ones.
class Deriver {
 public:
  explicit Deriver(const storage::Index& index) : index_(index), edges_(index) {}
  /// Documents and manifests of `batch` count as stored: they are committed together with the rows.
  void look_into(const storage::Batch& batch);
  Result<> derive(const storage::JournalEntry& entry, storage::Batch& batch);
  /// For others who add edges to the same batch: each editor knows only what it put itself.
  lineage::EdgeEditor& edges() { return edges_; }
  Result<std::optional<storage::RepoRow>> repo(const RepoKey& key) const;
  Result<std::optional<storage::NameRow>> name(const RepoId& repo) const;

 private:
  using Slot = std::pair<storage::Family, std::string>;
  Result<std::optional<std::string>> get(storage::Family family, const std::string& key) const;
  Result<> scan(storage::Family family, const std::string& prefix,
                const std::function<Result<>(const std::string&, const std::string&)>& visit) const;
  void put(storage::Batch& batch, storage::Family family, std::string key, std::string value);
  void drop(storage::Batch& batch, storage::Family family, const std::string& key);

  Result<> derive_unvisited(const json::object& entry, const std::string& type, const RepoKey& key,
                            storage::Batch& batch);
  Result<> derive_refs(const json::object& entry, const RepoKey& key, storage::RepoRow& row, storage::Batch& batch);
  Result<> derive_moved(const json::object& entry, const RepoKey& key, storage::RepoRow& row, storage::Batch& batch);
  Result<> derive_snapshot(const storage::JournalEntry& entry, const RepoKey& key, storage::Batch& batch);
  Result<> derive_policy(const json::object& entry, const RepoKey& key, storage::RepoRow& row, storage::Batch& batch);
  Result<> derive_digests(const storage::JournalEntry& entry, const RepoKey& key, storage::Batch& batch);
  Result<> take_name(const RepoKey& key, const RepoId& repo, storage::Batch& batch);
  Result<> leave_name(const RepoKey& key, const RepoId& repo, storage::Batch& batch);
  Result<> note_former_name(const RepoKey& key, const std::string& name, storage::Batch& batch);
  Result<std::vector<lineage::Claim>> claims_of(const RepoKey& key, const storage::SnapshotRow& row) const;
  Result<std::vector<lineage::Claim>> claims_of_snapshots(const RepoKey& key) const;
  Result<> drop_snapshot(const RepoKey& key, const Commit& commit, storage::Batch& batch);
  Result<> drop_snapshots(const RepoKey& key, storage::Batch& batch);
  Result<> drop_rows(const RepoKey& key, const storage::SnapshotRow& row, storage::Batch& batch);
  Result<> each_blob(const Sha256& manifest, const std::function<void(const storage::ManifestFile&)>& visit) const;

  const storage::Index& index_;
  lineage::EdgeEditor edges_;
  /// What the batch changes, and what was read of names and repositories: most rows are asked for twice.
  mutable std::map<Slot, std::optional<std::string>> pending_;
  std::map<Slot, std::string> owned_;
};
}  // namespace hm::provenance
