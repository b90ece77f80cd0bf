// crawler/verify.hpp: compares what is on disk with what was recorded, and repairs by digest. Layer 5.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "mirror/catalog.hpp"
#include "mirror/lfs/download.hpp"

namespace hm::crawler {
struct VerifyOptions {
  bool deep = false;                        ///< git objects, manifests against trees and journal, not only blobs
  std::uint64_t bytes_per_second_max = 0;   ///< 0: unlimited
  int threads = 0;                          ///< 0: one per core
  std::vector<RepoId> only;                 ///< empty: everything, and foreign files too
};
enum class FindingKind : std::uint8_t { Flipped, WrongSize, Missing, Foreign, GitObject, Manifest, Partial };
std::string_view name_of(FindingKind kind);  ///< "flipped", "wrong-size", "missing", "foreign", "git-object", "manifest", "unfinished"
struct Finding {
  FindingKind kind = FindingKind::Missing;
  std::string subject;                      ///< blob digest, path below the data directory, or repository
  std::string detail;
  std::vector<std::string> used_by;         ///< "org/name:path", at most 8
  bool bad = true;                          ///< false: worth knowing, nothing wrong (an unfinished download)
};
struct VerifyReport {
  std::uint64_t blobs = 0, bytes = 0, git_objects = 0, manifests = 0;
  std::vector<Finding> findings;
  std::int64_t elapsed_ms = 0;
};
struct VerifyProgress {
  std::uint64_t bytes_done = 0, bytes_total = 0;
};
Result<VerifyReport> verify(const mirror::Catalog& catalog, const storage::Index& index, storage::BlobStore& blobs, const storage::DataDir& dir, const VerifyOptions& options,
                            const std::function<void(const VerifyProgress&)>& progress, std::stop_token stop);

struct RepairReport {
  std::uint64_t repaired = 0;
  std::vector<Finding> left;                ///< what could not be repaired, with the reason in detail
};
/// Moves bad blobs to quarantine and fetches them again by digest from a repository that refers to them.
mirror::awaitable<Result<RepairReport>> repair(const mirror::Catalog& catalog, const storage::Index& index, storage::BlobStore& blobs, mirror::Downloader& downloader, std::vector<Finding> findings);
}  // namespace hm::crawler
