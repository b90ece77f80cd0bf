#include "storage/scrub.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "base/limiter.hpp"
#include "storage/file_hash.hpp"

namespace hm::storage {
namespace {
constexpr std::size_t kQueueMax =
    256;  // blobs found and not yet hashed: enough to keep all threads busy, little to hold

/// Blobs on their way from the walk to the hashing threads.
class WorkQueue {
 public:
  /// False when nobody takes any more.
  bool push(const BlobInfo& blob, std::stop_token stop) {
    std::unique_lock lock(mutex_);
    if (!room_.wait(lock, stop, [&] { return waiting_.size() < kQueueMax; })) return false;
    waiting_.push_back(blob);
    work_.notify_one();
    return true;
  }
  void close() {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    work_.notify_all();
  }
  std::optional<BlobInfo> pop(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    if (!work_.wait(lock, stop, [&] { return !waiting_.empty() || closed_; }) || waiting_.empty()) return std::nullopt;
    const BlobInfo blob = waiting_.front();
    waiting_.pop_front();
    room_.notify_one();
    return blob;
  }

 private:
  std::mutex mutex_;
  std::condition_variable_any work_, room_;
  std::deque<BlobInfo> waiting_;
  bool closed_ = false;
};

class Scrubber {
 public:
  Scrubber(FileSystem& fs, const BlobStore& blobs, const ScrubOptions& options, const Clock& clock,
           const std::function<void(const BlobFinding&)>& on_finding,
           const std::function<void(const ScrubProgress&)>& on_progress, std::stop_token stop)
      : fs_(fs),
        blobs_(blobs),
        options_(options),
        clock_(clock),
        on_finding_(on_finding),
        on_progress_(on_progress),
        stop_(std::move(stop)),
        rate_(options.bytes_per_second_max) {}

  Result<ScrubProgress> run(const ExpectedBlobs& expected) {
    const int threads =
        options_.threads > 0 ? options_.threads : static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    Result<> walked = ok();
    {
      std::vector<std::jthread> workers;
      for (int i = 0; options_.hash && i < threads; ++i) workers.emplace_back([this] { work(); });
      walked = options_.only_expected ? walk_expected(expected) : walk_store(expected);
      queue_.close();
    }
    if (stop_.stop_requested())
      return Error{Errc::Cancelled, "stopped after " + std::to_string(progress_.blobs) + " blobs"};
    HM_TRY(std::move(walked));
    return progress_;
  }

 private:
  /// Both sequences ascend, so one pass tells what is missing.
  Result<> walk_store(const ExpectedBlobs& expected) {
    std::optional<BlobInfo> wanted;
    Result<> failed = ok();
    auto next = [&] {
      auto more = expected ? expected() : Result<std::optional<BlobInfo>>(std::optional<BlobInfo>());
      if (more) {
        wanted = more.assume_value();
      } else {
        failed = more.error();
        wanted.reset();
      }
      return more.has_value();
    };
    if (!next()) return failed;
    HM_TRY(blobs_.each(
        [&](const BlobInfo& there) {
          while (wanted && wanted->id < there.id) {
            report_missing(*wanted);
            if (!next()) return false;
          }
          std::optional<std::uint64_t> size;
          if (wanted && wanted->id == there.id) {
            size = wanted->size_bytes;
            if (!next()) return false;
          }
          return look_at(there, size);
        },
        [&](const std::string& path) {
          if (!options_.foreign) return;
          BlobFinding finding;
          finding.kind = BlobFindingKind::Foreign;
          finding.path = path;
          finding.detail = "no blob has this name";
          report(finding);
        }));
    while (failed && wanted && !stop_.stop_requested()) {
      report_missing(*wanted);
      next();
    }
    return failed;
  }

  Result<> walk_expected(const ExpectedBlobs& expected) {
    while (!stop_.stop_requested()) {
      HM_TRY(const std::optional<BlobInfo> wanted,
             expected ? expected() : Result<std::optional<BlobInfo>>(std::optional<BlobInfo>()));
      if (!wanted) break;
      auto size = blobs_.find(wanted->id);
      if (!size) {
        report_unreadable(wanted->id, size.error().what);
      } else if (!size.assume_value()) {
        report_missing(*wanted);
      } else if (!look_at({wanted->id, *size.assume_value()}, wanted->size_bytes)) {
        break;
      }
    }
    return ok();
  }

  bool look_at(const BlobInfo& there, std::optional<std::uint64_t> expected_bytes) {
    if (stop_.stop_requested()) return false;
    if (expected_bytes && *expected_bytes != there.size_bytes) {
      BlobFinding finding{BlobFindingKind::WrongSize, there.id, {}, *expected_bytes, there.size_bytes, {}};
      finding.detail =
          "has " + std::to_string(there.size_bytes) + " bytes, recorded are " + std::to_string(*expected_bytes);
      report(finding);
      advance(1, 0);
      return true;
    }
    if (options_.hash) return queue_.push(there, stop_);
    advance(1, 0);
    return true;
  }

  void work() {
    while (const auto blob = queue_.pop(stop_)) {
      auto path = blobs_.path(blob->id);
      auto actual = path ? hash_file(fs_, path.assume_value(), [this](std::uint64_t n) { return account(n); })
                         : Result<Sha256>(path.error());
      if (!actual && actual.error().code == Errc::Cancelled) return;
      if (!actual && actual.error().code == Errc::NotFound) continue;  // removed meanwhile, by gc
      if (!actual) {
        report_unreadable(blob->id, actual.error().what);
      } else if (actual.assume_value() != blob->id) {
        BlobFinding finding{BlobFindingKind::Flipped, blob->id, {}, blob->size_bytes, blob->size_bytes, {}};
        finding.detail = "its bytes hash to " + actual.assume_value().hex();
        report(finding);
      }
      advance(1, 0);
    }
  }

  /// After each stretch that was hashed: tells, and waits until the rate allows the next.
  bool account(std::uint64_t bytes) {
    advance(0, bytes);
    std::int64_t wait_ms = rate_.take(bytes, clock_.monotonic_ms());
    if (wait_ms > 0 && options_.pause) {
      options_.pause(wait_ms);
    } else if (wait_ms > 0) {
      std::mutex mutex;
      std::unique_lock lock(mutex);
      std::condition_variable_any().wait_for(lock, stop_, std::chrono::milliseconds(wait_ms), [] { return false; });
    }
    return !stop_.stop_requested();
  }

  void advance(std::uint64_t blobs, std::uint64_t bytes) {
    const std::lock_guard lock(callback_mutex_);
    progress_.blobs += blobs;
    progress_.bytes += bytes;
    if (on_progress_) on_progress_(progress_);
  }
  void report(const BlobFinding& finding) {
    const std::lock_guard lock(callback_mutex_);
    if (on_finding_) on_finding_(finding);
  }
  void report_missing(const BlobInfo& wanted) {
    report({BlobFindingKind::Missing, wanted.id, {}, wanted.size_bytes, 0, "is recorded and not there"});
  }
  void report_unreadable(const BlobId& id, const std::string& why) {
    report({BlobFindingKind::Unreadable, id, {}, 0, 0, why});
  }

  FileSystem& fs_;
  const BlobStore& blobs_;
  const ScrubOptions& options_;
  const Clock& clock_;
  const std::function<void(const BlobFinding&)>& on_finding_;
  const std::function<void(const ScrubProgress&)>& on_progress_;
  const std::stop_token stop_;
  TokenBucket rate_;
  WorkQueue queue_;
  std::mutex callback_mutex_;
  ScrubProgress progress_;  // guarded by callback_mutex_
};
}  // namespace

std::string_view name_of(BlobFindingKind kind) {
  switch (kind) {
    case BlobFindingKind::Flipped:
      return "flipped";
    case BlobFindingKind::WrongSize:
      return "wrong-size";
    case BlobFindingKind::Missing:
      return "missing";
    case BlobFindingKind::Foreign:
      return "foreign";
    case BlobFindingKind::Unreadable:
      return "unreadable";
  }
  return "unknown";
}

ExpectedBlobs expect_sorted(std::vector<BlobInfo> blobs) {
  std::sort(blobs.begin(), blobs.end(), [](const BlobInfo& a, const BlobInfo& b) { return a.id < b.id; });
  blobs.erase(
      std::unique(blobs.begin(), blobs.end(), [](const BlobInfo& a, const BlobInfo& b) { return a.id == b.id; }),
      blobs.end());
  return [list = std::move(blobs), at = std::size_t{0}]() mutable -> Result<std::optional<BlobInfo>> {
    if (at == list.size()) return std::optional<BlobInfo>();
    return std::optional(list[at++]);
  };
}

Result<Sha256> hash_file(FileSystem& fs, const std::string& path, const std::function<bool(std::uint64_t)>& more) {
  HM_TRY(const auto file, fs.open_read(path));
  HM_TRY(const std::uint64_t size, file->size());
  Sha256Hasher hasher;
  HM_TRY(within(hash_range(*file, 0, size, hasher, more), [&] { return "hashing " + path; }));
  return hasher.finish();
}

Result<ScrubProgress> scrub(FileSystem& fs, const BlobStore& blobs, const ExpectedBlobs& expected,
                            const ScrubOptions& options, const Clock& clock,
                            const std::function<void(const BlobFinding&)>& on_finding,
                            const std::function<void(const ScrubProgress&)>& on_progress, std::stop_token stop) {
  return Scrubber(fs, blobs, options, clock, on_finding, on_progress, std::move(stop)).run(expected);
}
}  // namespace hm::storage
