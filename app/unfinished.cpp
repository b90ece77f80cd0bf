#include "app/unfinished.hpp"

#include <unistd.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/canonical_json.hpp"
#include "base/clock.hpp"
#include "base/text.hpp"
#include "crawler/by_hand.hpp"
#include "crawler/frontier.hpp"
#include "storage/key_space.hpp"

namespace hm::app {
using storage::Family;

namespace {
constexpr std::string_view kRequestPrefix = "mirror/request/";  // Meta rows; the task's key follows
constexpr std::int64_t kLeaseMs =
    7LL * 24 * 3600 * 1000;  // the writer lock keeps others out; this only has to outlast a run's pace of ending tasks
constexpr std::size_t kErrorBytesMax = 512;
constexpr auto kLane = static_cast<std::uint8_t>(crawler::Lane::ByHand);

std::string request_row(const storage::TaskKey& key) {
  return std::string(kRequestPrefix) + storage::key::task(key.repo, key.what);
}

const json::value* member(const json::object& object, const char* name) { return object.if_contains(name); }
std::string text_of(const json::object& object, const char* name) {
  const json::value* value = member(object, name);
  return value && value->is_string() ? std::string(value->get_string()) : std::string();
}
bool flag_of(const json::object& object, const char* name) {
  const json::value* value = member(object, name);
  return value && value->is_bool() && value->get_bool();
}
std::string identity(const crawler::MirrorRequest& request) {
  return ascii_lower(request.spec.repo.text()) + "@" + request.spec.revision.value_or("");
}

/// Such an answer will be the same tomorrow: it was told, and nothing is left to do.
bool is_final(const MirrorOutcome& outcome) {
  if (outcome.complete()) return true;
  return outcome.begun && outcome.report.error &&
         (outcome.report.error->code == Errc::NotFound || outcome.report.error->code == Errc::BadInput) &&
         outcome.report.problems.empty();
}
std::string reason_of(const MirrorOutcome& outcome) {
  if (!outcome.begun) return "not begun";
  std::string what = outcome.report.error              ? outcome.report.error->what
                     : outcome.report.problems.empty() ? std::string()
                                                       : outcome.report.problems.front().error.what;
  what.resize(std::min(what.size(), kErrorBytesMax));
  return printable(what);
}
}  // namespace

std::string pack_request(const crawler::MirrorRequest& request, const std::string& upstream) {
  const json::object value{{"all_history", request.all_history},    {"pull_requests", request.pull_requests},
                           {"repo", request.spec.repo.text()},      {"revision", request.spec.revision.value_or("")},
                           {"selection", request.selection.text()}, {"upstream", upstream}};
  auto bytes = canonical_json(value);
  return bytes ? std::move(bytes).assume_value()
               : std::string();  // a revision that is no UTF-8 names nothing; it is asked for once and not noted
}

Result<StoredRequest> unpack_request(std::string_view bytes) {
  HM_TRY(const json::value value, within(parse_canonical_json(bytes), [] { return "reading a stored request"; }));
  if (!value.is_object()) return Error{Errc::Corrupt, "a stored request is no object"};
  const json::object& object = value.get_object();
  StoredRequest stored;
  HM_TRY(const RepoSpec spec, parse_repo_spec(text_of(object, "repo")));
  stored.request.spec.repo = spec.repo;
  if (std::string revision = text_of(object, "revision"); !revision.empty())
    stored.request.spec.revision = std::move(revision);
  HM_TRY(stored.request.selection, config::Selection::parse(text_of(object, "selection")));
  stored.request.all_history = flag_of(object, "all_history");
  stored.request.pull_requests = flag_of(object, "pull_requests");
  stored.upstream = text_of(object, "upstream");
  return stored;
}

UnfinishedList::UnfinishedList(storage::Index& index, storage::TaskQueue& queue, std::string upstream)
    : index_(index), upstream_(std::move(upstream)), queue_(queue) {}

storage::TaskKey UnfinishedList::key_of(const crawler::MirrorRequest& request) const {
  return crawler::task_by_hand(upstream_, request.spec.repo, request.spec.revision);
}

Result<> UnfinishedList::add_to(std::vector<crawler::MirrorRequest>& requests) {
  std::set<std::string> named;
  for (const auto& request : requests) named.insert(identity(request));
  std::vector<storage::TaskKey> open;
  HM_TRY(queue_.each([&](const storage::Task& task) {
    if (task.state != storage::TaskState::Done && task.key.what.starts_with("mirror")) open.push_back(task.key);
    return true;
  }));
  for (const storage::TaskKey& key : open) {
    HM_TRY(const auto row, index_.get(Family::Meta, request_row(key)));
    if (!row) continue;
    HM_TRY(StoredRequest stored, unpack_request(*row));
    if (stored.upstream != upstream_ || !named.insert(identity(stored.request)).second) continue;
    requests.push_back(std::move(stored.request));
  }
  return ok();
}

Result<> UnfinishedList::begin(const std::vector<crawler::MirrorRequest>& requests) {
  storage::Batch batch;
  std::vector<storage::NewTask> tasks;
  std::vector<storage::TaskKey> keys;
  for (const crawler::MirrorRequest& request : requests) {
    slots_.push_back({key_of(request), 0, false});
    keys.push_back(slots_.back().key);
    tasks.push_back({slots_.back().key, 128, 0, kLane});
    batch.put(Family::Meta, request_row(slots_.back().key), pack_request(request, upstream_));
  }
  HM_TRY(queue_.enqueue(tasks, std::move(batch)));
  HM_TRY(queue_.wake(keys));  // whoever asks again for what took workers with it means it
  return lease(0, slots_.size());
}

Result<> UnfinishedList::lease(std::size_t first, std::size_t count) {
  std::map<storage::TaskKey, std::size_t> places;
  std::vector<storage::TaskKey> keys;
  for (std::size_t slot = first; slot < first + count; ++slot)
    if (places.emplace(slots_[slot].key, slot).second) keys.push_back(slots_[slot].key);
  HM_TRY(const auto leased, queue_.lease_these(std::move(keys), "mirror:" + std::to_string(::getpid()), kLeaseMs));
  for (const storage::Task& task : leased) {
    Slot& at = slots_[places.at(task.key)];
    at.fence = task.lease->fence;
    at.open = true;
  }
  return ok();
}

Result<> UnfinishedList::note(Slot& at, const MirrorOutcome& outcome) {
  storage::Batch batch;
  const storage::RepoRow& row = outcome.report.row;
  if (!row.repo.name.empty()) crawler::note_by_hand(batch, {row.repo.kind, row.rid});
  if (!is_final(outcome)) return queue_.fail(at.key, at.fence, {"unfinished", reason_of(outcome)}, std::move(batch));
  batch.remove(Family::Meta, request_row(at.key));
  return queue_.complete(at.key, at.fence, std::move(batch));
}

void UnfinishedList::ended(std::size_t slot, const MirrorOutcome& outcome) {
  const std::lock_guard lock(mutex_);
  Slot& at = slots_[slot];
  if (at.told) return;
  at.told = true;
  Result<> noted = at.open ? ok() : lease(slot, 1);  // another run had it
  if (noted && at.open) noted = note(at, outcome);
  at.open = false;
  if (!noted && !problem_) problem_ = noted.assume_error();
}

Result<> UnfinishedList::close() {
  const MirrorOutcome never_begun;
  for (std::size_t slot = 0; slot < slots_.size(); ++slot) ended(slot, never_begun);
  if (problem_) return *problem_;
  return ok();
}
}  // namespace hm::app
