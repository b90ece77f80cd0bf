// app/unfinished.hpp: which repositories a run was asked for and has not finished, kept in the task table, so that a
// later run can go on. Layer 6. The tasks are those of crawler/by_hand.hpp; what was asked for is a row of Meta beside
// each. Threads: begin(), add_to() and problem() on the main thread; ended() on any.
#pragma once
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "app/mirror_run.hpp"
#include "crawler/pipeline.hpp"
#include "storage/index.hpp"
#include "storage/task_queue.hpp"

namespace hm::app {
class UnfinishedList {
 public:
  /// @param upstream host[:port] of the upstream; tasks of others are left alone. The index is the sole writer's.
  UnfinishedList(storage::Index& index, storage::TaskQueue& queue, std::string upstream);

  /// Appends what earlier runs did not finish and `requests` does not name already.
  Result<> add_to(std::vector<crawler::MirrorRequest>& requests);
  /// Durably notes that these are to be done. Killed from here on, the run is found again by add_to(). What another run
  /// is at already stays under its lease, and is ours when that run has ended.
  /// @pre leases of processes that are no more were given back
  Result<> begin(const std::vector<crawler::MirrorRequest>& requests);
  /// Notes how one ended: done, or not. A repository that does not exist counts as done: asking again will not help.
  void ended(std::size_t slot, const MirrorOutcome& outcome);
  /// Those whose turn never came stay unfinished. @returns the first error of any ended().
  Result<> close();

 private:
  struct Slot {
    storage::TaskKey key;
    std::uint64_t fence = 0;
    bool open = false;  ///< under our lease
    bool told = false;  ///< how it ended was noted
  };
  storage::TaskKey key_of(const crawler::MirrorRequest& request) const;
  Result<> lease(std::size_t first, std::size_t count);
  Result<> note(Slot& slot, const MirrorOutcome& outcome);

  storage::Index& index_;
  const std::string upstream_;
  storage::TaskQueue& queue_;
  std::mutex mutex_;
  std::vector<Slot> slots_;
  std::optional<Error> problem_;
};

/// What was asked for, as canonical JSON, and back. @returns Corrupt.
std::string pack_request(const crawler::MirrorRequest& request, const std::string& upstream);
struct StoredRequest {
  crawler::MirrorRequest request;
  std::string upstream;
};
Result<StoredRequest> unpack_request(std::string_view bytes);
}  // namespace hm::app
