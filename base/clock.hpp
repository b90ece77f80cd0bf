// base/clock.hpp: time as a dependency. Layer 0; thread-safe.
#pragma once
#include <cstdint>

namespace hm {
class Clock {
 public:
  virtual ~Clock() = default;
  virtual std::int64_t unix_ms() const = 0;       ///< wall clock, POSIX milliseconds
  virtual std::int64_t monotonic_ms() const = 0;  ///< never goes back; origin unspecified
};
const Clock& system_clock();
}  // namespace hm
