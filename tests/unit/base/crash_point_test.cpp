// A named point kills at the passage that was asked for, and at no other.
#include "base/crash_point.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>

namespace {
// Runs in the child of a death test: arms, passes the points, leaves with 0 when nothing killed it.
[[noreturn]] void pass(const char* armed, int times) {
  ::setenv("HUBMIRROR_CRASH_AT", armed, 1);
  for (int i = 0; i < times; ++i) {
    HM_CRASH_POINT("test.other");
    HM_CRASH_POINT("test.point");
  }
  std::exit(0);
}

TEST(CrashPointDeathTest, KillsAtTheNthPassage) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(pass("test.point", 1), testing::KilledBySignal(SIGKILL), "");
  EXPECT_EXIT(pass("test.point:3", 3), testing::KilledBySignal(SIGKILL), "");
  EXPECT_EXIT(pass("test.point:3", 2), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(pass("test", 5), testing::ExitedWithCode(0), "");
  EXPECT_EXIT(pass("", 5), testing::ExitedWithCode(0), "");
}
}  // namespace
