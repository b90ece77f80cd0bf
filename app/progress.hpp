// app/progress.hpp: what is going on, for a person. ProgressState is pure (events in, text out); ProgressDisplay writes
// it. Layer 6. Threads: ProgressState is fed on the network thread and drawn on the main thread; ProgressDisplay holds
// the lock between them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <deque>
#include <iosfwd>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "crawler/pipeline.hpp"

namespace hm::app {
/// Bytes per second over the last kRateWindowMs, from cumulative samples.
class RateMeter {
 public:
  void sample(std::uint64_t total_bytes, std::int64_t now_ms);
  std::uint64_t bytes_per_second(std::int64_t now_ms) const;

 private:
  struct Sample {
    std::int64_t at_ms;
    std::uint64_t bytes;
  };
  std::deque<Sample> samples_;  ///< at most kRateWindowMs / kRateStepMs + 1
};

/// All repositories of one run. Events of a repository carry the slot it was given, because its name may change on the
/// way (renames).
class ProgressState {
 public:
  explicit ProgressState(std::size_t repos_total) : repos_total_(repos_total) {}
  void apply(std::size_t slot, const crawler::ProgressEvent& event, std::int64_t now_ms);
  void finished(std::size_t slot);

  /// Lines for a terminal: the busiest files, then one line per repository at work, then the total with bar, rate and
  /// time left. None is wider than `width` columns; at most `lines_max`.
  std::vector<std::string> render(std::size_t width, std::size_t lines_max, std::int64_t now_ms) const;
  /// For a pipe: "<repo>: downloading: 3 of 12 files, 1.2 GiB of 2.4 GiB (50 %), 98.1 MiB/s, 12 s left".
  std::string line(std::size_t slot, std::int64_t now_ms) const;
  std::string total_line(std::int64_t now_ms) const;
  std::uint64_t bytes_done() const;
  std::uint64_t bytes_total() const;

 private:
  struct File {
    std::uint64_t bytes = 0, total = 0;
    RateMeter rate;
  };
  struct Repo {
    std::string name;
    crawler::Stage stage = crawler::Stage::Visit;
    std::uint64_t files_total = 0, files_done = 0, bytes_total = 0, bytes_done = 0, git_bytes = 0;
    std::uint64_t credited = 0;         ///< bytes of finished files that an earlier run had already fetched
    std::uint64_t lost = 0;             ///< bytes of files that failed
    std::map<std::string, File> files;  ///< under way: bounded by mirror.files_parallel
    bool done = false;
  };
  struct Totals {
    std::uint64_t done = 0, total = 0;
  };
  Totals totals_of(const Repo& repo) const;
  std::vector<std::string> file_lines(std::size_t width, std::size_t lines_max, std::int64_t now_ms) const;

  std::size_t repos_total_, repos_done_ = 0;
  std::map<std::size_t, Repo> repos_;  ///< finished ones are folded into finished_ and erased
  Totals finished_;
  std::uint64_t moved_by_finished_ = 0;
  RateMeter rate_;
};

std::string_view doing(crawler::Stage stage);  ///< "asking the Hub", "fetching git objects", …
/// "[######......]"; `width` columns with the brackets.
std::string bar(std::uint64_t done, std::uint64_t total, std::size_t width);
std::string percent(std::uint64_t done, std::uint64_t total);  ///< "45 %"; never "100 %" before the end

/// Writes progress to standard error: bars on a terminal, at most kDrawsPerSecond; plain lines in a pipe: one per
/// repository and stage, and one every 10 s or 5 % (but at most one a second). Silent when told so.
class ProgressDisplay {
 public:
  enum class Mode : std::uint8_t { Silent, Lines, Bars };
  ProgressDisplay(std::ostream& err, Mode mode, std::size_t repos_total)
      : err_(err), mode_(mode), state_(repos_total) {}

  /// Network thread.
  void apply(std::size_t slot, const crawler::ProgressEvent& event, std::int64_t now_ms);
  /// Network thread: the repository is through; `summary` is printed above the bars, or as a line.
  void finished(std::size_t slot, std::string summary);
  /// Main thread, about kDrawsPerSecond times a second.
  void draw(std::int64_t now_ms);
  /// Main thread: prints what is pending and removes the bars.
  void close();
  /// Main thread: a line above the bars.
  void say(const std::string& text);

 private:
  void draw_bars(std::int64_t now_ms);
  void draw_lines(std::int64_t now_ms);
  void erase_bars();

  std::mutex mutex_;
  std::ostream& err_;
  const Mode mode_;
  ProgressState state_;
  std::vector<std::string> pending_;  ///< lines to print at the next draw
  std::map<std::size_t, crawler::Stage> stages_;
  std::size_t lines_drawn_ = 0;
  std::int64_t last_line_ms_ = 0;
  std::uint64_t last_line_bytes_ = 0;
};
inline constexpr int kDrawsPerSecond = 10;
}  // namespace hm::app
