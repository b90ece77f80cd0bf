// hub/retry.hpp: when a failed request is made again, and after which pause. Layer 3. Used by Api per request and by
// the downloader per transfer. Threads: values; the coroutines run on their caller's executor.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "net/http_client.hpp"

namespace hm::hub {
using net::awaitable;

/// Waits that many milliseconds; Cancelled when the awaiting coroutine is cancelled. A seam: tests put a recorder here.
using Sleep = std::function<awaitable<Result<>>(std::int64_t milliseconds)>;
/// The real one, on a steady_timer of the caller's executor.
awaitable<Result<>> sleep_on_timer(std::int64_t milliseconds);
/// Uniform in [0, 1). The default draws from the system's entropy once and then from a generator of the calling thread.
double random_unit();

struct RetryPolicy {
  RetryPolicy() = default;
  int attempts_max = 5;                ///< tries in a row without progress, the first included
  std::int64_t base_ms = 1'000;        ///< pause after the first failure; doubles each time
  std::int64_t cap_ms = 30'000;        ///< of those pauses
  double jitter = 0.2;                 ///< ± this share, so that many workers do not come back at once
  std::int64_t max_wait_ms = 600'000;  ///< longest wait that a server may ask for
  std::function<double()> random = random_unit;
  Sleep sleep = sleep_on_timer;
  const Clock* clock = &system_clock();  ///< for a Retry-After that is a date
};

bool is_retried_status(int status);         ///< 408, 429, 500, 502, 503, 504
bool is_retried_error(const Error& error);  ///< Unreachable

/// The attempts of one operation.
///   hub::Backoff backoff(policy);
///   for (;;) {
///     auto r = co_await attempt();
///     if (r || !hub::is_retried_error(r.error())) co_return r;
///     HM_CO_TRY(co_await backoff.pause(r.error()));   // or gives up with that error
///   }
class Backoff {
 public:
  explicit Backoff(RetryPolicy policy) : policy_(std::move(policy)) {}
  /// Milliseconds to wait before the next attempt. @param cause why the last one failed. @param asked_ms what the
  /// server asked for.
  /// @returns `cause`, with the number of attempts, when they are used up; RateLimited when the server asks for more
  /// than max_wait_ms.
  Result<std::int64_t> next_wait_ms(Error cause, std::optional<std::int64_t> asked_ms = std::nullopt);
  /// The same, and waits. Takes its arguments by value: they live in the coroutine.
  awaitable<Result<>> pause(Error cause, std::optional<std::int64_t> asked_ms = std::nullopt);
  /// The operation moved on (bytes came): failures are counted from zero again.
  void progress() { failures_ = 0; }
  int failures() const { return failures_; }
  const RetryPolicy& policy() const { return policy_; }

 private:
  RetryPolicy policy_;
  int failures_ = 0;
};
/// What the answer asks for, in milliseconds (hub/wire/headers.hpp), by the policy's clock.
std::optional<std::int64_t> asked_wait_ms(const RetryPolicy& policy, const net::Headers& headers);
}  // namespace hm::hub
