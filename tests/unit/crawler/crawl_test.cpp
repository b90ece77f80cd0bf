// Which lister reads when: what fails waits and holds up nobody else; sweeps are spread and never stretched.
#include "crawler/crawl.hpp"

#include <gmock/gmock.h>

#include "tests/support/result_matchers.hpp"
#include "tests/unit/crawler/crawl_fixture.hpp"

namespace hm::crawler {
namespace {
using test::FailsWith;

class CrawlScheduleTest : public CrawlTest {
 protected:
  /// Until the clock has gone on for so long; then the sleep in which it did so ends the crawl.
  Result<ListingReport> crawl_for(std::int64_t ms, CrawlOptions options,
                                  const std::function<void(const CrawlEvent&)>& progress) {
    const std::int64_t end_ms = clock_.monotonic_ms() + ms;
    hub::Sleep sleep = [this, end_ms](std::int64_t pause_ms) { return let_pass(end_ms, pause_ms); };
    Crawl crawl(parts(), std::move(options), std::move(sleep));
    return test::run(crawl.run(progress));
  }

 private:
  net::awaitable<Result<>> let_pass(std::int64_t end_ms, std::int64_t pause_ms) {
    clock_.advance(pause_ms);
    if (clock_.monotonic_ms() >= end_ms) co_return Error(Errc::Cancelled, "the time is up");
    co_return ok();
  }
};

TEST_F(CrawlScheduleTest, AStepThatFailsIsTriedAgainAndTheOthersGoOn) {
  make_hub(2'500);
  client_->set_hook([](const net::HttpRequest& request) -> net::awaitable<Result<>> {
    const bool of_models = request.url.find("/api/models?") != std::string::npos;
    if (of_models && request.url.find("sort=lastModified") != std::string::npos)
      co_return Error(Errc::BadInput, "what nobody understands");
    co_return ok();
  });
  std::map<std::string, int> steps;
  EXPECT_THAT(crawl_for(20 * kMinuteMs, {},
                        [&](const CrawlEvent& e) {
                          ++steps[std::string(name_of(e.kind)) + " " + std::string(name_of(e.task))];
                        }),
              FailsWith(Errc::Cancelled, "time is up"));
  EXPECT_EQ(steps["model tail"], 0);
  EXPECT_GE(steps["model sweep"], 3);
  EXPECT_GE(steps["dataset tail"], 15);
  for (const RepoKind kind : {RepoKind::Model, RepoKind::Dataset, RepoKind::Space}) expect_knows_the_truth(kind);
}

TEST_F(CrawlScheduleTest, ASweepThatWasCutShortDoesNotStretchTheNext) {
  scale::HubTraits traits;
  traits.page_cap = 100;
  make_hub(2'000, traits);
  storage::Batch batch;  // what a sweep leaves that upstream ended after its first page
  batch.put(
      storage::Family::Meta, crawl_key("hub.example", RepoKind::Model, "sweep"),
      R"({"began":1,"cursor":"","ended":2,"listed":100,"listed_all":0,"number":1,"pages":1,"pages_before":1,"running":0})");
  ASSERT_TRUE(index_->commit(batch));
  std::vector<std::uint64_t> sweeps;  // pages of each, of models
  auto progress = [&](const CrawlEvent& e) {
    if (e.kind == RepoKind::Model && e.ends_sweep()) sweeps.push_back(e.sweep.pages_before);
  };
  CrawlOptions options;
  options.kinds = {RepoKind::Model};
  options.tail_every_ms = kHourMs;
  EXPECT_THAT(crawl_for(2 * kDayMs, options, progress), FailsWith(Errc::Cancelled, "time is up"));
  EXPECT_THAT(sweeps, testing::Contains(20U));
}
}  // namespace
}  // namespace hm::crawler
