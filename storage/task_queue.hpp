// storage/task_queue.hpp: what to visit next, by whom, until when. Layer 3; rows in Family::Tasks.
// docs/formats/index_keys.md A task is (repository, what). A lease is the right to work on it until a time; its fence
// number rises with every lease, so that a worker whose lease ran out and was given to another cannot report over him.
// Threads: safe; calls that change something serialise and are durable when they return.
#pragma once
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/index.hpp"
#include "storage/scan_starts.hpp"

namespace hm::storage {
inline constexpr std::size_t kTaskWhatBytesMax = 128;
inline constexpr std::size_t kTaskErrorBytesMax = 1024;  ///< longer texts are cut
inline constexpr std::size_t kLeaseCountMax = 1000;      ///< tasks of one lease() call
inline constexpr std::uint8_t kTaskLanes = 8;            ///< lanes are 0 to 7: who leases says from which
inline constexpr std::uint32_t kTaskCrashesMax = 2;      ///< workers that one task may take with it

/// From `first` to before `end`.
struct Lanes {
  std::uint8_t first = 0, end = kTaskLanes;
  bool has(std::uint8_t lane) const { return lane >= first && lane < end; }
};

/// Parked: waits for wake(), not for a time.
enum class TaskState : std::uint8_t { Queued, Leased, Parked, Done, Failed };
std::string_view name_of(TaskState state);

struct TaskKey {
  RepoKey repo;
  std::string what;  ///< "visit", "mirror", …; [a-z0-9:._-]
  auto operator<=>(const TaskKey&) const = default;
};
struct Lease {
  std::string owner;  ///< process and worker, e.g. "host:pid:3"
  std::uint64_t fence = 0;
  std::int64_t until_ms = 0;
};
struct Task {
  TaskKey key;
  TaskState state = TaskState::Queued;
  std::uint8_t priority = 128;     ///< larger goes first
  std::int64_t not_before_ms = 0;  ///< POSIX; among equals the one that was due first goes first
  std::uint8_t lane = 0;
  std::uint32_t attempts = 0;  ///< leases since it was last done, less those that do not count
  std::uint32_t crashes = 0;   ///< leases whose worker ended without a report, since it was last done
  std::string failure;         ///< TaskFailure::kind of the newest failed attempt; empty after success
  std::string last_error;      ///< what was said of it
  std::optional<Lease> lease;  ///< in state Leased
  bool again = false;          ///< enqueued while leased: goes back to the queue when it is done
};
struct NewTask {
  TaskKey key;
  std::uint8_t priority = 128;
  std::int64_t not_before_ms = 0;
  std::uint8_t lane = 0;
};
/// How an attempt failed and what becomes of the task.
struct TaskFailure {
  enum class Then : std::uint8_t { Retry, Park, GiveUp };
  std::string kind;   ///< a word: "transient", "gated", …
  std::string error;  ///< for people
  Then then = Then::GiveUp;
  std::int64_t retry_at_ms = 0;  ///< with Retry
  bool counts = true;            ///< false: not the task's fault; the attempt is given back
  bool crashed = false;  ///< the worker came to harm: after kTaskCrashesMax of them the task is parked as poison
};
inline constexpr std::string_view kPoison = "poison";  ///< kind of a task that took too many workers with it

/// One for an index at a time: it remembers where the queue begins.
class TaskQueue {
 public:
  TaskQueue(Index& index, const Clock& clock) : index_(index), clock_(clock) {}

  /// Tasks that exist merge: the larger priority, the earlier time and the lower lane stay; done and failed ones are
  /// queued again, parked ones stay parked. `batch` is committed with them.
  /// @returns BadInput for a malformed `what`, time or lane: nothing is written then.
  Result<> enqueue(const std::vector<NewTask>& tasks, Batch batch = {});
  /// Up to `count` due tasks, first those of `ours` whose lease ran out; then of `lane`, or of all from the lowest.
  /// Empty when nothing is due.
  Result<std::vector<Task>> lease(std::size_t count, std::string_view owner, std::int64_t duration_ms,
                                  std::optional<std::uint8_t> lane = std::nullopt, Lanes ours = {});
  /// Those of `keys` that are queued, due or not; others are somebody's, done or set aside.
  Result<std::vector<Task>> lease_these(std::vector<TaskKey> keys, std::string_view owner, std::int64_t duration_ms);
  Result<bool> is_due(std::uint8_t lane) const;  ///< a queued task of that lane could be leased now
  /// Prolongs a lease to `duration_ms` from now. @returns Busy when `fence` is not that of the present lease, as do the
  /// next two.
  Result<> heartbeat(const TaskKey& key, std::uint64_t fence, std::int64_t duration_ms);
  /// Done; `batch` (the facts that the work found) is committed with it, or not at all.
  Result<> complete(const TaskKey& key, std::uint64_t fence, Batch batch = {});
  /// Retried, parked or failed for good; `batch` is committed with it, or not at all.
  Result<> fail(const TaskKey& key, std::uint64_t fence, const TaskFailure& failure, Batch batch = {});
  /// Parked tasks are queued again, with all their attempts before them; others are left as they are.
  Result<> wake(const std::vector<TaskKey>& keys);
  /// Gives back every lease whose owner is not alive, without waiting for its end. @returns how many. A sole writer
  /// passes "nobody is" at its start. @param has_crashed owners that came to harm at their work, not ended from outside
  Result<std::uint64_t> recover(const std::function<bool(const std::string& owner)>& is_alive,
                                const std::function<bool(const std::string& owner)>& has_crashed = {});

  Result<std::optional<Task>> get(const TaskKey& key) const;
  /// In order of their keys, until `visit` returns false.
  Result<> each(const std::function<bool(const Task&)>& visit) const;
  /// When the next queued task of these lanes is due, or the next lease of one ends; nullopt when there is neither.
  Result<std::optional<std::int64_t>> next_due_ms(Lanes lanes = {}) const;

 private:
  void put_row(Batch& batch, const Task& task);
  Result<> scan_order(const std::string& prefix, const std::string& from,
                      const std::function<bool(std::string_view key)>& visit) const;
  Result<std::vector<Task>> lease_waiting(const std::vector<TaskKey>& keys, std::string_view owner,
                                          std::int64_t until_ms);
  Result<Task> leased(const TaskKey& key, std::uint64_t fence) const;
  Result<std::vector<TaskKey>> expired(std::size_t count, std::int64_t now_ms, Lanes lanes) const;
  Result<bool> is_of(const TaskKey& key, Lanes lanes) const;
  Result<std::vector<TaskKey>> due(std::size_t count, std::int64_t now_ms, std::optional<std::uint8_t> lane) const;

  Index& index_;
  const Clock& clock_;
  mutable std::mutex change_mutex_;
  mutable ScanStarts starts_;  ///< of the two orders; guarded by the mutex
};

/// Those of one repository, until `visit` returns false. Threads: safe.
Result<> each_task_of(const Index& index, const RepoKey& repo, const std::function<bool(const Task&)>& visit);
/// The value of a task's row, and back. @returns Corrupt.
std::string pack_task(const Task& task);
Result<Task> unpack_task(const TaskKey& key, std::string_view bytes);
}  // namespace hm::storage
