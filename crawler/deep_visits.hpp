// crawler/deep_visits.hpp: looks into listed repositories, one API call each, as far as listings leave budget: which
// files they have. Layer 5. docs/architecture.md "Knowing the whole Hub". Which are next is read from the columns: a
// few hundred are queued, the others cost nothing. Threads: coroutines on the network executor; reads and writes on
// `disk`.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "crawler/frontier.hpp"
#include "crawler/listers/lister.hpp"
#include "crawler/workers.hpp"
#include "hub/retry.hpp"

namespace hm::crawler {
struct VisitOptions {
  std::vector<RepoKind> kinds{RepoKind::Model, RepoKind::Dataset, RepoKind::Space};
  std::uint64_t per_day_max = 50'000;  ///< not 0
  std::int64_t attention_ms = kAttentionMs;
  std::int64_t revisit_after_ms = 90LL * 24 * 3'600'000;
  std::size_t queued_at_once = 256;  ///< of each lane
  std::int64_t look_every_ms = 10'000, look_in_vain_every_ms = 300'000;
};
struct VisitReport {
  std::uint64_t asked = 0;   ///< the Hub told their files
  std::uint64_t known = 0;   ///< what was kept of them still held
  std::uint64_t failed = 0;  ///< attempts; which are tried again the frontier decides
};

/// Reads the columns for what deserves a visit, and queues the most important ones. The only writer of Column::Queued.
class VisitFeeder {
 public:
  VisitFeeder(storage::Index& index, storage::TaskQueue& queue, std::string src, VisitOptions options)
      : index_(index), queue_(queue), src_(std::move(src)), o_(std::move(options)) {}
  /// Queues up to queued_at_once for each lane that has nothing due; together with the mark that they are queued.
  /// @returns how many.
  Result<std::size_t> feed(std::int64_t now_unix_ms, std::int64_t now_monotonic_ms);

 private:
  storage::Index& index_;
  storage::TaskQueue& queue_;
  const std::string src_;
  const VisitOptions o_;
  std::array<std::int64_t, kFrontierLanes> look_again_ms_{};  ///< monotonic: a lane for which nothing was found
};

class DeepVisits {
 public:
  /// All parts outlive it; `frontier` is over the queue that it feeds. @param owner of the leases, e.g. "host:4711"
  DeepVisits(ListerParts parts, Frontier& frontier, std::string owner, VisitOptions options, hub::Sleep sleep);
  /// Until it is cancelled, or meets what stops everything, which is returned.
  /// @param may_begin asked until it says so
  awaitable<Result<>> run(std::function<bool()> may_begin);
  const VisitReport& report() const { return report_; }

 private:
  awaitable<void> feed(std::function<bool()> may_begin);
  awaitable<WorkOutcome> visit(storage::Task task);
  awaitable<Result<>> ask(storage::TaskKey key, storage::Batch& batch);
  awaitable<Result<>> wait_for_turn();

  ListerParts p_;
  const std::string src_;
  const VisitOptions o_;
  hub::Sleep sleep_;
  VisitFeeder feeder_;
  Workers workers_;
  std::int64_t next_turn_ms_ = 0;  ///< monotonic
  VisitReport report_;
};
}  // namespace hm::crawler
