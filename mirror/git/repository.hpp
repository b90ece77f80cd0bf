// mirror/git/repository.hpp: reading a bare repository and moving its refs, on libgit2. Layer 4. No libgit2 type leaves
// the .cpp. Threads: one Repository per thread at a time; calls block: use the git pool. libgit2_init() once per
// process (GitRuntime).
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/file.hpp"
#include "base/result.hpp"
#include "mirror/git/fetch.hpp"

namespace hm::mirror {
/// Initialises libgit2 for the process: no user or system git configuration, no ownership check, fsync on, bounded
/// memory maps and object cache.
class GitRuntime {
 public:
  GitRuntime();
  ~GitRuntime();
  GitRuntime(const GitRuntime&) = delete;
  GitRuntime& operator=(const GitRuntime&) = delete;
};

/// Makes a bare repository with a fixed config (no hooks, no filters, no auto-gc) or checks that one is there; durable.
Result<> create_bare_repository(FileSystem& fs, const std::string& path);

struct TreeFile {
  std::uint32_t mode = 0;  ///< 0100644, 0100755, 0120000, 0160000 (submodule); 0040000 of a directory
  GitOid oid;
  std::string path;
};

/// What is wrong with a bare repository beside its objects and refs, in words: its configuration is not ours, HEAD
/// names no ref, it borrows objects from elsewhere. create_bare_repository() and update_refs() mend the first two.
std::vector<std::string> wrong_form(FileSystem& fs, const std::string& path);

class Repository {
 public:
  struct Impl;
  static Result<Repository> open(const std::string& path);
  Repository(Repository&&) noexcept;
  Repository& operator=(Repository&&) noexcept;
  ~Repository();

  Result<RefMap> refs() const;
  Result<std::string> head() const;  ///< full ref name HEAD points to
  /// Replaces refs in ONE atomic step (packed-refs is rewritten, fsynced, renamed; loose refs of these names removed
  /// first) and then HEAD. `changes`: ref → new oid, or nullopt to delete. Ref names are checked.
  Result<> update_refs(const std::vector<std::pair<std::string, std::optional<GitOid>>>& changes,
                       const std::string& head);
  Result<bool> contains(const GitOid& oid) const;
  /// True when `ancestor` can be reached from `descendant` (or they are equal).
  Result<bool> is_ancestor(const GitOid& ancestor, const GitOid& descendant) const;
  Result<GitOid> peel_to_commit(const GitOid& oid) const;  ///< BadInput when it leads to no commit
  Result<GitOid> tree_of(const GitOid& commit) const;
  Result<std::int64_t> commit_time_ms(const GitOid& commit) const;
  /// All files of a commit, depth first in path order of the tree; submodules are given too. Returning an error from
  /// `visit` ends the walk with it.
  Result<> walk_files(const GitOid& commit, const std::function<Result<>(const TreeFile&)>& visit) const;
  /// The same with directories (mode 0040000), each before what is in it: git's order of trees.
  Result<> walk_entries(const GitOid& commit, const std::function<Result<>(const TreeFile&)>& visit) const;
  /// Those of `commits` that none of `refs` leads to: git gc would take them. Refs that lead to no commit count for
  /// none.
  Result<std::vector<GitOid>> unreached(const std::vector<GitOid>& commits, const RefMap& refs) const;
  /// Commits reachable from `tips`, each once, newest first.
  Result<> walk_commits(const std::vector<GitOid>& tips, const std::function<Result<>(const GitOid&)>& visit) const;
  Result<std::uint64_t> blob_size(const GitOid& blob) const;
  Result<std::string> read_blob(const GitOid& blob, std::uint64_t size_max) const;
  /// Re-hashes every object of every pack and loose object, and checks that what refs reach is there. Bad objects are
  /// reported, not repaired.
  Result<std::uint64_t> verify_objects(
      const std::function<void(const GitOid&, const std::string& problem)>& report) const;
  Result<std::uint64_t> disk_bytes() const;

  const Impl& impl() const { return *impl_; }  ///< for mirror/git/history.cpp

 private:
  explicit Repository(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};
}  // namespace hm::mirror
