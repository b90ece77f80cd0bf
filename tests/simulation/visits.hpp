// tests/simulation/visits.hpp: what a process does about the repositories that its journal tells of: a task for each,
// and workers that look at them. Threads: none; on the simulation's io_context.
#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "crawler/frontier.hpp"
#include "crawler/workers.hpp"
#include "hub/api.hpp"
#include "storage/index.hpp"
#include "storage/journal.hpp"
#include "storage/task_queue.hpp"
#include "tests/simulation/oracle.hpp"
#include "tests/simulation/plan.hpp"
#include "tests/simulation/virtual_time.hpp"

namespace hm::test::sim {
inline constexpr std::string_view kVisit = "visit";
/// Meta: the lease under which a repository was last visited, and the head that was seen: "<fence> <sha>".
std::string visited_key(const storage::TaskKey& task);

class Visits {
 public:
  struct Parts {  ///< outlive it
    VirtualTime& time;
    const Clock& clock;
    storage::Index& index;
    const storage::Journal& journal;
    hub::Api& api;
  };
  /// @param resting hearts beat as they should, and what was set aside is taken up again
  Visits(Parts parts, const Plan& plan, std::uint64_t seed, bool resting);
  /// Coroutines that sleep while nothing is ready.
  std::size_t coroutines() const { return running_; }
  /// @param ended called when one of the coroutines ended, with why
  void start(std::function<void(Error)> ended);

 private:
  net::awaitable<Result<>> follow_journal();
  net::awaitable<Result<>> careless_worker(int number);
  net::awaitable<crawler::WorkOutcome> visit(const storage::Task& task);
  net::awaitable<Result<std::string>> look_at(const storage::Task& task);
  Result<> take_up_what_is_left();
  void spawn(net::awaitable<Result<>> coroutine, std::size_t sleepers);

  Parts p_;
  const int workers_;
  const std::int64_t work_ms_max_;
  const bool careless_, resting_;
  scale::Stream draws_;
  storage::TaskQueue queue_;
  crawler::Frontier frontier_;
  crawler::Workers crew_;
  std::function<void(Error)> ended_;
  std::size_t running_ = 0;
};

/// Called before a batch is stored: a visit counts under its own lease, and only while that is the task's.
Findings check_fence(const storage::Index& before, const storage::Batch& batch, const Clock& clock);
/// At rest: every repository that is there was visited as it is now, and no task is set aside.
Findings check_visits(const scale::World& world, const storage::Index& index);
}  // namespace hm::test::sim
