// Which repositories are visited when: the feeder by the columns, the visits within the budget.
#include "crawler/deep_visits.hpp"

#include <gmock/gmock.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <set>

#include "storage/columns.hpp"
#include "storage/rows.hpp"
#include "storage/survey_row.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/virtual_time.hpp"
#include "tests/unit/crawler/crawl_fixture.hpp"

namespace hm::crawler {
namespace {
using storage::Column;
using test::FailsWith;

class DeepVisitsTest : public CrawlTest {
 protected:
  DeepVisitsTest() {
    make_hub(400);
    for (const RepoKind kind : {RepoKind::Model, RepoKind::Dataset, RepoKind::Space}) {
      auto each = lister(kind);
      sweep(each);
    }
    options_.queued_at_once = 50;
  }
  std::size_t feed() {
    VisitFeeder feeder(*index_, queue(), "hub.example", options_);
    return feeder.feed(clock_.unix_ms(), clock_.monotonic_ms()).value();
  }
  storage::TaskQueue& queue() {
    if (!queue_) queue_.emplace(*index_, clock_);
    return *queue_;
  }
  std::vector<storage::Task> lease_all(Lane lane) {
    return queue().lease(storage::kLeaseCountMax, "test", 1'000, static_cast<std::uint8_t>(lane)).value();
  }
  /// What waits in a lane, taken out of it for good.
  std::set<RepoKey> take(Lane lane) {
    std::set<RepoKey> out;
    for (const storage::Task& task : lease_all(lane)) {
      EXPECT_TRUE(queue().complete(task.key, task.lease->fence));
      EXPECT_TRUE(out.insert(task.key.repo).second);
    }
    return out;
  }
  std::set<RepoKey> visit_all() {
    std::set<RepoKey> all;
    while (feed() != 0) {
      const auto some = take(Lane::Unvisited);
      for (const RepoKey& key : some) EXPECT_TRUE(all.insert(key).second) << key.text() << " is queued twice";
      if (some.empty()) break;
    }
    return all;
  }
  std::uint64_t downloads(const RepoKey& key) {
    return provenance::find_listed(*index_, key).value()->popularity.downloads;
  }

  VisitOptions options_;
  std::optional<storage::TaskQueue> queue_;
};

TEST_F(DeepVisitsTest, WhatWasNeverVisitedIsQueuedOnceAndTheMostWantedFirst) {
  clock_.advance(200 * kDayMs);  // nothing is news
  ASSERT_EQ(feed(), 50U);
  const auto first = take(Lane::Unvisited);
  const auto others = visit_all();
  std::uint64_t least = UINT64_MAX;
  for (const RepoKey& key : first) least = std::min(least, downloads(key));
  std::uint64_t most = 0;
  std::size_t out_of_reach = 0;
  EXPECT_TRUE(storage::each_listing(*index_, [&](const RepoKey& key, const storage::ListingRow& row) {
    const auto found = provenance::find_listed(*index_, key).value();
    if (found->facts.disabled || found->facts.visibility == "private" || row.gone_status != 0) {
      ++out_of_reach;
      EXPECT_FALSE(others.contains(key) || first.contains(key));
      return true;
    }
    EXPECT_TRUE(others.contains(key) || first.contains(key)) << key.text();
    if (!first.contains(key)) most = std::max(most, found->popularity.downloads);
    return true;
  }));
  EXPECT_GE(2 * least + 1, most);  // priorities go by the logarithm
  EXPECT_EQ(first.size() + others.size() + out_of_reach, 700U);
}

TEST_F(DeepVisitsTest, AChangeIsQueuedInItsOwnLaneAndOldAgeInTheLast) {
  clock_.advance(200 * kDayMs);
  const auto all = visit_all();
  clock_.advance(kHourMs);
  EXPECT_EQ(feed(), 0U);
  const RepoKey changed = *all.begin();
  const auto row = storage::find_listing(*index_, changed).value();
  storage::Batch batch;
  storage::ColumnEditor editor(*index_);
  ASSERT_TRUE(editor.set(Column::Modified, row->ordinal, static_cast<std::uint64_t>(clock_.unix_ms() / 1000)));
  editor.flush(batch);
  ASSERT_TRUE(index_->commit(batch));
  EXPECT_EQ(feed(), 1U);
  EXPECT_THAT(take(Lane::Changed), testing::ElementsAre(changed));
  clock_.advance(kHourMs);
  EXPECT_EQ(feed(), 1U) << "clocks differ: what changed about when it was queued is looked at once more";
  EXPECT_THAT(take(Lane::Changed), testing::ElementsAre(changed));
  clock_.advance(kHourMs);
  EXPECT_EQ(feed(), 0U);
  clock_.advance(options_.revisit_after_ms);
  EXPECT_EQ(feed(), 50U);
  EXPECT_TRUE(take(Lane::Unvisited).empty());
  EXPECT_EQ(take(Lane::Rest).size(), 50U);
}

TEST_F(DeepVisitsTest, ALaneThatHasWorkIsNotFedAndAKindThatIsNotWantedNever) {
  options_.kinds = {RepoKind::Dataset};
  EXPECT_EQ(feed(), 50U);
  EXPECT_EQ(feed(), 0U);
  for (const RepoKey& key : take(Lane::Unvisited)) EXPECT_EQ(key.kind, RepoKind::Dataset);
  EXPECT_EQ(feed(), 50U);
}

TEST_F(DeepVisitsTest, APinAndAFamilyGoBeforeWhatIsOnlyDownloaded) {
  clock_.advance(200 * kDayMs);
  options_.queued_at_once = 2;
  const auto all = provenance::search(*index_, {}, provenance::SortBy::Downloads, 400).value();
  const provenance::Found& pinned = all.back();
  const provenance::Found& parent = all[all.size() - 2];
  storage::Batch batch;
  storage::RepoRow row;
  row.repo = {pinned.key.kind, pinned.row.name};
  row.rid = pinned.key.rid;
  row.src = "hub.example";
  row.pins = {"*"};
  batch.put(storage::Family::Repos, storage::key::repo(pinned.key), storage::pack(storage::to_json(row)));
  storage::ColumnEditor editor(*index_);
  const std::string base = '\1' + storage::key::repo(parent.key);
  for (std::uint32_t ordinal = 0; ordinal < 600; ++ordinal) {
    std::string many;
    for (int i = 0; i < 300; ++i) many += base;
    ASSERT_TRUE(editor.set(Column::Bases, ordinal, many));
  }
  editor.flush(batch);
  ASSERT_TRUE(index_->commit(batch));
  EXPECT_EQ(feed(), 2U);
  const auto first = take(Lane::Unvisited);
  EXPECT_TRUE(first.contains(pinned.key));
  EXPECT_TRUE(first.contains(parent.key));
}

TEST_F(DeepVisitsTest, VisitsKeepWhatTheHubToldAndLeaveTheRestOfTheWindow) {
  test::VirtualTime time;
  time.set_wall_clock(clock_.unix_ms());
  scale::Scale size = scale_;  // the same Hub again, in this time
  scale::World world(size, time);
  world.set_quota(scale::RateBucket::Api, 100);
  scale::InProcessClient client(world);
  hub::RateBudget budget(600'000, time.sleeper(), time);
  hub::RetryPolicy retry;
  retry.sleep = time.sleeper();
  retry.clock = &time;
  hub::Api api(client, net::parse_url("https://hub.example").value(), budget, retry);
  storage::TaskQueue tasks(*index_, time);
  Frontier frontier(tasks, time);
  options_.per_day_max = 86'400;  // one a second, more than the window grants
  DeepVisits visits({api, *index_, *recorder_, time.context.get_executor(), time}, frontier, "test", options_,
                    time.sleeper());
  std::optional<Result<>> outcome;
  boost::asio::cancellation_signal cancel;
  boost::asio::co_spawn(time.context, visits.run([] { return true; }),
                        boost::asio::bind_cancellation_slot(
                            cancel.slot(), [&](const std::exception_ptr&, Result<> r) { outcome = std::move(r); }));
  time.run(time.monotonic_ms() + kHourMs);
  cancel.emit(boost::asio::cancellation_type::terminal);
  time.context.restart();
  time.context.run();
  ASSERT_TRUE(outcome);
  EXPECT_THAT(*outcome, FailsWith(Errc::Cancelled, "stopped"));
  EXPECT_LE(world.stats().max_used[0], 61U);  // of a hundred; the one that found the limit is counted too
  EXPECT_GE(visits.report().asked, 500U);
  EXPECT_EQ(world.stats().rate_limited, 0U);
  std::size_t kept = 0;
  EXPECT_TRUE(storage::each_listing(*index_, [&](const RepoKey& key, const storage::ListingRow&) {
    const auto survey = storage::find_survey(*index_, key, {}).value();
    if (!survey) return true;
    ++kept;
    EXPECT_EQ(survey->commit.hex(), world.find(key.rid)->sha);
    return true;
  }));
  EXPECT_EQ(kept, visits.report().asked);
}
}  // namespace
}  // namespace hm::crawler
