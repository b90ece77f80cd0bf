// One line per event, whatever the values hold.
#include "base/log.hpp"

#include <gtest/gtest.h>

#include <cstdlib>

#include "base/canonical_json.hpp"

namespace hm {
namespace {
// The logger is made once per process, so each form is tried in a child; EXPECT_EXIT compares its standard error.
[[noreturn]] void write(LogLevel least, bool json, LogLevel level) {
  set_up_log(least, json);
  log(level, "fetched", {{"repo", "org/name"}, {"note", "two words"}, {"path", "a\nb\x1b[31m"}});
  std::exit(0);
}
TEST(LogDeathTest, WritesOneTextLineWithFields) {
  EXPECT_EXIT(write(LogLevel::Info, false, LogLevel::Info), testing::ExitedWithCode(0),
              R"(Z I fetched repo=org/name note="two words" path=a\\x0ab\\x1b\[31m)");
}
TEST(LogDeathTest, WritesOneJsonObject) {
  EXPECT_EXIT(
      write(LogLevel::Info, true, LogLevel::Error), testing::ExitedWithCode(0),
      R"(^\{"time":"20[^"]*Z","level":"error","event":"fetched","repo":"org/name","note":"two words","path":"a\\\\x0ab\\\\x1b\[31m"\})");
}
TEST(LogDeathTest, IsSilentBelowItsLevel) {
  EXPECT_EXIT(write(LogLevel::Warning, false, LogLevel::Info), testing::ExitedWithCode(0), "^$");
}

TEST(Log, WithoutSetUpLinesGoNowhere) {
  testing::internal::CaptureStderr();
  log(LogLevel::Error, "nobody listens");
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "");
}
TEST(LogLevel, IsReadByName) {
  LogLevel level = LogLevel::Info;
  bool off = false;
  EXPECT_TRUE(parse_log_level("debug", level, off));
  EXPECT_EQ(level, LogLevel::Debug);
  EXPECT_TRUE(parse_log_level("warn", level, off));
  EXPECT_EQ(level, LogLevel::Warning);
  EXPECT_FALSE(off);
  EXPECT_TRUE(parse_log_level("off", level, off));
  EXPECT_TRUE(off);
  EXPECT_FALSE(parse_log_level("INFO", level, off));
  EXPECT_FALSE(parse_log_level("", level, off));
}
}  // namespace
}  // namespace hm
