#include "tests/simulation/simulation.hpp"

#include <array>
#include <memory>
#include <optional>

#include "storage/journal.hpp"
#include "storage/key_space.hpp"
#include "tests/simulation/network.hpp"
#include "tests/simulation/process.hpp"
#include "tests/simulation/trace.hpp"
#include "tests/simulation/virtual_time.hpp"
#include "tests/support/memory_index.hpp"

namespace hm::test::sim {
namespace {
constexpr std::uint64_t kRequestsMax = 300'000;       // more, and something runs in a circle
constexpr std::int64_t kQuietMax = 8 * kDayMs;        // two sweeps, a day apart, and much room
constexpr std::int64_t kSweepApartMs = kDayMs;        // ListerOptions::missing_patience_ms
constexpr std::int64_t kQuietSweepMs = 25 * kHourMs;  // a little more than that
constexpr std::uint32_t kCommitsUntilKilledMax = 80;
constexpr std::uint32_t kKillsOfTails = 3;  // one of so many second and later pages: there a tail is most delicate

scale::Scale at_begin(scale::Scale scale, const Clock& clock) {
  scale.now_ms = clock.unix_ms();
  return scale;
}
scale::HubTraits traits_of(const Plan& plan) {
  scale::HubTraits traits;
  traits.page_cap = plan.page_cap;
  return traits;
}

class Simulation {
 public:
  Simulation(const Plan& plan, bool aloud)
      : plan_(plan),
        time_(plan.seed),
        machine_(time_),
        trace_(time_, aloud),
        world_(at_begin(plan.scale, time_), time_, traits_of(plan)),
        network_(world_, time_, trace_, plan),
        tails_(world_),
        draws_(plan.seed + 99) {
    world_.set_quota(scale::RateBucket::Api, plan.quota);
    network_.on_request([this](const std::string& target) { request_arrives(target); });
  }

  Outcome run() {
    trace_.note(text_of(plan_));
    const std::int64_t began_ms = time_.unix_ms();
    network_.set_faults(plan_.faults);
    plan_next_change();
    plan_next_clock();
    start_process();
    bool restless = true;
    time_.after(plan_.duration_ms, [&restless] { restless = false; });
    while (restless && go_on()) {
    }
    rest();
    while (findings_.empty() && !has_rested() && go_on()) {
    }
    if (process_ && !process_->kill()) complain("a coroutine of the process does not end");
    process_.reset();
    return conclude(time_.unix_ms() - began_ms);
  }

 private:
  void complain(std::string finding) {
    trace_.note("FOUND " + finding);
    findings_.push_back(std::move(finding));
  }
  static std::int64_t pause(scale::Stream& draws, std::int64_t mean_ms) {  // 0 … twice the mean
    return static_cast<std::int64_t>(scale::unit_of(draws.next()) * 2 * static_cast<double>(mean_ms));
  }

  // What happens outside.
  void plan_next_change() {
    time_.after(pause(draws_, plan_.change_every_ms), [this] {
      if (resting_) return;
      const std::size_t n = draws_.below(4) == 0 ? 1 + draws_.below(std::max(plan_.burst_max, 1U)) : 1;
      for (auto& change : world_.mutate_randomly(draws_.next(), n, plan_.mix)) {
        trace_.note(scale::render_json(change));
        tails_.changed(change);
        changes_.push_back(std::move(change));
      }
      plan_next_change();
    });
  }
  void plan_next_clock() {
    if (plan_.clock_every_ms == 0) return;
    time_.after(pause(draws_, plan_.clock_every_ms), [this] {
      if (resting_) return;
      const std::int64_t off_ms = static_cast<std::int64_t>(draws_.below(60'001)) - 30'000;
      trace_.note("the wall clock is off by " + std::to_string(off_ms) + " ms");
      machine_.set_off(off_ms);
      plan_next_clock();
    });
  }
  void request_arrives(const std::string& target) {
    if (target.find("sort=lastModified") == std::string::npos) return;
    const bool continues = target.find("cursor=") != std::string::npos;
    if (continues && plan_.kill_every_ms != 0 && draws_.below(kKillsOfTails) == 0) kill_soon(0);
    if (continues) return;
    for (std::size_t k = 0; k < scale::kKinds; ++k)
      if (target.starts_with("/api/" + std::string(api_segment(scale::kind_at(k))) + "?")) {
        tails_.tail_begins(scale::kind_at(k));
        begun_tail_ = scale::kind_at(k);
      }
  }

  // The processes.
  std::unique_ptr<ProcessIndex> open_index() {
    return std::make_unique<ProcessIndex>(open_memory_index(disk_), trace_,
                                          [this](const storage::Index& stored, storage::Batch& batch) {
                                            falsify(batch);
                                            for (auto& finding : check_fence(stored, batch, time_))
                                              complain(std::move(finding));
                                          });
  }
  void falsify(storage::Batch& batch) {
    if (plan_.plant == Plant::WatermarkTooHigh) {
      const auto changes = batch.changes();
      for (const auto& c : changes)
        if (c.family == storage::Family::Meta && c.key.ends_with("/tail"))
          batch.put(c.family, c.key, storage::key::u64(storage::key::parse_u64(c.value).value() + kHourMs));
    }
    if (plan_.plant == Plant::WatermarkTooEarly && begun_tail_) {
      batch.put(storage::Family::Meta, crawler::crawl_key("hub.example", *begun_tail_, "tail"),
                storage::key::u64(static_cast<std::uint64_t>(time_.unix_ms())));
      begun_tail_.reset();
    }
  }
  void start_process() {
    ++processes_;
    trace_.note("process " + std::to_string(processes_) + " starts");
    network_.process_starts();
    begun_tail_.reset();
    crawler::CrawlOptions options = plan_.crawl;
    if (resting_) {
      options.sweep_every_ms = options.hot_every_ms = kQuietSweepMs;
      options.tail_every_ms = 8 * kHourMs;
    }
    auto index = open_index();
    if (plan_.kill_every_ms != 0 && !resting_) {
      if (draws_.below(2) == 0) index->kill_at_commit(1 + draws_.below(kCommitsUntilKilledMax), draws_.below(2) == 0);
      kill_soon(pause(draws_, plan_.kill_every_ms));
    }
    process_ =
        std::make_unique<Process>(Process::Surroundings{time_, machine_, network_}, plan_, options, std::move(index),
                                  processes_, resting_, [this](const crawler::CrawlEvent& event) { step_done(event); });
  }
  /// The process that runs now, if it does so then.
  void kill_soon(std::int64_t ms) {
    time_.after(ms, [this, life = processes_] {
      if (life == processes_ && process_ && !resting_) kill_process();
    });
  }
  void kill_process() {
    trace_.note("process " + std::to_string(processes_) + " is killed");
    if (!process_->kill()) complain("a coroutine of the killed process does not end");
    process_.reset();
    const std::int64_t down_ms =
        draws_.below(3) == 0 ? pause(draws_, plan_.duration_ms / 10) : pause(draws_, 10 * kSecondMs);
    time_.after(down_ms, [this] {
      if (!process_) start_process();
    });
  }
  void step_done(const crawler::CrawlEvent& event) {
    if (process_->index().dead()) return;
    trace_.note(std::string(name_of(event.kind)) + " " + std::string(name_of(event.task)) + ": " +
                std::to_string(event.page.listed) + " rows, " + std::to_string(event.page.added) + " new, " +
                std::to_string(event.page.changed) + " changed, " + std::to_string(event.page.gone) + " gone");
    if (event.task == crawler::ListerTask::Tail)
      for (auto& finding : tails_.tail_ended(event.kind, process_->index())) complain(std::move(finding));
    if (resting_ && event.ends_sweep()) sweep_ended(event);
  }

  // The end.
  void rest() {
    trace_.note("the Hub is quiet now");
    resting_ = true;
    network_.set_faults({});
    machine_.set_off(0);
    if (process_ && !process_->kill()) complain("a coroutine of the process does not end");
    process_.reset();
    rests_since_ms_ = time_.unix_ms();
    start_process();
  }
  void sweep_ended(const crawler::CrawlEvent& event) {
    if (event.sweep.began_ms < rests_since_ms_) return;  // it may have passed by before the last change
    auto& ends = quiet_sweeps_[scale::index_of(event.kind)];
    if (!ends.first)
      ends.first = event.sweep.ended_ms;
    else if (event.sweep.ended_ms - *ends.first >= kSweepApartMs)
      ends.second = true;
  }
  bool has_rested() const {
    for (const auto& ends : quiet_sweeps_)
      if (!ends.second) return false;
    return true;
  }

  /// To the next instant. @returns false when the simulation is over before its time.
  bool go_on() {
    time_.settle();
    if (process_) look_at_process();
    if (network_.requests() > kRequestsMax) complain("more requests than any crawl needs");
    if (resting_ && time_.unix_ms() - rests_since_ms_ > kQuietMax) complain("two sweeps do not end in all that time");
    if (!findings_.empty()) return false;
    if (time_.step()) return true;
    complain("nothing will ever happen again");
    return false;
  }
  void look_at_process() {
    if (process_->index().dead()) return kill_process();
    if (process_->has_ended()) return complain("the process gave up: " + process_->failure()->what);
    if (process_->running() != time_.sleepers()) complain("a coroutine waits for nothing");
  }

  Outcome conclude(std::int64_t took_ms) {
    Outcome out;
    const auto index = open_memory_index(disk_);
    if (findings_.empty()) findings_ = check_at_rest(world_, *index, changes_);
    if (findings_.empty() && plan_.workers != 0) findings_ = check_visits(world_, *index);
    for (const auto& [window, used] : network_.overdrawn())
      findings_.push_back(std::to_string(used) + " of " + std::to_string(plan_.quota) +
                          " calls were made in one window");
    if (network_.refused() != 0)
      findings_.push_back("the Hub answered 429 " + std::to_string(network_.refused()) + " times");
    out.findings = std::move(findings_);
    out.trace_hash = trace_.hash();
    out.trace_tail = trace_.tail();
    out.processes = processes_;
    out.requests = network_.requests();
    out.changes = changes_.size();
    for (const auto& change : changes_) ++out.changes_by_what[change.what];
    (void)storage::Journal(*index).each(0, [&](const storage::JournalEntry& e) -> Result<bool> {
      ++out.entries;
      ++out.entries_by_type[std::string(e.value.at("t").as_string())];
      return true;
    });
    out.hub = world_.stats();
    out.took_ms = took_ms;
    return out;
  }

  const Plan plan_;
  VirtualTime time_;
  MachineClock machine_;
  Trace trace_;
  scale::World world_;
  Network network_;
  TailOracle tails_;
  scale::Stream draws_;
  const std::shared_ptr<MemoryDisk> disk_ = make_memory_disk();
  std::unique_ptr<Process> process_;
  std::uint64_t processes_ = 0;
  std::vector<scale::Mutation> changes_;
  std::optional<RepoKind> begun_tail_;  ///< the Hub has answered its first page, nothing is stored yet
  bool resting_ = false;
  std::int64_t rests_since_ms_ = 0;
  struct QuietSweeps {
    std::optional<std::int64_t> first;
    bool second = false;
  };
  std::array<QuietSweeps, scale::kKinds> quiet_sweeps_;
  Findings findings_;
};
}  // namespace

Outcome simulate(const Plan& plan, bool aloud) { return std::make_unique<Simulation>(plan, aloud)->run(); }
}  // namespace hm::test::sim
