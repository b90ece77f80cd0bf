#include "crawler/verify.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <unordered_map>

#include "base/run_on.hpp"
#include "base/text.hpp"
#include "crawler/gc.hpp"
#include "crawler/verify_repository.hpp"
#include "storage/journal.hpp"
#include "storage/journal_mark.hpp"
#include "storage/key_space.hpp"
#include "storage/scrub.hpp"

namespace hm::crawler {
namespace key = storage::key;
using storage::BlobFindingKind;
using storage::Family;

namespace {
constexpr std::size_t kExpectedAtOnce = 10'000;  // rows of BlobRefs read ahead: bounds memory, whatever the store holds
constexpr std::size_t kUsersMax = 8;
constexpr std::size_t kBlobRefSnapshotBytes = 33;  // <repo> (13) + commit (20) behind the digest

FindingKind kind_of(BlobFindingKind kind) {
  switch (kind) {
    case BlobFindingKind::Flipped:
      return FindingKind::Flipped;
    case BlobFindingKind::WrongSize:
      return FindingKind::WrongSize;
    case BlobFindingKind::Missing:
      return FindingKind::Missing;
    case BlobFindingKind::Foreign:
      return FindingKind::Foreign;
    case BlobFindingKind::Unreadable:
      return FindingKind::Unreadable;
  }
  return FindingKind::Unreadable;
}

/// Every blob that a published revision refers to, once, in digest order, read from the index in slices.
class ReferencedBlobs {
 public:
  explicit ReferencedBlobs(const storage::Index& index) : index_(index) {}
  Result<std::optional<storage::BlobInfo>> next() {
    while (at_ == slice_.size()) {
      if (done_) return std::optional<storage::BlobInfo>{};
      HM_TRY(read_slice());
    }
    return std::optional(slice_[at_++]);
  }

 private:
  Result<> read_slice() {
    slice_.clear();
    at_ = 0;
    std::size_t rows = 0;
    Result<> outcome = ok();
    HM_TRY(index_.scan(
        Family::BlobRefs, {},
        [&](std::string_view k, std::string_view v) {
          storage::BlobInfo blob;
          const auto size = key::parse_u64(v);
          if (k.size() != storage::BlobId::kSize + kBlobRefSnapshotBytes || !size) {
            outcome =
                Error{Errc::Corrupt, "a blob reference in the index has the wrong form; run: hubmirror index rebuild"};
            return false;
          }
          std::copy_n(k.begin(), storage::BlobId::kSize, blob.id.bytes.begin());
          blob.size_bytes = *size;
          from_ = std::string(k) + '\0';
          if (!last_ || *last_ != blob.id) slice_.push_back(blob);
          last_ = blob.id;
          return ++rows < kExpectedAtOnce;
        },
        from_));
    HM_TRY(std::move(outcome));
    done_ = rows < kExpectedAtOnce;
    return ok();
  }
  const storage::Index& index_;
  std::vector<storage::BlobInfo> slice_;
  std::size_t at_ = 0;
  std::string from_;
  std::optional<storage::BlobId> last_;
  bool done_ = false;
};

/// A file of a published revision that has these bytes.
struct User {
  storage::RepoRow repo;
  Commit commit;
  storage::ManifestFile file;
};

Result<std::vector<User>> users_of(const VerifyParts& parts, const storage::BlobId& blob, std::size_t count_max) {
  std::vector<std::string> snapshots;
  HM_TRY(parts.index.scan(Family::BlobRefs, blob.view(), [&](std::string_view k, std::string_view) {
    snapshots.emplace_back(k.substr(storage::BlobId::kSize));
    return snapshots.size() < count_max;
  }));
  std::vector<User> out;
  for (const std::string& snapshot_key : snapshots) {
    const auto repo_key = key::parse_repo(snapshot_key);
    HM_TRY(const auto bytes, parts.index.get(Family::Snapshots, snapshot_key));
    if (!repo_key || !bytes) continue;
    HM_TRY(const auto repo, parts.catalog.find(*repo_key));
    HM_TRY(const auto snapshot, storage::unpack_snapshot(*bytes));
    auto manifest = parts.catalog.manifest(snapshot.manifest);
    if (!repo || !manifest) continue;  // a damaged manifest is a finding of its own
    for (const auto& file : manifest.assume_value().files)
      if (file.is_lfs && file.sha256 == blob && out.size() < count_max) out.push_back({*repo, snapshot.commit, file});
  }
  return out;
}

/// The blob whose place is taken by something that is no file of ours.
std::optional<storage::BlobId> blob_place(const storage::DataDir& dir, const storage::BlobFinding& finding) {
  if (finding.kind != BlobFindingKind::Foreign) return std::nullopt;
  const auto id = storage::BlobId::parse(std::string_view(finding.path).substr(finding.path.rfind('/') + 1));
  return id && dir.blob(*id) == dir.root + "/" + finding.path ? id : std::nullopt;
}

class Verification {
 public:
  Verification(const VerifyParts& parts, const VerifyOptions& options,
               const std::function<void(const VerifyProgress&)>& progress, std::stop_token stop)
      : p_(parts), o_(options), progress_(progress), stop_(std::move(stop)) {}

  Result<VerifyReport> run() {
    const std::int64_t begin_ms = p_.clock.monotonic_ms();
    HM_TRY(choose());
    HM_TRY(check_repositories());
    HM_TRY(check_blobs());
    HM_TRY(list_unfinished());
    HM_TRY(list_unknown());
    HM_TRY(list_foreign());
    HM_TRY(check_journal_mark());
    if (o_.deep) {
      HM_TRY(check_journal());
      HM_TRY(check_index());
    }
    report_.elapsed_ms = p_.clock.monotonic_ms() - begin_ms;
    return std::move(report_);
  }

 private:
  Result<> choose() {
    for (const RepoSpec& spec : o_.only) {
      HM_TRY(auto row, p_.catalog.find(spec));
      rows_.push_back(std::move(row));
    }
    if (!o_.only.empty()) return ok();
    return p_.catalog.each_repo([&](const storage::RepoRow& row) {
      rows_.push_back(row);
      return true;
    });
  }

  Result<> check_repositories() {
    RepositoryCheck check(p_, o_.deep, stop_, report_);
    for (const storage::RepoRow& row : rows_) {
      HM_TRY(check.run(row, o_.only.empty() ? nullptr : &expected_));
    }
    return ok();
  }

  Result<> check_blobs() {
    storage::ScrubOptions options;
    options.threads = o_.threads;
    options.bytes_per_second_max = o_.bytes_per_second_max;
    options.foreign = options.only_expected = false;
    storage::ExpectedBlobs expected;
    ReferencedBlobs referenced(p_.index);
    if (o_.only.empty()) {
      options.foreign = true;
      expected = [&referenced] { return referenced.next(); };
    } else {
      options.only_expected = true;
      for (const auto& blob : expected_) progress_total_ += blob.size_bytes;
      expected = storage::expect_sorted(std::move(expected_));
    }
    if (o_.only.empty()) {
      HM_TRY(p_.blobs.each(
          [&](const storage::BlobInfo& blob) {
            progress_total_ += blob.size_bytes;
            return !stop_.stop_requested();
          },
          [](const std::string&) {}));
    }
    std::vector<storage::BlobFinding> found;
    HM_TRY(const auto looked_at,
           storage::scrub(
               p_.fs, p_.blobs, expected, options, p_.clock, [&](const storage::BlobFinding& f) { found.push_back(f); },
               [&](const storage::ScrubProgress& s) {
                 if (progress_) progress_({s.bytes, progress_total_});
               },
               stop_));
    report_.blobs = looked_at.blobs;
    report_.bytes = looked_at.bytes;
    const bool any_missing = std::any_of(
        found.begin(), found.end(), [](const storage::BlobFinding& f) { return f.kind == BlobFindingKind::Missing; });
    if (any_missing) {  // once: it costs as much as opening the index
      HM_TRY(p_.index.refresh());
    }
    for (storage::BlobFinding& f : found) {
      HM_TRY(add_blob_finding(std::move(f)));
    }
    return ok();
  }

  Result<> add_blob_finding(storage::BlobFinding f) {
    Finding finding;
    finding.kind = kind_of(f.kind);
    finding.detail = std::move(f.detail);
    finding.subject = f.kind == BlobFindingKind::Foreign ? printable(f.path) : f.id.hex();
    if (const auto id = blob_place(p_.dir, f)) {
      finding.blob = id;
      finding.detail =
          "a symlink, directory or special file stands where a blob belongs; --repair moves it to quarantine";
    }
    if (f.kind == BlobFindingKind::Missing) {  // gc beside us may have dropped what referred to it, and then the blob
      HM_TRY(const bool referenced, is_referenced(f.id));
      HM_TRY(const auto there, p_.blobs.find(f.id));
      if (!referenced || there) return ok();
    }
    if (f.kind != BlobFindingKind::Foreign) {
      finding.blob = f.id;
      HM_TRY(const auto users, users_of(p_, f.id, kUsersMax));
      for (const User& user : users) {
        std::string place = p_.catalog.address(user.repo) + ":" + printable(user.file.path);
        if (std::find(finding.used_by.begin(), finding.used_by.end(), place) == finding.used_by.end())
          finding.used_by.push_back(std::move(place));  // revisions share most of their files
      }
    }
    report_.findings.push_back(std::move(finding));
    return ok();
  }

  Result<bool> is_referenced(const storage::BlobId& id) const {
    bool found = false;
    HM_TRY(p_.index.scan(Family::BlobRefs, id.view(), [&](std::string_view, std::string_view) {
      found = true;
      return false;
    }));
    return found;
  }

  Result<> list_unfinished() {
    if (!o_.only.empty()) return ok();
    HM_TRY(const auto parts, p_.blobs.unfinished());
    for (const auto& part : parts) {
      // Killed behind the last step that counts: the bytes are here, and gc drops the log of their download.
      HM_TRY(const auto finished, p_.blobs.find(part.id));
      if (finished) continue;
      Finding finding;
      finding.kind = FindingKind::Unfinished;
      finding.subject = part.id.hex();
      finding.detail = human_bytes(part.complete_bytes) + " of " + human_bytes(part.size_bytes) +
                       " are here; the next run of mirror goes on with it, gc drops it when it is old";
      finding.bad = false;
      report_.findings.push_back(std::move(finding));
    }
    return ok();
  }

  Result<> list_unknown() {
    if (!o_.only.empty()) return ok();
    HM_TRY(const auto unknown, unknown_repositories(p_.catalog, p_.index, p_.fs, p_.dir));
    for (const std::string& path : unknown) {
      Finding finding;
      finding.kind = FindingKind::Foreign;
      finding.subject = printable(path);
      finding.detail =
          "the index knows no such repository: it is not hubmirror's, or the index is older than the store";
      report_.findings.push_back(std::move(finding));
    }
    return ok();
  }

  /// Every row, so that a table nobody has read for long tells of its damage.
  Result<> check_index() {
    for (int f = 0; f < storage::kFamilyCount; ++f) {
      const auto read = p_.index.scan(static_cast<Family>(f), {},
                                      [&](std::string_view, std::string_view) { return !stop_.stop_requested(); });
      if (!read) add_note(FindingKind::Journal, "index/", read.error().what, true);
      if (stop_.stop_requested()) return Error{Errc::Cancelled, "stopped"};
    }
    return ok();
  }

  /// What lies in the data directory beside what belongs there. Below blobs/sha256 and git/<kind> others look.
  Result<> list_foreign() {
    if (!o_.only.empty()) return ok();
    static const std::map<std::string, std::set<std::string, std::less<>>> kOurs{
        {"",
         {"VERSION", "VERSION.new", "LOCK", "daemon.sock", "JOURNAL", "JOURNAL.new", "blobs", "git", "index",
          "quarantine", "lost+found"}},
        {"/blobs", {"sha256", "partial"}},
        {"/git", {"model", "dataset", "space"}}};
    for (const auto& [folder, names] : kOurs) {
      HM_TRY(const auto entries, p_.fs.list(p_.dir.root + folder));
      for (const DirectoryEntry& e : entries) {
        if (names.contains(e.name)) continue;
        const std::string path = (folder.empty() ? "" : folder.substr(1) + "/") + e.name;
        add_note(FindingKind::Foreign, printable(path), "it is not hubmirror's, and in nobody's way", false);
      }
    }
    return ok();
  }

  void add_note(FindingKind kind, std::string subject, std::string detail, bool bad) {
    Finding finding;
    finding.kind = kind;
    finding.subject = std::move(subject);
    finding.detail = std::move(detail);
    finding.bad = bad;
    report_.findings.push_back(std::move(finding));
  }

  Result<> check_journal_mark() {
    if (!o_.only.empty()) return ok();
    HM_TRY(const auto mismatch, storage::JournalMark(p_.fs, p_.dir).mismatch(p_.index));
    if (!mismatch) return ok();
    Finding finding;
    finding.kind = FindingKind::Journal;
    finding.subject = "JOURNAL";
    finding.detail = *mismatch +
                     "; put back the newer index/, or mirror again what is missing; `hubmirror gc "
                     "--trust-index` accepts the index as it is";
    report_.findings.push_back(std::move(finding));
    return ok();
  }

  Result<> check_journal() {
    const storage::Journal journal(p_.index);
    std::map<std::string, std::int64_t> last;
    auto bad = [&](std::uint64_t sequence, std::string detail) {
      Finding finding;
      finding.kind = FindingKind::Journal;
      finding.subject = "entry " + std::to_string(sequence);
      finding.detail = std::move(detail);
      report_.findings.push_back(std::move(finding));
    };
    std::uint64_t expected = 0;
    auto walked = journal.each(0, [&](const storage::JournalEntry& e) -> Result<bool> {
      if (e.sequence != expected)
        bad(e.sequence, "entries " + std::to_string(expected) + " to " + std::to_string(e.sequence) + " are missing");
      expected = e.sequence + 1;
      const auto text = [&](const char* field) {
        const auto* v = e.value.if_contains(field);
        return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string();
      };
      const auto* prev = e.value.if_contains("prev");
      auto [it, first] = last.try_emplace(text("src") + "\n" + text("kind") + "\n" + text("rid"), -1);
      if (prev == nullptr || !prev->is_int64() || prev->get_int64() != it->second)
        bad(e.sequence, "its link to the previous entry of the same repository is wrong");
      it->second = static_cast<std::int64_t>(e.sequence);
      return !stop_.stop_requested();
    });
    if (!walked) bad(expected, walked.error().what);
    return ok();
  }

  const VerifyParts& p_;
  const VerifyOptions& o_;
  const std::function<void(const VerifyProgress&)>& progress_;
  const std::stop_token stop_;
  VerifyReport report_;
  std::vector<storage::RepoRow> rows_;
  std::vector<storage::BlobInfo> expected_;  ///< of the chosen repositories, when some were chosen
  std::uint64_t progress_total_ = 0;
};
}  // namespace

std::string_view name_of(FindingKind kind) {
  switch (kind) {
    case FindingKind::Flipped:
      return "flipped";
    case FindingKind::WrongSize:
      return "wrong-size";
    case FindingKind::Missing:
      return "missing";
    case FindingKind::Unreadable:
      return "unreadable";
    case FindingKind::Foreign:
      return "foreign";
    case FindingKind::GitObject:
      return "git-object";
    case FindingKind::Manifest:
      return "manifest";
    case FindingKind::Journal:
      return "journal";
    case FindingKind::Unfinished:
      return "unfinished";
  }
  return "unknown";
}

Result<VerifyReport> verify(const VerifyParts& parts, const VerifyOptions& options,
                            const std::function<void(const VerifyProgress&)>& progress, std::stop_token stop) {
  return Verification(parts, options, progress, std::move(stop)).run();
}

namespace {
/// What to fetch from one repository, and which findings that settles.
struct RepairGroup {
  RepoId repo;
  std::vector<mirror::WantedBlob> wanted;
  std::vector<Finding> findings;
};

/// Bad bytes leave their names; each blob is asked for where a repository that is not gone refers to it.
Result<std::vector<RepairGroup>> prepare_repair(const VerifyParts& parts, std::vector<Finding> findings,
                                                RepairReport& report) {
  std::map<RepoId, RepairGroup> groups;
  for (Finding& finding : findings) {
    if (!finding.bad) continue;
    auto leave = [&](std::string why) {
      finding.detail += why;
      report.left.push_back(std::move(finding));
    };
    if (!finding.blob) {
      leave(finding.kind == FindingKind::Foreign ? "; it is not hubmirror's: look at it and remove it yourself"
                                                 : "; only large files can be repaired by digest: move the "
                                                   "repository's directory below git/ away (hubmirror path "
                                                   "names it) and run mirror for it again");
      continue;
    }
    HM_TRY(auto users, users_of(parts, *finding.blob, kUsersMax));
    const bool missing = finding.kind == FindingKind::Missing;
    if (!missing || parts.fs.exists(parts.dir.blob(*finding.blob))) {  // something else may stand in its place
      auto moved = parts.blobs.quarantine(*finding.blob, finding.detail);
      if (!moved && moved.error().code != Errc::NotFound) return std::move(moved).as_failure();
    }
    if (finding.kind == FindingKind::Foreign || users.empty()) {
      ++report.repaired;  // nothing refers to these bytes: taking them away is the repair
      continue;
    }
    const auto present =
        std::find_if(users.begin(), users.end(), [](const User& u) { return u.repo.gone_status == 0; });
    const User& user = present != users.end() ? *present : users.front();
    mirror::WantedBlob wanted;
    wanted.id = *finding.blob;
    wanted.size_bytes = user.file.size_bytes;
    wanted.path = user.file.path;
    wanted.revision = user.commit.hex();
    RepairGroup& group = groups[user.repo.repo];
    group.repo = user.repo.repo;
    group.wanted.push_back(std::move(wanted));
    group.findings.push_back(std::move(finding));
  }
  std::vector<RepairGroup> out;
  for (auto& [repo, group] : groups) out.push_back(std::move(group));
  return out;
}
}  // namespace

mirror::awaitable<Result<RepairReport>> repair(const VerifyParts& parts, mirror::Downloader& downloader,
                                               boost::asio::thread_pool& pool, std::vector<Finding> findings) {
  RepairReport report;
  HM_CO_TRY(auto groups, co_await run_on(pool, [&] { return prepare_repair(parts, std::move(findings), report); }));
  for (RepairGroup& group : groups) {
    mirror::DownloadEvents events;
    auto fetched = co_await downloader.fetch(group.repo, std::move(group.wanted), std::move(events));
    for (std::size_t i = 0; i < group.findings.size(); ++i) {
      const Error* error = nullptr;
      if (!fetched)
        error = &fetched.error();
      else if (!fetched.assume_value()[i].result)
        error = &fetched.assume_value()[i].result.error();
      if (error == nullptr) {
        ++report.repaired;
        continue;
      }
      group.findings[i].detail += "; fetching it again from " + group.repo.text() + " failed: " + error->what;
      report.left.push_back(std::move(group.findings[i]));
    }
    if (!fetched && fetched.error().code == Errc::Cancelled) co_return std::move(fetched).as_failure();
  }
  co_return report;
}
}  // namespace hm::crawler
