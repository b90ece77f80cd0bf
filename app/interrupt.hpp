// app/interrupt.hpp: how a command is asked to stop: by Ctrl-C, SIGTERM and SIGHUP in a process of its own, by its
// client inside the daemon. Layer 6. Threads: safe.
#pragma once
#include <atomic>
#include <functional>
#include <mutex>
#include <stop_token>
#include <thread>

namespace hm::app {
class Interrupt {
 public:
  virtual ~Interrupt() = default;
  /// From now on whoever wants the command to stop fires the token, and the command ends in its own way.
  virtual std::stop_token take_over() = 0;
  /// From now on a hangup is no reason to end: `call` is called for each, on a thread of the signals. Empty: as before.
  virtual void on_hangup(std::function<void()> call) = 0;
};

/// Signals end the process at once, until a command takes them over; then the first fires the token, and the second
/// ends the process. Made first in main(), before any other thread, so that all of them inherit the blocked signals;
/// one thread of its own waits.
class Signals : public Interrupt {
 public:
  /// Signals that were ignored at the start (nohup, a shell's background job) stay ignored.
  Signals();
  ~Signals() override;
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;
  /// Until then the store needs no farewell: a process that is killed at any point leaves it whole.
  std::stop_token take_over() override {
    taken_over_ = true;
    return stop_.get_token();
  }
  void on_hangup(std::function<void()> call) override;

 private:
  void watch(int signals_fd);
  bool is_hangup_for_somebody(int number);
  std::atomic<bool> taken_over_{false};
  std::stop_source stop_;
  std::mutex hangup_mutex_;
  std::function<void()> hangup_;
  int wake_fd_ = -1;
  std::thread thread_;
};

/// Of a command that somebody else runs.
class StopOrder : public Interrupt {
 public:
  explicit StopOrder(std::stop_source stop) : stop_(std::move(stop)) {}
  std::stop_token take_over() override { return stop_.get_token(); }
  void on_hangup(std::function<void()>) override {}  // it has no terminal of its own

 private:
  std::stop_source stop_;
};
}  // namespace hm::app
