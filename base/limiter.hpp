// base/limiter.hpp: a token bucket over a caller's clock. Layer 0; thread-safe, never blocks by itself.
#pragma once
#include <cstdint>
#include <mutex>

namespace hm {
/// Rate in units per second, from the first unit on; what was not used is saved up, at most a tenth of a second's
/// worth. Rate 0 means unlimited.
class TokenBucket {
 public:
  explicit TokenBucket(std::uint64_t units_per_second) : rate_(units_per_second) {}
  /// Takes `units` now and returns how many milliseconds the caller has to wait before going on; debts are allowed, so
  /// large takes are fair.
  std::int64_t take(std::uint64_t units, std::int64_t now_ms);

 private:
  const std::uint64_t rate_;
  std::mutex mutex_;
  double level_ = 0;
  std::int64_t last_ms_ = -1;
};
}  // namespace hm
