#include "app/bytes_display.hpp"

#include <ostream>

#include "app/output.hpp"
#include "base/text.hpp"

namespace hm::app {
namespace {
constexpr std::int64_t kPlainEveryMs = 10'000;
constexpr std::size_t kColumns = 79;  // fits everywhere: the line is short
}  // namespace

std::string BytesDisplay::line(std::int64_t now_ms) const {
  const std::uint64_t done = done_, total = total_, rate = rate_.bytes_per_second(now_ms);
  std::string text = doing_ + ": " + percent(done, total) + " of " + human_bytes(total);
  if (rate != 0) text += ", " + human_bytes(rate) + "/s";
  if (rate != 0 && total > done) text += ", " + human_seconds((total - done + rate - 1) / rate) + " left";
  return text;
}

void BytesDisplay::draw(std::int64_t now_ms) {
  if (!enabled_ || total_ == 0) return;
  rate_.sample(done_, now_ms);
  if (terminal_) {
    err_ << "\r" << fit(line(now_ms), kColumns) << "\x1b[K" << std::flush;
    drawn_ = true;
  } else if (last_line_ms_ == 0) {
    last_line_ms_ = now_ms;
  } else if (now_ms - last_line_ms_ >= kPlainEveryMs) {
    err_ << line(now_ms) << "\n" << std::flush;
    last_line_ms_ = now_ms;
  }
}

void BytesDisplay::close() {
  if (drawn_) err_ << "\r\x1b[K" << std::flush;
  drawn_ = false;
}
}  // namespace hm::app
