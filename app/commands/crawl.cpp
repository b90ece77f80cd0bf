// hubmirror crawl: reads the listings of a Hub, so that every repository on it is known.
#include <algorithm>
#include <map>
#include <ostream>

#include "app/commands/commands.hpp"
#include "app/output.hpp"
#include "app/services.hpp"
#include "app/wait_for.hpp"
#include "base/text.hpp"
#include "crawler/crawl.hpp"

namespace hm::app {
namespace {
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
  const auto report =
      wait_for(*network->context, crawl.run([&lines](const crawler::CrawlEvent& e) { lines.apply(e); }), stop);
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
