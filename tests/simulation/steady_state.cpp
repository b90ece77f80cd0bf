// hm_steady_state: the crawler with the real index against a Hub of any size whose changes are spread evenly over the
// day, under virtual time: what a day costs, and after how long each change is journalled. docs/developing.md
// "Simulation".
#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <map>

#include "storage/journal.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/process.hpp"
#include "tests/simulation/trace.hpp"

namespace hm::test::sim {
namespace {
struct Options {
  std::uint64_t models = 115'000, datasets = 25'000, spaces = 50'000, changes_per_day = 1'000, quota = 500, seed = 1;
  std::uint64_t visits_per_day = 0;
  std::int64_t days = 7, latency_ms = 1'600;
  std::string index = "steady-state-index";
};

std::uint64_t kibibytes(const char* field) {  // of /proc/self/status
  std::ifstream status("/proc/self/status");
  for (std::string word; status >> word;)
    if (std::uint64_t value = 0; word == field && status >> value) return value;
  return 0;
}

/// Changes that wait for their journal entries, by what kind of entry each waits for.
class Latencies {
 public:
  void changed(const scale::Mutation& m) {
    if (m.what == "downloads") return;
    const std::string entry = m.what == "rename"                          ? "moved"
                              : m.what == "remove" || m.what == "private" ? "gone"
                                                                          : "listed";
    if (m.what == "replace") {
      pending_[{m.kind, m.new_rid}].push_back({m.what, entry, m.at_ms});
    } else {
      pending_[{m.kind, m.rid}].push_back({m.what, entry, m.at_ms});
    }
    ++waiting_;
  }
  void journalled(const storage::JournalEntry& e) {
    const RepoKey key{parse_repo_kind(std::string_view(e.value.at("kind").as_string())).value(),
                      Rid::parse(std::string_view(e.value.at("rid").as_string())).value()};
    const auto at = pending_.find(key);
    if (at == pending_.end()) return;
    const std::string type(e.value.at("t").as_string());
    const std::int64_t now_ms = e.value.at("obs").as_int64();
    waiting_ -= std::erase_if(at->second, [&](const Waiting& w) {
      if (w.entry != type) return false;
      took_ms_[w.what].push_back(now_ms - w.at_ms);
      return true;
    });
    if (at->second.empty()) pending_.erase(at);
  }
  void print() {
    std::printf("from a change to its journal entry, in seconds:\n  %-10s %8s %8s %8s %8s\n", "", "changes", "median",
                "p99", "max");
    std::vector<std::int64_t> dated;  // what moves lastModified, which a tail can find
    for (auto& [what, took] : took_ms_) {
      if (what == "create" || what == "touch" || what == "replace") dated.insert(dated.end(), took.begin(), took.end());
      print(what, took);
    }
    print("by tails", dated);
    std::printf("  %" PRIu64 " are not journalled yet, or came back to what they were\n", waiting_);
  }

 private:
  struct Waiting {
    std::string what, entry;
    std::int64_t at_ms = 0;
  };
  static void print(const std::string& what, std::vector<std::int64_t>& took) {
    if (took.empty()) return;
    std::ranges::sort(took);
    const auto at = [&](std::size_t per_cent) {
      return static_cast<double>(took[(took.size() - 1) * per_cent / 100]) / 1000;
    };
    std::printf("  %-10s %8zu %8.1f %8.1f %8.1f\n", what.c_str(), took.size(), at(50), at(99), at(100));
  }
  std::map<RepoKey, std::vector<Waiting>> pending_;
  std::uint64_t waiting_ = 0;
  std::map<std::string, std::vector<std::int64_t>> took_ms_;
};

class SteadyState {
 public:
  explicit SteadyState(const Options& options)
      : o_(options),
        plan_(plan_of(options)),
        time_(options.seed),
        trace_(time_, false),
        world_(scale_of(), time_),
        network_(world_, time_, trace_, plan_) {
    world_.set_quota(scale::RateBucket::Api, o_.quota);
  }

  int run() {
    std::printf("%" PRIu64 " models, %" PRIu64 " datasets, %" PRIu64 " Spaces; the Hub itself takes %" PRIu64 " MB\n",
                o_.models, o_.datasets, o_.spaces, kibibytes("VmRSS:") / 1024);
    auto opened = storage::open_index(std::filesystem::absolute(o_.index).string(), storage::Index::Mode::Write, {});
    if (!opened) return std::printf("%s\n", opened.error().what.c_str()), 1;
    Process process({time_, time_, network_}, plan_, plan_.crawl,
                    std::make_unique<ProcessIndex>(std::move(opened).value(), trace_,
                                                   [](const storage::Index&, storage::Batch&) {}),
                    1, false, [this](const crawler::CrawlEvent& event) { step_done(event); });
    index_ = &process.index();
    process_ = &process;
    plan_next_change();
    while (days_ < o_.days && !process.has_ended() && time_.step()) {
    }
    if (process.failure()) std::printf("the crawl gave up: %s\n", process.failure()->what.c_str());
    process.kill();
    conclude();
    return process.failure() && days_ < o_.days ? 1 : 0;
  }

 private:
  static Plan plan_of(const Options& options) {
    Plan plan;
    plan.seed = options.seed;
    plan.quota = options.quota;
    plan.latency_ms_max = options.latency_ms;
    plan.visits_per_day = options.visits_per_day;
    return plan;
  }
  scale::Scale scale_of() const {
    scale::Scale scale;
    scale.models = o_.models;
    scale.datasets = o_.datasets;
    scale.spaces = o_.spaces;
    scale.seed = o_.seed;
    scale.now_ms = time_.unix_ms();
    return scale;
  }
  void plan_next_change() {
    time_.after(kDayMs / static_cast<std::int64_t>(std::max<std::uint64_t>(o_.changes_per_day, 1)), [this] {
      for (const auto& change : world_.mutate_randomly(++changes_, 1))
        if (steady_) latencies_.changed(change);
      plan_next_change();
    });
  }
  void step_done(const crawler::CrawlEvent& event) {
    if (event.ends_sweep()) {
      std::printf("%s sweep %u ended after %" PRIu64 " pages; %.1f h, %.0f s of CPU\n",
                  std::string(name_of(event.kind)).c_str(), event.sweep.number, event.sweep.pages_before, hours(),
                  cpu_s());
      std::fflush(stdout);
      swept_[scale::index_of(event.kind)] = true;
      if (!steady_ && swept_[0] && swept_[1] && swept_[2]) begin();
    }
    if (steady_) read_journal();
  }
  /// Everything is known once: from here on it is measured.
  void begin() {
    steady_ = true;
    entries_ = storage::Journal(*index_).size().value();
    std::printf("steady: all is known once, after %.1f h\n", hours());
    day_began();
    plan_next_day();
  }
  void plan_next_day() {
    time_.after(kDayMs, [this] {
      ++days_;
      const auto now = world_.stats();
      const auto calls = [&](scale::Route r) {
        return now.calls[static_cast<std::size_t>(r)] - day_.calls[static_cast<std::size_t>(r)];
      };
      const std::uint64_t all = calls(scale::Route::List) + calls(scale::Route::Info) + calls(scale::Route::Missing) +
                                calls(scale::Route::Moved);
      std::printf(
          "day %" PRId64 ": %" PRIu64 " list calls, %" PRIu64 " by name, %" PRIu64 " answers 429; %" PRIu64
          " calls of the api budget remain; %.0f s of CPU, %" PRIu64 " MB\n",
          days_, calls(scale::Route::List), all - calls(scale::Route::List), now.rate_limited - day_.rate_limited,
          o_.quota * 9 / 10 * (kDayMs / scale::RateWindows::kWindowMs) - all, cpu_s(), kibibytes("VmRSS:") / 1024);
      if (const auto visited = process_->visited())
        std::printf("  visits so far: %" PRIu64 " told of files, %" PRIu64 " were known, %" PRIu64 " failed\n",
                    visited->asked, visited->known, visited->failed);
      std::fflush(stdout);
      day_began();
      plan_next_day();
    });
  }
  void day_began() { day_ = world_.stats(); }
  void read_journal() {
    const storage::Journal journal(*index_);
    (void)journal.each(entries_, [&](const storage::JournalEntry& e) -> Result<bool> {
      latencies_.journalled(e);
      entries_ = e.sequence + 1;
      return true;
    });
  }
  void conclude() {
    latencies_.print();
    const auto stats = world_.stats();
    std::printf("answers 429: %" PRIu64 "; most calls in one window: %" PRIu64 " of %" PRIu64 "; most memory: %" PRIu64
                " MB, of it the Hub's own; %.0f s of CPU\n",
                stats.rate_limited, stats.max_used[0], o_.quota, kibibytes("VmHWM:") / 1024, cpu_s());
  }
  double hours() const { return static_cast<double>(time_.monotonic_ms()) / static_cast<double>(kHourMs); }
  static double cpu_s() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

  const Options o_;
  const Plan plan_;
  VirtualTime time_;
  Trace trace_;
  scale::World world_;
  Network network_;
  storage::Index* index_ = nullptr;
  Latencies latencies_;
  scale::Stats day_;
  std::array<bool, scale::kKinds> swept_{};
  const Process* process_ = nullptr;
  bool steady_ = false;
  std::int64_t days_ = 0;
  std::uint64_t changes_ = 0, entries_ = 0;
};
}  // namespace
}  // namespace hm::test::sim

int main(int argc, char** argv) {
  hm::test::sim::Options options;
  CLI::App app("Days of the crawler at the anonymous budget, with the index on disk, against a Hub in memory.");
  app.add_option("--models", options.models)->capture_default_str();
  app.add_option("--datasets", options.datasets)->capture_default_str();
  app.add_option("--spaces", options.spaces)->capture_default_str();
  app.add_option("--changes-per-day", options.changes_per_day)->capture_default_str();
  app.add_option("--visits-per-day", options.visits_per_day, "at most; 0: none")->capture_default_str();
  app.add_option("--days", options.days, "after everything is known once")->capture_default_str();
  app.add_option("--quota", options.quota, "api calls in 300 s")->capture_default_str();
  app.add_option("--latency-ms", options.latency_ms, "of an answer, at most; half of it is the mean")
      ->capture_default_str();
  app.add_option("--seed", options.seed)->capture_default_str();
  app.add_option("--index", options.index, "directory for the index; what is in it is known already")
      ->capture_default_str();
  CLI11_PARSE(app, argc, argv);
  return hm::test::sim::SteadyState(options).run();
}
