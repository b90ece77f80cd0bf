// hubmirror crawl: reads the listings of a Hub, so that every repository on it is known.
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/post.hpp>

#include <algorithm>
#include <future>
#include <map>
#include <ostream>

#include "app/commands/commands.hpp"
#include "app/output.hpp"
#include "app/services.hpp"
#include "base/text.hpp"
#include "crawler/crawl.hpp"

namespace hm::app {
namespace {
namespace asio = boost::asio;
constexpr std::int64_t kLineEveryMs = 5'000;

/// One line when a sweep ends, and one every few seconds while it is under way. Network thread.
class CrawlLines {
 public:
  CrawlLines(std::ostream& out, bool shown) : out_(out), shown_(shown) {}
  void apply(const crawler::CrawlEvent& event) {
    totals_[event.kind] += event.page;
    const std::int64_t now_ms = system_clock().monotonic_ms();
    if (event.task != crawler::ListerTask::Sweep) return;
    const bool ended = !event.sweep.running;
    if (!shown_ || (!ended && now_ms < next_ms_)) return;
    next_ms_ = now_ms + kLineEveryMs;
    const crawler::ListingReport& t = totals_[event.kind];
    out_ << api_segment(event.kind) << ": sweep " << event.sweep.number
         << (ended ? " ended" : " page " + std::to_string(event.sweep.pages)) << ", "
         << std::to_string(event.sweep.listed) << " listed; in this run " << t.added << " new, " << t.changed
         << " changed, " << t.moved << " renamed, " << t.replaced << " replaced, " << t.gone << " gone\n"
         << std::flush;
  }

 private:
  std::ostream& out_;
  const bool shown_;
  std::map<RepoKind, crawler::ListingReport> totals_;
  std::int64_t next_ms_ = 0;
};

json::object to_json(const crawler::ListingReport& report) {
  return {{"list_calls", report.pages}, {"listed", report.listed},      {"new", report.added},
          {"changed", report.changed},  {"renamed", report.moved},      {"replaced", report.replaced},
          {"gone", report.gone},        {"bad_items", report.bad_items}};
}

Result<crawler::CrawlOptions> options_of(const CrawlCommand& command) {
  crawler::CrawlOptions options;
  options.once = command.once;
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

/// Blocks until the crawl has ended; the stop token cancels it.
Result<crawler::ListingReport> crawl_until(NetworkServices& network, crawler::Crawl& crawl, CrawlLines& lines,
                                           const std::stop_token& stop) {
  std::promise<Result<crawler::ListingReport>> promise;
  auto ended = promise.get_future();
  asio::cancellation_signal cancel;
  auto on_end = [&promise](const std::exception_ptr& thrown, Result<crawler::ListingReport> report) {
    if (thrown) report = Error{Errc::Cancelled, "stopped"};  // how a cancelled coroutine ends inside Asio
    promise.set_value(std::move(report));
  };
  asio::co_spawn(*network.context, crawl.run([&lines](const crawler::CrawlEvent& e) { lines.apply(e); }),
                 asio::bind_cancellation_slot(cancel.slot(), std::move(on_end)));
  const std::stop_callback on_stop(
      stop, [&] { asio::post(*network.context, [&cancel] { cancel.emit(asio::cancellation_type::terminal); }); });
  return ended.get();
}
}  // namespace

Result<Exit> run_command(Context& context, const CrawlCommand& command) {
  HM_TRY(const auto options, options_of(command));
  HM_TRY(auto plan, NetworkServices::plan(context.config));
  HM_TRY(const auto store, WriteServices::open(context.config, context.data_dir, "crawl", Create::IfAbsent));
  HM_TRY(const auto network, NetworkServices::open(context.config, *store, std::move(plan)));
  crawler::Crawl crawl(
      {network->api, *store->index, store->recorder, network->disk_pool.get_executor(), system_clock()}, options,
      hub::sleep_on_timer);
  CrawlLines lines(context.io.err, context.shows_progress());
  const std::stop_token stop = context.interrupt.take_over();
  const auto report = crawl_until(*network, crawl, lines, stop);
  network->stop();
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
