// crawler/sync.hpp: brings the targets of one generation here. Layer 5. docs/architecture.md "Following a selection".
// A generation's targets are fixed and stored before the first is begun; it is complete when each is published or has a
// recorded reason. Killed anywhere, the next run goes on with the same generation. Threads: coroutines on the network
// executor; index work on `disk`.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "crawler/frontier.hpp"
#include "crawler/generations.hpp"
#include "crawler/pipeline.hpp"
#include "crawler/sync_plan.hpp"
#include "crawler/workers.hpp"
#include "hub/rate_budget.hpp"
#include "storage/generation_rows.hpp"

namespace hm::crawler {
struct SyncParts {  ///< everything outlives the Sync
  storage::Index& index;
  Pipeline& pipeline;
  Frontier& frontier;
  const hub::RateBudget& budget;
  boost::asio::any_io_executor disk;
  const Clock& clock;
  hub::Sleep sleep;
  std::string owner;  ///< of the leases: host and process
};
struct SyncOptions {
  int repos_parallel = 2;
  std::uint32_t attempts_max = 2;  ///< of a target that fails for a transient reason; then the reason is recorded
};
/// Network thread.
struct SyncProgress {
  std::function<void(const storage::TargetRow&, const ProgressEvent&)> at_work;
  /// After each attempt; `target.state` tells whether it is settled.
  std::function<void(const storage::TargetRow& target, const MirrorReport& report)> ended;
};

class Sync {
 public:
  Sync(SyncParts parts, SyncOptions options) : p_(std::move(parts)), o_(options) {}
  /// Works on the generation until all its targets are settled. @returns its row; what stops everything (NoSpace, Io,
  /// Cancelled, Unreachable when the upstream is away, RateLimited): then it is to be taken up again later.
  awaitable<Result<storage::GenerationRow>> run(storage::GenerationRow generation, SyncProgress progress);

 private:
  Result<> enqueue_pending();
  Result<> settle_stuck();
  awaitable<WorkOutcome> work(const storage::Task& task);
  void settle(storage::TargetRow& target, const MirrorReport& report, const storage::Task& task, WorkOutcome& outcome);
  Result<> put_figures(bool ended);

  SyncParts p_;
  const SyncOptions o_;
  SyncProgress progress_;
  storage::GenerationRow row_;
  std::int64_t began_ms_ = 0;  ///< monotonic: of this run
  std::uint64_t api_calls_before_ = 0, other_calls_before_ = 0;
  std::uint64_t pending_ = 0;  ///< targets that are not settled
};
}  // namespace hm::crawler
