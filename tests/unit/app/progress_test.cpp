// Progress as text: a pure function of the events and the time; and the display's two modes.
#include "app/progress.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "app/output.hpp"

namespace hm::app {
namespace {
using crawler::ProgressEvent;
using crawler::Stage;
using testing::HasSubstr;

ProgressEvent event(const std::string& name, Stage stage) {
  ProgressEvent e;
  e.repo.name = name;
  e.stage = stage;
  return e;
}
ProgressEvent bytes(const std::string& name, std::uint64_t done, std::uint64_t total, const std::string& file = {},
                    std::uint64_t file_total = 0, std::uint64_t more = 0, bool file_done = false) {
  ProgressEvent e = event(name, Stage::Blobs);
  e.files_total = 4;
  e.files_done = 1;
  e.bytes_done = done;
  e.bytes_total = total;
  e.file = file;
  e.file_bytes_total = file_total;
  e.file_bytes_more = more;
  e.file_done = file_done;
  return e;
}

TEST(Rate, IsThatOfTheLastSeconds) {
  RateMeter rate;
  EXPECT_EQ(rate.bytes_per_second(0), 0U);
  for (std::int64_t t = 0; t <= 5000; t += 100) rate.sample(static_cast<std::uint64_t>(t), t);  // 1000 B/s
  EXPECT_NEAR(static_cast<double>(rate.bytes_per_second(5000)), 1000, 60);
  for (std::int64_t t = 5000; t <= 30000; t += 100)
    rate.sample(static_cast<std::uint64_t>(5000 + (t - 5000) * 10), t);  // 10000 B/s
  EXPECT_NEAR(static_cast<double>(rate.bytes_per_second(30000)), 10000, 500);
  EXPECT_LT(rate.bytes_per_second(90000), 2000U) << "a stall shows";
}

TEST(Bar, FillsInProportion) {
  EXPECT_EQ(bar(0, 100, 12), "[..........]");
  EXPECT_EQ(bar(50, 100, 12), "[#####.....]");
  EXPECT_EQ(bar(100, 100, 12), "[##########]");
  EXPECT_EQ(bar(200, 100, 12), "[##########]");
  EXPECT_EQ(bar(0, 0, 12), "[..........]");
  EXPECT_EQ(bar(1, 2, 2), "");
}
TEST(Percent, IsHundredOnlyAtTheEnd) {
  EXPECT_EQ(percent(999'999, 1'000'000), "99 %");
  EXPECT_EQ(percent(1'000'000, 1'000'000), "100 %");
  EXPECT_EQ(percent(0, 0), "0 %");
}

TEST(ProgressLines, SayStageRateAndTimeLeft) {
  ProgressState state(1);
  state.apply(0, event("org/name", Stage::Visit), 0);
  EXPECT_EQ(state.line(0, 0), "org/name: asking the Hub");
  state.apply(0, bytes("org/name", 0, 4 << 20), 1000);
  state.apply(0, bytes("org/name", 1 << 20, 4 << 20, "w.bin", 4 << 20, 1 << 20), 2000);
  EXPECT_EQ(state.line(0, 2000),
            "org/name: fetching files: 1 of 4 files, 1.0 MiB of 4.0 MiB (25 %), 512.0 KiB/s, 6 s left");
  EXPECT_EQ(state.total_line(2000), "25 % of 4.0 MiB, 512.0 KiB/s, 6 s left");
}

TEST(ProgressLines, AResumedFileCountsWholeWhenDone) {
  ProgressState state(1);
  state.apply(0, bytes("a/b", 0, 1000), 0);
  state.apply(0, bytes("a/b", 100, 1000, "w.bin", 1000, 100), 500);
  state.apply(0, bytes("a/b", 100, 1000, "w.bin", 1000, 0, true), 600);
  EXPECT_EQ(state.bytes_done(), 1000U);
  EXPECT_EQ(state.bytes_total(), 1000U);
}

TEST(ProgressLines, AFailedFileLeavesTheTotalShort) {
  ProgressState state(1);
  state.apply(0, bytes("a/b", 0, 1000), 0);
  state.apply(0, bytes("a/b", 600, 1000, "here.bin", 600, 600, true), 500);
  ProgressEvent failed = bytes("a/b", 700, 1000, "bad.bin", 400, 100, true);
  failed.file_failed = true;
  state.apply(0, failed, 600);
  EXPECT_THAT(state.total_line(600), testing::StartsWith("60 % of"));
  state.finished(0);
  EXPECT_THAT(state.total_line(600), testing::StartsWith("60 % of")) << "not 100 % before INCOMPLETE";
}
TEST(ProgressLines, HundredPercentIsSaidWhenAllIsThrough) {
  ProgressState state(1);
  state.apply(0, bytes("a/b", 1000, 1000, "w.bin", 1000, 1000), 0);
  EXPECT_THAT(state.total_line(0), testing::StartsWith("99 % of")) << "its digest is not known yet";
  state.apply(0, bytes("a/b", 1000, 1000, "w.bin", 1000, 0, true), 10);
  state.finished(0);
  EXPECT_THAT(state.total_line(10), testing::StartsWith("100 % of"));
}

TEST(ProgressLines, GitBytesCountOnce) {
  ProgressState state(1);
  auto git = event("a/b", Stage::Git);
  git.bytes_done = 500;
  state.apply(0, git, 0);
  EXPECT_EQ(state.bytes_done(), 500U);
  state.apply(0, bytes("a/b", 0, 1000), 10);
  EXPECT_EQ(state.bytes_total(), 1500U);
  EXPECT_EQ(state.bytes_done(), 500U);
}

TEST(ProgressLines, FinishedRepositoriesStayInTheTotal) {
  ProgressState state(2);
  state.apply(0, bytes("a/a", 1000, 1000), 0);
  state.finished(0);
  state.apply(1, bytes("a/b", 0, 1000), 10);
  EXPECT_EQ(state.bytes_done(), 1000U);
  EXPECT_EQ(state.bytes_total(), 2000U);
  EXPECT_THAT(state.total_line(10), HasSubstr("1 of 2 repositories done"));
}

TEST(ProgressBars, ShowTheBusiestFilesFirstAndFitAnyTerminal) {
  ProgressState state(2);
  for (int file = 0; file < 12; ++file) {
    const std::string path = "folder/model-000" + std::to_string(file) + ".safetensors";
    for (int t = 0; t <= 4; ++t)
      state.apply(0, bytes("org/name", 0, 100 << 20, path, 10 << 20, static_cast<std::uint64_t>(file + 1) * 1000),
                  t * 300);
  }
  state.apply(1, bytes("org/模型模型模型模型模型模型模型模型模型模型模型模型模型模型", 0, 1 << 20, "x\x1b[2J", 10, 0),
              1300);
  const auto lines = state.render(79, 20, 1300);
  ASSERT_EQ(lines.size(), 9U);  // six files, two repositories, the total
  EXPECT_THAT(lines[0], HasSubstr("model-00011"));
  EXPECT_THAT(lines[1], HasSubstr("model-00010"));
  EXPECT_THAT(lines[6], HasSubstr("org/name: fetching files, 1 of 4"));
  EXPECT_THAT(lines.back(), HasSubstr("["));
  for (std::size_t width = 0; width < 200; ++width) {
    for (std::size_t rows = 0; rows < 12; ++rows) {
      const auto drawn = state.render(width, rows, 1300);
      EXPECT_LE(drawn.size(), rows);
      for (const std::string& line : drawn) {
        EXPECT_LE(display_width(line), width);
        EXPECT_EQ(line.find('\x1b'), std::string::npos);
      }
    }
  }
}

TEST(ProgressDisplayLines, OnePerStageAndNowAndThen) {
  std::ostringstream err;
  ProgressDisplay display(err, ProgressDisplay::Mode::Lines, 1);
  display.apply(0, event("org/name", Stage::Visit), 1);
  display.apply(0, event("org/name", Stage::Git), 2);
  display.apply(0, event("org/name", Stage::Git), 3);
  display.draw(4);
  EXPECT_EQ(err.str(), "org/name: asking the Hub\norg/name: fetching git objects\n");
  err.str("");
  display.apply(0, bytes("org/name", 0, 1000), 5);
  display.draw(6);
  EXPECT_EQ(err.str(), "org/name: fetching files: 1 of 4 files, 0 B of 1000 B (0 %)\n");
  err.str("");
  display.apply(0, bytes("org/name", 10, 1000, "f", 1000, 10), 20);
  display.draw(900);
  EXPECT_EQ(err.str(), "") << "neither 5 % nor 10 s";
  display.draw(10'100);
  EXPECT_THAT(err.str(), HasSubstr("total: 1 % of 1000 B"));
  err.str("");
  display.apply(0, bytes("org/name", 500, 1000, "f", 1000, 490), 10'200);
  display.draw(10'300);
  EXPECT_EQ(err.str(), "") << "at most one a second";
  display.draw(11'200);
  EXPECT_THAT(err.str(), HasSubstr("total: 50 %"));
  err.str("");
  display.draw(30'000);
  EXPECT_EQ(err.str(), "") << "nothing moved";
  display.finished(0, "org/name: complete");
  display.close();
  EXPECT_EQ(err.str(), "org/name: complete\n");
  EXPECT_EQ(err.str().find('\r'), std::string::npos);
}

TEST(ProgressDisplayBars, AreDrawnOverAndRemoved) {
  std::ostringstream err;
  ProgressDisplay display(err, ProgressDisplay::Mode::Bars, 1);
  display.apply(0, bytes("org/name", 0, 1000), 1);
  display.draw(2);
  EXPECT_THAT(err.str(), HasSubstr("org/name: fetching files"));
  err.str("");
  display.draw(3);
  EXPECT_THAT(err.str(), testing::StartsWith("\x1b[2A\x1b[J"));
  err.str("");
  display.close();
  EXPECT_EQ(err.str(), "\x1b[2A\x1b[J");
}

TEST(ProgressDisplaySilent, WritesNothing) {
  std::ostringstream err;
  ProgressDisplay display(err, ProgressDisplay::Mode::Silent, 1);
  display.apply(0, bytes("org/name", 0, 1000), 1);
  display.finished(0, "done");
  display.draw(100'000);
  display.close();
  EXPECT_EQ(err.str(), "");
}
}  // namespace
}  // namespace hm::app
