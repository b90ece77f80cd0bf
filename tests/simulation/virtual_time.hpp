// tests/simulation/virtual_time.hpp: time that passes when nobody has anything left to do. Threads: none; everything of
// one simulation runs on its one io_context.
#pragma once
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "net/http_client.hpp"
#include "tests/hub_at_scale/draws.hpp"

namespace hm::test::sim {
inline constexpr std::int64_t kSecondMs = 1'000, kMinuteMs = 60 * kSecondMs, kHourMs = 60 * kMinuteMs,
                              kDayMs = 24 * kHourMs;

/// The clock of the world outside. Several coroutines may sleep at once; who of those that are due together wakes
/// first is drawn from the seed.
class VirtualTime final : public Clock {
 public:
  explicit VirtualTime(std::uint64_t seed) : draws_(seed) {}
  boost::asio::io_context& context() { return context_; }
  std::int64_t unix_ms() const override { return kBeginMs + now_ms_; }
  std::int64_t monotonic_ms() const override { return now_ms_; }

  /// As hub::Sleep. @returns Cancelled once the sleepers are halted, and when the awaiting coroutine is.
  net::awaitable<Result<>> sleep(std::int64_t ms);
  auto sleeper() {
    return [this](std::int64_t ms) { return sleep(ms); };
  }
  /// Calls `event` in so many milliseconds: what happens to a process from outside.
  void after(std::int64_t ms, std::function<void()> event);

  /// Runs what is ready until nothing is.
  void settle();
  /// Settles, moves the clock to the earliest sleeper or event, and wakes or calls that one. @returns false when there
  /// is none.
  bool step();
  /// Ends all sleep, present and future, until resume(): a process that was killed goes on to no other instant.
  void halt();
  void resume() { halted_ = false; }
  std::size_t sleepers() const { return sleepers_; }

 private:
  static constexpr std::int64_t kBeginMs = 1'800'000'000'000;  // 2027-01-15T08:00:00Z, the begin of a rate window
  struct Waiting {
    boost::asio::steady_timer* sleeper = nullptr;  ///< in the frame that sleeps
    std::function<void()> event;                   ///< else
  };
  using Key = std::pair<std::int64_t, std::uint64_t>;  // when, drawn
  boost::asio::io_context context_;
  std::multimap<Key, Waiting> waiting_;
  scale::Stream draws_;
  std::int64_t now_ms_ = 0;
  std::size_t sleepers_ = 0;
  bool halted_ = false;
};

/// The clock of one machine: the wall clock may be set, the monotonic one has an origin of its own.
class MachineClock final : public Clock {
 public:
  explicit MachineClock(const Clock& truth) : truth_(truth) {}
  std::int64_t unix_ms() const override { return truth_.unix_ms() + off_ms_; }
  std::int64_t monotonic_ms() const override { return truth_.monotonic_ms() + 12'345; }
  void set_off(std::int64_t ms) { off_ms_ = ms; }

 private:
  const Clock& truth_;
  std::int64_t off_ms_ = 0;
};
}  // namespace hm::test::sim
