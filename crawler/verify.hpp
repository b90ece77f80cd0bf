// crawler/verify.hpp: compares what is on disk with what was recorded, and repairs by digest. Layer 5.
#pragma once
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "mirror/catalog.hpp"
#include "mirror/lfs/download.hpp"

namespace hm::crawler {
struct VerifyOptions {
  bool deep = false;                       ///< git objects, manifests against trees and journal, not only blobs
  std::uint64_t bytes_per_second_max = 0;  ///< 0: unlimited
  int threads = 0;                         ///< 0: one per core
  std::vector<RepoSpec> only;              ///< empty: everything, and foreign files too
};
enum class FindingKind : std::uint8_t {
  Flipped,
  WrongSize,
  Missing,
  Unreadable,
  Foreign,
  GitObject,
  Manifest,
  Journal,
  Unfinished
};
std::string_view name_of(FindingKind kind);  ///< "flipped", "wrong-size", "missing", "unreadable", "foreign",
                                             ///< "git-object", "manifest", "journal", "unfinished"
struct Finding {
  FindingKind kind = FindingKind::Missing;
  std::string subject;  ///< blob digest, path below the data directory, or repository
  std::string detail;
  std::optional<storage::BlobId> blob;  ///< for findings about a blob: what repair() can fetch again
  std::vector<std::string> used_by;     ///< "org/name:path", at most 8
  bool bad = true;                      ///< false: worth knowing, nothing wrong (an unfinished download)
};
struct VerifyReport {
  std::uint64_t blobs = 0, bytes = 0, git_objects = 0, manifests = 0;
  std::vector<Finding> findings;
  std::int64_t elapsed_ms = 0;
};
struct VerifyProgress {
  std::uint64_t bytes_done = 0, bytes_total = 0;
};
/// What verify and repair look at; everything outlives the call.
struct VerifyParts {
  const mirror::Catalog& catalog;
  storage::Index& index;  ///< not written to; a Journal wants one it could write to
  storage::BlobStore& blobs;
  FileSystem& fs;
  const storage::DataDir& dir;
  const Clock& clock;
};
/// Blocks. `progress` is called from hashing threads, one at a time.
Result<VerifyReport> verify(const VerifyParts& parts, const VerifyOptions& options,
                            const std::function<void(const VerifyProgress&)>& progress, std::stop_token stop);

struct RepairReport {
  std::uint64_t repaired = 0;
  std::vector<Finding> left;  ///< what could not be repaired, with the reason in detail
};
/// Moves bad blobs to quarantine and fetches them again by digest from a repository that refers to them. Blocking parts
/// run on `pool`.
mirror::awaitable<Result<RepairReport>> repair(const VerifyParts& parts, mirror::Downloader& downloader,
                                               boost::asio::thread_pool& pool, std::vector<Finding> findings);
}  // namespace hm::crawler
