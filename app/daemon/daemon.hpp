// app/daemon/daemon.hpp: one process that crawls, syncs the policies on their schedules and serves, and does what
// commands beside it ask for. Layer 6. docs/operations.md "The daemon", docs/threads.md "The daemon".
// Members are destroyed in reverse order, which is the order of shutdown. Threads: run() on the main thread.
#pragma once
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>

#include "app/context.hpp"
#include "app/daemon/facts.hpp"
#include "app/daemon/ground.hpp"
#include "app/daemon/job.hpp"
#include "app/daemon/notify.hpp"
#include "app/daemon/session.hpp"
#include "app/serving.hpp"
#include "base/result.hpp"

namespace hm::app {
class Daemon {
 public:
  /// Takes the lock and opens everything; nothing is at work yet. @returns Busy: another one is; BadInput: the
  /// configuration, a policy; else as WriteServices::open().
  static Result<std::unique_ptr<Daemon>> open(Context& context);
  /// Until `stop` fires; what is under way then has serve.drain_timeout_ms to end. @returns Io, BadInput: it could not
  /// begin.
  Result<> run(const std::stop_token& stop);
  /// Any thread: the rules are read again, by run().
  void reload_soon();
  /// Any thread but the network's. JSON.
  std::string status_text();
  std::string metrics_text() { return metrics_.text(); }
  /// The network thread answers.
  bool is_healthy() { return budget_status(*network_).has_value(); }
  bool is_ready() const { return ready_; }

  Daemon(Context& context, StoreLease store, NetworkLease network, RulesView rules);

 private:
  Result<> start();
  Result<Gate::Ticket> enter_on_demand(const std::stop_token& give_up);
  void wait_and_reload(const std::stop_token& stop);
  void reload();
  Result<> take_rules(const RulesView& rules);
  void tick();
  void shut_down();
  std::int64_t shutdown_ms() const;

  const GlobalOptions options_;
  Metrics& metrics_;
  const StoreLease store_;
  const NetworkLease network_;
  ServiceManager manager_;
  Ground ground_;
  DaemonFigures figures_;
  std::unique_ptr<Serving> serving_;
  Job crawl_, sync_;
  std::unique_ptr<Sessions> sessions_;
  std::atomic<bool> ready_{false}, ending_{false};
  const std::int64_t began_ms_;
  std::int64_t next_watchdog_ms_ = 0;

  std::mutex mutex_;
  std::condition_variable_any changed_;
  bool reload_wanted_ = false;
  std::int64_t rules_since_ms_ = 0;      ///< guarded by mutex_, like the next
  std::optional<Error> reload_problem_;  ///< of the last reload; the rules before it are in force
};
}  // namespace hm::app
