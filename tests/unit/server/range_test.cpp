// One range of a body, by RFC 9110 §14.
#include "server/http/range.hpp"

#include <gtest/gtest.h>

#include "server_fixture.hpp"

namespace hm::server {
namespace {
struct Wanted {
  const char* text;
  RangeOutcome outcome;
  std::uint64_t first, length;
};
constexpr std::uint64_t kSize = 1000;

TEST(RangeTest, OneRangeIsCutToTheBody) {
  using enum RangeOutcome;
  const Wanted all[] = {
      {"bytes=0-0", Part, 0, 1},
      {"bytes=0-999", Part, 0, 1000},
      {"bytes=0-", Part, 0, 1000},
      {"bytes=999-", Part, 999, 1},
      {"bytes=10-19", Part, 10, 10},
      {"bytes=990-5000", Part, 990, 10},
      {"bytes=-1", Part, 999, 1},
      {"bytes=-1000", Part, 0, 1000},
      {"bytes=-5000", Part, 0, 1000},
      {"BYTES=1-2", Part, 1, 2},
      {" bytes= 1 - 2 ", Part, 1, 2},
      {"bytes=5-18446744073709551615", Part, 5, 995},
      {"bytes=-18446744073709551615", Part, 0, 1000},
      {"bytes=1000-", Unsatisfiable, 0, 0},
      {"bytes=-0", Unsatisfiable, 0, 0},
      {"bytes=18446744073709551615-", Unsatisfiable, 0, 0},
      {"bytes=18446744073709551616-", Unsatisfiable, 0, 0},
      {"bytes=990-99999999999999999999999", Part, 990, 10},
  };
  for (const Wanted& one : all) {
    const WantedRange got = wanted_range(one.text, kSize);
    EXPECT_EQ(got.outcome, one.outcome) << one.text;
    EXPECT_EQ(got.first, one.first) << one.text;
    EXPECT_EQ(got.length, one.length) << one.text;
  }
}

TEST(RangeTest, WhatIsNotOneRangeIsAnsweredWhole) {
  for (const char* text : {"", "bytes", "bytes=", "bytes=-", "bytes=a-b", "bytes=1-x", "bytes=2-1", "lines=1-2",
                           "bytes=0-1,3-4", "bytes=1--2", "bytes=0x1-2", "bytes=1", "bytes=-1-2", "bytes=+1-2"}) {
    const WantedRange got = wanted_range(text, kSize);
    EXPECT_EQ(got.outcome, RangeOutcome::Whole) << text;
    EXPECT_EQ(got.length, kSize) << text;
  }
}

TEST(RangeTest, AnEmptyBodyHasNoRanges) {
  EXPECT_EQ(wanted_range("bytes=0-", 0).outcome, RangeOutcome::Unsatisfiable);
  EXPECT_EQ(wanted_range("bytes=-5", 0).outcome, RangeOutcome::Unsatisfiable);
}

TEST(RangeTest, IfRangeKeepsRangesOfTwoRepresentationsApart) {
  auto outcome = [](std::string_view condition) {
    return wanted_range(test::request_for("/", {{"Range", "bytes=0-1"}, {"If-Range", condition}}), "abc", kSize)
        .outcome;
  };
  EXPECT_EQ(outcome("\"abc\""), RangeOutcome::Part);
  for (const char* other : {"\"abd\"", "abc", "W/\"abc\"", "Sat, 29 Oct 1994 19:43:31 GMT", "\"abc", "*"})
    EXPECT_EQ(outcome(other), RangeOutcome::Whole) << other;
}

TEST(RangeTest, IfNoneMatchComparesWeakly) {
  for (const char* same : {"\"abc\"", "W/\"abc\"", "*", "\"x\", \"abc\"", " \"x\" ,W/\"abc\" "})
    EXPECT_TRUE(matches_etag(same, "abc")) << same;
  for (const char* other : {"", "abc", "\"ab\"", "\"abcd\"", "\"abc", "w/\"abc\"", ","})
    EXPECT_FALSE(matches_etag(other, "abc")) << other;
}

TEST(RangeTest, IfMatchComparesStronglyAndComesFirst) {
  auto status = [](std::string_view condition) {
    Response answer;
    apply_conditions(test::request_for("/", {{"If-Match", condition}, {"If-None-Match", "\"other\""}}), "abc", kSize,
                     answer);
    return answer.status;
  };
  for (const char* same : {"\"abc\"", "*", "\"x\", \"abc\""}) EXPECT_EQ(status(same), 200) << same;
  for (const char* other : {"\"x\"", "W/\"abc\"", "abc", ""}) EXPECT_EQ(status(other), 412) << other;
}
}  // namespace
}  // namespace hm::server
