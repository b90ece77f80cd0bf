// Time passes only when nobody has anything to do, several may sleep at once, and the same seed wakes them in one
// order.
#include "tests/simulation/virtual_time.hpp"

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>

#include <string>

namespace hm::test::sim {
namespace {
net::awaitable<void> sleeps(VirtualTime& time, std::int64_t ms, int times, char name, std::string& log) {
  for (int i = 0; i < times; ++i) {
    const auto slept = co_await time.sleep(ms);
    if (!slept) {
      log += '!';
      co_return;
    }
    log += name;
  }
}

std::string order_of(std::uint64_t seed) {
  VirtualTime time(seed);
  std::string log;
  for (const char name : {'a', 'b', 'c', 'd', 'e', 'f'})
    boost::asio::co_spawn(time.context(), sleeps(time, 1'000, 3, name, log), boost::asio::detached);
  while (time.step()) {
  }
  return log;
}

TEST(VirtualTimeTest, MovesToTheEarliestSleeperOrEvent) {
  VirtualTime time(1);
  std::string log;
  boost::asio::co_spawn(time.context(), sleeps(time, 20 * kDayMs, 2, 'x', log), boost::asio::detached);
  boost::asio::co_spawn(time.context(), sleeps(time, 30 * kDayMs, 1, 'y', log), boost::asio::detached);
  time.after(25 * kDayMs, [&log] { log += '.'; });
  const std::int64_t began_ms = time.unix_ms();
  while (time.step()) {
  }
  EXPECT_EQ(log, "x.yx");
  EXPECT_EQ(time.unix_ms() - began_ms, 40 * kDayMs);
}

TEST(VirtualTimeTest, WakesThoseDueTogetherInAnOrderOfTheSeed) {
  EXPECT_EQ(order_of(7), order_of(7));
  EXPECT_NE(order_of(7), order_of(8));
  EXPECT_EQ(order_of(7).size(), 18U);
}

TEST(VirtualTimeTest, HaltEndsSleepAndLeavesEvents) {
  VirtualTime time(1);
  std::string log;
  boost::asio::co_spawn(time.context(), sleeps(time, 1'000, 5, 'x', log), boost::asio::detached);
  time.after(2'500, [&log] { log += '.'; });
  ASSERT_TRUE(time.step());
  time.settle();
  EXPECT_EQ(time.sleepers(), 1U);
  time.halt();
  EXPECT_EQ(log, "x!");
  EXPECT_EQ(time.sleepers(), 0U);
  time.resume();
  while (time.step()) {
  }
  EXPECT_EQ(log, "x!.");
}
}  // namespace
}  // namespace hm::test::sim
