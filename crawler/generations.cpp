#include "crawler/generations.hpp"

#include <algorithm>
#include <map>

#include "base/crash_point.hpp"
#include "storage/key_space.hpp"

namespace hm::crawler {
using storage::Family;
using storage::TargetRow;
using storage::TargetState;

namespace {
constexpr std::string_view kTask = "mirror:";  // the commit's hex digits follow
constexpr std::string_view kSetAside = "set-aside";
constexpr std::size_t kTargetsPerBatch = 1'000;  // some 500 KB
}  // namespace

storage::TaskKey task_of(const TargetRow& target) { return {target.key, std::string(kTask) + target.commit.hex()}; }

std::optional<Commit> commit_of_task(const storage::TaskKey& task) {
  if (!task.what.starts_with(kTask)) return std::nullopt;
  return Commit::parse(std::string_view(task.what).substr(kTask.size()));
}

Result<std::optional<storage::GenerationRow>> unfinished_generation(const storage::Index& index) {
  std::optional<storage::GenerationRow> found;
  HM_TRY(storage::each_generation(index, [&](const storage::GenerationRow& row) {
    if (row.ended_ms == 0) found = row;
    return false;  // there is never a newer one beside it
  }));
  return found;
}

Result<storage::GenerationRow> begin_generation(storage::Index& index, storage::TaskQueue& queue, const SyncPlan& plan,
                                                const std::string& src, std::int64_t now_ms) {
  storage::GenerationRow row;
  bool busy = false;
  HM_TRY(storage::each_generation(index, [&](const storage::GenerationRow& newest) {
    row.number = newest.number;
    busy = newest.ended_ms == 0;
    return false;
  }));
  if (busy) return Error{Errc::Busy, "generation " + std::to_string(row.number) + " is not complete yet"};
  ++row.number;
  storage::Batch batch;
  // What an attempt that was killed before its header was written has left.
  HM_TRY(storage::each_target(index, row.number, [&](const TargetRow& target) {
    batch.remove(Family::Generations, storage::target_key(row.number, target.key, target.commit));
    return true;
  }));
  HM_TRY(storage::each_skipped(index, row.number, [&](const storage::SkippedRow& skipped) {
    batch.remove(Family::Generations, storage::skipped_key(row.number, skipped));
    return true;
  }));
  auto flush = [&](std::size_t above) -> Result<> {
    if (batch.changes().size() <= above) return ok();
    HM_TRY(index.commit(batch));
    batch = {};
    return ok();
  };
  HM_TRY(flush(0));
  std::vector<storage::TaskKey> tasks;
  for (const TargetRow& target : plan.targets) {
    tasks.push_back(task_of(target));
    batch.put(Family::Generations, storage::target_key(row.number, target.key, target.commit),
              storage::pack_target(target));
    HM_TRY(flush(kTargetsPerBatch));
  }
  for (const PolicyPlan& policy : plan.policies) {
    row.policies.push_back(policy.name);
    row.skipped += policy.skipped.size();
    for (const storage::SkippedRow& skipped : policy.skipped) {
      batch.put(Family::Generations, storage::skipped_key(row.number, skipped), storage::pack_skipped(skipped));
      HM_TRY(flush(kTargetsPerBatch));
    }
  }
  row.src = src;
  row.began_ms = now_ms;
  row.targets = plan.targets.size();
  row.files = plan.total.files;
  row.bytes = plan.total.bytes;
  row.bytes_to_fetch = plan.total.bytes_to_fetch;
  row.api_calls = plan.total.api_calls;
  row.other_calls = plan.total.other_calls;
  HM_TRY(queue.wake(tasks));
  HM_CRASH_POINT("sync.targets_stored");
  batch.put(Family::Generations, storage::generation_key(row.number), storage::pack_generation(row));
  HM_TRY(index.commit(batch));
  HM_CRASH_POINT("sync.generation_begun");
  return row;
}

Result<std::uint64_t> set_aside(storage::Index& index, storage::GenerationRow& generation,
                                const std::function<bool(const TargetRow&)>& wanted, std::string_view reason,
                                std::int64_t now_ms) {
  storage::Batch batch;
  std::uint64_t count = 0, left = 0;
  HM_TRY(storage::each_target(index, generation.number, [&](const TargetRow& target) {
    if (target.state != TargetState::Pending) return true;
    if (wanted(target)) return ++left, true;
    TargetRow settled = target;
    settled.state = TargetState::Failed;
    settled.failure = kSetAside;
    settled.reason = reason;
    settled.settled_ms = now_ms;
    batch.put(Family::Generations, storage::target_key(generation.number, target.key, target.commit),
              storage::pack_target(settled));
    ++count;
    return true;
  }));
  if (count == 0) return count;
  if (left == 0) generation.ended_ms = now_ms;
  batch.put(Family::Generations, storage::generation_key(generation.number), storage::pack_generation(generation));
  HM_TRY(index.commit(batch));
  return count;
}

namespace {
/// By repository: a generation may hold two revisions of one.
Result<std::map<RepoKey, std::vector<TargetRow>>> targets_of(const storage::Index& index, std::uint32_t number) {
  HM_TRY(const auto row, storage::find_generation(index, number));
  if (!row)
    return Error{Errc::NotFound,
                 "there is no generation " + std::to_string(number) + "; hubmirror status --all lists them"};
  std::map<RepoKey, std::vector<TargetRow>> out;
  HM_TRY(storage::each_target(index, number, [&](const TargetRow& target) {
    out[target.key].push_back(target);
    return true;
  }));
  return out;
}

bool has_commit(const std::vector<TargetRow>& targets, const TargetRow& wanted) {
  return std::any_of(targets.begin(), targets.end(), [&](const TargetRow& target) {
    return target.commit == wanted.commit && target.selection == wanted.selection && target.state == wanted.state;
  });
}

/// The files of one target as they are published here; none while it is not.
Result<std::map<std::string, Sha256>> files_of(const mirror::Catalog& catalog, const TargetRow& target) {
  std::map<std::string, Sha256> files;
  HM_TRY(const auto row, catalog.find(target.key));
  if (!row || target.state != TargetState::Published) return files;
  const auto snapshot = catalog.resolve(*row, target.commit.hex());
  if (!snapshot) return files;  // retention has dropped it since
  HM_TRY(const storage::Manifest manifest, catalog.manifest(snapshot.assume_value().manifest));
  const auto selection = config::Selection::parse(target.selection);
  for (const storage::ManifestFile& file : manifest.files)
    if (!selection || selection.assume_value().wants(file.path, file.size_bytes)) files.emplace(file.path, file.sha256);
  return files;
}

Result<> compare_files(const mirror::Catalog& catalog, GenerationChange& change) {
  std::map<std::string, Sha256> before, after;
  if (change.before) {
    HM_TRY(before, files_of(catalog, *change.before));
  }
  if (change.after) {
    HM_TRY(after, files_of(catalog, *change.after));
  }
  for (const auto& [path, digest] : before) {
    const auto now = after.find(path);
    if (now == after.end())
      change.removed.push_back(path);
    else if (now->second != digest)
      change.changed.push_back(path);
  }
  for (const auto& [path, digest] : after)
    if (!before.contains(path)) change.added.push_back(path);
  return ok();
}
}  // namespace

Result<> diff_generations(const storage::Index& index, const mirror::Catalog& catalog, std::uint32_t before,
                          std::uint32_t after, const std::function<void(const GenerationChange&)>& visit) {
  HM_TRY(const auto old_targets, targets_of(index, before));
  HM_TRY(const auto new_targets, targets_of(index, after));
  const std::vector<TargetRow> none;
  auto tell = [&](const RepoKey& key) -> Result<> {
    const auto o = old_targets.find(key), n = new_targets.find(key);
    std::vector<TargetRow> left, come;
    for (const TargetRow& target : o == old_targets.end() ? none : o->second)
      if (n == new_targets.end() || !has_commit(n->second, target)) left.push_back(target);
    for (const TargetRow& target : n == new_targets.end() ? none : n->second)
      if (o == old_targets.end() || !has_commit(o->second, target)) come.push_back(target);
    for (std::size_t i = 0; i < std::max(left.size(), come.size()); ++i) {
      GenerationChange change;
      if (i < left.size()) change.before = left[i];
      if (i < come.size()) change.after = come[i];
      HM_TRY(compare_files(catalog, change));
      visit(change);
    }
    return ok();
  };
  for (const auto& [key, targets] : old_targets) {
    HM_TRY(tell(key));
  }
  for (const auto& [key, targets] : new_targets) {
    if (old_targets.contains(key)) continue;
    HM_TRY(tell(key));
  }
  return ok();
}
}  // namespace hm::crawler
