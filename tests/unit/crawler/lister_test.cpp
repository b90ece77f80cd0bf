// Sweeps miss nothing and make nobody a ghost; tails catch what changed; odd Hubs are read as far as they can be.
#include "crawler/listers/lister.hpp"

#include <gmock/gmock.h>

#include "tests/support/result_matchers.hpp"
#include "tests/unit/crawler/crawl_fixture.hpp"

namespace hm::crawler {
namespace {
using test::FailsWith;
using ListerTest = CrawlTest;

TEST_F(ListerTest, ASweepListsEverythingOnceAndTheNextWritesNoEntry) {
  make_hub(4'100);
  auto models = lister();
  const auto first = sweep(models);
  EXPECT_EQ(first.pages, 5U);
  EXPECT_EQ(first.added, 4'100U);
  expect_knows_the_truth(RepoKind::Model);
  EXPECT_EQ(entries(), 4'100U);
  const auto second = sweep(models);
  EXPECT_EQ(second.listed, 4'100U);
  EXPECT_EQ(second.added + second.changed, 0U);
  EXPECT_EQ(entries(), 4'100U);
}

TEST_F(ListerTest, ASweepGoesOnWhereItWasAfterAKill) {
  make_hub(5'500);
  std::uint64_t pages = 0;
  for (bool running = true; running; ++pages) {
    reopen();
    auto models = lister();
    must(models.sweep_page());
    running = models.sweep().running;
  }
  EXPECT_EQ(pages, 6U);
  EXPECT_EQ(world_->stats().lists[0], 6U);
  EXPECT_EQ(entries(), 5'500U);
  expect_knows_the_truth(RepoKind::Model);
}

TEST_F(ListerTest, AKillBetweenTheLastPageAndTheEndListsNothingAgain) {
  make_hub(900);
  auto models = lister();
  storage::Batch batch;
  sweep(models);
  SweepState state = models.sweep();
  // The row as the last page left it.
  batch.put(
      storage::Family::Meta, crawl_key("hub.example", RepoKind::Model, "sweep"),
      R"({"began":1,"cursor":"","ended":0,"listed":900,"listed_all":1,"number":1,"pages":1,"pages_before":0,"running":1})");
  ASSERT_TRUE(index_->get(storage::Family::Meta, batch.changes()[0].key).value()) << "the key is another now";
  ASSERT_TRUE(index_->commit(batch));
  auto again = lister();
  const auto report = must(again.sweep_page());
  EXPECT_EQ(report.pages, 0U);
  EXPECT_FALSE(again.sweep().running);
  EXPECT_EQ(again.sweep().number, state.number);
}

TEST_F(ListerTest, AFailedPageIsAskedForAgain) {
  make_hub(3'000);
  auto models = lister();
  must(models.sweep_page());
  client_->set_hook(
      [](const net::HttpRequest&) -> net::awaitable<Result<>> { co_return Error(Errc::Refused, "not now"); });
  EXPECT_THAT(test::run(models.sweep_page()), FailsWith(Errc::Refused, "not now"));
  client_->set_hook({});
  sweep(models);
  EXPECT_EQ(entries(), 3'000U);
  expect_knows_the_truth(RepoKind::Model);
}

TEST_F(ListerTest, ACursorThatIsAlwaysRefusedEndsTheStepAndNotTheListing) {
  make_hub(3'000);
  auto models = lister();
  int requests = 0;
  client_->set_hook([&requests](const net::HttpRequest& request) -> net::awaitable<Result<>> {
    ++requests;
    Error refusal(Errc::BadInput, "no such cursor");
    refusal.http_status = 400;
    if (request.url.find("cursor=") != std::string::npos) co_return refusal;
    co_return ok();
  });
  must(models.sweep_page());
  EXPECT_EQ(must(models.sweep_page()).listed, 1'000U) << "it may have expired: the sweep begins again";
  EXPECT_EQ(models.sweep().listed, 1'000U);
  EXPECT_THAT(test::run(models.sweep_page()), FailsWith(Errc::Refused, "names as the next one"));
  EXPECT_EQ(requests, 4);
  client_->set_hook({});
  sweep(models);
  expect_knows_the_truth(RepoKind::Model);
}

// A tenth of all changes while two sweeps and their tails go by, a day apart.
TEST_F(ListerTest, NothingIsMissedAndNoGhostStaysOnAHubThatMoves) {
  make_hub(6'000);
  std::map<std::string, int> done;
  std::vector<Lister> listers;
  for (const RepoKind kind : {RepoKind::Model, RepoKind::Dataset, RepoKind::Space}) listers.push_back(lister(kind));
  for (Lister& each : listers) {
    must(each.tail());
    sweep(each);
  }
  const std::uint64_t first_entry = entries();
  std::uint64_t seed = 0;
  auto mutate = [&] {
    clock_.advance(kMinuteMs);
    for (const auto& m : world_->mutate_randomly(++seed, 60)) ++done[m.what];
  };
  for (Lister& each : listers) {
    sweep(each, mutate);
    must(each.tail());
  }
  for (int round = 0; round < 2; ++round) {  // quiet now: what is gone is missed twice
    clock_.advance(kDayMs + kMinuteMs);
    for (Lister& each : listers) {
      must(each.tail());
      sweep(each);
    }
  }
  for (const RepoKind kind : {RepoKind::Model, RepoKind::Dataset, RepoKind::Space}) expect_knows_the_truth(kind);
  auto types = entry_types(first_entry);
  ASSERT_GT(done["rename"], 5);
  ASSERT_GT(done["replace"], 2);
  ASSERT_GT(done["remove"], 10);
  EXPECT_GE(types["moved"], 1);
  EXPECT_LE(types["moved"], done["rename"]) << "renamed twice between two looks is one move";
  EXPECT_GE(types["replaced"], 1);
  EXPECT_GE(types["gone"], 10);
}

TEST_F(ListerTest, EveryRenameAndReplacementIsJournalledAsSuch) {
  make_hub(2'500);
  auto models = lister();
  must(models.tail());
  sweep(models);
  const std::uint64_t first_entry = entries();
  std::vector<Rid> rids;
  world_->for_each(RepoKind::Model, [&](const scale::Truth& truth) { rids.push_back(truth.rid); });
  for (std::size_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(world_->rename(rids[i * 37], "renamed/model-" + std::to_string(i)));
    ASSERT_TRUE(world_->replace(rids[i * 37 + 1]));
  }
  for (int round = 0; round < 3; ++round) {
    clock_.advance(kDayMs);
    must(models.tail());
    sweep(models);
  }
  auto types = entry_types(first_entry);
  EXPECT_EQ(types["moved"], 20);
  EXPECT_EQ(types["replaced"], 20);
  EXPECT_EQ(types["gone"], 20);
  EXPECT_EQ(types["listed"], 20);
  expect_knows_the_truth(RepoKind::Model);
}

TEST_F(ListerTest, OneAnswerThatMissesIsNotEnoughToBeGone) {
  make_hub(1'000);
  auto models = lister();
  sweep(models);
  std::optional<Rid> rid;
  world_->for_each(RepoKind::Model, [&](const scale::Truth& truth) { rid = truth.rid; });
  ASSERT_TRUE(world_->set_private(*rid, true));
  clock_.advance(kDayMs);
  sweep(models);
  clock_.advance(kHourMs);
  sweep(models);
  EXPECT_EQ(row(RepoKind::Model, *rid)->gone_status, 0);
  ASSERT_TRUE(world_->set_private(*rid, false));
  clock_.advance(kDayMs);
  sweep(models);
  EXPECT_EQ(row(RepoKind::Model, *rid)->missing_since_ms, 0);
  EXPECT_EQ(entry_types()["gone"], 0);
}

TEST_F(ListerTest, ASmallHubThatLosesMostOfWhatItHadLeavesNoGhost) {
  make_hub(40);
  auto models = lister();
  sweep(models);
  std::vector<Rid> rids;
  world_->for_each(RepoKind::Model, [&](const scale::Truth& truth) { rids.push_back(truth.rid); });
  for (std::size_t i = 0; i < 30; ++i) ASSERT_TRUE(world_->remove(rids[i]));
  for (int round = 0; round < 2; ++round) {
    clock_.advance(kDayMs);
    sweep(models);
  }
  EXPECT_EQ(entry_types()["gone"], 30);
  expect_knows_the_truth(RepoKind::Model);
}

TEST_F(ListerTest, ASweepThatMissesThousandsAndMostOfWhatIsKnownIsNotBelieved) {
  make_hub(3'000);
  auto models = lister();
  sweep(models);
  std::vector<Rid> rids;
  world_->for_each(RepoKind::Model, [&](const scale::Truth& truth) { rids.push_back(truth.rid); });
  for (std::size_t i = 0; i < 1'600; ++i) ASSERT_TRUE(world_->set_private(rids[i], true));
  for (int round = 0; round < 3; ++round) {
    clock_.advance(kDayMs);
    sweep(models);
  }
  EXPECT_EQ(entry_types()["gone"], 0);
  EXPECT_EQ(row(RepoKind::Model, rids[0])->missing_since_ms, 0);
}

TEST_F(ListerTest, ATailReadsDownToItsMarkAndNoFurther) {
  make_hub(3'000);
  auto models = lister();
  must(models.tail());
  sweep(models);
  clock_.advance(kHourMs);
  EXPECT_EQ(must(models.tail()).pages, 1U) << "nothing changed";
  std::vector<Rid> rids;
  world_->for_each(RepoKind::Model, [&](const scale::Truth& truth) { rids.push_back(truth.rid); });
  for (std::size_t i = 0; i < 450; ++i) ASSERT_TRUE(world_->touch(rids[i]));
  const auto report = must(models.tail());
  EXPECT_EQ(report.changed, 450U);
  EXPECT_EQ(report.pages, 3U);
  expect_knows_the_truth(RepoKind::Model);
}

TEST_F(ListerTest, ATailThatWasCutShortIsRepeatedWhole) {
  make_hub(3'000);
  auto models = lister();
  must(models.tail());
  sweep(models);
  clock_.advance(kHourMs);
  std::vector<Rid> rids;
  world_->for_each(RepoKind::Model, [&](const scale::Truth& truth) { rids.push_back(truth.rid); });
  for (std::size_t i = 0; i < 450; ++i) ASSERT_TRUE(world_->touch(rids[i]));
  int requests = 0;
  client_->set_hook([&requests](const net::HttpRequest&) -> net::awaitable<Result<>> {
    if (++requests == 2) co_return Error(Errc::Refused, "cut");
    co_return ok();
  });
  EXPECT_THAT(test::run(models.tail()), FailsWith(Errc::Refused, "cut"));
  clock_.advance(kHourMs);
  ASSERT_TRUE(world_->touch(rids[2'000]));
  reopen();
  auto again = lister();
  must(again.tail());
  expect_knows_the_truth(RepoKind::Model);
}

TEST_F(ListerTest, AHubThatSortsByCreationOnlyAndRefusesFieldsIsAskedForWhatItKnows) {
  scale::HubTraits traits;
  traits.only_created_at = true;
  traits.direction_refused = true;
  traits.refused_expand = {"trendingScore", "usedStorage"};
  make_hub(2'200, traits);
  auto models = lister();
  must(models.tail());
  EXPECT_EQ(sweep(models).added + 200, 2'200U);
  expect_knows_the_truth(RepoKind::Model);
  const auto learnt = load_traits(*index_, "hub.example", RepoKind::Model).value();
  EXPECT_FALSE(learnt.sorts_by_modified);
  EXPECT_FALSE(learnt.direction);
  EXPECT_EQ(learnt.expand.size() + 2, usual_traits(RepoKind::Model).expand.size());
  const auto calls = world_->stats().lists[0];
  clock_.advance(kHourMs);
  world_->create(RepoKind::Model);
  auto again = lister();
  EXPECT_EQ(must(again.tail()).added, 1U);
  EXPECT_EQ(world_->stats().lists[0], calls + 1) << "what was learnt is remembered";
}

TEST_F(ListerTest, AHubWithoutCursorsIsReadAsFarAsOnePageGoesAndNothingBehindItIsMissing) {
  scale::HubTraits traits;
  traits.cursors = false;
  make_hub(3'000, traits);
  auto models = lister();
  sweep(models);
  EXPECT_FALSE(load_traits(*index_, "hub.example", RepoKind::Model).value().cursors);
  EXPECT_EQ(entries(), 1'000U);
  clock_.advance(kDayMs);
  sweep(models);
  clock_.advance(kDayMs);
  sweep(models);
  EXPECT_EQ(entry_types()["gone"], 0);
}

TEST_F(ListerTest, AMirrorWithoutIdsIsKnownByNames) {
  scale::HubTraits traits;
  traits.no_rid = true;
  make_hub(1'500, traits);
  auto models = lister();
  EXPECT_EQ(sweep(models).added, 1'500U);
  EXPECT_EQ(sweep(models).changed, 0U);
}
}  // namespace
}  // namespace hm::crawler
