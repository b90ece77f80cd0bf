#include "hub/rate_budget.hpp"

#include <gtest/gtest.h>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>

#include "tests/support/manual_clock.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/run.hpp"

namespace hm::hub {
namespace {
using test::FailsWith;

net::Headers answer(std::uint64_t r, std::uint64_t t, std::uint64_t q = 500, const char* bucket = "api") {
  net::Headers headers;
  headers.add("RateLimit", "\"" + std::string(bucket) + "\";r=" + std::to_string(r) + ";t=" + std::to_string(t));
  if (q)
    headers.add("RateLimit-Policy",
                "\"fixed window\";\"" + std::string(bucket) + "\";q=" + std::to_string(q) + ";w=300");
  return headers;
}

struct RateBudgetTest : testing::Test {
  test::ManualClock clock;
  RateBudget budget{600'000, clock.sleeper(), clock};
  Result<> admit(Bucket bucket = Bucket::Api) { return test::run(budget.admit(bucket)); }
};

TEST_F(RateBudgetTest, HasNoLimitsWithoutHeaders) {
  budget.learn(net::Headers());
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(admit());
  EXPECT_TRUE(clock.waits_ms.empty());
}

TEST_F(RateBudgetTest, UsesNineTenthsOfAWindowAndThenWaitsForTheNext) {
  budget.learn(answer(500, 300));
  for (int i = 0; i < 450; ++i) ASSERT_TRUE(admit());
  EXPECT_TRUE(clock.waits_ms.empty());
  ASSERT_TRUE(admit());
  EXPECT_EQ(clock.waits_ms, std::vector<std::int64_t>{301'000}) << "t + 1 s";
  EXPECT_EQ(budget.waits(), 1u);
  for (int i = 0; i < 449; ++i) ASSERT_TRUE(admit());
  EXPECT_EQ(clock.waits_ms.size(), 1u) << "the new window has its own nine tenths";
}

TEST_F(RateBudgetTest, KeepsTheBucketsApart) {
  budget.learn(answer(0, 100, 500, "api"));
  budget.learn(answer(3000, 100, 3000, "resolvers"));
  ASSERT_TRUE(admit(Bucket::Resolvers));
  ASSERT_TRUE(admit(Bucket::Pages));
  EXPECT_TRUE(clock.waits_ms.empty());
  ASSERT_TRUE(admit(Bucket::Api));
  EXPECT_EQ(clock.waits_ms, std::vector<std::int64_t>{101'000});
}

TEST_F(RateBudgetTest, TrustsTheSmallerNumberWhenAnswersOvertakeEachOther) {
  budget.learn(answer(100, 300));
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(admit());
  budget.learn(answer(99, 299));  // an early answer, counted before the other nineteen
  EXPECT_EQ(budget.state(Bucket::Api)->remaining, 80u);
  budget.learn(answer(60, 299));  // somebody else with the same identity is at work too
  EXPECT_EQ(budget.state(Bucket::Api)->remaining, 60u);
}

TEST_F(RateBudgetTest, BelievesTheFirstAnswerOfANewWindow) {
  budget.learn(answer(60, 10));
  clock.advance(12'000);
  budget.learn(answer(490, 298));
  EXPECT_EQ(budget.state(Bucket::Api)->remaining, 490u);
  EXPECT_EQ(*budget.state(Bucket::Api)->reset_ms, clock.monotonic_ms() + 298'000);
}

TEST_F(RateBudgetTest, GivesUpRatherThanWaitTooLong) {
  budget.learn(answer(0, 3600));
  EXPECT_THAT(admit(),
              FailsWith(Errc::RateLimited, "\"api\" requests is used up for another 1 h 00 min, longer than 10 min"));
  EXPECT_TRUE(clock.waits_ms.empty());
}

TEST_F(RateBudgetTest, WaitsForAnEmptyBucketOfUnknownSize) {
  budget.learn(answer(1, 5, 0));
  ASSERT_TRUE(admit());
  EXPECT_TRUE(clock.waits_ms.empty());
  ASSERT_TRUE(admit());
  EXPECT_EQ(clock.waits_ms, std::vector<std::int64_t>{6'000});
}

TEST_F(RateBudgetTest, AdmitsSomethingFromTheSmallestQuota) {
  budget.learn(answer(1, 5, 1));
  ASSERT_TRUE(admit());
  EXPECT_TRUE(clock.waits_ms.empty());
  budget.learn(answer(3, 300, 3, "pages"));
  ASSERT_TRUE(admit(Bucket::Pages));
  ASSERT_TRUE(admit(Bucket::Pages));
  EXPECT_TRUE(clock.waits_ms.empty());
  ASSERT_TRUE(admit(Bucket::Pages));
  EXPECT_EQ(clock.waits_ms.size(), 1u);
}

TEST_F(RateBudgetTest, CountsAWindowThatNobodyAnsweredIn) {
  budget.learn(answer(51, 10));
  ASSERT_TRUE(admit());
  clock.advance(20'000);
  for (int i = 0; i < 450; ++i) ASSERT_TRUE(admit());
  EXPECT_TRUE(clock.waits_ms.empty());
  ASSERT_TRUE(admit());
  EXPECT_EQ(clock.waits_ms, std::vector<std::int64_t>{301'000});
}

TEST_F(RateBudgetTest, PassesOnThatItWasCancelled) {
  RateBudget cancelled(
      600'000, [](std::int64_t) -> awaitable<Result<>> { co_return Error(Errc::Cancelled, "stopped"); }, clock);
  cancelled.learn(answer(0, 10));
  EXPECT_THAT(test::run(cancelled.admit(Bucket::Api)), FailsWith(Errc::Cancelled, "stopped"));
}

/// 100 workers with answers in any order never take more than nine tenths of what the server has in a window.
TEST_F(RateBudgetTest, HoldsUnderManyWorkers) {
  std::uint64_t left = 500, least_left = 500;
  std::int64_t window_ends_ms = clock.monotonic_ms() + 300'000;
  std::vector<net::Headers> unseen;  // answers that are still under way
  auto serve = [&] {
    if (clock.monotonic_ms() >= window_ends_ms) {
      left = 500;
      window_ends_ms = clock.monotonic_ms() + 300'000;
    }
    --left;
    least_left = std::min(least_left, left);
    unseen.push_back(answer(left, static_cast<std::uint64_t>(window_ends_ms - clock.monotonic_ms()) / 1000));
  };
  serve();
  budget.learn(unseen.back());
  unseen.clear();
  unsigned random = 12345;
  for (int i = 0; i < 3000; ++i) {
    ASSERT_TRUE(admit());
    serve();
    random = random * 1664525u + 1013904223u;
    if (unseen.size() > 100 || random >> 31) {
      const std::size_t which = (random >> 8) % unseen.size();
      budget.learn(unseen[which]);
      unseen.erase(unseen.begin() + static_cast<std::ptrdiff_t>(which));
    }
  }
  EXPECT_GE(least_left, 50u);
  EXPECT_GE(budget.waits(), 5u);
}

TEST(BucketOfPath, FollowsThePath) {
  EXPECT_EQ(bucket_of_path("/api/models/a/b?x=/resolve/"), Bucket::Api);
  EXPECT_EQ(bucket_of_path("/a/b/resolve/main/x"), Bucket::Resolvers);
  EXPECT_EQ(bucket_of_path("/api/resolve-cache/models/a/b/c/d"), Bucket::Resolvers);
  EXPECT_EQ(bucket_of_path("/a/b.git/info/lfs/objects/batch"), Bucket::Pages);
}
}  // namespace
}  // namespace hm::hub
