#include "tests/simulation/process.hpp"

#include <boost/asio/co_spawn.hpp>

#include "net/url.hpp"

namespace hm::test::sim {
namespace {
constexpr std::int64_t kLongestWaitMs = 600'000;
}

Process::Process(Surroundings around, const Plan& plan, const crawler::CrawlOptions& options,
                 std::unique_ptr<ProcessIndex> index, std::uint64_t number, bool resting, Progress progress)
    : around_(around),
      index_(std::move(index)),
      journal_(*index_),
      recorder_(*index_, journal_, around_.clock, "node-a"),
      draws_(scale::mix(plan.seed) + number) {
  const std::vector<RepoKind> kinds{RepoKind::Model, RepoKind::Dataset, RepoKind::Space};
  const bool one_budget = plan.plant != Plant::BudgetPerKind;
  auto new_budget = [&]() -> hub::RateBudget& {
    return budgets_.emplace_back(kLongestWaitMs, around_.time.sleeper(), around_.clock);
  };
  if (one_budget) new_budget();
  if (one_budget && !plan.crawl_per_kind) {
    start(kinds, budgets_.front(), options, progress);
  } else {
    for (const RepoKind kind : kinds) start({kind}, one_budget ? budgets_.front() : new_budget(), options, progress);
  }
  if (plan.visits_per_day != 0) start_deep_visits(plan.visits_per_day);
  if (plan.workers == 0) return;
  visits_ = std::make_unique<Visits>(Visits::Parts{around_.time, around_.clock, *index_, journal_, *crews_.front().api},
                                     plan, draws_.next(), resting);
  visits_->start([this](Error why) { ended(std::move(why)); });
}

void Process::ended(Error why) {
  if (!failure_) failure_ = std::move(why);
}

void Process::start(std::vector<RepoKind> kinds, hub::RateBudget& budget, const crawler::CrawlOptions& options,
                    const Progress& progress) {
  hub::RetryPolicy retry;
  retry.sleep = around_.time.sleeper();
  retry.clock = &around_.clock;
  retry.random = [this] { return scale::unit_of(draws_.next()); };
  Crew& crew = crews_.emplace_back();
  crew.budget = &budget;
  crew.api = std::make_unique<hub::Api>(around_.client, net::parse_url("https://hub.example").value(), budget, retry);
  crawler::CrawlOptions own = options;
  own.kinds = std::move(kinds);
  crawler::ListerParts parts{*crew.api, *index_, recorder_, around_.time.context().get_executor(), around_.clock};
  crew.crawl = std::make_unique<crawler::Crawl>(std::move(parts), own, around_.time.sleeper());
  ++running_;
  boost::asio::co_spawn(around_.time.context(), crew.crawl->run(progress),
                        [this](const std::exception_ptr& thrown, Result<crawler::ListingReport> report) {
                          --running_;
                          if (thrown) return ended({Errc::Internal, "an exception ended the crawl"});
                          ended(report ? Error{Errc::Internal, "the crawl ended by itself"} : report.error());
                        });
}

void Process::start_deep_visits(std::uint64_t per_day) {
  queue_ = std::make_unique<storage::TaskQueue>(*index_, around_.clock);
  crawler::FrontierOptions lanes;
  lanes.first_lane = static_cast<std::size_t>(crawler::Lane::Changed);
  frontier_ = std::make_unique<crawler::Frontier>(*queue_, around_.clock, lanes,
                                                  [this] { return scale::unit_of(draws_.next()); });
  crawler::VisitOptions options;
  options.per_day_max = per_day;
  crawler::ListerParts parts{*crews_.front().api, *index_, recorder_, around_.time.context().get_executor(),
                             around_.clock};
  deep_visits_ =
      std::make_unique<crawler::DeepVisits>(std::move(parts), *frontier_, "node-a", options, around_.time.sleeper());
  const crawler::Crawl& crawl = *crews_.front().crawl;
  boost::asio::co_spawn(around_.time.context(), deep_visits_->run([&crawl] { return crawl.knows_all(); }),
                        [this](const std::exception_ptr& thrown, Result<> result) {
                          if (thrown) return ended({Errc::Internal, "an exception ended the visits"});
                          ended(result ? Error{Errc::Internal, "the visits ended by themselves"} : result.error());
                        });
}

bool Process::kill() {
  index_->kill();
  around_.time.halt();
  around_.time.resume();
  return running() == 0;
}
}  // namespace hm::test::sim
