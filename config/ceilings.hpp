// config/ceilings.hpp: what we allow ourselves to ask and to receive, by the time of the week. Layer 1; values.
//
//   entry   = [day ["-" day]] from "-" to ceiling {ceiling}      "mon-fri 08:00-18:00 requests=2 bytes=20MiB"
//   day     = mon tue wed thu fri sat sun; "fri-mon" goes over the weekend; none: every day
//   from to = hh:mm, to up to 24:00; "fri 22:00-06:00" ends on Saturday morning
//   ceiling = "requests=" whole number, per second | "bytes=" size, per second; 0: none; what is not named is as
//             the plain keys say
// Entries must not overlap, so their order means nothing.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace hm::config {
struct Ceilings {
  std::uint64_t requests_per_second = 0;  ///< 0: none
  std::uint64_t bytes_per_second = 0;     ///< 0: none
  bool operator==(const Ceilings&) const = default;
};
inline constexpr std::uint64_t kRequestsPerSecondMax = 1'000'000;  ///< of any setting
inline constexpr std::uint64_t kBytesPerSecondMin = 1U << 10;      ///< slower, a large file never arrives

/// BadInput for a rate below that is not 0.
Result<> check_bytes_per_second(std::uint64_t bytes);

enum class TimeZone : std::uint8_t { Machine, Utc };
inline constexpr int kMinutesOfWeek = 7 * 24 * 60;
/// Minutes since Monday 00:00 of that zone's clocks, summer time included.
int minute_of_week(std::int64_t unix_ms, TimeZone zone);

/// The ceilings of every minute of a week.
class CeilingPlan {
 public:
  CeilingPlan() : CeilingPlan(Ceilings{}) {}
  explicit CeilingPlan(Ceilings always) : sets_{always} {}
  /// @returns BadInput naming the entry and what is wrong with it, or the two that overlap and where.
  static Result<CeilingPlan> parse(Ceilings usual, const std::vector<std::string>& hours, TimeZone zone);

  const Ceilings& at_minute(int minute_of_week) const {
    return sets_[set_of_minute_[static_cast<std::size_t>(minute_of_week)]];
  }
  const Ceilings& at(std::int64_t unix_ms) const;
  /// No ceiling at any time.
  bool open() const;
  /// The lowest of all times; 0: there is never one.
  std::uint64_t lowest_bytes_per_second() const;

 private:
  std::vector<Ceilings> sets_;  ///< the plain keys' first, then one for each entry
  std::array<std::uint16_t, kMinutesOfWeek> set_of_minute_{};
  TimeZone zone_ = TimeZone::Machine;
};
}  // namespace hm::config
