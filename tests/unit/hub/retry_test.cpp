#include "hub/retry.hpp"

#include <gtest/gtest.h>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>

#include <set>

#include "tests/support/manual_clock.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/run.hpp"

namespace hm::hub {
namespace {
using test::FailsWith;

RetryPolicy policy_with(double unit) {
  RetryPolicy policy;
  policy.random = [unit] { return unit; };
  return policy;
}
const Error kReset(Errc::Unreachable, "connection reset");

TEST(Retry, ConcernsTransientFailuresOnly) {
  std::set<int> retried;
  for (int status = 100; status < 600; ++status)
    if (is_retried_status(status)) retried.insert(status);
  EXPECT_EQ(retried, (std::set<int>{408, 429, 500, 502, 503, 504}));
  EXPECT_TRUE(is_retried_error(kReset));
  for (Errc code : {Errc::NotFound, Errc::Gated, Errc::RateLimited, Errc::Corrupt, Errc::NoSpace, Errc::Cancelled,
                    Errc::Refused, Errc::BadInput, Errc::Io, Errc::Internal})
    EXPECT_FALSE(is_retried_error(Error(code, ""))) << name_of(code);
}

TEST(Backoff, DoublesUpToItsCapThenGivesUp) {
  RetryPolicy policy = policy_with(0.5);  // the middle: no jitter
  policy.attempts_max = 8;
  Backoff backoff(policy);
  for (std::int64_t expected : {1000, 2000, 4000, 8000, 16000, 30000, 30000})
    EXPECT_EQ(backoff.next_wait_ms(kReset).value(), expected);
  EXPECT_THAT(backoff.next_wait_ms(kReset), FailsWith(Errc::Unreachable, "connection reset; after 8 attempts"));
}

TEST(Backoff, VariesByAFifthEachWay) {
  EXPECT_EQ(Backoff(policy_with(0.0)).next_wait_ms(kReset).value(), 800);
  EXPECT_EQ(Backoff(policy_with(0.999999)).next_wait_ms(kReset).value(), 1200);
}

TEST(Backoff, DrawsFromAUniformSource) {
  double least = 1, most = 0;
  for (int i = 0; i < 1000; ++i) {
    const double unit = random_unit();
    ASSERT_GE(unit, 0.0);
    ASSERT_LT(unit, 1.0);
    least = std::min(least, unit), most = std::max(most, unit);
  }
  EXPECT_LT(least, 0.1);
  EXPECT_GT(most, 0.9);
}

TEST(Backoff, NeverComesBackEarlierThanAsked) {
  for (double unit : {0.0, 0.5, 0.999}) {
    const auto wait_ms = Backoff(policy_with(unit)).next_wait_ms(kReset, 60'000).value();
    EXPECT_GE(wait_ms, 60'000);
    EXPECT_LE(wait_ms, 61'000);
  }
  EXPECT_EQ(Backoff(policy_with(0.5)).next_wait_ms(kReset, 0).value(), 1000) << "asked for less than our own pause";
}

TEST(Backoff, DoesNotWaitLongerThanAllowed) {
  EXPECT_TRUE(Backoff(policy_with(0.5)).next_wait_ms(kReset, 600'000));
  EXPECT_THAT(Backoff(policy_with(0.5)).next_wait_ms(kReset, 3'600'000),
              FailsWith(Errc::RateLimited, "connection reset; the server asks to wait 1 h 00 min, longer than 10 min"));
}

TEST(Backoff, CountsFromZeroAfterProgress) {
  RetryPolicy policy = policy_with(0.5);
  policy.attempts_max = 2;
  Backoff backoff(policy);
  for (int i = 0; i < 10; ++i) {
    EXPECT_EQ(backoff.next_wait_ms(kReset).value(), 1000);
    backoff.progress();
  }
  EXPECT_TRUE(backoff.next_wait_ms(kReset));
  EXPECT_FALSE(backoff.next_wait_ms(kReset));
}

TEST(Backoff, WaitsThroughItsSleep) {
  test::ManualClock clock;
  RetryPolicy policy = policy_with(0.5);
  policy.attempts_max = 2;
  policy.sleep = clock.sleeper();
  Backoff backoff(policy);
  EXPECT_TRUE(test::run(backoff.pause(kReset)));
  EXPECT_THAT(test::run(backoff.pause(kReset)), FailsWith(Errc::Unreachable, "after 2 attempts"));
  EXPECT_EQ(clock.waits_ms, std::vector<std::int64_t>{1000});
}

TEST(SleepOnTimer, EndsAndCanBeCancelled) {
  EXPECT_TRUE(test::run(sleep_on_timer(1)));
  boost::asio::io_context context;
  boost::asio::cancellation_signal stop;
  std::optional<Result<>> result;
  constexpr std::int64_t kDayMs = 86'400'000;  // the test would never end if cancelling did not work
  boost::asio::co_spawn(
      context, sleep_on_timer(kDayMs),
      boost::asio::bind_cancellation_slot(stop.slot(), [&](std::exception_ptr, Result<> r) { result = std::move(r); }));
  boost::asio::post(context, [&] { stop.emit(boost::asio::cancellation_type::terminal); });
  context.run();
  ASSERT_TRUE(result);
  EXPECT_THAT(*result, FailsWith(Errc::Cancelled, "stopped while waiting"));
}
}  // namespace
}  // namespace hm::hub
