#include "crawler/digest.hpp"

#include <algorithm>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <utility>

#include "base/crash_point.hpp"
#include "base/text.hpp"
#include "crawler/file_reading.hpp"
#include "mirror/git/repository.hpp"
#include "provenance/digested_file.hpp"
#include "storage/tensor_rows.hpp"

namespace hm::crawler {
namespace {
using provenance::formats::ByteSource;

constexpr std::uint64_t kGitFileBytesMax = 256U << 20;  // held in memory; what is larger is in LFS on every Hub

/// Tells of every byte that is read.
class CountedSource final : public ByteSource {
 public:
  CountedSource(const ByteSource& source, const std::function<void(std::uint64_t)>& count)
      : source_(source), count_(count) {}
  std::uint64_t size_bytes() const override { return source_.size_bytes(); }
  Result<std::size_t> read_at(std::uint64_t offset_bytes, std::span<std::byte> into) const override {
    auto read = source_.read_at(offset_bytes, into);
    if (read) count_(read.assume_value());
    return read;
  }

 private:
  const ByteSource& source_;
  const std::function<void(std::uint64_t)>& count_;
};

/// A file to be read, of the first revision in which it was met.
struct Wanted {
  std::size_t repo = 0;  ///< of the report
  Commit commit;
  storage::ManifestFile file;
};

/// A repository that may be named several times, by one revision and another.
struct Chosen {
  std::optional<std::size_t> place;  ///< of the report; none while no model file was met
  std::set<Sha256> met;
};

class Digestion {
 public:
  Digestion(const DigestParts& parts, const DigestOptions& options,
            const std::function<void(const DigestProgress&)>& progress, std::stop_token stop)
      : p_(parts), o_(options), progress_(progress), stop_(std::move(stop)) {}

  Result<DigestReport> run() {
    HM_TRY(choose());
    for (const Wanted& wanted : wanted_) {
      if (stop_.stop_requested()) return Error{Errc::Cancelled, "the digests are no longer wanted"};
      HM_TRY(digest_one(wanted));
    }
    return std::move(report_);
  }

 private:
  Result<> choose() {
    if (!o_.only.empty()) {
      for (const RepoSpec& spec : o_.only) {
        HM_TRY(const auto row, p_.catalog.find(spec));
        HM_TRY(add(row, spec.revision));
      }
      return ok();
    }
    std::vector<storage::RepoRow> rows;
    HM_TRY(p_.catalog.each_repo([&](const storage::RepoRow& row) {
      if (row.repo.kind == RepoKind::Model) rows.push_back(row);
      return true;
    }));
    for (const storage::RepoRow& row : rows) {
      HM_TRY(add(row, std::nullopt));
    }
    return ok();
  }

  /// The revision that was asked for, else those that branches name, else the newest.
  Result<std::vector<storage::SnapshotRow>> revisions_of(const storage::RepoRow& row,
                                                         const std::optional<std::string>& revision) const {
    std::vector<storage::SnapshotRow> out;
    if (revision) {
      HM_TRY(auto snapshot, p_.catalog.resolve(row, *revision));
      out.push_back(std::move(snapshot));
      return out;
    }
    HM_TRY(auto all, p_.catalog.revisions({row.repo.kind, row.rid}));
    for (mirror::RevisionView& view : all)
      if (std::any_of(view.refs.begin(), view.refs.end(),
                      [](const std::string& ref) { return ref.starts_with("refs/heads/"); }))
        out.push_back(std::move(view.snapshot));
    if (out.empty() && !all.empty()) out.push_back(std::move(all.front().snapshot));
    return out;
  }

  Result<> add(const storage::RepoRow& row, const std::optional<std::string>& revision) {
    const RepoKey key{row.repo.kind, row.rid};
    HM_TRY(const auto revisions, revisions_of(row, revision));
    auto& [place, met] = chosen_[key];
    for (const storage::SnapshotRow& snapshot : revisions) {
      HM_TRY(const auto manifest, p_.catalog.manifest(snapshot.manifest));
      for (const storage::ManifestFile& file : manifest.files) {
        if (!provenance::is_tensor_file(file) || !met.insert(file.sha256).second) continue;
        if (!place) {
          place = report_.repos.size();
          report_.repos.push_back({key, p_.catalog.address(row)});
          rows_.push_back(row);
        }
        HM_TRY(add_file(*place, snapshot.commit, file));
      }
    }
    return ok();
  }

  Result<> add_file(std::size_t place, const Commit& commit, const storage::ManifestFile& file) {
    DigestReport::Repo& repo = report_.repos[place];
    HM_TRY(const auto here, storage::digests_document(p_.index, file.sha256, repo.key));
    if (here) {
      ++repo.known;
      return ok();
    }
    wanted_.push_back({place, commit, file});
    HM_TRY(const auto elsewhere, storage::digests_document(p_.index, file.sha256));
    if (!elsewhere && to_read_.insert(file.sha256).second) progress_now_.bytes_total += file.size_bytes;
    return ok();
  }

  Result<std::unique_ptr<ByteSource>> open(const Wanted& wanted) const {
    const storage::ManifestFile& file = wanted.file;
    if (file.is_lfs) {
      HM_TRY(const auto size, p_.blobs.find(file.sha256));
      if (!size || *size != file.size_bytes)
        return Error{Errc::Corrupt, std::string(size ? "its blob has another size" : "its blob is missing") +
                                        "; hubmirror verify --repair fetches it again"};
      return blob_source(p_.blobs, file);
    }
    HM_TRY(const auto repository, mirror::Repository::open(p_.catalog.git_path(rows_[wanted.repo])));
    return git_source(repository, file, kGitFileBytesMax);
  }

  /// The document of bytes that were digested before, for whichever repository.
  Result<std::optional<std::string>> known_document(const Sha256& file) const {
    HM_TRY(const auto id, storage::digests_document(p_.index, file));
    if (!id) return std::optional<std::string>();
    return p_.catalog.document(*id);
  }

  Result<std::string> read_document(const Wanted& wanted, std::uint64_t& tensors) {
    HM_TRY(const auto source, open(wanted));
    const std::uint64_t before = progress_now_.bytes_done;
    const std::function<void(std::uint64_t)> count = [&](std::uint64_t bytes) {
      const std::lock_guard lock(mutex_);
      // The header is read twice by some formats: never more than the file.
      progress_now_.bytes_done = std::min(progress_now_.bytes_done + bytes, before + wanted.file.size_bytes);
      progress_(progress_now_);
    };
    const CountedSource counted(*source, count);
    provenance::formats::DigestOptions options;
    options.threads = o_.threads;
    options.stop = stop_;
    auto digests = provenance::digest_file(wanted.file.path, counted, options);
    progress_now_.bytes_done = before + wanted.file.size_bytes;
    if (!digests) return std::move(digests).as_failure();
    tensors = digests.assume_value().tensors.size();
    return provenance::render_digests(digests.assume_value());
  }

  Result<> digest_one(const Wanted& wanted) {
    DigestReport::Repo& repo = report_.repos[wanted.repo];
    HM_TRY(auto known, known_document(wanted.file.sha256));
    if (known) {
      HM_TRY(p_.recorder.record_digests(rows_[wanted.repo], wanted.commit, wanted.file.sha256, std::move(*known)));
      ++repo.known;
      return ok();
    }
    std::uint64_t tensors = 0;
    auto document = read_document(wanted, tensors);
    if (!document) {
      const Error& error = document.assume_error();
      if (error.code == Errc::Cancelled) return error;
      report_.undigested.push_back({repo.name, printable(wanted.file.path), error.what, error.code != Errc::BadInput});
      return ok();
    }
    HM_CRASH_POINT("digest.file_read");
    HM_TRY(p_.recorder.record_digests(rows_[wanted.repo], wanted.commit, wanted.file.sha256,
                                      std::move(document).assume_value()));
    ++repo.files;
    repo.bytes += wanted.file.size_bytes;
    repo.tensors += tensors;
    return ok();
  }

  const DigestParts& p_;
  const DigestOptions& o_;
  const std::function<void(const DigestProgress&)>& progress_;
  const std::stop_token stop_;
  std::map<RepoKey, Chosen> chosen_;
  std::vector<storage::RepoRow> rows_;  ///< at the places of the report's
  std::vector<Wanted> wanted_;
  std::set<Sha256> to_read_;
  std::mutex mutex_;  ///< of progress_now_, while threads read
  DigestProgress progress_now_;
  DigestReport report_;
};
}  // namespace

Result<DigestReport> digest(const DigestParts& parts, const DigestOptions& options,
                            const std::function<void(const DigestProgress&)>& progress, std::stop_token stop) {
  return Digestion(parts, options, progress, std::move(stop)).run();
}
}  // namespace hm::crawler
