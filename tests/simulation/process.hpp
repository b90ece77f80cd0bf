// tests/simulation/process.hpp: one process of the product: its parts put together as the program puts them, on what
// the simulation gives it. Threads: none; on the simulation's io_context.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "crawler/crawl.hpp"
#include "crawler/deep_visits.hpp"
#include "hub/api.hpp"
#include "provenance/record.hpp"
#include "storage/journal.hpp"
#include "tests/simulation/plan.hpp"
#include "tests/simulation/process_index.hpp"
#include "tests/simulation/virtual_time.hpp"
#include "tests/simulation/visits.hpp"

namespace hm::test::sim {
class Process {
 public:
  struct Surroundings {  ///< outlive the process
    VirtualTime& time;
    const Clock& clock;  ///< the machine's
    net::HttpClient& client;
  };
  using Progress = std::function<void(const crawler::CrawlEvent&)>;
  /// @param number of the process: what it draws differs from what the ones before drew. @param resting as Visits
  Process(Surroundings around, const Plan& plan, const crawler::CrawlOptions& options,
          std::unique_ptr<ProcessIndex> index, std::uint64_t number, bool resting, Progress progress);
  ~Process() = default;  ///< after kill()

  ProcessIndex& index() { return *index_; }
  bool has_ended() const { return failure_.has_value(); }
  /// Coroutines that sleep when nothing is ready.
  std::size_t running() const { return running_ + (visits_ ? visits_->coroutines() : 0); }
  /// nullopt when it visits nothing.
  std::optional<crawler::VisitReport> visited() const {
    return deep_visits_ ? std::optional(deep_visits_->report()) : std::nullopt;
  }
  /// Why it ended, when it did so by itself.
  const std::optional<Error>& failure() const { return failure_; }
  /// Nothing it does from now on has any effect. @returns false when a coroutine is left that does not end.
  bool kill();

 private:
  struct Crew {
    hub::RateBudget* budget = nullptr;
    std::unique_ptr<hub::Api> api;
    std::unique_ptr<crawler::Crawl> crawl;
  };
  void ended(Error why);
  void start_deep_visits(std::uint64_t per_day);
  void start(std::vector<RepoKind> kinds, hub::RateBudget& budget, const crawler::CrawlOptions& options,
             const Progress& progress);

  Surroundings around_;
  std::unique_ptr<ProcessIndex> index_;
  storage::Journal journal_;
  provenance::Recorder recorder_;
  scale::Stream draws_;
  std::deque<hub::RateBudget> budgets_;
  std::vector<Crew> crews_;
  std::unique_ptr<Visits> visits_;
  std::unique_ptr<storage::TaskQueue> queue_;
  std::unique_ptr<crawler::Frontier> frontier_;
  std::unique_ptr<crawler::DeepVisits> deep_visits_;
  std::size_t running_ = 0;
  std::optional<Error> failure_;  ///< the first
};
}  // namespace hm::test::sim
