// hub/rate_budget.hpp: keeps requests within what the upstream allows, as its RateLimit headers tell it. Layer 3.
// Threads: the network thread. One budget per upstream and identity, shared by everything that talks to it.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "hub/retry.hpp"
#include "hub/wire/headers.hpp"
#include "net/http_client.hpp"

namespace hm::hub {
class RateBudget {
 public:
  /// @param max_wait_ms the longest pause that admit() takes upon itself.
  explicit RateBudget(std::int64_t max_wait_ms = 600'000, Sleep sleep = sleep_on_timer,
                      const Clock& clock = system_clock());

  /// Takes one request from the bucket; waits for the next window when a tenth or less of the quota is left, which is
  /// the share that stays unused. A bucket that no answer has spoken about is unlimited. @returns RateLimited when the
  /// window ends later than max_wait_ms from now; Cancelled.
  awaitable<Result<>> admit(Bucket bucket);
  /// Reads RateLimit and RateLimit-Policy of an answer; answers without them change nothing.
  void learn(const net::Headers& headers);

  struct State {
    std::uint64_t remaining = 0;           ///< by the last answer, less what was admitted since
    std::uint64_t quota = 0;               ///< 0: not known, then only an empty bucket waits
    std::uint64_t window_ms = 0;           ///< 0: not known
    std::optional<std::int64_t> reset_ms;  ///< on the monotonic clock; nullopt right after a window has ended
  };
  std::optional<State> state(Bucket bucket) const { return states_[static_cast<std::size_t>(bucket)]; }
  /// Admissions that had to wait, since the start.
  std::uint64_t waits() const { return waits_; }

 private:
  void begin_window_if_over(State& state) const;
  std::int64_t max_wait_ms_;
  Sleep sleep_;
  const Clock* clock_;
  std::array<std::optional<State>, kBuckets> states_;
  std::uint64_t waits_ = 0;
};

/// The bucket that a request path is counted in: /resolve/ and /api/resolve-cache/ are resolvers, /api/ api, the rest
/// pages.
Bucket bucket_of_path(std::string_view path);
}  // namespace hm::hub
