// crawler/frontier.hpp: which repository is worked on next, and what becomes of a failure. Layer 5. Over
// storage/task_queue.hpp, which keeps tasks and leases; here are lanes and their weights, priorities, the classes of
// failures and the circuit breaker. Nothing of the queue is held in memory. Threads: safe; calls block on the index.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "hub/retry.hpp"
#include "storage/task_queue.hpp"

namespace hm::crawler {
/// What is known of a task before it is done decides its lane. Values are on disk.
enum class Lane : std::uint8_t {
  Interactive,                       ///< somebody waits for it: may take all but a tenth
  Changed,                           ///< known to have changed since it was last looked at
  Unvisited,                         ///< never looked at
  Rest,                              ///< nothing speaks for a change
  ByHand = storage::kTaskLanes - 1,  ///< kept by a command for its own list; the frontier does not give it out
};
inline constexpr std::size_t kFrontierLanes = 4;

/// What makes one repository more urgent than another.
struct Importance {
  bool pinned = false;
  std::uint64_t downloads = 0;    ///< of the last 30 days; a power law, so its logarithm counts
  std::uint64_t derivatives = 0;  ///< repositories that name this one as their base
  std::int64_t changed_ago_ms = 0;
};
inline constexpr std::int64_t kAttentionMs = 42LL * 24 * 3'600'000;  ///< a change is news for so long
/// 0 to 255, larger goes first.
std::uint8_t priority_of(const Importance& of, std::int64_t attention_ms = kAttentionMs);

enum class FailureClass : std::uint8_t {
  Transient,     ///< tried again: 1 min × 4ⁿ, at most 24 h, ± 10 %
  UpstreamDown,  ///< nobody's fault here: tried again when the upstream answers, no attempt counted
  Gated,         ///< parked until access is granted
  Gone,          ///< it is not there
  Refused,       ///< a rule of ours or a malformed answer: asking again brings the same
  Corrupt,       ///< bytes differ from their name: tried once more, over the other transport
  Crashed,       ///< the worker came to harm; parked the second time
  Local,         ///< this machine cannot: disk full, lock lost, stopped. Nothing is counted
};
std::string_view name_of(FailureClass kind);
FailureClass class_of(const Error& error);

struct FrontierOptions {
  std::int64_t lease_ms = 120'000;  ///< without a heartbeat
  std::int64_t backoff_base_ms = 60'000, backoff_cap_ms = 24LL * 3'600'000;
  double backoff_jitter = 0.1;
  std::size_t first_lane = 0, lanes = kFrontierLanes;  ///< work is taken from first_lane to before `lanes`
  int breaker_failures = 3;  ///< in a row, of different tasks, without any answer of the upstream between
  std::int64_t breaker_base_ms = 60'000, breaker_cap_ms = 15LL * 60'000;
};

class Frontier {
 public:
  Frontier(storage::TaskQueue& queue, const Clock& clock, FrontierOptions options = {},
           std::function<double()> random = hub::random_unit)
      : queue_(queue), clock_(clock), o_(options), random_(std::move(random)) {}

  storage::TaskQueue& queue() { return queue_; }
  /// The next task under a lease of `owner`; nullopt when none is due or the breaker is open.
  Result<std::optional<storage::Task>> next(std::string_view owner);
  /// `batch` (what the work found) is committed with it. @returns Busy when the lease was lost: nothing is written.
  Result<> done(const storage::Task& task, storage::Batch batch = {});
  /// @returns what the error was taken for; Busy as done().
  Result<FailureClass> failed(const storage::Task& task, const Error& error, storage::Batch batch = {});
  Result<> heartbeat(const storage::Task& task);
  /// Milliseconds until something may be due, by the clock; nullopt when nothing waits for a time.
  Result<std::optional<std::int64_t>> wait_ms() const;

 private:
  storage::Lanes lanes() const {
    return {static_cast<std::uint8_t>(o_.first_lane), static_cast<std::uint8_t>(o_.lanes)};
  }
  Result<std::optional<Lane>> next_lane();
  std::int64_t backoff_ms(std::uint32_t attempts) const;
  void upstream_answered();
  bool upstream_failed(const storage::TaskKey& key);

  storage::TaskQueue& queue_;
  const Clock& clock_;
  const FrontierOptions o_;
  const std::function<double()> random_;
  mutable std::mutex mutex_;
  std::array<int, kFrontierLanes> credit_{};  ///< of the weighted turn
  std::optional<storage::TaskKey> last_failed_;
  int failures_in_a_row_ = 0;
  std::int64_t breaker_pause_ms_ = 0;
  std::optional<std::int64_t> breaker_open_until_ms_;  ///< monotonic
  bool probing_ = false;                               ///< one task is out to see whether the upstream is back
};
}  // namespace hm::crawler
