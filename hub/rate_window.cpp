#include "hub/rate_window.hpp"

#include <algorithm>

namespace hm::hub {
namespace {
constexpr std::int64_t kResetSlackMs = 1'000;     // t counts whole seconds, some servers round it down
constexpr std::int64_t kUsualWindowMs = 300'000;  // of an upstream that does not tell: the Hub's
constexpr std::uint64_t kCountMax = 1ULL << 60;   // the other side chooses the numbers; keeps sums in range

/// Requests that stay unused: a tenth of the quota, but never all of it.
std::uint64_t reserve_of(std::uint64_t quota) { return quota == 0 ? 0 : std::min((quota + 9) / 10, quota - 1); }
std::int64_t number(std::uint64_t count) { return static_cast<std::int64_t>(std::min(count, kCountMax)); }
}  // namespace

std::int64_t RateWindow::length_ms() const { return window_ms_ > 0 ? window_ms_ : kUsualWindowMs; }

/// The end is never believed too early, so whatever is sent from now on is counted in the next window, and of what is
/// under way nobody knows. How long that window lasts its first answer says; until then: no longer than a whole one
/// from now. A quota that was never told cannot be taken to hold again.
void RateWindow::begin_if_over(std::int64_t now_ms) {
  if (!limited_ || now_ms < reset_ms_) return;
  ++epoch_;
  before_ended_ms_ = reset_is_sure_ ? std::optional(reset_ms_) : std::nullopt;
  limited_ = quota_ != 0;
  begun_with_ = quota_;
  remaining_ = number(quota_) - number(in_flight_);
  reset_ms_ = now_ms + length_ms() + kResetSlackMs;
  reset_is_sure_ = false;
}

void RateWindow::begin_with(const RateLimit& limit, std::int64_t reset_ms, bool sure) {
  if (limited_ && reset_is_sure_ && reset_ms > reset_ms_ + length_ms() / 2) before_ended_ms_ = reset_ms_;
  ++epoch_;
  limited_ = true;
  begun_with_ = limit.remaining;
  remaining_ = number(limit.remaining) - number(in_flight_);
  reset_ms_ = reset_ms;
  reset_is_sure_ = sure;
}

std::int64_t RateWindow::wait_ms(std::int64_t now_ms) {
  begin_if_over(now_ms);
  const std::int64_t closed = closed_ms(now_ms);
  if (!limited_ || remaining_ > number(reserve_of(quota_))) return closed;
  return std::max(closed, reset_ms_ - now_ms);
}

RateWindow::Charge RateWindow::take(std::int64_t now_ms) {
  if (limited_) --remaining_;
  ++in_flight_;
  Charge charge;
  charge.epoch = epoch_;
  charge.sent_ms = now_ms;
  return charge;
}

void RateWindow::give_back() {
  --in_flight_;
  if (limited_) ++remaining_;
}

void RateWindow::answered(const Charge& charge, const RateLimit& limit, std::int64_t now_ms) {
  begin_if_over(now_ms);
  --in_flight_;
  if (limit.quota) quota_ = *limit.quota;
  if (limit.window_s) window_ms_ = static_cast<std::int64_t>(*limit.window_s) * 1000;
  const std::int64_t half_ms = length_ms() / 2;
  const std::int64_t reset_ms = now_ms + static_cast<std::int64_t>(limit.reset_s) * 1000 + kResetSlackMs;
  const bool sure = now_ms - charge.sent_ms + kResetSlackMs < half_ms;
  const bool under_way_before = charge.epoch != epoch_;
  if (limited_ && under_way_before) {
    const bool of_window_before =
        reset_is_sure_ ? reset_ms + half_ms < reset_ms_ : before_ended_ms_ && reset_ms < *before_ended_ms_ + half_ms;
    if (of_window_before) {
      if (sure) ++remaining_;
      return;
    }
  }
  const bool of_this_window =
      limited_ && reset_is_sure_ && reset_ms <= reset_ms_ + half_ms && reset_ms + half_ms >= reset_ms_;
  if (!of_this_window) return begin_with(limit, reset_ms, sure);
  if (under_way_before && limit.remaining > begun_with_) ++remaining_;
  remaining_ = std::min(remaining_, number(limit.remaining));
  reset_ms_ = std::min(reset_ms_, reset_ms);
}

/// As one that was under way before this count began: its answer says whether the count has it already.
void RateWindow::answered_elsewhere(const RateLimit& limit, std::int64_t sent_ms, std::int64_t now_ms) {
  begin_if_over(now_ms);
  ++in_flight_;
  --remaining_;
  Charge charge;
  charge.epoch = epoch_ + 1;  // of no count that was
  charge.sent_ms = sent_ms;
  answered(charge, limit, now_ms);
}

/// As one that was taken from this very count.
void RateWindow::observed(const RateLimit& limit, std::int64_t sent_ms, std::int64_t now_ms) {
  begin_if_over(now_ms);
  ++in_flight_;
  Charge charge;
  charge.epoch = epoch_;
  charge.sent_ms = sent_ms;
  answered(charge, limit, now_ms);
}

void RateWindow::close_until(std::int64_t at_ms) { closed_until_ms_ = std::max(closed_until_ms_, at_ms); }

std::int64_t RateWindow::closed_ms(std::int64_t now_ms) const {
  return std::max<std::int64_t>(closed_until_ms_ - now_ms, 0);
}
}  // namespace hm::hub
