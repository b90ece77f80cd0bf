// mirror/git/repository_impl.hpp: what a Repository holds, for the files that implement its reading. Layer 4; private
// to this folder. Threads: as Repository.
#pragma once
#include <functional>
#include <optional>
#include <string>

#include "mirror/git/git2_handles.hpp"
#include "mirror/git/repository.hpp"

namespace hm::mirror {
struct TreeWalk;

struct Repository::Impl {
  std::string path;
  GitRepoHandle repo;
  GitOdbHandle odb;

  Result<GitObjectHandle> lookup(const GitOid& oid, git_object_t type) const;
  Result<GitCommitHandle> commit(const GitOid& oid) const;
  Result<GitTreeHandle> tree(const GitOid& oid) const;
  /// Commits reachable from `tips`, newest first.
  Result<GitRevwalkHandle> begin_walk(const std::vector<GitOid>& tips) const;
  Result<> walk_tree(const GitOid& tree, TreeWalk& walk, std::uint32_t depth) const;
  Result<std::optional<GitOid>> peeled(const GitOid& oid) const;
};
/// Seconds of a commit as milliseconds. @returns BadInput for a date that does not go into them.
Result<std::int64_t> milliseconds_of(const git_commit* commit);
}  // namespace hm::mirror
