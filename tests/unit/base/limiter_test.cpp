// A rate is kept from the first unit on, over any time span; little is saved up.
#include "base/limiter.hpp"

#include <gtest/gtest.h>

namespace hm {
namespace {
TEST(TokenBucket, BeginsWithoutABurst) {
  TokenBucket bucket(100);
  EXPECT_EQ(bucket.take(100, 0), 1'000);
  EXPECT_EQ(bucket.take(1, 1'000), 10);
}
TEST(TokenBucket, ZeroIsUnlimited) {
  TokenBucket bucket(0);
  EXPECT_EQ(bucket.take(~0ULL >> 1, 0), 0);
  EXPECT_EQ(bucket.take(~0ULL >> 1, 0), 0);
}
TEST(TokenBucket, ALargeTakeIsADebtThatLaterOnesPay) {
  TokenBucket bucket(10);
  EXPECT_EQ(bucket.take(60, 0), 6'000);
  EXPECT_EQ(bucket.take(0, 6'000), 0);
  EXPECT_EQ(bucket.take(10, 6'000), 1'000);
}
TEST(TokenBucket, SavesUpAtMostATenthOfASecond) {
  TokenBucket bucket(1'000);
  EXPECT_EQ(bucket.take(10, 0), 10);
  EXPECT_EQ(bucket.take(100, 3'600'000), 0);
  EXPECT_EQ(bucket.take(1, 3'600'000), 1);
}
TEST(TokenBucket, AClockThatGoesBackGivesNothing) {
  TokenBucket bucket(10);
  EXPECT_EQ(bucket.take(10, 1'000), 1'000);
  EXPECT_EQ(bucket.take(10, 0), 2'000);
  EXPECT_EQ(bucket.take(0, 1'500), 1'500);
}
TEST(TokenBucket, KeepsTheRateOverALongTime) {
  TokenBucket bucket(1'000);
  std::int64_t now_ms = 0;
  for (int i = 0; i < 10'000; ++i) now_ms += bucket.take(7, now_ms);
  // 70,000 units at 1,000 a second, rounded up by at most a millisecond a take.
  EXPECT_GE(now_ms, 70'000);
  EXPECT_LE(now_ms, 80'000);
}
}  // namespace
}  // namespace hm
