#include "config/ceilings.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <ctime>

#include "base/text.hpp"
#include "config/config.hpp"

namespace hm::config {
namespace {
using testing::HasSubstr;

constexpr int kHour = 60, kDay = 24 * kHour;
enum Day { Mon, Tue, Wed, Thu, Fri, Sat, Sun };

Ceilings usual() {
  Ceilings ceilings;
  ceilings.requests_per_second = 10;
  ceilings.bytes_per_second = 1'000'000;
  return ceilings;
}
CeilingPlan plan(const std::vector<std::string>& hours) {
  auto parsed = CeilingPlan::parse(usual(), hours, TimeZone::Utc);
  EXPECT_TRUE(parsed) << parsed.error().what;
  return std::move(parsed).value();
}
std::uint64_t requests(const CeilingPlan& plan, Day day, int minute) {
  return plan.at_minute(static_cast<int>(day) * kDay + minute).requests_per_second;
}
std::string refusal(const std::vector<std::string>& hours) {
  const auto parsed = CeilingPlan::parse(usual(), hours, TimeZone::Utc);
  return parsed ? "accepted" : parsed.error().what;
}
std::int64_t at(const char* text) { return parse_iso8601(text).value(); }

TEST(CeilingPlan, AnEntryHoldsFromItsFirstMinuteToBeforeItsLast) {
  const CeilingPlan p = plan({"mon-fri 08:00-18:00 requests=2 bytes=20MiB"});
  EXPECT_EQ(requests(p, Mon, 8 * kHour - 1), 10u);
  EXPECT_EQ(requests(p, Mon, 8 * kHour), 2u);
  EXPECT_EQ(requests(p, Fri, 18 * kHour - 1), 2u);
  EXPECT_EQ(requests(p, Fri, 18 * kHour), 10u);
  EXPECT_EQ(requests(p, Sat, 12 * kHour), 10u);
  EXPECT_EQ(p.at_minute(8 * kHour).bytes_per_second, 20u << 20);
}
TEST(CeilingPlan, WhatAnEntryDoesNotNameIsAsUsualAndZeroIsNone) {
  const CeilingPlan p = plan({"8:00-9:00 bytes=0", "sat 10:00-11:00 requests=0"});
  EXPECT_EQ(p.at_minute(8 * kHour).bytes_per_second, 0u);
  EXPECT_EQ(p.at_minute(8 * kHour).requests_per_second, 10u);
  EXPECT_EQ(requests(p, Sat, 10 * kHour), 0u);
  EXPECT_FALSE(p.open());
  EXPECT_TRUE(CeilingPlan().open());
  EXPECT_EQ(plan({"8:00-9:00 bytes=2k"}).lowest_bytes_per_second(), 2048u);
}
TEST(CeilingPlan, AnEntryMayGoOverMidnightAndOverTheWeekend) {
  const CeilingPlan night = plan({"22:00-06:00 requests=3"});
  EXPECT_EQ(requests(night, Sun, 23 * kHour), 3u);
  EXPECT_EQ(requests(night, Mon, 0), 3u);
  EXPECT_EQ(requests(night, Mon, 6 * kHour), 10u);
  const CeilingPlan friday = plan({"FRI 22:00-06:00 requests=3"});
  EXPECT_EQ(requests(friday, Fri, 5 * kHour), 10u);
  EXPECT_EQ(requests(friday, Sat, 5 * kHour), 3u);
  EXPECT_EQ(requests(friday, Sat, 6 * kHour), 10u);
  const CeilingPlan weekend = plan({"sat-mon 00:00-24:00 requests=3"});
  EXPECT_EQ(requests(weekend, Fri, kDay - 1), 10u);
  for (const Day day : {Sat, Sun, Mon}) EXPECT_EQ(requests(weekend, day, kDay - 1), 3u);
  EXPECT_EQ(requests(weekend, Tue, 0), 10u);
  EXPECT_EQ(requests(plan({"sun 23:00-01:00 requests=3"}), Mon, 30), 3u);
}
TEST(CeilingPlan, NeighboursTouchAndOverlapsAreRefused) {
  plan({"08:00-12:00 requests=1", "12:00-18:00 requests=2", "18:00-08:00 requests=3"});
  EXPECT_THAT(refusal({"08:00-18:00 requests=1", "sat 10:00-12:00 requests=2"}),
              HasSubstr(R"("sat 10:00-12:00 requests=2" overlaps "08:00-18:00 requests=1" at sat 10:00)"));
  EXPECT_THAT(refusal({"fri 22:00-06:00 requests=1", "sat 05:59-07:00 requests=2"}), HasSubstr("at sat 05:59"));
  EXPECT_THAT(refusal({"00:00-24:00 requests=1", "00:00-24:00 requests=1"}), HasSubstr("at mon 00:00"));
}
TEST(CeilingPlan, SaysWhatIsWrongWithAnEntry) {
  struct Case {
    const char *entry, *what;
  };
  for (const Case& c : {Case{"", "names no time of day"},
                        Case{"mon", "names no time of day"},
                        Case{"08:00-18:00", "names no ceiling"},
                        Case{"08:00 requests=1", "no time of day"},
                        Case{"08:00-18:60 requests=1", "no time of day"},
                        Case{"24:00-08:00 requests=1", "no time of"},
                        Case{"08-18 requests=1", "no time of day"},
                        Case{"08:00-25:00 requests=1", "no time of day"},
                        Case{"08:00-08:00 requests=1", "the whole day is 00:00-24:00"},
                        Case{"mo-fr 08:00-18:00 requests=1", "\"mo-fr\" are no days; known are mon, tue"},
                        Case{"mon-wed-fri 08:00-18:00 requests=1", "are no days"},
                        Case{"- 08:00-18:00 requests=1", "are no days"},
                        Case{"08:00-18:00 request=1", "\"request=1\" is no ceiling; known are requests= and bytes="},
                        Case{"08:00-18:00 requests", "is no ceiling"},
                        Case{"08:00-18:00 requests=", "allowed are 0 to"},
                        Case{"08:00-18:00 requests=-1", "allowed are 0 to"},
                        Case{"08:00-18:00 requests=1000001", "allowed are 0 to 1000000"},
                        Case{"08:00-18:00 requests=1 requests=2", "stands there twice"},
                        Case{"08:00-18:00 bytes=lots", "reading bytes="},
                        Case{"08:00-18:00 bytes=5", "are too few"}}) {
    EXPECT_THAT(refusal({c.entry}), HasSubstr(c.what)) << c.entry;
    EXPECT_THAT(refusal({c.entry}), HasSubstr("while reading \"" + std::string(c.entry) + "\""));
  }
}

TEST(CeilingPlan, ReadsTheClockOfItsZone) {
  EXPECT_EQ(minute_of_week(at("2027-01-11T00:00:00Z"), TimeZone::Utc), 0) << "a Monday";
  EXPECT_EQ(minute_of_week(at("2027-01-17T23:59:59Z"), TimeZone::Utc), kMinutesOfWeek - 1);
  EXPECT_EQ(minute_of_week(at("1969-12-29T00:00:00Z"), TimeZone::Utc), 0);
  const char* before = std::getenv("TZ");
  const std::string kept = before ? before : "";
  ::setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
  ::tzset();
  EXPECT_EQ(minute_of_week(at("2027-01-10T23:00:00Z"), TimeZone::Machine), 0) << "winter";
  EXPECT_EQ(minute_of_week(at("2027-07-11T22:00:00Z"), TimeZone::Machine), 0) << "summer";
  const int sunday = static_cast<int>(Sun) * kDay;
  EXPECT_EQ(minute_of_week(at("2027-03-28T00:59:00Z"), TimeZone::Machine), sunday + kHour + 59);
  EXPECT_EQ(minute_of_week(at("2027-03-28T01:00:00Z"), TimeZone::Machine), sunday + 3 * kHour) << "an hour is left out";
  EXPECT_EQ(minute_of_week(at("2027-10-31T00:30:00Z"), TimeZone::Machine), sunday + 2 * kHour + 30);
  EXPECT_EQ(minute_of_week(at("2027-10-31T01:30:00Z"), TimeZone::Machine), sunday + 2 * kHour + 30) << "comes twice";
  const auto plan = CeilingPlan::parse(Ceilings(), {"sun 02:00-03:00 requests=1"}, TimeZone::Machine).value();
  EXPECT_EQ(plan.at(at("2027-03-28T00:59:59Z")).requests_per_second, 0u);
  EXPECT_EQ(plan.at(at("2027-03-28T01:00:00Z")).requests_per_second, 0u) << "that hour does not come";
  EXPECT_EQ(plan.at(at("2027-10-31T00:30:00Z")).requests_per_second, 1u);
  EXPECT_EQ(plan.at(at("2027-10-31T01:30:00Z")).requests_per_second, 1u) << "that hour comes twice";
  before ? ::setenv("TZ", kept.c_str(), 1) : ::unsetenv("TZ");
  ::tzset();
}

TEST(CeilingPlan, IsReadFromTheConfigurationAndChecked) {
  const auto config = parse_config(
      "[budget]\nrequests_per_second_max = 4\nbytes_per_second_max = \"2MiB\"\ntime_zone = \"utc\"\n"
      "hours = [\"mon-fri 08:00-18:00 requests=2\"]\n",
      "test.toml");
  ASSERT_TRUE(config) << config.error().what;
  ASSERT_TRUE(check_config(config.value()));
  const CeilingPlan p = ceilings_of(config.value()).value();
  EXPECT_EQ(requests(p, Tue, 9 * kHour), 2u);
  EXPECT_EQ(requests(p, Sun, 9 * kHour), 4u);
  EXPECT_EQ(p.at_minute(0).bytes_per_second, 2u << 20);
  Config wrong;
  wrong.budget.hours = {"08:00-18:00 requests=1", "09:00-10:00 bytes=0"};
  EXPECT_THAT(check_config(wrong).error().what, HasSubstr("at mon 09:00; give each time one entry; while checking"));
  wrong = Config();
  wrong.budget.bytes_per_second_max = 100;
  EXPECT_THAT(check_config(wrong).error().what, HasSubstr("budget.bytes_per_second_max"));
}
}  // namespace
}  // namespace hm::config
