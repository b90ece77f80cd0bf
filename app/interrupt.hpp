// app/interrupt.hpp: Ctrl-C, SIGTERM and SIGHUP. They end the process at once, until a command asks for them as a stop
// token; then the first fires the token, and the second ends the process. Layer 6.
// Threads: made first in main(), before any other thread, so that all of them inherit the blocked signals; one thread
// of its own waits.
#pragma once
#include <atomic>
#include <stop_token>
#include <thread>

namespace hm::app {
class Interrupt {
 public:
  /// Signals that were ignored at the start (nohup, a shell's background job) stay ignored.
  Interrupt();
  ~Interrupt();
  Interrupt(const Interrupt&) = delete;
  Interrupt& operator=(const Interrupt&) = delete;
  /// From now on the first signal fires the token, and the caller ends in its own way. Until then the store needs no
  /// farewell: a process that is killed at any point leaves it whole.
  std::stop_token take_over() {
    taken_over_ = true;
    return stop_.get_token();
  }

 private:
  void watch(int signals_fd);
  std::atomic<bool> taken_over_{false};
  std::stop_source stop_;
  int wake_fd_ = -1;
  std::thread thread_;
};
}  // namespace hm::app
