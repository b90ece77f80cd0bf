// app/daemon/job.hpp: one command that the daemon runs by itself, again and again: the crawl, the sync of what is due.
// Layer 6. It makes way for commands by hand and is taken up again after them; a failure is logged, shown and tried
// again later. Threads: one of its own; the rest is safe.
#pragma once
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>

#include "app/cli.hpp"
#include "app/daemon/ground.hpp"
#include "base/canonical_json.hpp"

namespace hm::app {
class Job {
 public:
  struct Plan {
    std::string name;           ///< "crawl", "sync"
    Command command;            ///< as if it were typed, with --quiet
    std::int64_t every_ms = 0;  ///< from the end of one run that did its work to the begin of the next
    std::function<bool(const Rules&)> is_wanted;  ///< false: it waits for other rules
  };
  Job(Ground& ground, Plan plan);
  ~Job();
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;

  void start();
  /// The rules have changed: a pause ends. @param anew what is under way is stopped and begun again
  void rules_changed(bool anew);
  void request_stop();
  void join();
  /// For /-/status: state, since, last end, what went wrong last.
  json::object status() const;

 private:
  enum class State : std::uint8_t { Unwanted, Working, Resting, Failed, Ended };
  void run();
  Result<Exit> once(const Rules& rules, const std::stop_source& stop);
  void rest(std::unique_lock<std::mutex>& lock, std::int64_t ms);
  std::int64_t book(const Result<Exit>& outcome, bool stopped);

  Ground& ground_;
  const Plan plan_;
  Metrics::Counter& failures_;
  mutable std::mutex mutex_;
  std::condition_variable_any changed_;
  std::stop_source end_;   ///< of the job
  std::stop_source stop_;  ///< of the run under way
  bool woken_ = false;
  State state_ = State::Resting;
  std::int64_t since_ms_ = 0, ended_ms_ = 0, pause_ms_ = 0;
  std::optional<Error> problem_;  ///< of the last run
  std::thread thread_;
};
}  // namespace hm::app
