#include "app/daemon/daemon.hpp"

#include <unistd.h>

#include <algorithm>
#include <thread>

#include "app/mirror_run.hpp"
#include "app/output.hpp"
#include "app/wait_for.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"

namespace hm::app {
namespace {
constexpr std::int64_t kTickMs = 1'000;
constexpr std::int64_t kCrawlAgainMs = 60'000;      // it does not end by itself
constexpr std::int64_t kSyncEveryMs = 60'000;       // a look at what is due costs some reads of the index
constexpr std::int64_t kShutdownBeyondMs = 10'000;  // what is cancelled ends in less; a disk may be slow

Job::Plan crawl_plan() {
  return {"crawl", CrawlCommand{}, kCrawlAgainMs, [](const Rules&) { return true; }};
}
Job::Plan sync_plan() {
  SyncCommand due;
  due.due = true;
  return {"sync", due, kSyncEveryMs, [](const Rules& rules) { return !rules.policies->empty(); }};
}

/// Ends the process when it was not called off in time: the store is whole at any point.
class Deadline {
 public:
  explicit Deadline(std::int64_t ms)
      : thread_([this, ms](const std::stop_token& called_off) {
          std::unique_lock lock(mutex_);
          if (changed_.wait_for(lock, called_off, std::chrono::milliseconds(ms), [] { return false; }) ||
              called_off.stop_requested())
            return;
          log(LogLevel::Error, "what was under way did not end in time and is cut off; nothing that is here is lost");
          ::_exit(static_cast<int>(Exit::CannotContinue));
        }) {}

 private:
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::jthread thread_;
};
}  // namespace

Daemon::Daemon(Context& context, StoreLease store, NetworkLease network, RulesView rules)
    : options_(context.options),
      metrics_(context.metrics),
      store_(std::move(store)),
      network_(std::move(network)),
      ground_(*store_, *network_, metrics_, std::move(rules)),
      figures_(metrics_, *store_, *network_),
      crawl_(ground_, crawl_plan()),
      sync_(ground_, sync_plan()),
      began_ms_(system_clock().unix_ms()),
      rules_since_ms_(began_ms_) {
  metrics_.before_reading([this] { figures_.refresh(); });
}

Result<std::unique_ptr<Daemon>> Daemon::open(Context& context) {
  HM_TRY(auto rules, load_rules(context.options));
  HM_TRY(auto plan, NetworkServices::plan(rules->settings.config));
  HM_TRY(auto store, context.stores.open(context, {"daemon", Claim::Alone, Create::IfAbsent}));
  HM_TRY(store->take_back_leases());
  HM_TRY(auto network, context.stores.open_network(context, *store, std::move(plan)));
  return std::make_unique<Daemon>(context, std::move(store), std::move(network), std::move(rules));
}

Result<> Daemon::run(const std::stop_token& stop) {
  const auto started = start();
  if (started) {
    ready_ = true;
    manager_.tell("READY=1");
    log(LogLevel::Info, "the daemon is ready", {{"data_dir", store_->dir.root}});
    wait_and_reload(stop);
  }
  shut_down();
  return started;
}

Result<> Daemon::start() {
  const RulesView rules = ground_.in_force.get();
  HM_TRY(serving_,
         make_serving({rules->settings.config, *store_, *network_, metrics_, [this] { return metrics_text(); },
                       [this] { return status_text(); }, [this] { return is_healthy(); }, [this] { return is_ready(); },
                       [this](const std::stop_token& give_up) { return enter_on_demand(give_up); }}));
  HM_TRY(serving_->start());
  HM_TRY(sessions_, Sessions::open(ground_, {[this] { return status_text(); }, [this] { return metrics_text(); }}));
  crawl_.start();
  sync_.start();
  return ok();
}

Result<Gate::Ticket> Daemon::enter_on_demand(const std::stop_token& give_up) {
  Gate::Wish wish;
  wish.who = "requests of clients";
  return ground_.gate.enter(std::move(wish), give_up);
}

void Daemon::wait_and_reload(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    changed_.wait_for(lock, stop, std::chrono::milliseconds(kTickMs), [this] { return reload_wanted_; });
    const bool wanted = std::exchange(reload_wanted_, false);
    lock.unlock();
    if (wanted && !stop.stop_requested()) reload();
    tick();
    lock.lock();
  }
}

/// The manager hears of us as long as the network thread is alive.
void Daemon::tick() {
  const auto every_ms = manager_.watchdog_ms();
  const std::int64_t now_ms = system_clock().monotonic_ms();
  if (!every_ms || now_ms < next_watchdog_ms_ || !is_healthy()) return;
  next_watchdog_ms_ = now_ms + *every_ms / 3;
  manager_.tell("WATCHDOG=1");
}

void Daemon::reload_soon() {
  const std::lock_guard lock(mutex_);
  reload_wanted_ = true;
  changed_.notify_all();
}

void Daemon::reload() {
  manager_.tell_reloading();
  auto loaded = load_rules(options_);
  Result<> taken = loaded ? take_rules(loaded.assume_value()) : Result<>(loaded.error());
  {
    const std::lock_guard lock(mutex_);
    reload_problem_ = taken ? std::nullopt : std::optional(taken.assume_error());
    if (taken) rules_since_ms_ = system_clock().unix_ms();
  }
  metrics_
      .counter("hubmirror_daemon_reloads_total", "SIGHUPs, by what became of them.",
               {{"outcome", taken ? "taken" : "refused"}})
      .add();
  if (taken)
    log(LogLevel::Info, "configuration and policies were read again");
  else
    log(LogLevel::Error, "configuration or policies are not right; those before stay in force",
        {{"why", taken.assume_error().what}});
  manager_.tell("READY=1");
}

/// All of them, or none.
Result<> Daemon::take_rules(const RulesView& rules) {
  const RulesView before = ground_.in_force.get();
  const config::Config& config = rules->settings.config;
  HM_TRY(check_change(before->settings, rules->settings, "daemon"));
  HM_TRY(auto ceilings, config::ceilings_of(config));
  HM_TRY(serving_->reload(config));
  on_network_thread(*network_->context, [&] {
    network_->budget.set_ceilings(std::move(ceilings));
    network_->downloader.set_parallel(config.mirror.files_parallel, config.mirror.ranges_per_file);
    network_->pipeline.set_git_limits(git_limits_of(config));
    return true;
  });
  start_log(config.log);
  ground_.in_force.replace(rules);
  const config::Crawl &was = before->settings.config.crawl, &is = config.crawl;
  crawl_.rules_changed(was != is);
  sync_.rules_changed(false);
  return ok();
}

std::int64_t Daemon::shutdown_ms() const {
  return ground_.in_force.get()->settings.config.serve.drain_timeout_ms + kShutdownBeyondMs;
}

/// What stands outside first: nobody new comes in, what runs is cancelled, and only then what it stands on goes.
void Daemon::shut_down() {
  ready_ = false;
  ending_ = true;
  manager_.tell("STOPPING=1");
  const Deadline deadline(shutdown_ms());
  if (sessions_) sessions_->request_stop();
  crawl_.request_stop();
  sync_.request_stop();
  if (serving_) serving_->drain(ground_.in_force.get()->settings.config.serve.drain_timeout_ms);
  if (sessions_) sessions_->join();
  crawl_.join();
  sync_.join();
  network_->stop();
  log(LogLevel::Info, "the daemon has ended");
}

std::string Daemon::status_text() {
  const RulesView rules = ground_.in_force.get();
  json::object loaded{{"file", json_text(rules->settings.config_file)}, {"policies", rules->policies->size()}};
  {
    const std::lock_guard lock(mutex_);
    loaded["since"] = time_text(rules_since_ms_);
    if (reload_problem_) loaded["refused"] = json_text(reload_problem_->what);
  }
  json::array turns;
  for (const Gate::Standing& one : ground_.gate.standing())
    turns.emplace_back(json::object{{"who", json_text(one.who)}, {"waits", !one.inside}});
  json::object out{{"state", ending_      ? "ending"
                             : is_ready() ? "running"
                                          : "starting"},
                   {"pid", static_cast<std::int64_t>(::getpid())},
                   {"since", time_text(began_ms_)},
                   {"version", product_version()},
                   {"data_dir", json_text(store_->dir.root)},
                   {"upstream", json_text(rules->settings.config.upstream.url)},
                   {"configuration", std::move(loaded)},
                   {"crawl", crawl_.status()},
                   {"sync", sync_.status()},
                   {"commands", sessions_ ? sessions_->status() : json::array()},
                   {"at_work", std::move(turns)}};
  return pretty_json(out);
}
}  // namespace hm::app
