// A rate is kept over any time span, and a burst is one second's worth.
#include "base/limiter.hpp"

#include <gtest/gtest.h>

namespace hm {
namespace {
TEST(TokenBucket, LetsABurstOfOneSecondThrough) {
  TokenBucket bucket(100);
  EXPECT_EQ(bucket.take(100, 0), 0);
  EXPECT_EQ(bucket.take(1, 0), 10);
}
TEST(TokenBucket, ZeroIsUnlimited) {
  TokenBucket bucket(0);
  EXPECT_EQ(bucket.take(~0ULL >> 1, 0), 0);
  EXPECT_EQ(bucket.take(~0ULL >> 1, 0), 0);
}
TEST(TokenBucket, ALargeTakeIsADebtThatLaterOnesPay) {
  TokenBucket bucket(10);
  EXPECT_EQ(bucket.take(60, 0), 5'000);
  EXPECT_EQ(bucket.take(0, 5'000), 0);
  EXPECT_EQ(bucket.take(10, 5'000), 1'000);
}
TEST(TokenBucket, SavesUpAtMostOneSecond) {
  TokenBucket bucket(10);
  EXPECT_EQ(bucket.take(10, 0), 0);
  EXPECT_EQ(bucket.take(10, 3'600'000), 0);
  EXPECT_EQ(bucket.take(1, 3'600'000), 100);
}
TEST(TokenBucket, AClockThatGoesBackGivesNothing) {
  TokenBucket bucket(10);
  EXPECT_EQ(bucket.take(10, 1'000), 0);
  EXPECT_EQ(bucket.take(10, 0), 1'000);
  EXPECT_EQ(bucket.take(0, 1'500), 500);
}
TEST(TokenBucket, KeepsTheRateOverALongTime) {
  TokenBucket bucket(1'000);
  std::int64_t now_ms = 0;
  for (int i = 0; i < 10'000; ++i) now_ms += bucket.take(7, now_ms);
  // 70,000 units at 1,000 a second with one second's burst: 69 s, rounded up by at most a millisecond a take.
  EXPECT_GE(now_ms, 69'000);
  EXPECT_LE(now_ms, 79'000);
}
}  // namespace
}  // namespace hm
