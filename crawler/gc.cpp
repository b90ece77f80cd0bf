#include "crawler/gc.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include "base/text.hpp"
#include "crawler/retention.hpp"
#include "storage/journal_mark.hpp"
#include "storage/key_space.hpp"

namespace hm::crawler {
namespace key = storage::key;
using storage::Family;

namespace {
constexpr std::int64_t kHourMs = 3'600'000, kDayMs = 24 * kHourMs;

/// A directory below git/<kind>/.
struct GitDirectory {
  RepoKind kind;
  std::optional<Rid> rid;  ///< nullopt: the name is not one of ours
  std::string name;
};
Result<std::vector<GitDirectory>> git_directories(FileSystem& fs, const storage::DataDir& dir) {
  std::vector<GitDirectory> out;
  for (RepoKind kind : {RepoKind::Model, RepoKind::Dataset, RepoKind::Space}) {
    if (!fs.exists(dir.git(kind))) continue;
    HM_TRY(const auto entries, fs.list(dir.git(kind)));
    for (const DirectoryEntry& e : entries) {
      const auto rid = e.name.ends_with(".git") ? Rid::parse(e.name.substr(0, e.name.size() - 4)) : std::nullopt;
      out.push_back({kind, rid, e.name});
    }
  }
  return out;
}

Result<std::vector<std::string>> unknown_to(const mirror::Catalog& catalog, FileSystem& fs,
                                            const storage::DataDir& dir) {
  std::vector<std::string> out;
  HM_TRY(const auto directories, git_directories(fs, dir));
  for (const GitDirectory& d : directories) {
    bool known = false;
    if (d.rid) {
      HM_TRY(const auto row, catalog.find(RepoKey{d.kind, *d.rid}));
      known = row.has_value();
    }
    if (!known) out.push_back("git/" + std::string(name_of(d.kind)) + "/" + d.name);
  }
  return out;
}

bool is_pinned(const storage::RepoRow& row, const mirror::RevisionView& view) {
  return std::any_of(row.pins.begin(), row.pins.end(),
                     [&](const std::string& pin) { return pin == "*" || pin == view.snapshot.commit.hex(); });
}

/// What is to go, and its going.
class Collector {
 public:
  Collector(const GcParts& parts, const GcOptions& options)
      : catalog_(parts.catalog),
        index_(parts.index),
        blobs_(parts.blobs),
        fs_(parts.fs),
        dir_(parts.dir),
        now_ms_(parts.clock.unix_ms()),
        options_(options) {}

  Result<GcReport> plan() {
    HM_TRY(check_index_fits());
    HM_TRY(plan_decisions());
    HM_TRY(plan_blobs());
    HM_TRY(plan_unfinished());
    HM_TRY(plan_repositories());
    HM_TRY(plan_quarantine());
    for (const GcItem& item : report_.items) report_.bytes += item.bytes;
    return report_;
  }

  // Decisions first: killed anywhere after that, the next run finds the same bytes unreferenced.
  Result<> apply(storage::BlobStore& blobs, provenance::Recorder* recorder) {
    if (options_.trust_index && recorder != nullptr) {
      HM_TRY(storage::JournalMark(fs_, dir_).accept(index_));
    }
    for (const auto& [row, why] : dropped_) {
      HM_TRY(recorder->remove(row, why));
    }
    for (const Retired& retired : retired_) {
      HM_TRY(recorder->retire(retired.row, retired.commit,
                              "superseded for more than " + std::to_string(retired.days) + " days"));
    }
    for (const storage::BlobId& id : dead_blobs_) {
      HM_TRY(blobs.remove(id));
    }
    for (const storage::BlobId& id : dead_parts_) {
      HM_TRY(blobs.remove_unfinished(id));
    }
    for (const std::string& path : dead_directories_) {
      // Out of the way in one step: a half removed repository must not be taken for one when somebody mirrors it again.
      const std::string aside =
          dir_.quarantine() + "/" + kRemoving + std::to_string(now_ms_) + "-" + path.substr(path.find_last_of('/') + 1);
      HM_TRY(fs_.rename(path, aside));
      HM_TRY(remove_tree(fs_, aside));
    }
    for (const DirectoryEntry& e : old_quarantine_) {
      const std::string path = dir_.quarantine() + "/" + e.name;
      HM_TRY(e.is_directory ? remove_tree(fs_, path) : fs_.remove(path));
    }
    return ok();
  }

 private:
  bool is_young(std::int64_t written_ms, std::int64_t grace_ms) {
    const bool young = now_ms_ - written_ms < grace_ms;
    report_.kept_young += young ? 1 : 0;
    return young;
  }
  std::int64_t grace_ms() const { return options_.grace_hours * kHourMs; }

  /// An index that is older than the store (restored from a backup, damaged, lost) takes live files for garbage.
  Result<> check_index_fits() {
    const std::string advice =
        "; gc would take files in use for garbage and removes nothing: restore the index, or mirror what is missing "
        "again";
    const std::string look =
        "; or look at `hubmirror gc --dry-run --trust-index`, and say --trust-index when nothing in it is needed";
    HM_TRY(const auto mismatch, storage::JournalMark(fs_, dir_).mismatch(index_));
    if (mismatch && !options_.trust_index) return Error{Errc::Corrupt, *mismatch + advice + look};
    bool knows_any = false;
    HM_TRY(index_.scan(Family::Repos, {}, [&](std::string_view, std::string_view) {
      knows_any = true;
      return false;
    }));
    bool holds_any = false;
    HM_TRY(blobs_.each(
        [&](const storage::BlobInfo&) {
          holds_any = true;
          return false;
        },
        [](const std::string&) {}));
    if (holds_any && !knows_any)
      return Error{Errc::Corrupt, "there are blobs, and the index knows no repository" + advice};
    if (options_.trust_index) return ok();
    HM_TRY(const auto unknown, unknown_repositories(catalog_, index_, fs_, dir_));
    if (!unknown.empty())
      return Error{Errc::Corrupt,
                   "the index does not know " + unknown.front() +
                       (unknown.size() > 1 ? " and " + std::to_string(unknown.size() - 1) + " more" : "") +
                       ", so it is older than what is stored, or that is not hubmirror's" + advice + look};
    return ok();
  }

  /// What goes by a decision, and so by an entry in the journal: repositories that nothing wants, superseded revisions.
  Result<> plan_decisions() {
    std::optional<Retention> retention;
    if (!options_.policies.empty()) {
      HM_TRY(auto read, Retention::read(index_, catalog_, options_.policies, options_.superseded_days));
      retention.emplace(std::move(read));
    } else if (options_.superseded_days < 0) {
      return ok();
    }
    Result<> outcome = ok();
    HM_TRY(catalog_.each_repo([&](const storage::RepoRow& row) {
      outcome = decide_on(row, retention);
      return outcome.has_value();
    }));
    return outcome;
  }

  Result<> decide_on(const storage::RepoRow& row, const std::optional<Retention>& retention) {
    Fate fate;
    fate.superseded_days = options_.superseded_days;
    if (retention) {
      HM_TRY(fate, retention->fate_of(row, now_ms_));
    }
    if (fate.unwanted && fate.unwanted->goes) {
      dropped_.emplace_back(row, fate.unwanted->why);
      dropped_keys_.insert(key::repo({row.repo.kind, row.rid}));
      report_.items.push_back({"unwanted", row.repo.text(), 0, fate.unwanted->why});
      return ok();
    }
    return fate.at_work || fate.superseded_days < 0 ? ok() : plan_revisions(row, fate.superseded_days);
  }

  Result<> plan_revisions(const storage::RepoRow& row, std::int64_t days) {
    const RepoKey k{row.repo.kind, row.rid};
    HM_TRY(const auto views, catalog_.revisions(k));
    for (const mirror::RevisionView& view : views) {
      if (!view.refs.empty() || is_pinned(row, view) || is_young(view.snapshot.observed_ms, days * kDayMs)) continue;
      retired_.push_back({row, view.snapshot.commit, days});
      retired_keys_.insert(key::snapshot(k, view.snapshot.commit));
      report_.items.push_back({"revision", row.repo.text() + "@" + view.snapshot.commit.hex(), 0});
    }
    return ok();
  }

  /// A reference counts unless its revision, or its repository, is about to go. BlobRefs: blob (32) + snapshot key,
  /// which begins with that of its repository.
  Result<bool> is_referenced(const storage::BlobId& blob) const {
    bool found = false;
    HM_TRY(index_.scan(Family::BlobRefs, blob.view(), [&](std::string_view k, std::string_view) {
      const std::string snapshot(k.substr(storage::BlobId::kSize));
      const auto repo = key::parse_repo(snapshot);
      found = !retired_keys_.contains(snapshot) && !(repo && dropped_keys_.contains(key::repo(*repo)));
      return !found;
    }));
    return found;
  }

  Result<> plan_blobs() {
    Result<> outcome = ok();
    auto visit = [&](const storage::BlobInfo& blob) -> Result<> {
      HM_TRY(const bool referenced, is_referenced(blob.id));
      if (referenced) return ok();
      const auto path = blobs_.path(blob.id);
      if (!path && path.error().code == Errc::NotFound) return ok();  // gone meanwhile
      HM_TRY(path);
      HM_TRY(const std::int64_t written_ms, modified_unix_ms(path.assume_value()));
      if (is_young(written_ms, grace_ms())) return ok();
      dead_blobs_.push_back(blob.id);
      report_.items.push_back({"blob", blob.id.hex(), blob.size_bytes});
      return ok();
    };
    HM_TRY(blobs_.each(
        [&](const storage::BlobInfo& blob) {
          outcome = visit(blob);
          return outcome.has_value();
        },
        [](const std::string&) {}));
    return outcome;
  }

  Result<> plan_unfinished() {
    HM_TRY(const auto parts, blobs_.unfinished());
    for (const auto& part : parts) {
      if (is_young(part.last_write_unix_ms, grace_ms())) continue;
      dead_parts_.push_back(part.id);
      report_.items.push_back({"unfinished", part.id.hex(), part.complete_bytes});
    }
    return ok();
  }

  Result<> plan_repositories() {
    HM_TRY(const auto directories, git_directories(fs_, dir_));
    for (const GitDirectory& d : directories) {
      if (!d.rid) continue;  // not ours: verify reports it as foreign
      HM_TRY(const auto row, catalog_.find(RepoKey{d.kind, *d.rid}));
      if (!row || !row->removed || is_young(row->last_change_ms, grace_ms())) continue;
      const std::string path = dir_.git(d.kind) + "/" + d.name;
      HM_TRY(const std::uint64_t bytes, tree_bytes(fs_, path));
      dead_directories_.push_back(path);
      report_.items.push_back({"repository", row->repo.text(), bytes});
    }
    return ok();
  }

  Result<> plan_quarantine() {
    if (!fs_.exists(dir_.quarantine())) return ok();
    HM_TRY(const auto entries, fs_.list(dir_.quarantine()));
    for (const DirectoryEntry& e : entries) {
      const std::string path = dir_.quarantine() + "/" + e.name;
      HM_TRY(const std::int64_t written_ms, modified_unix_ms(path));
      if (!e.name.starts_with(kRemoving) && is_young(written_ms, options_.quarantine_days * kDayMs)) continue;
      std::uint64_t bytes = 0;
      if (e.is_directory) {
        HM_TRY(bytes, tree_bytes(fs_, path));
      } else if (e.is_regular) {
        HM_TRY(bytes, fs_.file_size(path));
      }
      old_quarantine_.push_back(e);
      report_.items.push_back({"quarantine", e.name, bytes});
    }
    return ok();
  }

  static constexpr const char* kRemoving = "removing-";
  const mirror::Catalog& catalog_;
  storage::Index& index_;
  const storage::BlobStore& blobs_;
  FileSystem& fs_;
  const storage::DataDir& dir_;
  const std::int64_t now_ms_;
  const GcOptions options_;
  GcReport report_;
  struct Retired {
    storage::RepoRow row;
    Commit commit;
    std::int64_t days;
  };
  std::vector<std::pair<storage::RepoRow, std::string>> dropped_;  ///< and why
  std::vector<Retired> retired_;
  std::set<std::string> dropped_keys_, retired_keys_;
  std::vector<storage::BlobId> dead_blobs_, dead_parts_;
  std::vector<std::string> dead_directories_;
  std::vector<DirectoryEntry> old_quarantine_;
};
}  // namespace

std::uint64_t GcReport::count(std::string_view kind) const {
  return static_cast<std::uint64_t>(
      std::count_if(items.begin(), items.end(), [&](const GcItem& item) { return item.kind == kind; }));
}

Result<std::vector<std::string>> unknown_repositories(const mirror::Catalog& catalog, storage::Index& index,
                                                      FileSystem& fs, const storage::DataDir& dir) {
  HM_TRY(auto out, unknown_to(catalog, fs, dir));
  if (out.empty()) return out;
  HM_TRY(index.refresh());  // a running writer may have begun it since
  return unknown_to(catalog, fs, dir);
}

Result<GcReport> plan_garbage(const GcParts& parts, const GcOptions& options) {
  return Collector(parts, options).plan();
}

Result<GcReport> collect_garbage(const GcParts& parts, storage::BlobStore& blobs, provenance::Recorder* recorder,
                                 const GcOptions& options) {
  GcOptions possible = options;
  GcReport all;
  if (recorder == nullptr) {
    HM_TRY(all, plan_garbage(parts, options));
    possible.superseded_days = -1;
    possible.policies.clear();
  }
  Collector collector(parts, possible);
  HM_TRY(GcReport report, collector.plan());
  report.kept_for_room = all.count("revision");
  report.unwanted_kept_for_room = all.count("unwanted");
  HM_TRY(collector.apply(blobs, recorder));
  return report;
}
}  // namespace hm::crawler
