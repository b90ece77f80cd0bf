#include "storage/task_queue.hpp"

#include <algorithm>
#include <map>

#include "base/canonical_json.hpp"
#include "base/check.hpp"
#include "base/text.hpp"
#include "storage/key_space.hpp"

namespace hm::storage {
namespace {
// Rows of a task begin with the kind of its repository (1, 2, 3); rows that put tasks in order begin with a letter
// behind all of them.
constexpr char kQueueTag = 'q', kLeaseTag = 'l';
constexpr std::size_t kOrderBytes = 3;                 // tag, lane, priority: before the time
constexpr std::string_view kFenceKey = "tasks/fence";  // Meta: the newest fence number given out

std::string task_key(const TaskKey& key) { return key::task(key.repo, key.what); }

std::optional<TaskKey> parse_task_key(std::string_view bytes) {
  const auto repo = key::parse_repo(bytes);
  if (!repo) return std::nullopt;
  return TaskKey{*repo, std::string(bytes.substr(kRepoKeyBytes))};
}

std::string queue_key(const Task& task) {
  std::string out{kQueueTag, static_cast<char>(task.lane), static_cast<char>(255 - task.priority)};
  return out.append(key::u64(static_cast<std::uint64_t>(task.not_before_ms))).append(task_key(task.key));
}
/// When the task of such a key is due.
std::optional<std::uint64_t> queue_time(std::string_view key) {
  if (key.size() < kOrderBytes) return std::nullopt;
  return key::parse_u64(key.substr(kOrderBytes, sizeof(std::uint64_t)));
}
/// Where the next priority begins.
std::string behind_priority(std::string_view queue_key) {
  return std::string(queue_key.substr(0, kOrderBytes)).append(sizeof(std::uint64_t) + 1, '\xff');
}
std::string lease_key(const Task& task) {
  std::string out(1, kLeaseTag);
  return out.append(key::u64(static_cast<std::uint64_t>(task.lease->until_ms))).append(task_key(task.key));
}

bool is_valid_what(std::string_view what) {
  return !what.empty() && what.size() <= kTaskWhatBytesMax && std::all_of(what.begin(), what.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == ':' || c == '.' || c == '_' || c == '-';
  });
}

/// What puts the task in order; "" for one that waits for nothing.
std::string order_key(const Task& task) {
  if (task.state == TaskState::Queued) return queue_key(task);
  return task.state == TaskState::Leased ? lease_key(task) : std::string();
}
/// Behind all keys that begin with `prefix`, whose last byte is not 0xff.
std::string behind(std::string prefix) {
  ++prefix.back();
  return prefix;
}
/// Removes what puts the task in order; its row is written anew by put_row.
void take_out(Batch& batch, const Task& task) {
  if (std::string order = order_key(task); !order.empty()) batch.remove(Family::Tasks, std::move(order));
}

void merge(Task& task, const NewTask& more) {
  const bool pending = task.state == TaskState::Queued || task.state == TaskState::Parked || task.again;
  task.priority = pending ? std::max(task.priority, more.priority) : more.priority;
  task.not_before_ms = pending ? std::min(task.not_before_ms, more.not_before_ms) : more.not_before_ms;
  task.lane = pending ? std::min(task.lane, more.lane) : more.lane;
  if (task.state == TaskState::Leased) {
    task.again = true;
  } else if (task.state == TaskState::Done || task.state == TaskState::Failed) {
    task.state = TaskState::Queued;
    task.attempts = task.crashes = 0;
  }
}

/// One more worker is gone: the task goes back to the queue, or aside.
void count_crash(Task& task, std::string error) {
  ++task.crashes;
  task.last_error = std::move(error);
  if (task.crashes < kTaskCrashesMax) return;
  task.state = TaskState::Parked;
  task.failure = kPoison;
}
}  // namespace

std::string_view name_of(TaskState state) {
  switch (state) {
    case TaskState::Queued:
      return "queued";
    case TaskState::Leased:
      return "leased";
    case TaskState::Parked:
      return "parked";
    case TaskState::Done:
      return "done";
    case TaskState::Failed:
      return "failed";
  }
  return "unknown";
}

std::string pack_task(const Task& task) {
  json::object row;
  row["state"] = json::string_view(name_of(task.state).data(), name_of(task.state).size());
  row["priority"] = task.priority;
  row["not_before"] = task.not_before_ms;
  row["attempts"] = task.attempts;
  if (task.lane != 0) row["lane"] = task.lane;
  if (task.crashes != 0) row["crashes"] = task.crashes;
  if (!task.failure.empty()) row["failure"] = printable(task.failure);
  if (!task.last_error.empty()) row["error"] = printable(task.last_error);
  if (task.again) row["again"] = true;
  if (task.lease)
    row["lease"] = json::object{
        {"owner", printable(task.lease->owner)}, {"fence", task.lease->fence}, {"until", task.lease->until_ms}};
  auto text = canonical_json(row);
  HM_CHECK(text.has_value());  // printable text and integers only
  return std::move(text).assume_value();
}

Result<Task> unpack_task(const TaskKey& key, std::string_view bytes) {
  const Error corrupt{Errc::Corrupt, "task " + key.repo.rid.text() + " " + printable(key.what) +
                                         " is stored in a form that nobody writes"};
  auto parsed = parse_json(bytes);
  if (!parsed || !parsed.assume_value().is_object()) return corrupt;
  const json::object& row = parsed.assume_value().get_object();
  auto number = [](const json::object& in, const char* name, std::int64_t largest,
                   bool needed = true) -> std::optional<std::int64_t> {
    const json::value* v = in.if_contains(name);
    if (v == nullptr && !needed) return 0;
    if (v == nullptr || !v->is_int64() || v->get_int64() < 0 || v->get_int64() > largest) return std::nullopt;
    return v->get_int64();
  };
  auto text = [](const json::object& in, const char* name) -> std::string {
    const json::value* v = in.if_contains(name);
    return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string();
  };
  Task task{key};
  bool known = false;
  for (TaskState state :
       {TaskState::Queued, TaskState::Leased, TaskState::Parked, TaskState::Done, TaskState::Failed}) {
    if (text(row, "state") == name_of(state)) task.state = state, known = true;
  }
  const auto priority = number(row, "priority", 255), not_before = number(row, "not_before", INT64_MAX),
             attempts = number(row, "attempts", UINT32_MAX), lane = number(row, "lane", kTaskLanes - 1, false),
             crashes = number(row, "crashes", UINT32_MAX, false);
  if (!known || !priority || !not_before || !attempts || !lane || !crashes) return corrupt;
  task.priority = static_cast<std::uint8_t>(*priority);
  task.not_before_ms = *not_before;
  task.attempts = static_cast<std::uint32_t>(*attempts);
  task.lane = static_cast<std::uint8_t>(*lane);
  task.crashes = static_cast<std::uint32_t>(*crashes);
  task.failure = text(row, "failure");
  task.last_error = text(row, "error");
  task.again = row.contains("again");
  if (const json::value* lease = row.if_contains("lease"); lease != nullptr && lease->is_object()) {
    const auto fence = number(lease->get_object(), "fence", INT64_MAX),
               until = number(lease->get_object(), "until", INT64_MAX);
    if (!fence || !until) return corrupt;
    task.lease = Lease{text(lease->get_object(), "owner"), static_cast<std::uint64_t>(*fence), *until};
  }
  if ((task.state == TaskState::Leased) != task.lease.has_value()) return corrupt;
  return task;
}

Result<std::optional<Task>> TaskQueue::get(const TaskKey& key) const {
  HM_TRY(const auto bytes, index_.get(Family::Tasks, task_key(key)));
  if (!bytes) return std::optional<Task>();
  HM_TRY(Task task, unpack_task(key, *bytes));
  return std::optional(std::move(task));
}

Result<> TaskQueue::enqueue(const std::vector<NewTask>& tasks, Batch batch) {
  const std::lock_guard lock(change_mutex_);
  std::map<TaskKey, std::pair<std::optional<Task>, Task>>
      changed;  // before and after; the same task may be named twice
  for (const NewTask& more : tasks) {
    if (!is_valid_what(more.key.what))
      return Error{Errc::BadInput,
                   "\"" + printable(more.key.what) + "\" is no name of a task: 1 to 128 of a-z 0-9 : . _ -"};
    if (more.not_before_ms < 0) return Error{Errc::BadInput, "a task cannot be due before 1970"};
    if (more.lane >= kTaskLanes) return Error{Errc::BadInput, "there is no lane " + std::to_string(more.lane)};
    auto at = changed.find(more.key);
    if (at == changed.end()) {
      HM_TRY(const auto before, get(more.key));
      Task task = before.value_or(Task{more.key, TaskState::Queued, more.priority, more.not_before_ms, more.lane});
      at = changed.emplace(more.key, std::pair(before, std::move(task))).first;
    }
    merge(at->second.second, more);
  }
  for (const auto& [key, states] : changed) {
    if (states.first) take_out(batch, *states.first);
    put_row(batch, states.second);
  }
  return index_.commit(batch);
}

void TaskQueue::put_row(Batch& batch, const Task& task) {
  batch.put(Family::Tasks, task_key(task.key), pack_task(task));
  std::string order = order_key(task);
  if (order.empty()) return;
  starts_.added(order);
  batch.put(Family::Tasks, std::move(order), {});
}

/// Keys that begin with `prefix`, from `from` on. What is gone in front of the first is not stepped over again.
Result<> TaskQueue::scan_order(const std::string& prefix, const std::string& from,
                               const std::function<bool(std::string_view key)>& visit) const {
  const std::string start = starts_.start(from);
  std::string first = behind(prefix);
  if (start >= first) return ok();
  bool any = false;
  HM_TRY(index_.scan(
      Family::Tasks, prefix,
      [&](std::string_view key, std::string_view) {
        if (!any) first = key;
        any = true;
        return visit(key);
      },
      start));
  starts_.nothing_between(from, first);
  return ok();
}

/// Of a task under a lease, whose place in the order does not tell its lane.
Result<bool> TaskQueue::is_of(const TaskKey& key, Lanes lanes) const {
  HM_TRY(const auto task, get(key));
  return task && lanes.has(task->lane);
}

Result<std::vector<TaskKey>> TaskQueue::expired(std::size_t count, std::int64_t now_ms, Lanes lanes) const {
  std::vector<TaskKey> out;
  bool damaged = false;
  Result<> looked = ok();
  const std::string prefix(1, kLeaseTag);
  HM_TRY(scan_order(prefix, prefix, [&](std::string_view key) {
    const auto until = key::parse_u64(key.substr(1, 8));
    const auto task = until ? parse_task_key(key.substr(9)) : std::nullopt;
    damaged = !task;
    if (damaged || out.size() >= count || static_cast<std::int64_t>(*until) > now_ms) return false;
    const auto ours = is_of(*task, lanes);
    if (!ours) looked = ours.error();
    if (ours && ours.assume_value()) out.push_back(*task);
    return ours.has_value();
  }));
  HM_TRY(std::move(looked));
  if (damaged) return Error{Errc::Corrupt, "the order of leases holds a malformed key"};
  return out;
}

Result<std::vector<TaskKey>> TaskQueue::due(std::size_t count, std::int64_t now_ms,
                                            std::optional<std::uint8_t> lane) const {
  std::vector<TaskKey> out;
  bool damaged = false, more = true;
  std::string prefix(1, kQueueTag);
  if (lane) prefix += static_cast<char>(*lane);
  std::string from = prefix;
  while (more && !damaged && out.size() < count) {  // one round per lane and priority that has tasks
    more = false;
    const std::string start = from;
    HM_TRY(scan_order(prefix, start, [&](std::string_view key) {
      const auto when = queue_time(key);
      const auto task = when ? parse_task_key(key.substr(kOrderBytes + sizeof *when)) : std::nullopt;
      damaged = !task;
      if (damaged || out.size() >= count) return false;
      if (static_cast<std::int64_t>(*when) > now_ms) {  // the rest of this priority is later still: go on with the next
        from = behind_priority(key);
        more = true;
        return false;
      }
      out.push_back(*task);
      return true;
    }));
  }
  if (damaged) return Error{Errc::Corrupt, "the order of tasks holds a malformed key"};
  return out;
}

Result<bool> TaskQueue::is_due(std::uint8_t lane) const {
  const std::lock_guard lock(change_mutex_);
  HM_TRY(const auto first, due(1, clock_.unix_ms(), lane));
  return !first.empty();
}

Result<std::vector<Task>> TaskQueue::lease(std::size_t count, std::string_view owner, std::int64_t duration_ms,
                                           std::optional<std::uint8_t> lane, Lanes ours) {
  const std::lock_guard lock(change_mutex_);
  const std::int64_t now = clock_.unix_ms();
  count = std::min(count, kLeaseCountMax);
  HM_TRY(auto keys, expired(count, now, ours));
  HM_TRY(const auto queued, due(count - keys.size(), now, lane));
  keys.insert(keys.end(), queued.begin(), queued.end());
  return lease_waiting(keys, owner, now + duration_ms);
}

Result<std::vector<Task>> TaskQueue::lease_these(std::vector<TaskKey> keys, std::string_view owner,
                                                 std::int64_t duration_ms) {
  const std::lock_guard lock(change_mutex_);
  std::vector<TaskKey> queued;
  for (TaskKey& key : keys) {
    HM_TRY(const auto task, get(key));
    if (task && task->state == TaskState::Queued) queued.push_back(std::move(key));
  }
  return lease_waiting(queued, owner, clock_.unix_ms() + duration_ms);
}

/// @pre each is queued, or leased by somebody whose time is over; none is named twice
Result<std::vector<Task>> TaskQueue::lease_waiting(const std::vector<TaskKey>& keys, std::string_view owner,
                                                   std::int64_t until_ms) {
  std::vector<Task> out;
  if (keys.empty()) return out;
  HM_TRY(const auto stored_fence, index_.get(Family::Meta, kFenceKey));
  std::uint64_t fence = stored_fence ? key::parse_u64(*stored_fence).value_or(0) : 0;
  Batch batch;
  for (const TaskKey& key : keys) {
    HM_TRY(auto task, get(key));
    if (!task || (task->state != TaskState::Queued && task->state != TaskState::Leased))
      return Error{Errc::Corrupt, "the order of tasks names one that is not waiting"};
    take_out(batch, *task);
    if (task->lease) {
      count_crash(*task, "lease " + std::to_string(task->lease->fence) + " by " + task->lease->owner +
                             " ran out without a word");
      task->lease.reset();
      if (task->state == TaskState::Parked) {
        put_row(batch, *task);
        continue;
      }
    }
    task->state = TaskState::Leased;
    task->attempts += task->attempts < UINT32_MAX ? 1U : 0U;
    task->lease = Lease{printable(owner), ++fence, until_ms};
    put_row(batch, *task);
    out.push_back(std::move(*task));
  }
  batch.put(Family::Meta, std::string(kFenceKey), key::u64(fence));
  HM_TRY(index_.commit(batch));
  return out;
}

Result<Task> TaskQueue::leased(const TaskKey& key, std::uint64_t fence) const {
  HM_TRY(auto task, get(key));
  if (!task) return Error{Errc::NotFound, "there is no task " + key.repo.rid.text() + " " + printable(key.what)};
  if (task->state != TaskState::Leased || task->lease->fence != fence) {
    return Error{
        Errc::Busy,
        "lease " + std::to_string(fence) + " of task " + key.repo.rid.text() + " " + printable(key.what) +
            " is over: it is " + std::string(name_of(task->state)) +
            (task->lease ? " by " + task->lease->owner + " under lease " + std::to_string(task->lease->fence) : "")};
  }
  return std::move(*task);
}

Result<> TaskQueue::heartbeat(const TaskKey& key, std::uint64_t fence, std::int64_t duration_ms) {
  const std::lock_guard lock(change_mutex_);
  HM_TRY(Task task, leased(key, fence));
  Batch batch;
  take_out(batch, task);
  task.lease->until_ms = clock_.unix_ms() + duration_ms;
  put_row(batch, task);
  return index_.commit(batch);
}

Result<> TaskQueue::complete(const TaskKey& key, std::uint64_t fence, Batch batch) {
  const std::lock_guard lock(change_mutex_);
  HM_TRY(Task task, leased(key, fence));
  take_out(batch, task);
  task.lease.reset();
  task.attempts = task.crashes = 0;
  task.failure.clear();
  task.last_error.clear();
  task.state = task.again ? TaskState::Queued : TaskState::Done;
  task.again = false;
  put_row(batch, task);
  return index_.commit(batch);
}

Result<> TaskQueue::fail(const TaskKey& key, std::uint64_t fence, const TaskFailure& failure, Batch batch) {
  const std::lock_guard lock(change_mutex_);
  HM_TRY(Task task, leased(key, fence));
  take_out(batch, task);
  task.lease.reset();
  if (!failure.counts && task.attempts > 0) --task.attempts;
  task.failure = failure.kind;
  task.last_error = printable(std::string_view(failure.error).substr(0, kTaskErrorBytesMax));
  task.state = TaskState::Queued;
  if (failure.then == TaskFailure::Then::Retry) {
    const std::int64_t retry = std::max<std::int64_t>(0, failure.retry_at_ms);
    task.not_before_ms = task.again ? std::min(task.not_before_ms, retry) : retry;
  } else if (failure.then == TaskFailure::Then::Park) {
    task.state = TaskState::Parked;
  } else if (!task.again) {
    task.state = TaskState::Failed;
  }
  task.again = false;
  if (failure.crashed) count_crash(task, task.last_error);
  put_row(batch, task);
  return index_.commit(batch);
}

Result<> TaskQueue::wake(const std::vector<TaskKey>& keys) {
  const std::lock_guard lock(change_mutex_);
  Batch batch;
  for (const TaskKey& key : keys) {
    HM_TRY(auto task, get(key));
    if (!task || task->state != TaskState::Parked) continue;
    task->state = TaskState::Queued;
    task->attempts = task->crashes = 0;
    put_row(batch, *task);
  }
  return batch.empty() ? ok() : index_.commit(batch);
}

Result<std::uint64_t> TaskQueue::recover(const std::function<bool(const std::string&)>& is_alive,
                                         const std::function<bool(const std::string&)>& has_crashed) {
  const std::lock_guard lock(change_mutex_);
  HM_TRY(const auto keys, expired(SIZE_MAX, INT64_MAX, Lanes()));  // every lease there is: as many as there are workers
  Batch batch;
  std::uint64_t count = 0;
  for (const TaskKey& key : keys) {
    HM_TRY(auto task, get(key));
    if (!task || !task->lease || is_alive(task->lease->owner)) continue;
    take_out(batch, *task);
    task->again = false;  // it is queued in any case
    task->state = TaskState::Queued;
    if (has_crashed && has_crashed(task->lease->owner))
      count_crash(*task, task->lease->owner + " crashed at work on it");
    task->lease.reset();
    put_row(batch, *task);
    ++count;
  }
  HM_TRY(index_.commit(batch));
  return count;
}

namespace {
/// @returns false when `visit` did.
Result<bool> each_task_under(const Index& index, const std::string& prefix,
                             const std::function<bool(const Task&)>& visit) {
  std::optional<Error> problem;
  bool go_on = true;
  HM_TRY(index.scan(Family::Tasks, prefix, [&](std::string_view key, std::string_view value) {
    const auto parsed = parse_task_key(key);
    auto task =
        parsed ? unpack_task(*parsed, value) : Result<Task>(Error{Errc::Corrupt, "the tasks hold a malformed key"});
    if (!task) problem = task.error();
    go_on = task && visit(task.assume_value());
    return go_on;
  }));
  if (problem) return *problem;
  return go_on;
}
}  // namespace

Result<> TaskQueue::each(const std::function<bool(const Task&)>& visit) const {
  for (RepoKind kind : {RepoKind::Model, RepoKind::Dataset, RepoKind::Space}) {
    HM_TRY(const bool go_on, each_task_under(index_, std::string(1, static_cast<char>(kind)), visit));
    if (!go_on) break;
  }
  return ok();
}

Result<> each_task_of(const Index& index, const RepoKey& repo, const std::function<bool(const Task&)>& visit) {
  HM_TRY(each_task_under(index, key::repo(repo), visit));
  return ok();
}

Result<std::optional<std::int64_t>> TaskQueue::next_due_ms(Lanes lanes) const {
  const std::lock_guard lock(change_mutex_);
  std::optional<std::int64_t> soonest;
  auto consider = [&](std::optional<std::uint64_t> when) {
    if (when && (!soonest || static_cast<std::int64_t>(*when) < *soonest)) soonest = static_cast<std::int64_t>(*when);
  };
  const std::string leases(1, kLeaseTag), queue(1, kQueueTag);
  std::size_t others = 0;
  Result<> looked = ok();
  HM_TRY(scan_order(leases, leases, [&](std::string_view key) {
    const auto task = parse_task_key(key.substr(9));
    const auto ours = task ? is_of(*task, lanes) : Result<bool>(true);
    if (!ours) looked = ours.error();
    if (ours && ours.assume_value()) consider(key::parse_u64(key.substr(1, 8)));
    return ours && !ours.assume_value() && ++others < kLeaseCountMax;  // behind so many it will be asked again
  }));
  HM_TRY(std::move(looked));
  std::string from{kQueueTag, static_cast<char>(lanes.first)};
  for (bool more = true; more;) {  // the first of each lane and priority
    more = false;
    const std::string start = from;
    HM_TRY(scan_order(queue, start, [&](std::string_view key) {
      const auto when = queue_time(key);
      if (!when || static_cast<std::uint8_t>(key[1]) >= lanes.end) return false;
      consider(when);
      from = behind_priority(key);
      more = true;
      return false;
    }));
  }
  return soonest;
}
}  // namespace hm::storage
