#include "base/limiter.hpp"

#include <algorithm>
#include <cmath>

namespace hm {
namespace {
constexpr double kSavedSecondsMax = 0.1;
}  // namespace

void TokenBucket::settle(std::int64_t now_ms) {
  const double booked = static_cast<double>(booked_), rate = static_cast<double>(rate_);
  if (rate_ == 0)
    paid_ = booked;
  else if (last_ms_ >= 0)
    paid_ = std::min(booked + rate * kSavedSecondsMax,
                     paid_ + rate * static_cast<double>(std::max<std::int64_t>(0, now_ms - last_ms_)) / 1000.0);
  last_ms_ = std::max(last_ms_, now_ms);
}

std::int64_t TokenBucket::wait_for(std::uint64_t place) const {
  const double missing = static_cast<double>(place) - paid_;
  return rate_ == 0 || missing <= 0
             ? 0
             : static_cast<std::int64_t>(std::ceil(missing * 1000.0 / static_cast<double>(rate_)));
}

std::int64_t TokenBucket::take(std::uint64_t units, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  settle(now_ms);
  booked_ += units;
  return wait_for(booked_);
}

std::uint64_t TokenBucket::book(std::uint64_t units, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  settle(now_ms);
  booked_ += units;
  return booked_;
}

std::int64_t TokenBucket::wait_ms(std::uint64_t place, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  settle(now_ms);
  return wait_for(place);
}

void TokenBucket::give_back(std::uint64_t units, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  settle(now_ms);
  paid_ = std::max(paid_, std::min(static_cast<double>(booked_), paid_ + static_cast<double>(units)));
}

void TokenBucket::set_rate(std::uint64_t units_per_second, std::int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  settle(now_ms);
  rate_ = units_per_second;
}
}  // namespace hm
