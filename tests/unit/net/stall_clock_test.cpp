#include "net/stall_clock.hpp"

#include <gtest/gtest.h>

namespace hm::net {
namespace {
using Verdict = StallClock::Verdict;

TEST(StallClock, DoesNotRunBeforeItsStart) {
  StallClock clock(1000, 0);
  EXPECT_EQ(clock.check(1'000'000), Verdict::Running);
  EXPECT_FALSE(clock.deadline_ms());
  clock.start(5000);
  EXPECT_EQ(clock.deadline_ms(), 6000);
}

TEST(StallClock, StallsWhenNoByteComes) {
  StallClock clock(1000, 0);
  clock.start(0);
  EXPECT_EQ(clock.check(999), Verdict::Running);
  EXPECT_EQ(clock.check(1000), Verdict::Stalled);
  clock.add(1, 900);
  EXPECT_EQ(clock.check(1899), Verdict::Running);
  EXPECT_EQ(clock.deadline_ms(), 1900);
  EXPECT_EQ(clock.check(1900), Verdict::Stalled);
}

TEST(StallClock, DoesNotCountThePausesOfTheReader) {
  StallClock clock(1000, 0);
  clock.start(0);
  clock.add(1, 600);
  clock.pause(700);
  EXPECT_FALSE(clock.deadline_ms());
  EXPECT_EQ(clock.check(100'000), Verdict::Running);
  clock.add(1, 100'000);  // told late: the bytes came before the pause
  clock.resume(200'000);
  EXPECT_EQ(clock.check(200'999), Verdict::Running);
  EXPECT_EQ(clock.check(201'000), Verdict::Stalled);
}

TEST(StallClock, ATrickleIsTooSlow) {
  StallClock clock(1000, 100);
  clock.start(0);
  for (int ms = 100; ms < 1000; ms += 100) clock.add(1, ms);
  EXPECT_EQ(clock.deadline_ms(), 1000);
  EXPECT_EQ(clock.check(1000), Verdict::TooSlow);
}

TEST(StallClock, TheRateIsJudgedWindowByWindow) {
  StallClock clock(1000, 100);
  clock.start(0);
  clock.add(100, 990);
  EXPECT_EQ(clock.check(1000), Verdict::Running);
  EXPECT_EQ(clock.deadline_ms(), 1990);  // the stall comes before the end of the next window
  clock.add(99, 1900);
  EXPECT_EQ(clock.check(2000), Verdict::TooSlow);
}

TEST(StallClock, APauseWidensTheWindow) {
  StallClock clock(1000, 100);
  clock.start(0);
  clock.add(50, 400);
  clock.pause(500);
  clock.resume(10'500);
  clock.add(50, 10'900);
  EXPECT_EQ(clock.check(10'999), Verdict::Running);
  EXPECT_EQ(clock.check(11'000), Verdict::Running);
}

TEST(StallClock, ZeroSwitchesItOff) {
  StallClock clock(0, 100);
  clock.start(0);
  EXPECT_EQ(clock.check(1'000'000), Verdict::Running);
  EXPECT_FALSE(clock.deadline_ms());
}
}  // namespace
}  // namespace hm::net
