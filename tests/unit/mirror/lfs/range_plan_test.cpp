#include "mirror/lfs/range_plan.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>

namespace hm::mirror {
namespace {
constexpr std::uint64_t kMany = 1ULL << 40;  // runs as long as they like

RangePlan plan_of(std::size_t segments, std::uint64_t run_bytes_max = kMany) {
  return RangePlan(segments * 10, 10, std::vector<bool>(segments), run_bytes_max);
}

TEST(RangePlanTest, OneConnectionTakesTheWholeFile) {
  RangePlan plan(95, 10, std::vector<bool>(10), kMany);
  const auto run = plan.take(1);
  ASSERT_TRUE(run);
  EXPECT_EQ(plan.offset_bytes(*run), 0u);
  EXPECT_EQ(plan.end_bytes(*run), 95u);
  EXPECT_EQ(plan.segment_end_bytes(9), 95u);
}

TEST(RangePlanTest, NoRunIsLongerThanItsBound) {
  auto plan = plan_of(10, 35);
  const auto run = plan.take(1);
  ASSERT_TRUE(run);
  EXPECT_EQ(plan.left(*run), 3u);
}

TEST(RangePlanTest, ASegmentLongerThanTheBoundIsStillTaken) {
  auto plan = plan_of(4, 1);
  const auto run = plan.take(1);
  ASSERT_TRUE(run);
  EXPECT_EQ(plan.left(*run), 1u);
}

TEST(RangePlanTest, RunsEndAtStoredSegments) {
  RangePlan plan(60, 10, {true, false, false, true, false, true}, kMany);
  const auto first = plan.take(1);
  ASSERT_TRUE(first);
  EXPECT_EQ(plan.offset_bytes(*first), 10u);
  EXPECT_EQ(plan.end_bytes(*first), 30u);
  const auto second = plan.take(1);
  ASSERT_TRUE(second);
  EXPECT_EQ(plan.offset_bytes(*second), 40u);
  EXPECT_EQ(plan.end_bytes(*second), 50u);
  EXPECT_FALSE(plan.take(1));
}

TEST(RangePlanTest, EverythingStoredIsComplete) {
  EXPECT_TRUE(RangePlan(20, 10, {true, true}).complete());
  EXPECT_TRUE(RangePlan(0, 10, {}).complete());
  EXPECT_FALSE(RangePlan(20, 10, {true, false}).complete());
}

TEST(RangePlanTest, RunsOfSeveralConnectionsGetShorterTowardsTheEnd) {
  auto plan = plan_of(100);
  std::uint64_t last = 100;
  for (int i = 0; i < 4; ++i) {
    const auto run = plan.take(4);
    ASSERT_TRUE(run);
    EXPECT_LE(plan.left(*run), last);
    last = plan.left(*run);
  }
  EXPECT_LE(last, 10u);
}

TEST(RangePlanTest, AnIdleConnectionTakesHalfOfWhatAnotherHasNotBegun) {
  auto plan = plan_of(9);
  const auto busy = plan.take(1);
  ASSERT_TRUE(busy);
  const auto thief = plan.take(2);
  ASSERT_TRUE(thief);
  EXPECT_EQ(plan.left(*busy), 5u);  // the one under way and four of the eight others
  EXPECT_EQ(plan.offset_bytes(*thief), 50u);
  EXPECT_EQ(plan.end_bytes(*thief), 90u);
}

TEST(RangePlanTest, TheLastFewSegmentsStayWhereTheyAre) {
  auto plan = plan_of(kStealSegmentsMin);
  ASSERT_TRUE(plan.take(1));
  EXPECT_FALSE(plan.has_more());
  EXPECT_FALSE(plan.take(2));
}

TEST(RangePlanTest, WhatIsGivenBackIsTakenFirst) {
  auto plan = plan_of(10, 50);
  const auto first = plan.take(1);
  const auto second = plan.take(1);
  ASSERT_TRUE(first && second);
  EXPECT_TRUE(plan.advance(*first));
  plan.give_back(*first);
  EXPECT_FALSE(plan.complete());
  const auto again = plan.take(1);
  ASSERT_TRUE(again);
  EXPECT_EQ(plan.offset_bytes(*again), 10u);
  EXPECT_EQ(plan.end_bytes(*again), 50u);
}

// Any number of connections that come, steal, fail and go fetch every missing segment exactly once.
TEST(RangePlanTest, EverySegmentIsFetchedOnceWhateverHappens) {
  for (std::uint32_t seed = 0; seed < 300; ++seed) {
    std::mt19937 random(seed);
    const auto pick = [&](std::uint32_t n) { return random() % n; };
    const std::size_t segments = 1 + pick(80);
    std::vector<bool> present(segments);
    for (std::size_t i = 0; i < segments; ++i) present[i] = pick(4) == 0;
    const std::uint64_t size = segments * 10 - pick(10);
    RangePlan plan(size, 10, present, 10 * (1 + pick(40)));
    std::vector<int> fetched(segments);
    std::vector<RangePlan::RunId> open;
    for (int step = 0; !plan.complete(); ++step) {
      ASSERT_LT(step, 100'000);
      if (open.empty() || (pick(4) == 0 && open.size() < 5)) {
        if (const auto run = plan.take(static_cast<int>(open.size()) + 1)) open.push_back(*run);
        ASSERT_FALSE(open.empty());
        continue;
      }
      const std::size_t which = pick(static_cast<std::uint32_t>(open.size()));
      const auto run = open[which];
      ASSERT_GT(plan.left(run), 0u);
      ASSERT_EQ(plan.offset_bytes(run), plan.segment(run) * 10);
      ASSERT_LE(plan.end_bytes(run), size);
      const bool fails = pick(10) == 0;
      bool more = false;
      if (fails) {
        plan.give_back(run);
      } else {
        ++fetched[plan.segment(run)];
        more = plan.advance(run);
      }
      if (!more) open.erase(open.begin() + static_cast<std::ptrdiff_t>(which));
    }
    EXPECT_TRUE(open.empty());
    for (std::size_t i = 0; i < segments; ++i)
      EXPECT_EQ(fetched[i], present[i] ? 0 : 1) << "seed " << seed << " segment " << i;
  }
}
}  // namespace
}  // namespace hm::mirror
