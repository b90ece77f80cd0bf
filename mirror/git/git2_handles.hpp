// mirror/git/git2_handles.hpp: libgit2's C handles as owners, its errors as hm::Error. Layer 4, private to this folder.
// Threads: libgit2 keeps its last error per thread: make the Error on the thread that failed, before any other call.
#pragma once
#include <git2.h>
#include <git2/sys/odb_backend.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace hm::mirror {
template <auto Free>
struct CFree {
  void operator()(auto* p) const noexcept { Free(p); }
};
template <class T, auto Free>
using CHandle = std::unique_ptr<T, CFree<Free>>;

using GitRepoHandle = CHandle<git_repository, git_repository_free>;
using GitOdbHandle = CHandle<git_odb, git_odb_free>;
using GitOdbObjectHandle = CHandle<git_odb_object, git_odb_object_free>;
using GitIndexerHandle = CHandle<git_indexer, git_indexer_free>;
using GitRemoteHandle = CHandle<git_remote, git_remote_free>;
using GitRevwalkHandle = CHandle<git_revwalk, git_revwalk_free>;
using GitObjectHandle = CHandle<git_object, git_object_free>;
using GitCommitHandle = CHandle<git_commit, git_commit_free>;
using GitTreeHandle = CHandle<git_tree, git_tree_free>;
using GitBlobHandle = CHandle<git_blob, git_blob_free>;

inline git_oid to_git(const GitOid& oid) {
  git_oid out;
  static_assert(sizeof out.id == GitOid::kSize);
  std::memcpy(out.id, oid.bytes.data(), GitOid::kSize);
  return out;
}
inline GitOid from_git(const git_oid& oid) {
  GitOid out;
  std::memcpy(out.bytes.data(), oid.id, GitOid::kSize);
  return out;
}

/// The failure of the last call on this thread. NotFound for GIT_ENOTFOUND, NoSpace for a full disk, Cancelled for
/// GIT_EUSER, otherwise `otherwise`.
Error git_failure(int rc, std::string_view doing, Errc otherwise = Errc::Internal);

/// While one lives, a single allocation of libgit2 on this thread may have at most `bytes`: a pack that announces a
/// huge object gets an error (Refused by git_failure) instead of the machine's memory. Needs GitRuntime.
class AllocationLimit {
 public:
  explicit AllocationLimit(std::size_t bytes);
  ~AllocationLimit();
  AllocationLimit(const AllocationLimit&) = delete;
  AllocationLimit& operator=(const AllocationLimit&) = delete;

 private:
  std::size_t previous_;
};
}  // namespace hm::mirror
