// crawler/workers.hpp: several coroutines that take tasks from the frontier, do them, and report. Layer 5. While a task
// is at work its lease is prolonged; a worker that lost its lease can report nothing. Threads: the network executor;
// the queue's calls run on `disk`.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "crawler/frontier.hpp"
#include "hub/retry.hpp"
#include "mirror/lfs/tasks.hpp"

namespace hm::crawler {
using net::awaitable;

/// What one attempt came to. The batch is committed together with the task's new state.
struct WorkOutcome {
  WorkOutcome() = default;
  std::optional<Error> error;
  storage::Batch batch;
};
/// Does one task. Its argument lives in the caller's frame until it ends.
using Work = std::function<awaitable<WorkOutcome>(const storage::Task& task)>;
/// What an attempt was booked as: neither when it was done.
using Told = std::function<void(const storage::Task& task, std::optional<FailureClass> failure,
                                const std::optional<Error>& error)>;

struct WorkerOptions {
  int count = 4;
  std::string owner;                         ///< of the leases, e.g. "host:4711"; the worker's number is put behind it
  std::int64_t idle_ms_max = 10'000;         ///< a task enqueued by somebody else is seen after so long
  std::int64_t heartbeat_every_ms = 40'000;  ///< a third of a lease
};

class Workers {
 public:
  /// All outlive the workers.
  Workers(Frontier& frontier, boost::asio::any_io_executor disk, hub::Sleep sleep, WorkerOptions options)
      : frontier_(frontier), disk_(std::move(disk)), sleep_(std::move(sleep)), o_(std::move(options)) {}

  /// Until `may_end` says so while nothing is at work (asked whenever a worker finds nothing to do), or a worker meets
  /// what stops everything (FailureClass::Local), which is returned. Cancelled leaves leases to recover().
  /// @param told after each attempt, with what the error was taken for; may be empty
  awaitable<Result<>> run(Work work, std::function<bool()> may_end, Told told = {});
  /// From inside a run: it ends with this error as soon as what is at work was reported. The first one stays.
  void stop(Error error);

 private:
  awaitable<void> worker(int number);
  awaitable<Result<>> one(storage::Task task);
  awaitable<Result<>> rest();
  awaitable<void> heart();

  Frontier& frontier_;
  const boost::asio::any_io_executor disk_;
  const hub::Sleep sleep_;
  const WorkerOptions o_;
  Work work_;
  std::function<bool()> may_end_;
  Told told_;
  mirror::TaskScope* scope_ = nullptr;           ///< of the run under way
  std::map<std::uint64_t, storage::Task> held_;  ///< by fence
  std::optional<Error> stop_;
  bool ended_ = false;
};
}  // namespace hm::crawler
