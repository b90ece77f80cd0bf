// tests/simulation/trace.hpp: what happened, in order: a hash of all of it and the newest lines. Value.
#pragma once
#include <cstdint>
#include <cstdio>
#include <deque>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "base/text.hpp"
#include "tests/hub_at_scale/draws.hpp"

namespace hm::test::sim {
class Trace {
 public:
  /// @param aloud every line to standard output too
  Trace(const Clock& clock, bool aloud) : clock_(clock), aloud_(aloud) {}
  void note(std::string_view what) {
    std::string line = iso8601(clock_.unix_ms()) + "  " + std::string(what);
    for (const char c : line) hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3U;
    if (aloud_) std::printf("%s\n", line.c_str());
    lines_.push_back(std::move(line));
    if (lines_.size() > kLinesKept) lines_.pop_front();
  }
  std::uint64_t hash() const { return scale::mix(hash_); }
  const std::deque<std::string>& tail() const { return lines_; }

 private:
  static constexpr std::size_t kLinesKept = 60;
  const Clock& clock_;
  const bool aloud_;
  std::uint64_t hash_ = 0xcbf29ce484222325U;
  std::deque<std::string> lines_;
};
}  // namespace hm::test::sim
