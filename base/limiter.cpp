#include "base/limiter.hpp"

#include <algorithm>
#include <cmath>

namespace hm {
namespace {
constexpr double kSavedSecondsMax = 0.1;
}  // namespace

std::int64_t TokenBucket::take(std::uint64_t units, std::int64_t now_ms) {
  if (rate_ == 0) return 0;
  const std::lock_guard lock(mutex_);
  const double rate = static_cast<double>(rate_);
  if (last_ms_ >= 0)
    level_ = std::min(rate * kSavedSecondsMax,
                      level_ + rate * static_cast<double>(std::max<std::int64_t>(0, now_ms - last_ms_)) / 1000.0);
  last_ms_ = std::max(last_ms_, now_ms);
  level_ -= static_cast<double>(units);
  return level_ >= 0 ? 0 : static_cast<std::int64_t>(std::ceil(-level_ * 1000.0 / rate));
}
}  // namespace hm
