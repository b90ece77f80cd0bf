#include "hub/rate_budget.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace hm::hub {
namespace {
constexpr std::int64_t kResetSlackMs = 1'000;  // t counts whole seconds, rounded down

/// Requests that stay unused: a tenth of the quota, but never all of it.
std::uint64_t reserve_of(std::uint64_t quota) { return quota == 0 ? 0 : std::min((quota + 9) / 10, quota - 1); }
}  // namespace

RateBudget::RateBudget(std::int64_t max_wait_ms, Sleep sleep, const Clock& clock)
    : max_wait_ms_(max_wait_ms), sleep_(std::move(sleep)), clock_(&clock) {}

/// The next window is known from the first answer in it; until then the last quota is taken to hold again.
void RateBudget::begin_window_if_over(State& state) const {
  if (!state.reset_ms || clock_->monotonic_ms() < *state.reset_ms) return;
  state.reset_ms.reset();
  state.remaining = state.quota;
}

awaitable<Result<>> RateBudget::admit(Bucket bucket) {
  auto& slot = states_[static_cast<std::size_t>(bucket)];
  for (bool waited = false;; waited = true) {
    if (!slot) co_return ok();
    State& state = *slot;
    begin_window_if_over(state);
    const bool unlimited =
        !state.reset_ms && state.quota == 0;  // a window has ended and how large they are was never said
    if (unlimited) co_return ok();
    if (state.remaining > reserve_of(state.quota)) {
      --state.remaining;
      co_return ok();
    }
    // Without a window in sight (a whole quota was admitted and nothing answered yet) one more window length is the
    // safe guess.
    const std::int64_t now_ms = clock_->monotonic_ms();
    if (!state.reset_ms) state.reset_ms = now_ms + static_cast<std::int64_t>(state.window_ms);
    const std::int64_t wait_ms = std::max<std::int64_t>(*state.reset_ms - now_ms, 0) + kResetSlackMs;
    if (wait_ms > max_wait_ms_)
      co_return Error(
          Errc::RateLimited,
          "the upstream's budget for \"" + std::string(name_of(bucket)) + "\" requests is used up for another " +
              human_seconds(static_cast<std::uint64_t>(wait_ms) / 1000) + ", longer than " +
              human_seconds(static_cast<std::uint64_t>(max_wait_ms_) / 1000) + "; run again later, or with a token");
    if (!waited) ++waits_;
    HM_CO_TRY(co_await sleep_(wait_ms));
  }
}

void RateBudget::learn(const net::Headers& headers) {
  const std::int64_t now_ms = clock_->monotonic_ms();
  for (const RateLimit& limit : parse_rate_limits(headers)) {
    auto& slot = states_[static_cast<std::size_t>(limit.bucket)];
    const std::int64_t reset_ms = now_ms + static_cast<std::int64_t>(limit.reset_s) * 1000;
    if (!slot) {
      slot = State{limit.remaining, 0, 0, reset_ms};
    } else {
      // Answers overtake each other and requests are still under way: within a window the smaller number is the truer
      // one.
      begin_window_if_over(*slot);
      const bool same_window = slot->reset_ms.has_value();
      slot->remaining = same_window || slot->quota != 0 ? std::min(slot->remaining, limit.remaining) : limit.remaining;
      slot->reset_ms = same_window ? std::min(*slot->reset_ms, reset_ms) : reset_ms;
    }
    if (limit.quota) slot->quota = *limit.quota;
    if (limit.window_s) slot->window_ms = *limit.window_s * 1000;
  }
}

Bucket bucket_of_path(std::string_view path) {
  path = path.substr(0, path.find('?'));
  if (path.find("/resolve/") != std::string_view::npos || path.find("/api/resolve-cache/") != std::string_view::npos)
    return Bucket::Resolvers;
  return path.find("/api/") != std::string_view::npos ? Bucket::Api : Bucket::Pages;
}
}  // namespace hm::hub
