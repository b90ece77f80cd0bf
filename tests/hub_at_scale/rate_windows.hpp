// tests/hub_at_scale/rate_windows.hpp: the three buckets of a Hub, in fixed windows. Value; not thread-safe.
#pragma once
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace hm::test::scale {
enum class RateBucket : std::uint8_t { Api, Resolvers, Pages };
inline constexpr std::size_t kRateBuckets = 3;
constexpr std::string_view name_of(RateBucket bucket) {
  constexpr std::array<std::string_view, kRateBuckets> kNames{"api", "resolvers", "pages"};
  return kNames[static_cast<std::size_t>(bucket)];
}

class RateWindows {
 public:
  static constexpr std::int64_t kWindowMs = 300'000;
  std::array<std::uint64_t, kRateBuckets> quotas{};  ///< 0: no limit, and no headers

  /// One request. @returns false when the bucket is empty.
  bool take(RateBucket bucket, std::int64_t now_ms) {
    Used& used = used_[static_cast<std::size_t>(bucket)];
    const std::int64_t window = now_ms / kWindowMs;
    if (used.window != window) used.window = window, used.count = 0;
    const std::uint64_t quota = quotas[static_cast<std::size_t>(bucket)];
    if (quota != 0 && used.count >= quota) return false;
    used.max = std::max(used.max, ++used.count);
    return true;
  }
  /// The most that was answered within one window.
  std::uint64_t max_used(RateBucket bucket) const { return used_[static_cast<std::size_t>(bucket)].max; }
  /// "api";r=472;t=235; empty without a quota.
  std::string state(RateBucket bucket, std::int64_t now_ms) const {
    const auto i = static_cast<std::size_t>(bucket);
    if (quotas[i] == 0) return {};
    const std::int64_t left_ms = kWindowMs - now_ms % kWindowMs;
    return "\"" + std::string(name_of(bucket)) +
           "\";r=" + std::to_string(quotas[i] - std::min(quotas[i], used_[i].count)) +
           ";t=" + std::to_string((left_ms + 999) / 1000);
  }
  /// "fixed window";"api";q=500;w=300
  std::string policy(RateBucket bucket) const {
    return "\"fixed window\";\"" + std::string(name_of(bucket)) +
           "\";q=" + std::to_string(quotas[static_cast<std::size_t>(bucket)]) +
           ";w=" + std::to_string(kWindowMs / 1000);
  }

 private:
  struct Used {
    std::int64_t window = -1;
    std::uint64_t count = 0;
    std::uint64_t max = 0;
  };
  std::array<Used, kRateBuckets> used_;
};
}  // namespace hm::test::scale
