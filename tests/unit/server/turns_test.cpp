// So many at once, the rest in line: also when those who wait give up, or their loop ends.
#include "server/turns.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>
#include <thread>
#include <vector>

#include "tests/support/result_matchers.hpp"

namespace hm::server {
namespace {
namespace asio = boost::asio;
using test::FailsWith;
using testing::ElementsAre;
constexpr std::int64_t kLongMs = 600'000;

class TurnsTest : public testing::Test {
 protected:
  struct Taker {
    std::optional<Result<Turns::Turn>> got;
  };
  asio::awaitable<void> take_into(Taker& taker, std::int64_t wait_ms) {
    taker.got = co_await turns_.take(wait_ms);
    order_.push_back(&taker);
  }
  void take(Taker& taker, std::int64_t wait_ms = kLongMs) {
    asio::co_spawn(loop_, take_into(taker, wait_ms), asio::detached);
    loop_.restart();
    loop_.poll();
  }
  void run() {
    loop_.restart();
    loop_.poll();
  }
  Turns turns_{2, 2};
  asio::io_context loop_;
  std::vector<Taker*> order_;
};

TEST_F(TurnsTest, GoRoundInTheOrderOfAsking) {
  Taker a, b, c, d, e;
  take(a), take(b), take(c), take(d), take(e);
  EXPECT_TRUE(a.got->has_value() && b.got->has_value());
  EXPECT_FALSE(c.got || d.got);
  EXPECT_THAT(*e.got, FailsWith(Errc::Busy, "too many"));
  EXPECT_EQ(turns_.taken(), 2U);
  EXPECT_EQ(turns_.waiting(), 2U);
  b.got.reset();
  run();
  EXPECT_TRUE(c.got->has_value());
  EXPECT_FALSE(d.got);
  a.got.reset(), c.got.reset();
  run();
  EXPECT_THAT(order_, ElementsAre(&a, &b, &e, &c, &d));
  EXPECT_EQ(turns_.taken(), 1U);
  d.got.reset();
  EXPECT_EQ(turns_.taken(), 0U);
}

TEST_F(TurnsTest, AreNotWaitedForLongerThanWished) {
  Taker a, b, c;
  take(a), take(b), take(c, 1);
  loop_.restart();
  loop_.run();  // until nobody waits
  EXPECT_THAT(*c.got, FailsWith(Errc::Busy, "too long"));
  EXPECT_EQ(turns_.waiting(), 0U);
  a.got.reset();
  EXPECT_EQ(turns_.taken(), 1U);
}

TEST_F(TurnsTest, PassOnWhenSomebodyInLineGivesUp) {
  Taker a, b, c, d;
  take(a), take(b);
  asio::cancellation_signal cancel;
  asio::co_spawn(loop_, take_into(c, kLongMs), asio::bind_cancellation_slot(cancel.slot(), asio::detached));
  take(d);
  cancel.emit(asio::cancellation_type::terminal);
  run();
  a.got.reset();
  run();
  EXPECT_TRUE(d.got && d.got->has_value());
  EXPECT_FALSE(c.got && c.got->has_value());
  EXPECT_EQ(turns_.taken(), 2U);
}

TEST_F(TurnsTest, SurviveALoopThatEndsWithPeopleInLine) {
  Taker a, b, c, d;
  {
    asio::io_context short_lived;
    take(a), take(b);
    asio::co_spawn(short_lived, take_into(c, kLongMs), asio::detached);
    short_lived.poll();
    take(d);
    EXPECT_EQ(turns_.waiting(), 2U);
    a.got.reset();  // granted to c, whose loop does not run any more
    EXPECT_FALSE(d.got);
  }
  run();
  EXPECT_TRUE(d.got && d.got->has_value());
  b.got.reset(), d.got.reset();
  EXPECT_EQ(turns_.taken(), 0U);
}

asio::awaitable<void> take_and_give(Turns& turns, std::atomic<int>& at_once, std::atomic<int>& most, int times) {
  for (int i = 0; i < times; ++i) {
    auto turn = co_await turns.take(kLongMs);
    EXPECT_TRUE(turn);
    const int now = ++at_once;
    for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
    }
    --at_once;
  }
}

TEST(TurnsOfSeveralThreads, AreNeverMoreThanThereAre) {
  Turns turns(3, 1'000);
  std::atomic<int> at_once{0}, most{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&] {
      asio::io_context loop;
      for (int i = 0; i < 5; ++i) asio::co_spawn(loop, take_and_give(turns, at_once, most, 500), asio::detached);
      loop.run();
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_LE(most, 3);
  EXPECT_EQ(turns.taken(), 0U);
  EXPECT_EQ(turns.waiting(), 0U);
}
}  // namespace
}  // namespace hm::server
