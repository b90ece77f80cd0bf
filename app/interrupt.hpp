// app/interrupt.hpp: Ctrl-C, SIGTERM and SIGHUP as a stop token; the second one ends the process at once. Layer 6.
// Threads: made first in main(), before any other thread, so that all of them inherit the blocked signals; one thread
// of its own waits.
#pragma once
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
  std::stop_token token() const { return stop_.get_token(); }

 private:
  void watch(int signals_fd);
  std::stop_source stop_;
  int wake_fd_ = -1;
  std::thread thread_;
};
}  // namespace hm::app
