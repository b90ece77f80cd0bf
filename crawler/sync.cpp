#include "crawler/sync.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>

#include "base/crash_point.hpp"
#include "base/run_on.hpp"
#include "base/text.hpp"
#include "storage/key_space.hpp"

namespace hm::crawler {
using storage::Family;
using storage::TargetRow;
using storage::TargetState;

namespace {
constexpr std::uint8_t kPriority = 128;

/// True when asking again will not be tried in this generation.
bool is_final(FailureClass kind, const storage::Task& task, std::uint32_t attempts_max) {
  switch (kind) {
    case FailureClass::Transient:
      return task.attempts >= attempts_max;
    case FailureClass::Corrupt:
      return task.failure == name_of(FailureClass::Corrupt);
    case FailureClass::Crashed:
      return task.crashes + 1 >= storage::kTaskCrashesMax;
    case FailureClass::Gated:
    case FailureClass::Gone:
    case FailureClass::Refused:
      return true;
    case FailureClass::UpstreamDown:
    case FailureClass::Local:
      break;
  }
  return false;
}

MirrorRequest request_of(const TargetRow& target, config::Selection selection) {
  MirrorRequest request;
  request.spec.repo = target.repo;
  request.spec.revision = target.commit.hex();
  request.expected = target.key.rid;
  request.selection = std::move(selection);
  request.all_history = target.all_history;
  request.pull_requests = target.pull_requests;
  return request;
}

std::uint64_t calls_to_git_and_files(const hub::RateBudget& budget) {
  return budget.admitted(hub::Bucket::Pages) + budget.admitted(hub::Bucket::Resolvers);
}
}  // namespace

/// Tasks in the order of the targets' keys would start with the oldest repositories: they go in the order of the
/// policies, by the time at which they count as due.
Result<> Sync::enqueue_pending() {
  std::vector<TargetRow> pending;
  HM_TRY(storage::each_target(p_.index, row_.number, [&](const TargetRow& target) {
    if (target.state == TargetState::Pending) pending.push_back(target);
    return true;
  }));
  std::sort(pending.begin(), pending.end(), [](const TargetRow& a, const TargetRow& b) { return a.place < b.place; });
  const std::int64_t now_ms = p_.clock.unix_ms();
  std::vector<storage::NewTask> tasks;
  for (const TargetRow& target : pending) {
    const auto behind = static_cast<std::int64_t>(pending.size() - tasks.size());
    tasks.push_back({task_of(target), kPriority, now_ms - behind, static_cast<std::uint8_t>(Lane::Interactive)});
  }
  pending_ = pending.size();
  return p_.frontier.queue().enqueue(tasks);
}

/// Targets whose task waits for nobody: set aside because it took workers with it.
Result<> Sync::settle_stuck() {
  storage::Batch batch;
  std::optional<Error> problem;
  HM_TRY(storage::each_target(p_.index, row_.number, [&](const TargetRow& target) {
    if (target.state != TargetState::Pending) return true;
    const auto task = p_.frontier.queue().get(task_of(target));
    if (!task) problem = task.error();
    const bool aside = task && task.assume_value() && task.assume_value()->state == storage::TaskState::Parked &&
                       task.assume_value()->failure == storage::kPoison;
    if (!aside) return task.has_value();
    TargetRow settled = target;
    settled.state = TargetState::Failed;
    settled.failure = task.assume_value()->failure;
    settled.reason = task.assume_value()->last_error;
    settled.settled_ms = p_.clock.unix_ms();
    batch.put(Family::Generations, storage::target_key(row_.number, target.key, target.commit),
              storage::pack_target(settled));
    return true;
  }));
  if (problem) return *problem;
  return batch.empty() ? ok() : p_.index.commit(batch);
}

void Sync::settle(TargetRow& target, const MirrorReport& report, const storage::Task& task, WorkOutcome& outcome) {
  if (report.error)
    outcome.error = report.error;
  else if (!report.problems.empty())
    outcome.error = Error(report.problems.front().error.code,
                          report.problems.front().path + ": " + report.problems.front().error.what);
  target.bytes_fetched += report.bytes_fetched;
  target.git_bytes += report.git_bytes;
  if (!outcome.error) {
    target.state = TargetState::Published;
  } else {
    const FailureClass kind = class_of(*outcome.error);
    if (is_final(kind, task, o_.attempts_max)) {
      target.state = TargetState::Failed;
      target.failure = name_of(kind);
      target.reason = outcome.error->what;
    }
  }
  if (target.state != TargetState::Pending) {
    target.settled_ms = p_.clock.unix_ms();
    --pending_;
  }
  outcome.batch.put(Family::Generations, storage::target_key(row_.number, target.key, target.commit),
                    storage::pack_target(target));
}

awaitable<WorkOutcome> Sync::work(const storage::Task& task) {
  WorkOutcome outcome;
  const auto commit = commit_of_task(task.key);
  if (!commit) co_return std::move(outcome);  // of an earlier version: nobody waits for it
  auto target =
      co_await run_on(p_.disk, [&] { return storage::find_target(p_.index, row_.number, task.key.repo, *commit); });
  if (!target) {
    outcome.error = target.assume_error();
    co_return std::move(outcome);
  }
  // A task of a generation that ended otherwise has nothing left to do.
  if (!target.assume_value() || target.assume_value()->state != TargetState::Pending) co_return std::move(outcome);
  TargetRow row = std::move(*target.assume_value());
  auto selection = config::Selection::parse(row.selection);
  if (!selection) {
    outcome.error = selection.assume_error();
    co_return std::move(outcome);
  }
  MirrorRequest request = request_of(row, std::move(selection).assume_value());
  std::function<void(const ProgressEvent&)> progress = [this, &row](const ProgressEvent& event) {
    if (progress_.at_work) progress_.at_work(row, event);
  };
  const MirrorReport report = co_await p_.pipeline.mirror(std::move(request), std::move(progress));
  settle(row, report, task, outcome);
  HM_CRASH_POINT("sync.target_done");
  if (progress_.ended) progress_.ended(row, report);
  co_return std::move(outcome);
}

/// The sums over all targets and what this run took, durable.
Result<> Sync::put_figures(bool ended) {
  bool pending = false;
  row_.bytes_fetched = row_.git_bytes = 0;
  HM_TRY(storage::each_target(p_.index, row_.number, [&](const TargetRow& target) {
    pending = pending || target.state == TargetState::Pending;
    row_.bytes_fetched += target.bytes_fetched;
    row_.git_bytes += target.git_bytes;
    return true;
  }));
  if (ended && !pending) row_.ended_ms = p_.clock.unix_ms();
  storage::Batch batch;
  batch.put(Family::Generations, storage::generation_key(row_.number), storage::pack_generation(row_));
  HM_CRASH_POINT("sync.generation_ends");
  return p_.index.commit(batch);
}

awaitable<Result<storage::GenerationRow>> Sync::run(storage::GenerationRow generation, SyncProgress progress) {
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  row_ = std::move(generation);
  progress_ = std::move(progress);
  began_ms_ = p_.clock.monotonic_ms();
  api_calls_before_ = p_.budget.admitted(hub::Bucket::Api);
  other_calls_before_ = calls_to_git_and_files(p_.budget);
  HM_CO_TRY(co_await run_on(p_.disk, [this]() -> Result<> {
    HM_TRY(settle_stuck());
    return enqueue_pending();
  }));
  Workers workers(p_.frontier, p_.disk, p_.sleep, {o_.repos_parallel, p_.owner});
  Work one = [this](const storage::Task& task) { return work(task); };
  auto may_end = [this] { return pending_ == 0; };
  auto told = [&workers](const storage::Task&, std::optional<FailureClass> failure, const std::optional<Error>& error) {
    if (failure == FailureClass::UpstreamDown) workers.stop(*error);  // whoever runs us comes back later
  };
  const auto worked = co_await workers.run(std::move(one), std::move(may_end), std::move(told));
  row_.fetching_ms += p_.clock.monotonic_ms() - began_ms_;
  row_.api_calls_done += p_.budget.admitted(hub::Bucket::Api) - api_calls_before_;
  row_.other_calls_done += calls_to_git_and_files(p_.budget) - other_calls_before_;
  HM_CO_TRY(co_await run_on(p_.disk, [&] { return put_figures(worked.has_value()); }));
  if (!worked) co_return worked.error();
  co_return row_;
}
}  // namespace hm::crawler
