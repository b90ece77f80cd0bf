// base/limiter.hpp: a token bucket over a caller's clock. Layer 0; thread-safe, never blocks by itself.
#pragma once
#include <cstdint>
#include <mutex>

namespace hm {
/// Rate in units per second, from the first unit on; what was not used is saved up, at most a tenth of a second's
/// worth. Rate 0 means unlimited.
///
/// Whoever books gets a place in the queue of all units, and waits until the rate has come that far. So the order is
/// that of booking, large bookings are fair, and a new rate holds for those that wait already.
class TokenBucket {
 public:
  explicit TokenBucket(std::uint64_t units_per_second) : rate_(units_per_second) {}
  /// Takes `units` now and returns how many milliseconds the caller has to wait before going on.
  std::int64_t take(std::uint64_t units, std::int64_t now_ms);

  /// @returns the place: all units booked so far, these included.
  std::uint64_t book(std::uint64_t units, std::int64_t now_ms);
  /// Milliseconds until the rate has come to `place`, as things stand; 0: it has.
  std::int64_t wait_ms(std::uint64_t place, std::int64_t now_ms);
  /// Booked and not used after all: those behind need not wait for them.
  void give_back(std::uint64_t units, std::int64_t now_ms);
  /// From now on.
  void set_rate(std::uint64_t units_per_second, std::int64_t now_ms);

 private:
  void settle(std::int64_t now_ms);
  std::int64_t wait_for(std::uint64_t place) const;
  std::mutex mutex_;
  std::uint64_t rate_;
  std::uint64_t booked_ = 0;
  double paid_ = 0;  ///< how far the rate has come; ahead of what is booked by what is saved up
  std::int64_t last_ms_ = -1;
};
}  // namespace hm
