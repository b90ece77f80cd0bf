// net/stall_clock.hpp: when a transfer has stood still, or crept, for too long. Layer 2; a value, time comes in from
// outside. The time in which we ourselves do not read (back-pressure) does not count against the sender.
#pragma once
#include <cstdint>
#include <optional>

namespace hm::net {
class StallClock {
 public:
  enum class Verdict { Running, Stalled, TooSlow };

  /// @param timeout_ms no byte for this long is a stall; 0 or less switches the clock off
  /// @param bytes_per_second_min mean over windows of `timeout_ms`; 0 = any rate will do
  StallClock(std::int64_t timeout_ms, std::uint64_t bytes_per_second_min)
      : timeout_ms_(timeout_ms), rate_min_(bytes_per_second_min) {}

  void start(std::int64_t now_ms);  ///< from the start, also when it already runs
  void add(std::uint64_t bytes, std::int64_t now_ms);
  void pause(std::int64_t now_ms);
  void resume(std::int64_t now_ms);
  Verdict check(std::int64_t now_ms);
  /// When check() may next give another answer; nullopt while stopped or paused.
  std::optional<std::int64_t> deadline_ms() const;

 private:
  enum class State { Off, Running, Paused };
  std::int64_t timeout_ms_;
  std::uint64_t rate_min_;
  State state_ = State::Off;
  std::int64_t last_byte_ms_ = 0;
  std::int64_t window_start_ms_ = 0;
  std::int64_t paused_at_ms_ = 0;
  std::uint64_t window_bytes_ = 0;
};
}  // namespace hm::net
