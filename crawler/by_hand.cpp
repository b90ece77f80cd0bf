#include "crawler/by_hand.hpp"

#include "base/text.hpp"
#include "storage/key_space.hpp"

namespace hm::crawler {
using storage::Family;

namespace {
constexpr std::string_view kTask = "mirror";  // then, of one revision, ':' and digits of its name's digest
constexpr std::size_t kRevisionDigits = 16;   // `sync` has tasks too: with the 40 digits of a commit
constexpr std::string_view kNotePrefix = "mirror/by-hand/";  // Meta rows; the repository's key follows

std::string note_key(const RepoKey& key) { return std::string(kNotePrefix) + storage::key::repo(key); }

RepoKey key_by_name(std::string_view upstream, const RepoId& repo) {
  const RepoId folded{repo.kind, ascii_lower(repo.name)};
  return {folded.kind, derived_rid(upstream, folded)};
}
bool is_task_by_hand(std::string_view what) {
  return what == kTask || (what.starts_with(kTask) && what.size() == kTask.size() + 1 + kRevisionDigits);
}
}  // namespace

storage::TaskKey task_by_hand(std::string_view upstream, const RepoId& repo,
                              const std::optional<std::string>& revision) {
  storage::TaskKey key{key_by_name(upstream, repo), std::string(kTask)};
  // A revision's name has bytes that a task's must not have.
  if (revision) key.what += ":" + sha256(*revision).hex().substr(0, kRevisionDigits);
  return key;
}

void note_by_hand(storage::Batch& batch, const RepoKey& key) { batch.put(Family::Meta, note_key(key), {}); }

Result<bool> is_by_hand(const storage::Index& index, const storage::RepoRow& row) {
  HM_TRY(const auto note, index.get(Family::Meta, note_key({row.repo.kind, row.rid})));
  if (note) return true;
  std::vector<std::string> names = row.former_names;
  names.push_back(row.repo.name);
  bool found = false;
  for (const std::string& name : names) {
    HM_TRY(storage::each_task_of(index, key_by_name(row.src, {row.repo.kind, name}), [&](const storage::Task& task) {
      found = is_task_by_hand(task.key.what);
      return !found;
    }));
    if (found) break;
  }
  return found;
}
}  // namespace hm::crawler
