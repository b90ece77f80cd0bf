// hubmirror crawl: reads the listings of a Hub, so that every repository on it is known, and visits what changed.
#include <unistd.h>

#include <algorithm>
#include <boost/asio/this_coro.hpp>
#include <map>
#include <ostream>

#include "app/commands/commands.hpp"
#include "app/output.hpp"
#include "app/services.hpp"
#include "app/wait_for.hpp"
#include "base/text.hpp"
#include "crawler/crawl.hpp"
#include "crawler/deep_visits.hpp"
#include "mirror/lfs/tasks.hpp"

namespace hm::app {
namespace {
constexpr std::int64_t kLineEveryMs = 5'000, kHourMs = 3'600'000, kDayMs = 24 * kHourMs;

/// One line when a sweep ends, and one every few seconds while something is under way. Network thread.
class CrawlLines {
 public:
  CrawlLines(std::ostream& out, bool shown, const crawler::VisitReport& visits)
      : out_(out), shown_(shown), visits_(visits) {}
  void apply(const crawler::CrawlEvent& event) {
    totals_[event.kind] += event.page;
    const std::int64_t now_ms = system_clock().monotonic_ms();
    if (shown_ && now_ms >= next_visits_ms_ && visits_.asked + visits_.failed != told_) {
      next_visits_ms_ = now_ms + kLineEveryMs;
      told_ = visits_.asked + visits_.failed;
      out_ << "visits: " << counted(visits_.asked, "answer") << " about files of repositories, " << visits_.failed
           << " failed\n"
           << std::flush;
    }
    if (event.task != crawler::ListerTask::Sweep && event.task != crawler::ListerTask::Missing) return;
    const bool ended = event.ends_sweep();
    if (!shown_ || (!ended && now_ms < next_ms_)) return;
    next_ms_ = now_ms + kLineEveryMs;
    const crawler::ListingReport& t = totals_[event.kind];
    out_ << api_segment(event.kind) << ": sweep " << event.sweep.number
         << (ended                ? " ended"
             : event.missing != 0 ? " asks for " + std::to_string(event.missing) + " that were not listed"
                                  : " page " + std::to_string(event.sweep.pages))
         << ", " << std::to_string(event.sweep.listed) << " listed; in this run " << t.added << " new, " << t.changed
         << " changed, " << t.moved << " renamed, " << t.replaced << " replaced, " << t.gone << " gone\n"
         << std::flush;
  }

 private:
  std::ostream& out_;
  const bool shown_;
  const crawler::VisitReport& visits_;
  std::map<RepoKind, crawler::ListingReport> totals_;
  std::int64_t next_ms_ = 0, next_visits_ms_ = 0;
  std::uint64_t told_ = 0;  ///< visits of the last line about them
};

/// What the crawl brings, for whoever watches the process. Network thread.
class CrawlFigures {
 public:
  CrawlFigures(Metrics& metrics, const crawler::VisitReport& visits)
      : metrics_(metrics),
        visits_(visits),
        asked_(metrics.counter("hubmirror_crawl_visits_total", kVisits, {{"outcome", "told"}})),
        failed_(metrics.counter("hubmirror_crawl_visits_total", kVisits, {{"outcome", "failed"}})) {}
  void apply(const crawler::CrawlEvent& event) {
    const std::string kind(api_segment(event.kind));
    metrics_.counter("hubmirror_crawl_list_calls_total", "Pages of listings read.", {{"kind", kind}})
        .add(event.page.pages);
    const crawler::ListingReport& page = event.page;
    for (const auto& [change, count] :
         {std::pair("new", page.added), std::pair("changed", page.changed), std::pair("renamed", page.moved),
          std::pair("replaced", page.replaced), std::pair("gone", page.gone)})
      metrics_
          .counter("hubmirror_crawl_changes_total", "What listings told of repositories.",
                   {{"kind", kind}, {"change", change}})
          .add(count);
    if (event.task == crawler::ListerTask::Tail)
      metrics_
          .gauge("hubmirror_crawl_last_tail_timestamp_seconds", "When the newest changes were last read.",
                 {{"kind", kind}})
          .set(static_cast<double>(system_clock().unix_ms()) / 1000);
    add_up(asked_, visits_.asked, told_asked_);
    add_up(failed_, visits_.failed, told_failed_);
  }

 private:
  static constexpr std::string_view kVisits = "Repositories whose files were asked for.";
  static void add_up(Metrics::Counter& counter, std::uint64_t now, std::uint64_t& told) {
    counter.add(now - std::exchange(told, now));
  }
  Metrics& metrics_;
  const crawler::VisitReport& visits_;
  Metrics::Counter &asked_, &failed_;
  std::uint64_t told_asked_ = 0, told_failed_ = 0;
};

json::object to_json(const crawler::ListingReport& report) {
  return {{"list_calls", report.pages}, {"listed", report.listed},      {"new", report.added},
          {"changed", report.changed},  {"renamed", report.moved},      {"replaced", report.replaced},
          {"gone", report.gone},        {"bad_items", report.bad_items}};
}

Result<crawler::CrawlOptions> options_of(const CrawlCommand& command, const config::Crawl& settings) {
  crawler::CrawlOptions options;
  options.once = command.once;
  options.tail_every_ms = std::int64_t{settings.tail_every_seconds} * 1000;
  options.sweep_every_ms = std::int64_t{settings.sweep_every_hours} * kHourMs;
  if (command.kinds.empty()) return options;
  options.kinds.clear();
  for (const std::string& word : command.kinds) {
    const auto kind = parse_repo_kind(ascii_lower(trim(word)));
    if (!kind) return Error{Errc::BadInput, "--kinds: \"" + printable(word) + "\" is none of models, datasets, spaces"};
    if (std::find(options.kinds.begin(), options.kinds.end(), *kind) == options.kinds.end())
      options.kinds.push_back(*kind);
  }
  return options;
}

/// The visits of a crawl that goes on; with --once, and where the configuration wants none, there are none.
class Visiting {
 public:
  Visiting(const config::Crawl& settings, const crawler::CrawlOptions& options, crawler::ListerParts parts,
           storage::TaskQueue& queue)
      : wanted_(!options.once && settings.visits_per_day_max != 0),
        frontier_(queue, system_clock(), frontier_options()),
        visits_(std::move(parts), frontier_, "crawl:" + std::to_string(::getpid()),
                visit_options(settings, options.kinds), hub::sleep_on_timer) {}

  const crawler::VisitReport& report() const { return visits_.report(); }
  /// Beside the listings; what ends one ends the other.
  net::awaitable<Result<crawler::ListingReport>> run(crawler::Crawl& crawl,
                                                     std::function<void(const crawler::CrawlEvent&)> progress) {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    mirror::TaskScope scope(co_await boost::asio::this_coro::executor);
    Result<crawler::ListingReport> listed = crawler::ListingReport();
    Result<> visited = ok();
    scope.spawn(list(crawl, std::move(progress), scope, listed));
    if (wanted_) scope.spawn(visit(crawl, scope, visited));
    co_await scope.join();
    if (!visited && visited.assume_error().code != Errc::Cancelled) co_return visited.error();
    co_return listed;
  }

 private:
  static crawler::FrontierOptions frontier_options() {
    crawler::FrontierOptions options;
    options.first_lane = static_cast<std::size_t>(crawler::Lane::Changed);  // the first is that of `sync`
    return options;
  }
  static crawler::VisitOptions visit_options(const config::Crawl& settings, const std::vector<RepoKind>& kinds) {
    crawler::VisitOptions options;
    options.kinds = kinds;
    options.per_day_max = std::max<std::uint64_t>(settings.visits_per_day_max, 1);
    options.attention_ms = settings.attention_days * kDayMs;
    options.revisit_after_ms = settings.revisit_days * kDayMs;
    return options;
  }
  static net::awaitable<void> list(crawler::Crawl& crawl, std::function<void(const crawler::CrawlEvent&)> progress,
                                   mirror::TaskScope& scope, Result<crawler::ListingReport>& listed) {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    listed = co_await crawl.run(std::move(progress));
    scope.cancel();
  }
  net::awaitable<void> visit(const crawler::Crawl& crawl, mirror::TaskScope& scope, Result<>& visited) {
    co_await boost::asio::this_coro::throw_if_cancelled(false);
    std::function<bool()> may_begin = [&crawl] { return crawl.knows_all(); };
    visited = co_await visits_.run(std::move(may_begin));
    scope.cancel();
  }
  const bool wanted_;
  crawler::Frontier frontier_;
  crawler::DeepVisits visits_;
};
}  // namespace

Result<Exit> run_command(Context& context, const CrawlCommand& command) {
  HM_TRY(const auto options, options_of(command, context.config.crawl));
  HM_TRY(auto plan, NetworkServices::plan(context.config));
  HM_TRY(const auto store, context.stores.open(context, {"crawl", Claim::Crawl, Create::IfAbsent}));
  HM_TRY(store->take_back_leases());
  HM_TRY(const auto network, context.stores.open_network(context, *store, std::move(plan)));
  const crawler::ListerParts parts{network->api, *store->index, store->recorder, network->disk_pool.get_executor(),
                                   system_clock()};
  crawler::Crawl crawl(parts, options, hub::sleep_on_timer);
  Visiting visiting(context.config.crawl, options, parts, store->tasks);
  CrawlLines lines(context.io.err, context.shows_progress(), visiting.report());
  const std::stop_token stop = context.interrupt.take_over();
  CrawlFigures figures(context.metrics, visiting.report());
  const auto told = [&](const crawler::CrawlEvent& event) {
    lines.apply(event);
    figures.apply(event);
  };
  const auto report = wait_for(*network->context, visiting.run(crawl, told), stop);
  if (!report && !stop.stop_requested()) return report.error();
  if (!report) {
    context.io.err << "hubmirror: stopped; what was listed is kept. Go on with: hubmirror crawl\n";
    return Exit::CannotContinue;
  }
  if (context.options.json) {
    print_json(context.io.out, to_json(report.assume_value()));
  } else if (!context.options.quiet) {
    const crawler::ListingReport& r = report.assume_value();
    context.io.out << counted(r.listed, "row") << " in " << counted(r.pages, "list call") << ": " << r.added << " new, "
                   << r.changed << " changed, " << r.moved << " renamed, " << r.replaced << " replaced, " << r.gone
                   << " gone\n";
  }
  return report.assume_value().bad_items == 0 ? Exit::Done : Exit::Incomplete;
}
}  // namespace hm::app
