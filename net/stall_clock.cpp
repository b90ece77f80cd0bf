#include "net/stall_clock.hpp"

#include <algorithm>

namespace hm::net {
void StallClock::start(std::int64_t now_ms) {
  if (timeout_ms_ <= 0) return;
  state_ = State::Running;
  last_byte_ms_ = window_start_ms_ = now_ms;
  window_bytes_ = 0;
}

void StallClock::add(std::uint64_t bytes, std::int64_t now_ms) {
  last_byte_ms_ = state_ == State::Paused ? paused_at_ms_ : now_ms;
  window_bytes_ += bytes;
}

void StallClock::pause(std::int64_t now_ms) {
  if (state_ != State::Running) return;
  state_ = State::Paused;
  paused_at_ms_ = now_ms;
}

void StallClock::resume(std::int64_t now_ms) {
  if (state_ != State::Paused) return;
  state_ = State::Running;
  last_byte_ms_ += now_ms - paused_at_ms_;
  window_start_ms_ += now_ms - paused_at_ms_;
}

StallClock::Verdict StallClock::check(std::int64_t now_ms) {
  if (state_ != State::Running) return Verdict::Running;
  if (now_ms - last_byte_ms_ >= timeout_ms_) return Verdict::Stalled;
  const std::int64_t elapsed_ms = now_ms - window_start_ms_;
  if (elapsed_ms < timeout_ms_) return Verdict::Running;
  if (static_cast<double>(window_bytes_) * 1000.0 < static_cast<double>(rate_min_) * static_cast<double>(elapsed_ms))
    return Verdict::TooSlow;
  window_start_ms_ = now_ms;
  window_bytes_ = 0;
  return Verdict::Running;
}

std::optional<std::int64_t> StallClock::deadline_ms() const {
  if (state_ != State::Running) return std::nullopt;
  const std::int64_t stall_ms = last_byte_ms_ + timeout_ms_;
  return rate_min_ == 0 ? stall_ms : std::min(stall_ms, window_start_ms_ + timeout_ms_);
}
}  // namespace hm::net
