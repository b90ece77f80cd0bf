// tests/support/manual_clock.hpp: time that a test moves, and waits that take none.
#pragma once
#include <cstdint>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "net/http_client.hpp"

namespace hm::test {
class ManualClock final : public Clock {
 public:
  std::int64_t unix_ms() const override { return unix_ms_; }
  std::int64_t monotonic_ms() const override { return unix_ms_ - 1'000'000; }  // another origin, as on a real machine
  void advance(std::int64_t ms) { unix_ms_ += ms; }

  /// As hub::Sleep: moves the clock by the wait and notes it. The clock outlives the function.
  auto sleeper() {
    return [this](std::int64_t ms) { return sleep(ms); };
  }
  net::awaitable<Result<>> sleep(std::int64_t ms) {
    waits_ms.push_back(ms);
    advance(ms);
    co_return ok();
  }
  std::vector<std::int64_t> waits_ms;

 private:
  std::int64_t unix_ms_ = 1'800'000'000'000;  // 2027-01-15T08:00:00Z
};
}  // namespace hm::test
