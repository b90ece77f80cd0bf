#include "tests/simulation/visits.hpp"

#include <boost/asio/co_spawn.hpp>

#include <algorithm>

#include "base/text.hpp"
#include "storage/key_space.hpp"
#include "storage/listing_row.hpp"

namespace hm::test::sim {
namespace {
using storage::Family;
constexpr std::string_view kVisited = "simulation/visited/", kFollowed = "simulation/followed";
constexpr std::size_t kEntriesAtOnce = 200;

crawler::FrontierOptions frontier_options(const Plan& plan) {
  crawler::FrontierOptions options;
  options.lease_ms = plan.lease_ms;
  return options;
}
crawler::WorkerOptions worker_options(const Plan& plan, bool resting) {
  crawler::WorkerOptions options;
  options.count = plan.workers;
  options.owner = "node-a";
  options.idle_ms_max = plan.crawl.tail_every_ms;
  options.heartbeat_every_ms = resting ? plan.lease_ms / 3 : plan.heartbeat_every_ms;
  return options;
}
storage::TaskQueue queue_on(const storage::Index& index, const Clock& clock) {
  return {const_cast<storage::Index&>(index), clock};  // for reading only
}
}  // namespace

std::string visited_key(const storage::TaskKey& task) { return std::string(kVisited) + storage::key::repo(task.repo); }

Visits::Visits(Parts parts, const Plan& plan, std::uint64_t seed, bool resting)
    : p_(parts),
      workers_(plan.workers),
      work_ms_max_(plan.work_ms_max),
      careless_(plan.plant == Plant::ForeignFence),
      resting_(resting),
      draws_(seed),
      queue_(p_.index, p_.clock),
      frontier_(queue_, p_.clock, frontier_options(plan), [this] { return scale::unit_of(draws_.next()); }),
      crew_(frontier_, p_.time.context().get_executor(), p_.time.sleeper(), worker_options(plan, resting)) {}

void Visits::start(std::function<void(Error)> ended) {
  ended_ = std::move(ended);
  if (auto ready = take_up_what_is_left(); !ready) return ended_(ready.error());
  spawn(follow_journal(), 1);
  if (careless_)
    for (int number = 1; number <= workers_; ++number) spawn(careless_worker(number), 1);
  else
    spawn(crew_.run([this](const storage::Task& task) { return visit(task); }, [] { return false; }),
          static_cast<std::size_t>(workers_) + 1);  // and a heart
}

void Visits::spawn(net::awaitable<Result<>> coroutine, std::size_t sleepers) {
  running_ += sleepers;
  boost::asio::co_spawn(p_.time.context(), std::move(coroutine),
                        [this, sleepers](const std::exception_ptr& thrown, Result<> result) {
                          running_ -= sleepers;
                          if (thrown) return ended_({Errc::Internal, "an exception ended the workers"});
                          ended_(result ? Error{Errc::Internal, "the workers ended by themselves"} : result.error());
                        });
}

Result<> Visits::take_up_what_is_left() {
  HM_TRY(queue_.recover([](const std::string&) { return false; }));
  if (!resting_) return ok();
  std::vector<storage::TaskKey> parked;
  std::vector<storage::NewTask> failed;
  HM_TRY(queue_.each([&](const storage::Task& task) {
    if (task.state == storage::TaskState::Parked) parked.push_back(task.key);
    if (task.state == storage::TaskState::Failed) failed.push_back({task.key});
    return true;
  }));
  HM_TRY(queue_.wake(parked));
  return queue_.enqueue(failed);
}

/// Where it is in the journal is stored with the tasks that it made of it.
net::awaitable<Result<>> Visits::follow_journal() {
  for (;;) {
    HM_CO_TRY(const auto stored, p_.index.get(Family::Meta, kFollowed));
    std::uint64_t next = stored ? storage::key::parse_u64(*stored).value_or(0) : 0;
    std::vector<storage::NewTask> tasks;
    HM_CO_TRY(p_.journal.each(next, [&](const storage::JournalEntry& e) -> Result<bool> {
      const auto kind = parse_repo_kind(std::string_view(e.value.at("kind").as_string())).value();
      const auto rid = Rid::parse(std::string_view(e.value.at("rid").as_string())).value();
      storage::NewTask task;
      task.key = {{kind, rid}, std::string(kVisit)};
      task.lane = static_cast<std::uint8_t>(crawler::Lane::Changed);
      tasks.push_back(std::move(task));
      next = e.sequence + 1;
      return tasks.size() < kEntriesAtOnce;
    }));
    if (!tasks.empty()) {
      storage::Batch batch;
      batch.put(Family::Meta, std::string(kFollowed), storage::key::u64(next));
      HM_CO_TRY(queue_.enqueue(tasks, std::move(batch)));
    }
    HM_CO_TRY(co_await p_.time.sleep(tasks.size() == kEntriesAtOnce ? 1'000 : 5 * kMinuteMs));
  }
}

net::awaitable<crawler::WorkOutcome> Visits::visit(const storage::Task& task) {
  crawler::WorkOutcome outcome;
  auto sha = co_await look_at(task);
  if (sha)
    outcome.batch.put(Family::Meta, visited_key(task.key),
                      std::to_string(task.lease->fence) + " " + sha.assume_value());
  else
    outcome.error = sha.assume_error();
  co_return outcome;
}

net::awaitable<Result<std::string>> Visits::look_at(const storage::Task& task) {
  HM_CO_TRY(const auto row, storage::find_listing(p_.index, task.key.repo));
  if (!row) co_return Error(Errc::NotFound, "it is not listed");
  RepoId name{task.key.repo.kind, row->name};
  HM_CO_TRY(const auto info, co_await p_.api.repo_info(std::move(name), std::nullopt));
  if (info.rid && *info.rid != task.key.repo.rid) co_return Error(Errc::NotFound, "its name is another's now");
  const auto work_ms = static_cast<std::int64_t>(draws_.below(static_cast<std::uint32_t>(work_ms_max_)));
  HM_CO_TRY(co_await p_.time.sleep(work_ms));
  co_return info.sha ? info.sha->hex() : std::string();
}

/// The planted mistake: reports under whatever lease the task has now.
net::awaitable<Result<>> Visits::careless_worker(int number) {
  const std::string owner = "node-a:" + std::to_string(number);
  for (;;) {
    HM_CO_TRY(auto task, frontier_.next(owner));
    if (!task) {
      HM_CO_TRY(co_await p_.time.sleep(kMinuteMs));
      continue;
    }
    auto outcome = co_await visit(*task);
    HM_CO_TRY(const auto now, queue_.get(task->key));
    if (!now || !now->lease) continue;
    task->lease = now->lease;
    if (outcome.error) {
      HM_CO_TRY(co_await p_.time.sleep(0));
      HM_CO_TRY(frontier_.failed(*task, *outcome.error));
    } else {
      HM_CO_TRY(frontier_.done(*task, std::move(outcome.batch)));
    }
  }
}

Findings check_fence(const storage::Index& before, const storage::Batch& batch, const Clock& clock) {
  Findings findings;
  for (const auto& c : batch.changes()) {
    if (c.family != Family::Meta || !c.key.starts_with(kVisited)) continue;
    const auto repo = storage::key::parse_repo(std::string_view(c.key).substr(kVisited.size())).value();
    const auto task = queue_on(before, clock).get({repo, std::string(kVisit)}).value();
    const std::string fence = c.value.substr(0, c.value.find(' '));
    if (!task || !task->lease || std::to_string(task->lease->fence) != fence)
      findings.push_back("a visit of " + repo.text() + " under lease " + fence + " was stored although the lease is " +
                         (task && task->lease ? std::to_string(task->lease->fence) : std::string("over")));
  }
  return findings;
}

Findings check_visits(const scale::World& world, const storage::Index& index) {
  Findings findings;
  for (std::size_t k = 0; k < scale::kKinds; ++k) {
    world.for_each(scale::kind_at(k), [&](const scale::Truth& truth) {
      if (!truth.visible || truth.disabled || findings.size() > 20) return;
      const storage::TaskKey key{{truth.kind, truth.rid}, std::string(kVisit)};
      const auto visited = index.get(Family::Meta, visited_key(key)).value();
      if (!visited || !visited->ends_with(" " + truth.sha))
        findings.push_back(truth.rid.text() + " " + truth.name + " was not visited since its last change");
    });
  }
  const VirtualTime no_time(0);
  (void)queue_on(index, no_time).each([&](const storage::Task& task) {
    const bool is_disabled = world.find(task.key.repo.rid)->disabled;  // then it waits for access, and rightly so
    if (!is_disabled && task.state == storage::TaskState::Parked)
      findings.push_back("the task of " + task.key.repo.text() + " is " + std::string(name_of(task.state)) +
                         " at rest: " + task.last_error);
    return true;
  });
  return findings;
}
}  // namespace hm::test::sim
