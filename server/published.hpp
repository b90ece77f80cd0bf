// server/published.hpp: what is served, held in memory as long as the index says the same: repositories by name, their
// refs, files of a revision by path, small files. Layer 5. Everything handed out is immutable and shared.
// Threads: safe. What ends in _now never blocks; the others read on the pool what memory does not hold.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "mirror/catalog.hpp"
#include "server/memory_cache.hpp"
#include "storage/index.hpp"
#include "storage/manifest.hpp"
#include "storage/rows.hpp"

namespace hm::server {
using boost::asio::awaitable;

/// One repository as of one state of the index.
struct PublishedRepo {
  storage::RepoRow row;
  RepoKey key;
  std::vector<storage::RefRow> refs;       ///< sorted by name; published ones only
  std::string git_path;                    ///< bare repository on this machine
  std::optional<std::int64_t> visited_ms;  ///< when upstream was last asked, as far as memory knows
  std::string stamp;                       ///< another one whenever anything of the above that is told changes

  /// Target of a branch, tag, full ref, "HEAD" or "" (upstream's default branch), or the commit itself when it is 40
  /// hex; not looked up whether it is published. Nullopt for what is none of these.
  std::optional<Commit> commit_of(std::string_view revision) const;
  const storage::RefRow* ref(std::string_view prefix, std::string_view name) const;  ///< of the name joined of both
  bool is_private() const { return row.visibility == "private"; }
  bool is_gated() const { return row.visibility.starts_with("gated"); }
};
using RepoView = std::shared_ptr<const PublishedRepo>;

/// One published revision.
struct RevisionFiles {
  storage::SnapshotRow snapshot;
  std::shared_ptr<const storage::Manifest> manifest;  ///< of what is here; or of all, see Published()
  const storage::ManifestFile* find(std::string_view path) const;
};
using FilesView = std::shared_ptr<const RevisionFiles>;

/// A file that git stores.
struct GitFile {
  std::string bytes;
  bool is_text = false;  ///< no NUL among the first bytes
};
using GitFileView = std::shared_ptr<const GitFile>;

class Published {
 public:
  /// @param all_files of a revision that is here in part all files are told of, since those that are not here can be
  /// had: git knows them, and the pointers of large ones
  Published(const storage::Index& index, const mirror::Catalog& catalog, boost::asio::thread_pool& pool,
            std::uint64_t cache_bytes, bool all_files = false);

  struct Found {
    bool known = false;  ///< memory says so, and the index has not changed since
    RepoView repo;       ///< null: there is none
  };
  Found find_now(const RepoId& repo);
  /// Null when nothing of this name is here. A name is looked up without case and by what it was called before.
  awaitable<Result<RepoView>> find(RepoId repo);
  FilesView files_now(const PublishedRepo& repo, const Commit& commit);
  /// Null when the revision is not published.
  awaitable<Result<FilesView>> files(RepoView repo, Commit commit);
  /// As PublishedRepo::commit_of(), and abbreviations of published commits. Nullopt when there is no such revision.
  awaitable<Result<std::optional<Commit>>> commit_of(RepoView repo, std::string revision);
  GitFileView git_file_now(const GitOid& oid);
  /// Bytes of a git blob of this repository. @returns NotFound; Refused when it is larger than kGitFileBytesMax.
  awaitable<Result<GitFileView>> git_file(RepoView repo, GitOid oid);
  static constexpr std::uint64_t kGitFileBytesMax = 256ULL << 20;  ///< what mirroring lets in

  boost::asio::thread_pool& pool() { return pool_; }
  const mirror::Catalog& catalog() const { return catalog_; }
  const storage::Index& index() const { return index_; }
  std::uint64_t memory_bytes() { return repos_.bytes() + files_.bytes() + manifests_.bytes() + git_files_.bytes(); }

 private:
  struct Remembered {
    std::uint64_t version;  ///< of the index
    RepoView repo;
  };
  Result<RepoView> load(const RepoId& repo, const RepoView& before) const;
  Result<FilesView> load_files(const PublishedRepo& repo, const Commit& commit);
  Result<std::shared_ptr<const storage::Manifest>> load_manifest(const PublishedRepo& repo,
                                                                 const storage::SnapshotRow& snapshot);

  const storage::Index& index_;
  const mirror::Catalog& catalog_;
  boost::asio::thread_pool& pool_;
  const bool all_files_;
  MemoryCache<Remembered> repos_;
  MemoryCache<RevisionFiles> files_;          ///< by repository, its stamp, and commit
  MemoryCache<storage::Manifest> manifests_;  ///< by their ids: a repository that changes keeps most of its revisions
  MemoryCache<GitFile> git_files_;
};
}  // namespace hm::server
