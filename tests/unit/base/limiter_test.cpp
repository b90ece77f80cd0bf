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
TEST(TokenBucket, PlacesComeUpInTheOrderOfBooking) {
  TokenBucket bucket(10);
  const std::uint64_t first = bucket.book(10, 0), second = bucket.book(10, 0);
  EXPECT_EQ(bucket.wait_ms(first, 0), 1'000);
  EXPECT_EQ(bucket.wait_ms(second, 0), 2'000);
  EXPECT_EQ(bucket.wait_ms(first, 1'000), 0);
  EXPECT_EQ(bucket.wait_ms(second, 1'500), 500);
}
TEST(TokenBucket, ANewRateHoldsForThoseWhoWaitAlready) {
  TokenBucket bucket(10);
  const std::uint64_t place = bucket.book(100, 0);
  bucket.set_rate(100, 5'000);
  EXPECT_EQ(bucket.wait_ms(place, 5'000), 500);
  bucket.set_rate(1, 5'000);
  EXPECT_EQ(bucket.wait_ms(place, 5'000), 50'000);
  bucket.set_rate(0, 6'000);
  EXPECT_EQ(bucket.wait_ms(place, 6'000), 0);
  bucket.set_rate(10, 3'600'000);
  EXPECT_EQ(bucket.take(1, 3'600'000), 100) << "what was unlimited leaves neither debts nor savings";
}
TEST(TokenBucket, WhatIsGivenBackIsForThoseBehind) {
  TokenBucket bucket(10);
  bucket.book(50, 0);
  const std::uint64_t place = bucket.book(10, 0);
  bucket.give_back(50, 0);
  EXPECT_EQ(bucket.wait_ms(place, 0), 1'000);
  bucket.give_back(1'000, 0);
  EXPECT_EQ(bucket.take(10, 0), 1'000) << "never more than was booked";
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
