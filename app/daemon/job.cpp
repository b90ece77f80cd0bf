#include "app/daemon/job.hpp"

#include <algorithm>
#include <sstream>

#include "app/commands/commands.hpp"
#include "app/context.hpp"
#include "app/daemon/log_stream.hpp"
#include "app/output.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

namespace hm::app {
namespace {
constexpr std::int64_t kRetryMsMin = 60'000, kRetryMsMax = 15 * 60'000;
constexpr std::string_view kStates[] = {"not wanted", "working", "waiting", "failed", "ended"};
}  // namespace

Job::Job(Ground& ground, Plan plan)
    : ground_(ground),
      plan_(std::move(plan)),
      failures_(ground.metrics.counter("hubmirror_daemon_job_failures_total",
                                       "Runs of the daemon's own work that ended by an error.", {{"job", plan_.name}})),
      since_ms_(system_clock().unix_ms()) {}

Job::~Job() {
  request_stop();
  join();
}

void Job::start() {
  thread_ = std::thread([this] { run(); });
}

void Job::rules_changed(bool anew) {
  const std::lock_guard lock(mutex_);
  woken_ = true;
  if (anew) stop_.request_stop();
  changed_.notify_all();
}

void Job::request_stop() {
  end_.request_stop();
  const std::lock_guard lock(mutex_);
  stop_.request_stop();
}

void Job::join() {
  if (thread_.joinable()) thread_.join();
}

void Job::rest(std::unique_lock<std::mutex>& lock, std::int64_t ms) {
  changed_.wait_for(lock, end_.get_token(), std::chrono::milliseconds(ms), [this] { return woken_; });
}

void Job::run() {
  std::unique_lock lock(mutex_);
  while (!end_.stop_requested()) {
    woken_ = false;
    const RulesView rules = ground_.in_force.get();
    const bool wanted = plan_.is_wanted(*rules);
    state_ = wanted ? State::Working : State::Unwanted;
    since_ms_ = system_clock().unix_ms();
    if (!wanted) {
      changed_.wait(lock, end_.get_token(), [this] { return woken_; });
      continue;
    }
    stop_ = std::stop_source();
    const std::stop_source stop = stop_;
    lock.unlock();
    const Result<Exit> outcome = once(*rules, stop);
    lock.lock();
    rest(lock, book(outcome, stop.stop_requested()));
  }
  state_ = State::Ended;
}

Result<Exit> Job::once(const Rules& rules, const std::stop_source& stop) {
  std::istringstream nothing;
  LogStream out(LogLevel::Info, plan_.name, stop.get_token()), err(LogLevel::Warning, plan_.name, stop.get_token());
  StopOrder interrupt(stop);
  LentStores stores(ground_, "the daemon's own", stop.get_token(), stop);
  GlobalOptions options;
  options.quiet = true;
  Context context{{nothing, out, err},
                  options,
                  rules.settings.config,
                  rules.settings.config_file,
                  rules.settings.data_dir,
                  interrupt,
                  stores,
                  ground_.metrics,
                  rules.policies};
  try {
    return std::visit([&](const auto& command) { return run_command(context, command); }, plan_.command);
  } catch (const std::exception& e) {
    return Error{Errc::Internal, e.what()};
  }
}

/// @returns how long to rest.
std::int64_t Job::book(const Result<Exit>& outcome, bool stopped) {
  since_ms_ = ended_ms_ = system_clock().unix_ms();
  state_ = State::Resting;
  if (stopped) return 0;  // it made way, or begins anew
  if (outcome) {
    problem_.reset();
    pause_ms_ = 0;
    return plan_.every_ms;
  }
  state_ = State::Failed;
  problem_ = outcome.error();
  failures_.add();
  pause_ms_ = std::clamp(pause_ms_ * 2, kRetryMsMin, kRetryMsMax);
  log(LogLevel::Error, plan_.name + " failed and is tried again later",
      {{"why", problem_->what}, {"in", human_seconds(static_cast<std::uint64_t>(pause_ms_ / 1000))}});
  return pause_ms_;
}

json::object Job::status() const {
  const std::lock_guard lock(mutex_);
  const std::string_view state = kStates[static_cast<std::size_t>(state_)];
  json::object out{{"state", json::string_view(state.data(), state.size())}, {"since", time_text(since_ms_)}};
  if (ended_ms_ != 0) out["last_run_ended"] = time_text(ended_ms_);
  if (problem_) out["problem"] = json_text(problem_->what);
  return out;
}
}  // namespace hm::app
