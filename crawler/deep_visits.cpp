#include "crawler/deep_visits.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <queue>
#include <tuple>
#include <unordered_set>

#include "base/run_on.hpp"
#include "crawler/derivatives.hpp"
#include "crawler/survey.hpp"
#include "mirror/lfs/tasks.hpp"
#include "storage/columns.hpp"
#include "storage/key_space.hpp"
#include "storage/listing_row.hpp"
#include "storage/rows.hpp"

namespace hm::crawler {
namespace {
using storage::Column;
using storage::kColumnGroup;

constexpr std::string_view kVisitTask = "visit";
constexpr std::uint64_t kVisitShare = 60;  // per cent of a window; sweeps may use 80
constexpr int kVisitsParallel = 4;
constexpr std::int64_t kDayMs = 24LL * 3'600'000;
// A change is looked for again so long after the visit: the Hub's clock is another, and a commit is listed a little
// after its time.
constexpr std::int64_t kClockLeewayMs = 10LL * 60'000;

/// One number of each repository of one group.
using Group = std::vector<std::uint64_t>;
Result<Group> read_group(const storage::Index& index, Column column, std::uint32_t group_first) {
  Group out(kColumnGroup, 0);
  auto visit = [&](std::uint32_t first, const storage::ColumnChunk& chunk) {
    for (std::uint32_t i = 0; i < chunk.size(); ++i) out[first - group_first + i] = chunk.number(i);
    return true;
  };
  HM_TRY(storage::scan_column(index, column, visit,
                              [&](std::uint32_t first, std::uint32_t) { return first == group_first; }));
  return out;
}

/// The stored keys of a group, one behind the other.
Result<std::string> read_keys(const storage::Index& index, std::uint32_t group_first) {
  std::string out(kColumnGroup * storage::kRepoKeyBytes, '\0');
  auto visit = [&](std::uint32_t first, const storage::ColumnChunk& chunk) {
    for (std::uint32_t i = 0; i < chunk.size(); ++i)
      if (chunk.bytes(i).size() == storage::kRepoKeyBytes)
        chunk.bytes(i).copy(&out[(first - group_first + i) * storage::kRepoKeyBytes], storage::kRepoKeyBytes);
    return true;
  };
  HM_TRY(storage::scan_column(index, Column::Key, visit,
                              [&](std::uint32_t first, std::uint32_t) { return first == group_first; }));
  return out;
}

/// What speaks for a repository beside its own columns.
struct Weights {
  std::unordered_set<std::string> pinned;  ///< stored keys
  DerivativeCounts derivatives;
};
Result<Weights> read_weights(const storage::Index& index) {
  HM_TRY(auto derivatives, DerivativeCounts::read(index));
  Weights out{{}, std::move(derivatives)};
  Result<> outcome = ok();
  HM_TRY(index.scan(storage::Family::Repos, {}, [&](std::string_view key, std::string_view bytes) {
    const auto row = storage::unpack_repo(bytes);
    if (!row) outcome = row.error();
    if (row && !row.assume_value().pins.empty()) out.pinned.emplace(key);
    return row.has_value();
  }));
  HM_TRY(std::move(outcome));
  return out;
}

struct Wanted {
  std::uint8_t priority = 0;
  std::uint64_t downloads = 0;
  std::uint32_t ordinal = 0;
  std::string key = {};  ///< as it is stored
  /// True when this one goes first.
  bool operator<(const Wanted& other) const {
    return std::tuple(priority, downloads, other.ordinal) > std::tuple(other.priority, other.downloads, ordinal);
  }
};
/// The most important ones of a lane.
class Best {
 public:
  explicit Best(std::size_t count_max) : count_max_(count_max) {}
  void consider(Wanted wanted) {
    if (best_.size() == count_max_ && !(wanted < best_.top())) return;
    if (best_.size() == count_max_) best_.pop();
    best_.push(std::move(wanted));
  }
  std::vector<Wanted> take() {
    std::vector<Wanted> out;
    for (; !best_.empty(); best_.pop()) out.push_back(best_.top());
    std::reverse(out.begin(), out.end());
    return out;
  }

 private:
  const std::size_t count_max_;
  std::priority_queue<Wanted> best_;  ///< its top is the last of them
};

std::optional<Lane> lane_of(std::int64_t modified_ms, std::int64_t queued_ms, std::int64_t now_ms,
                            const VisitOptions& options) {
  if (queued_ms == 0) return Lane::Unvisited;
  if (modified_ms + kClockLeewayMs > queued_ms) return Lane::Changed;
  if (queued_ms + options.revisit_after_ms <= now_ms) return Lane::Rest;
  return std::nullopt;
}

using Lanes = std::array<std::optional<Best>, kFrontierLanes>;  ///< those that are looked for

Result<> consider_group(const storage::Index& index, std::uint32_t group_first, std::uint32_t source,
                        std::int64_t now_ms, const VisitOptions& options, const Weights& weights, Lanes& lanes) {
  HM_TRY(const Group states, read_group(index, Column::State, group_first));
  HM_TRY(const Group sources, read_group(index, Column::Source, group_first));
  HM_TRY(const Group modified, read_group(index, Column::Modified, group_first));
  HM_TRY(const Group queued, read_group(index, Column::Queued, group_first));
  HM_TRY(const Group downloads, read_group(index, Column::Downloads, group_first));
  HM_TRY(const std::string keys, read_keys(index, group_first));
  constexpr std::uint64_t kOutOfReach = storage::kStateGone | storage::kStatePrivate | storage::kStateDisabled;
  for (std::uint32_t i = 0; i < kColumnGroup; ++i) {
    const auto is_kind = [&](RepoKind kind) { return (states[i] & storage::kStateKind) == storage::state_of(kind); };
    if (sources[i] != source || (states[i] & kOutOfReach) != 0 || std::ranges::none_of(options.kinds, is_kind))
      continue;
    const auto modified_ms = static_cast<std::int64_t>(modified[i]) * 1000;
    const auto lane = lane_of(modified_ms, static_cast<std::int64_t>(queued[i]) * 1000, now_ms, options);
    auto& best = lanes[static_cast<std::size_t>(lane.value_or(Lane::Interactive))];
    if (!best) continue;
    std::string key = keys.substr(i * storage::kRepoKeyBytes, storage::kRepoKeyBytes);
    Importance of;
    of.pinned = weights.pinned.contains(key);
    of.downloads = downloads[i];
    of.derivatives = weights.derivatives.of(key);
    of.changed_ago_ms = now_ms - modified_ms;
    best->consider({priority_of(of, options.attention_ms), downloads[i], group_first + i, std::move(key)});
  }
  return ok();
}
}  // namespace

Result<std::size_t> VisitFeeder::feed(std::int64_t now_unix_ms, std::int64_t now_monotonic_ms) {
  Lanes lanes;
  bool any = false;
  for (const Lane lane : {Lane::Changed, Lane::Unvisited, Lane::Rest}) {
    HM_TRY(const bool due, queue_.is_due(static_cast<std::uint8_t>(lane)));
    if (due || now_monotonic_ms < look_again_ms_[static_cast<std::size_t>(lane)]) continue;
    lanes[static_cast<std::size_t>(lane)].emplace(o_.queued_at_once);
    any = true;
  }
  if (!any) return std::size_t{0};
  HM_TRY(const Weights weights, read_weights(index_));
  HM_TRY(const std::uint32_t size, storage::column_size(index_, Column::State));
  for (std::uint32_t first = 0; first < size; first += kColumnGroup) {
    HM_TRY(consider_group(index_, first, storage::fold32(src_), now_unix_ms, o_, weights, lanes));
  }

  std::vector<storage::NewTask> tasks;
  std::vector<storage::TaskKey> news;
  storage::ColumnEditor marks(index_);
  for (std::size_t lane = 0; lane < lanes.size(); ++lane) {
    if (!lanes[lane]) continue;
    const auto wanted = lanes[lane]->take();
    if (wanted.size() < o_.queued_at_once) look_again_ms_[lane] = now_monotonic_ms + o_.look_in_vain_every_ms;
    for (const Wanted& w : wanted) {
      const auto repo = storage::key::parse_repo(w.key);
      if (!repo) continue;
      HM_TRY(marks.set(Column::Queued, w.ordinal, static_cast<std::uint64_t>(now_unix_ms / 1000)));
      tasks.push_back({{*repo, std::string(kVisitTask)}, w.priority, now_unix_ms, static_cast<std::uint8_t>(lane)});
      if (lane == static_cast<std::size_t>(Lane::Changed)) news.push_back(tasks.back().key);
    }
  }
  HM_TRY(queue_.wake(news));  // what failed before may go well now
  storage::Batch batch;
  marks.flush(batch);
  HM_TRY(queue_.enqueue(tasks, std::move(batch)));
  return tasks.size();
}

DeepVisits::DeepVisits(ListerParts parts, Frontier& frontier, std::string owner, VisitOptions options, hub::Sleep sleep)
    : p_(std::move(parts)),
      src_(p_.api.upstream().host_port()),
      o_(std::move(options)),
      sleep_(std::move(sleep)),
      feeder_(p_.index, frontier.queue(), src_, o_),
      workers_(frontier, p_.disk, sleep_, [&] {
        WorkerOptions workers;
        workers.count = kVisitsParallel;
        workers.owner = std::move(owner);
        workers.idle_ms_max = o_.look_every_ms;
        return workers;
      }()) {}

awaitable<Result<>> DeepVisits::run(std::function<bool()> may_begin) {
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  mirror::TaskScope scope(co_await boost::asio::this_coro::executor);
  scope.spawn(feed(std::move(may_begin)));
  Work work = [this](const storage::Task& task) { return visit(task); };
  Told told = [this](const storage::Task&, std::optional<FailureClass> failure, const std::optional<Error>&) {
    report_.failed += failure ? 1 : 0;
  };
  auto outcome = co_await workers_.run(std::move(work), [] { return false; }, std::move(told));
  scope.cancel();
  co_await scope.join();
  co_return outcome;
}

awaitable<void> DeepVisits::feed(std::function<bool()> may_begin) {
  co_await boost::asio::this_coro::throw_if_cancelled(false);
  for (;;) {
    if (may_begin()) {
      const auto fed =
          co_await run_on(p_.disk, [&] { return feeder_.feed(p_.clock.unix_ms(), p_.clock.monotonic_ms()); });
      if (!fed) co_return workers_.stop(fed.error());
    }
    const auto slept = co_await sleep_(o_.look_every_ms);
    if (!slept) co_return;
  }
}

awaitable<WorkOutcome> DeepVisits::visit(storage::Task task) {
  WorkOutcome outcome;
  const auto asked = co_await ask(task.key, outcome.batch);
  if (!asked) outcome.error = asked.error();
  co_return outcome;
}

awaitable<Result<>> DeepVisits::ask(storage::TaskKey key, storage::Batch& batch) {
  HM_CO_TRY(const auto row, co_await run_on(p_.disk, [&] { return storage::find_listing(p_.index, key.repo); }));
  if (!row) co_return Error(Errc::NotFound, key.repo.text() + " is not listed any more");
  HM_CO_TRY(const auto kept,
            co_await run_on(p_.disk, [&] { return fresh_survey(p_.index, src_, key.repo, {}, p_.clock.unix_ms()); }));
  if (kept) {
    ++report_.known;
    co_return ok();
  }
  HM_CO_TRY(co_await wait_for_turn());
  RepoId name{key.repo.kind, row->name};
  HM_CO_TRY(const Surveyed surveyed, co_await survey(p_.api, std::move(name), {}, p_.clock.unix_ms()));
  if (surveyed.key != key.repo) co_return Error(Errc::NotFound, "its name is another's now");
  HM_CO_TRY(
      co_await run_on(p_.disk, [&] { return storage::put_survey(p_.index, batch, surveyed.key, {}, surveyed.row); }));
  ++report_.asked;
  co_return ok();
}

/// Visits are spread evenly over the day, and leave the rest of each window to those that are waited for.
awaitable<Result<>> DeepVisits::wait_for_turn() {
  const std::int64_t now_ms = p_.clock.monotonic_ms();
  const std::int64_t turn_ms = std::max(now_ms, next_turn_ms_);
  next_turn_ms_ = turn_ms + kDayMs / static_cast<std::int64_t>(o_.per_day_max);
  if (turn_ms > now_ms) {
    HM_CO_TRY(co_await sleep_(turn_ms - now_ms));
  }
  for (;;) {
    const auto state = p_.api.budget().state(hub::Bucket::Api);
    const std::int64_t then_ms = p_.clock.monotonic_ms();
    if (!state || state->quota == 0 || !state->reset_ms || *state->reset_ms <= then_ms ||
        state->remaining > state->quota * (100 - kVisitShare) / 100)
      co_return ok();
    HM_CO_TRY(co_await sleep_(*state->reset_ms - then_ms));
  }
}
}  // namespace hm::crawler
