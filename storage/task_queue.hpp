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

namespace hm::storage {
inline constexpr std::size_t kTaskWhatBytesMax = 128;
inline constexpr std::size_t kTaskErrorBytesMax = 1024;  ///< longer texts are cut
inline constexpr std::size_t kLeaseCountMax = 1000;      ///< tasks of one lease() call

enum class TaskState : std::uint8_t { Queued, Leased, Done, Failed };
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
  std::uint32_t attempts = 0;      ///< leases since it was last done
  std::string last_error;          ///< of the newest failed attempt; empty after success
  std::optional<Lease> lease;      ///< in state Leased
  bool again = false;              ///< enqueued while leased: goes back to the queue when it is done
};
struct NewTask {
  TaskKey key;
  std::uint8_t priority = 128;
  std::int64_t not_before_ms = 0;
};

class TaskQueue {
 public:
  TaskQueue(Index& index, const Clock& clock) : index_(index), clock_(clock) {}

  /// Tasks that exist merge: the larger priority and the earlier time stay; done and failed ones are queued again.
  /// `batch` is committed with them.
  /// @returns BadInput for a malformed `what`: nothing is written then.
  Result<> enqueue(const std::vector<NewTask>& tasks, Batch batch = {});
  /// Up to `count` due tasks, first those whose lease ran out. Empty when nothing is due.
  Result<std::vector<Task>> lease(std::size_t count, std::string_view owner, std::int64_t duration_ms);
  /// Prolongs a lease to `duration_ms` from now. @returns Busy when `fence` is not that of the present lease, as do the
  /// next two.
  Result<> heartbeat(const TaskKey& key, std::uint64_t fence, std::int64_t duration_ms);
  /// Done; `batch` (the facts that the work found) is committed with it, or not at all.
  Result<> complete(const TaskKey& key, std::uint64_t fence, Batch batch = {});
  /// Back to the queue for `retry_at_ms`, or failed for good when there is none.
  Result<> fail(const TaskKey& key, std::uint64_t fence, std::string_view error,
                std::optional<std::int64_t> retry_at_ms);
  /// Gives back every lease whose owner is not alive, without waiting for its end. @returns how many. A sole writer
  /// passes "nobody is" at its start.
  Result<std::uint64_t> recover(const std::function<bool(const std::string& owner)>& is_alive);

  Result<std::optional<Task>> get(const TaskKey& key) const;
  /// In order of their keys, until `visit` returns false.
  Result<> each(const std::function<bool(const Task&)>& visit) const;
  /// When the next queued task is due or the next lease ends; nullopt when there is neither.
  Result<std::optional<std::int64_t>> next_due_ms() const;

 private:
  Result<Task> leased(const TaskKey& key, std::uint64_t fence) const;
  Result<std::vector<TaskKey>> expired(std::size_t count, std::int64_t now_ms) const;
  Result<std::vector<TaskKey>> due(std::size_t count, std::int64_t now_ms) const;

  Index& index_;
  const Clock& clock_;
  std::mutex change_mutex_;
};

/// The value of a task's row, and back. @returns Corrupt.
std::string pack_task(const Task& task);
Result<Task> unpack_task(const TaskKey& key, std::string_view bytes);
}  // namespace hm::storage
