// mirror/git/quarantine.hpp: the place where a pack from upstream waits until it has been examined. Layer 4; private to
// this folder. <repository>/objects/incoming-<random>/pack: no reader of the repository looks there. The steps are
// begin → append… → complete (or, for a pack that libgit2's own transport writes, odb()) → examine → publish; whatever
// ends earlier removes the directory. Threads: blocks; one thread at a time (the git pool). One quarantine per
// repository: its writer lock is held.
#pragma once
#include <atomic>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/file.hpp"
#include "base/result.hpp"
#include "mirror/git/fetch.hpp"
#include "mirror/git/git2_handles.hpp"

namespace hm::mirror {
/// Removes what a killed run left in the object directory: incoming-* directories and packs that never got their index.
Result<> remove_stale_incoming(FileSystem& fs, const std::string& repository_path);

class Quarantine {
 public:
  /// @param stop set from any thread to end append, complete and examine early with Cancelled.
  static Result<std::unique_ptr<Quarantine>> begin(FileSystem& fs, const std::string& repository_path,
                                                   const GitLimits& limits, const std::atomic<bool>& stop);
  ~Quarantine();
  Quarantine(const Quarantine&) = delete;
  Quarantine& operator=(const Quarantine&) = delete;

  /// Bytes of the pack, in order. Larger calls are cheaper (256 KiB and more).
  /// @returns Corrupt: not a pack, broken object. Refused: pack_bytes_max, objects_max, object_bytes_max. NoSpace.
  Result<> append(std::string_view pack_bytes);
  /// Ends the pack: resolves deltas (thin ones against the repository), checks the trailer, writes the index, fsyncs
  /// both.
  Result<> complete();
  /// Looks at every object of the pack and makes sure that `wants` are there. A quarantine without a pack just checks
  /// the wants.
  Result<> examine(const std::vector<GitOid>& wants, FetchOutcome& outcome);
  /// Moves the pack into the object store; durable on return.
  Result<> publish();

  /// The quarantine with the repository's objects as alternate: what libgit2's own transport fetches into.
  git_odb* odb() { return odb_.get(); }
  /// What the indexer has seen; of the last append() or complete().
  const git_indexer_progress& stats() const { return stats_; }
  git_indexer_progress& stats() { return stats_; }
  /// For AllocationLimit: the largest single allocation that an honest pack within the limits leads to.
  std::size_t allocation_bytes_max() const;
  /// The checks that both ways into the quarantine need while bytes arrive: limits, free space, stop.
  Result<> check_limits(const git_indexer_progress& stats) const;

 private:
  Quarantine(FileSystem& fs, std::string repository_path, const GitLimits& limits, const std::atomic<bool>& stop);
  Result<> open_stores();
  Result<> start_indexer(std::string_view header);
  Result<std::vector<std::string>> pack_names() const;

  FileSystem& fs_;
  const std::string repository_path_, incoming_path_;
  const GitLimits limits_;
  const std::atomic<bool>& stop_;
  GitOdbHandle main_, odb_;
  GitIndexerHandle indexer_;
  std::string header_;  // the first bytes of the pack until there are enough to judge it
  bool empty_pack_ = false;
  git_indexer_progress stats_{};
  std::uint64_t appended_bytes_ = 0;
};
}  // namespace hm::mirror
