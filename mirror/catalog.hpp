// mirror/catalog.hpp: the read side: which repositories, revisions and files are here. Layer 4. Only published
// revisions are seen. Threads: safe; calls block on the index.
#pragma once
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/blob_store.hpp"
#include "storage/data_dir.hpp"
#include "storage/index.hpp"
#include "storage/manifest.hpp"
#include "storage/rows.hpp"

namespace hm::mirror {
struct RevisionView {
  storage::SnapshotRow snapshot;
  std::vector<std::string> refs;  ///< published refs that name it, sorted
};

class Catalog {
 public:
  Catalog(const storage::Index& index, const storage::BlobStore& blobs, const storage::DataDir& dir)
      : index_(index), blobs_(blobs), dir_(dir) {}

  /// All repositories that hold something (removed ones are left out), in key order, until `visit` returns false.
  Result<> each_repo(const std::function<bool(const storage::RepoRow&)>& visit) const;
  /// By name, compared without case: the repository that had it last. @returns NotFound saying what to run.
  Result<storage::RepoRow> find(const RepoId& repo) const;
  /// By name or id, as it was asked for.
  Result<storage::RepoRow> find(const RepoSpec& spec) const;
  Result<std::optional<storage::RepoRow>> find(const RepoKey& key) const;
  /// False when another repository has taken this one's name: then only the id finds it.
  Result<bool> has_its_name(const storage::RepoRow& repo) const;
  /// What a command finds it by: its name, or its id when another has the name. Printable.
  std::string address(const storage::RepoRow& repo) const;
  Result<std::vector<RevisionView>> revisions(const RepoKey& key) const;  ///< newest observation first
  Result<std::vector<storage::RefRow>> refs(const RepoKey& key) const;
  /// Branch, tag, full ref, 40-hex commit or unique abbreviation (≥ 7); empty = upstream's default branch. @returns
  /// NotFound with what is there.
  Result<storage::SnapshotRow> resolve(const storage::RepoRow& repo, std::string_view revision) const;
  Result<storage::Manifest> manifest(const Sha256& id) const;
  Result<std::optional<std::string>> document(const Sha256& id) const;
  std::string git_path(const storage::RepoRow& repo) const;
  /// Files of a manifest whose bytes are not in the blob store, or with another size.
  Result<std::vector<storage::ManifestFile>> missing_blobs(const storage::Manifest& manifest) const;

 private:
  std::string same_name_of_another_kind(const RepoId& repo) const;
  const storage::Index& index_;
  const storage::BlobStore& blobs_;
  storage::DataDir dir_;
};
}  // namespace hm::mirror
