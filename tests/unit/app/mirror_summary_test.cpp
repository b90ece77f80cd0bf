// What `mirror` says at its end, as text and as JSON.
#include "app/commands/mirror_summary.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace hm::app {
namespace {
using testing::HasSubstr;

crawler::MirrorReport report() {
  crawler::MirrorReport r;
  r.repo.name = "org/name";
  r.blobs_total = r.blobs_fetched = 2;
  r.bytes_fetched = 10 << 20;
  r.bytes_verified = 10 << 20;
  r.elapsed_ms = 2500;
  return r;
}

TEST(SummaryLine, SaysCompleteIncompleteOrNothingNew) {
  crawler::MirrorReport r = report();
  EXPECT_EQ(summary_line(r), "org/name: complete, 2 large files fetched, 10.0 MiB in 2.5 s");
  r.files_left_out = 3;
  EXPECT_THAT(summary_line(r), HasSubstr("PARTIAL: 3 files left out"));
  r.error = Error{Errc::Unreachable, "no\x1b answer"};
  EXPECT_EQ(summary_line(r), "org/name: INCOMPLETE: no\\x1b answer");
  crawler::MirrorReport same;
  same.repo.name = "a/b";
  same.unchanged = true;
  EXPECT_EQ(summary_line(same), "a/b: nothing new");
}

TEST(SummaryJson, HasEveryFactOfTheReport) {
  crawler::MirrorReport r = report();
  r.problems.push_back({"w\xff.bin", Error{Errc::Corrupt, "sha256 differs"}});
  r.remarks.push_back({"case-twin", "A.txt", {}});
  r.error = Error{Errc::Corrupt, "1 of 2"};
  MirrorOutcome bad{true, r}, waiting;
  waiting.report.repo.name = "org/later";
  const json::object all = summary_json({bad, waiting}, true);
  EXPECT_TRUE(all.at("stopped").as_bool());
  const json::object& first = all.at("repos").as_array()[0].as_object();
  EXPECT_EQ(first.at("repo").as_string(), "org/name");
  EXPECT_FALSE(first.at("complete").as_bool());
  EXPECT_EQ(first.at("error").as_object().at("what").as_string(), "1 of 2");
  EXPECT_EQ(first.at("problems").as_array()[0].as_object().at("path").as_string(), "w\\xff.bin");
  EXPECT_EQ(first.at("remarks").as_array()[0].as_object().at("kind").as_string(), "case-twin");
  EXPECT_EQ(first.at("bytes_fetched").to_number<std::uint64_t>(), 10U << 20);
  EXPECT_FALSE(all.at("repos").as_array()[1].as_object().at("begun").as_bool());
  EXPECT_EQ(all.at("totals").as_object().at("repositories").to_number<std::uint64_t>(), 2U);
  EXPECT_EQ(all.at("totals").as_object().at("complete").to_number<std::uint64_t>(), 0U);
}
}  // namespace
}  // namespace hm::app
