// crawler/crawl.hpp: keeps knowing the whole Hub: which lister reads when. Layer 5. docs/architecture.md "Knowing the
// whole Hub". Threads: one coroutine on the network executor.
#pragma once
#include <cstdint>
#include <functional>
#include <vector>

#include "crawler/listers/lister.hpp"
#include "hub/rate_budget.hpp"
#include "hub/retry.hpp"

namespace hm::crawler {
struct CrawlOptions {
  std::vector<RepoKind> kinds{RepoKind::Model, RepoKind::Dataset, RepoKind::Space};
  bool once = false;                    ///< one whole sweep, tail and hot of each kind, then end
  std::int64_t tail_every_ms = 60'000;  ///< 1,440 calls a day and kind
  std::int64_t sweep_every_ms =
      24LL * 3'600'000;  ///< a new sweep takes this long, spread evenly; the first takes what it gets
  std::int64_t hot_every_ms = 24LL * 3'600'000;
  std::int64_t error_pause_ms = 60'000;  ///< before a step is tried again that failed for longer than the retries last
  ListerOptions lister;
};
enum class ListerTask : std::uint8_t { Sweep, Tail, Hot, Missing };
std::string_view name_of(ListerTask task);
struct CrawlEvent {
  RepoKind kind = RepoKind::Model;
  ListerTask task = ListerTask::Sweep;
  ListingReport page;       ///< what this step brought
  SweepState sweep;         ///< of this kind, after the step
  std::size_t missing = 0;  ///< repositories that the sweep did not list and that are still to be asked for
  /// All that the sweep could tell is told.
  bool ends_sweep() const {
    return (task == ListerTask::Sweep || task == ListerTask::Missing) && !sweep.running && missing == 0;
  }
};

class Crawl {
 public:
  Crawl(ListerParts parts, CrawlOptions options, hub::Sleep sleep);
  /// Until it is cancelled, or with `once` until all is read once. A step that fails for the upstream's sake is told to
  /// the log and tried again later, the others go on; with `once` it ends the crawl. @returns Cancelled, and what stops
  /// everything: NoSpace, Io, Corrupt.
  awaitable<Result<ListingReport>> run(std::function<void(const CrawlEvent&)> progress);
  bool knows_all() const;  ///< each kind was listed from end to end once, now or by an earlier process

 private:
  struct Step {
    std::size_t lister = 0;
    ListerTask task = ListerTask::Sweep;
    std::int64_t due_ms = 0;  ///< on the monotonic clock
  };
  struct Timetable {
    std::int64_t tail_due_ms = 0, hot_due_ms = 0, sweep_due_ms = 0, missing_due_ms = 0;
    bool tail_done = false, hot_done = false, sweep_done = false;  ///< with `once`
  };
  std::optional<Step> next_step(std::int64_t now_ms) const;
  awaitable<Result<ListingReport>> take(const Step& step);
  void book(const Step& step, std::int64_t now_ms);
  void go_on_from_before(std::int64_t now_ms);
  void put_off(const Step& step, std::int64_t until_ms);
  /// When the sweep may use the budget: what the tails need until the window ends stays.
  std::int64_t sweep_may_ms(std::int64_t now_ms) const;

  ListerParts p_;
  const CrawlOptions o_;
  hub::Sleep sleep_;
  std::vector<Lister> listers_;
  std::vector<Timetable> timetable_;
};
}  // namespace hm::crawler
