// app/bytes_display.hpp: one line of progress for what reads the store: bytes, rate, time left. Layer 6.
// Threads: apply() on any thread; the rest on the main thread.
#pragma once
#include <atomic>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <utility>

#include "app/progress.hpp"

namespace hm::app {
class BytesDisplay {
 public:
  /// @param doing "verifying"
  BytesDisplay(std::ostream& err, std::string doing, bool enabled, bool terminal)
      : err_(err), doing_(std::move(doing)), enabled_(enabled), terminal_(terminal) {}
  void apply(std::uint64_t bytes_done, std::uint64_t bytes_total) {
    done_ = bytes_done;
    total_ = bytes_total;
  }
  /// On a terminal a line that is drawn over; in a pipe a line every 10 s.
  void draw(std::int64_t now_ms);
  void close();
  /// "verifying: 45 % of 10.0 GiB, 1.2 GiB/s, 5 s left".
  std::string line(std::int64_t now_ms) const;

 private:
  std::ostream& err_;
  const std::string doing_;
  const bool enabled_, terminal_;
  std::atomic<std::uint64_t> done_{0}, total_{0};
  RateMeter rate_;
  bool drawn_ = false;
  std::int64_t last_line_ms_ = 0;
};
}  // namespace hm::app
