// Our own ceilings, over all workers, by the time of day.
#include <gtest/gtest.h>
#include <algorithm>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include "hub/rate_budget.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/virtual_time.hpp"

namespace hm::hub {
namespace {
using config::CeilingPlan;
using config::Ceilings;
using test::FailsWith;

constexpr std::int64_t kFridayMs = 1'800'000'000'000;  // 2027-01-15T08:00:00Z
constexpr std::int64_t kMinuteMs = 60'000, kHourMs = 60 * kMinuteMs;

struct CeilingsTest : testing::Test {
  test::VirtualTime time;
  std::vector<std::int64_t> begun_ms;

  RateBudget budget(Ceilings usual, const std::vector<std::string>& hours = {}) {
    return RateBudget(600'000, time.sleeper(), time, CeilingPlan::parse(usual, hours, config::TimeZone::Utc).value());
  }
  static Ceilings requests(std::uint64_t number) {
    Ceilings ceilings;
    ceilings.requests_per_second = number;
    return ceilings;
  }
  static Ceilings bytes(std::uint64_t number) {
    Ceilings ceilings;
    ceilings.bytes_per_second = number;
    return ceilings;
  }
  awaitable<void> ask(RateBudget& budget, int times, const char* url) {
    for (int i = 0; i < times; ++i) {
      net::Url target = net::parse_url(url).value();
      auto admission = co_await budget.admit(std::move(target), Bucket::Api);
      if (!admission) co_return;
      begun_ms.push_back(time.monotonic_ms());
      budget.answered(std::move(admission).value(), 200, net::Headers());
    }
  }
  void spawn(RateBudget& budget, int times, const char* url = "https://hub.example/api/x") {
    boost::asio::co_spawn(time.context, ask(budget, times, url), boost::asio::detached);
  }
  /// The most that began in any second.
  std::size_t busiest_second() const {
    std::size_t most = 0;
    for (auto first = begun_ms.begin(); first != begun_ms.end(); ++first)
      most = std::max(most, static_cast<std::size_t>(std::lower_bound(first, begun_ms.end(), *first + 1'000) - first));
    return most;
  }
  /// Ends of receive() calls of `size` bytes, one after the other.
  awaitable<void> receive(RateBudget& budget, int times, std::uint64_t size) {
    for (int i = 0; i < times; ++i) {
      const auto received = co_await budget.receive(size);
      if (!received) co_return;
      begun_ms.push_back(time.monotonic_ms());
    }
  }
};

TEST_F(CeilingsTest, RequestsOfAllWorkersAndHostsTogetherKeepTheRate) {
  RateBudget b = budget(requests(5));
  for (int i = 0; i < 10; ++i) spawn(b, 10, i % 2 ? "https://hub.example/api/x" : "https://cdn.example/x");
  const std::int64_t start_ms = time.monotonic_ms();
  time.run();
  ASSERT_EQ(begun_ms.size(), 100u);
  EXPECT_GE(begun_ms.back() - start_ms, 19'600) << "a hundred at five a second, the first at once";
  EXPECT_LE(begun_ms.back() - start_ms, 20'500);
  EXPECT_LE(busiest_second(), 6u);
}

TEST_F(CeilingsTest, AnIdleTimeIsNotSavedUp) {
  RateBudget b = budget(requests(5));
  spawn(b, 1);
  time.run();
  time.set_wall_clock(kFridayMs);
  boost::asio::co_spawn(
      time.context, [this]() -> awaitable<void> { co_await time.sleep(kHourMs); }, boost::asio::detached);
  time.run();
  begun_ms.clear();
  spawn(b, 20);
  time.run();
  EXPECT_LE(busiest_second(), 6u);
}

TEST_F(CeilingsTest, TheTimeOfDayDecidesAlsoForThoseWhoWaitAlready) {
  time.set_wall_clock(kFridayMs + 10 * kHourMs - kMinuteMs);  // 17:59
  RateBudget b = budget(requests(0), {"mon-fri 08:00-18:00 requests=1"});
  for (int i = 0; i < 1'000; ++i) spawn(b, 1);
  const std::int64_t start_ms = time.monotonic_ms();
  time.run();
  const auto before_six =
      std::count_if(begun_ms.begin(), begun_ms.end(), [&](std::int64_t at) { return at - start_ms < kMinuteMs; });
  EXPECT_GE(before_six, 58);
  EXPECT_LE(before_six, 62);
  EXPECT_LE(begun_ms.back() - start_ms, kMinuteMs + 10'000) << "the rest as soon as the evening is noticed";
}

TEST_F(CeilingsTest, AClockThatIsSetBackOrForthChangesTheCeilingAndNothingElse) {
  time.set_wall_clock(kFridayMs - kMinuteMs);  // 07:59, before the ceiling
  RateBudget b = budget(requests(100), {"mon-fri 08:00-18:00 requests=1"});
  spawn(b, 200);
  const std::int64_t start_ms = time.monotonic_ms();
  time.run(start_ms + 1'000);
  EXPECT_NEAR(static_cast<double>(begun_ms.size()), 100, 3);
  time.set_wall_clock(kFridayMs + kHourMs);  // summer time begins, say
  begun_ms.clear();
  time.run(start_ms + 11'000);
  EXPECT_NEAR(static_cast<double>(begun_ms.size()), 10, 2);
  time.set_wall_clock(kFridayMs - 20 * kHourMs);  // NTP finds that it is another day, still in the ceiling: 12:00
  begun_ms.clear();
  time.run(start_ms + 21'000);
  EXPECT_NEAR(static_cast<double>(begun_ms.size()), 10, 2) << "an hour more or less pays nothing and owes nothing";
  time.set_wall_clock(kFridayMs - 10 * kHourMs);
  time.run();
  EXPECT_LE(time.monotonic_ms() - start_ms, 24'000) << "and at night it is fast again";
}

TEST_F(CeilingsTest, BytesKeepTheRateAndComeSmoothly) {
  RateBudget b = budget(bytes(1'000'000));
  for (int i = 0; i < 16; ++i) boost::asio::co_spawn(time.context, receive(b, 20, 62'500), boost::asio::detached);
  const std::int64_t start_ms = time.monotonic_ms();
  time.run();
  ASSERT_EQ(begun_ms.size(), 320u);
  EXPECT_NEAR(static_cast<double>(time.monotonic_ms() - start_ms), 20'000, 200);
  EXPECT_LE(busiest_second(), 18u) << "16 pieces are a second";
  EXPECT_EQ(b.status().received_bytes, 20'000'000u);
}

TEST_F(CeilingsTest, WithoutACeilingNobodyWaits) {
  RateBudget b = budget(Ceilings());
  boost::asio::co_spawn(time.context, receive(b, 100, 1ULL << 40), boost::asio::detached);
  spawn(b, 1'000);
  const std::int64_t start_ms = time.monotonic_ms();
  time.run();
  EXPECT_EQ(time.monotonic_ms(), start_ms);
  EXPECT_EQ(begun_ms.size(), 1'100u);
}

TEST_F(CeilingsTest, WhoIsCancelledInTheQueueLeavesItsPlaceToTheNext) {
  RateBudget b = budget(requests(1));
  boost::asio::cancellation_signal signal;
  for (int i = 0; i < 51; ++i) spawn(b, 1);
  boost::asio::co_spawn(time.context, ask(b, 1, "https://hub.example/api/x"),
                        boost::asio::bind_cancellation_slot(signal.slot(), boost::asio::detached));
  for (int i = 0; i < 49; ++i) spawn(b, 1);
  time.context.poll();
  EXPECT_EQ(b.admitted(Bucket::Api), 101u);
  signal.emit(boost::asio::cancellation_type::terminal);
  time.context.restart();
  time.context.poll();
  EXPECT_EQ(b.admitted(Bucket::Api), 100u) << "never sent, never counted";
  const std::int64_t start_ms = time.monotonic_ms();
  time.run();
  EXPECT_NEAR(static_cast<double>(time.monotonic_ms() - start_ms), 99'000, 1'100);
}

TEST_F(CeilingsTest, ARetryAfterAlsoHoldsForThoseWhoWaitForTheCeiling) {
  RateBudget b = budget(requests(1));
  spawn(b, 5);
  const std::int64_t start_ms = time.monotonic_ms();
  time.run(start_ms + 500);
  auto close = [&]() -> awaitable<void> {
    net::Url url = net::parse_url("https://hub.example/api/x").value();
    auto admission = co_await b.admit(std::move(url), Bucket::Api);
    net::Headers headers;
    headers.add("Retry-After", "30");
    b.answered(std::move(admission).value(), 429, headers);
  };
  boost::asio::co_spawn(time.context, close(), boost::asio::detached);
  time.run();
  for (const std::int64_t at : begun_ms)
    EXPECT_TRUE(at - start_ms <= 2'000 || at - start_ms >= 32'000) << at - start_ms;
}
}  // namespace
}  // namespace hm::hub
