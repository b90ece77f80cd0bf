// storage/scrub.hpp: reads every blob again and compares with its name. Layer 3.
// Threads: scrub() walks the store on the calling thread and hashes on `threads` others; callbacks come from any of
// them, one at a time.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/result.hpp"
#include "storage/blob_store.hpp"

namespace hm::storage {
enum class BlobFindingKind : std::uint8_t {
  Flipped,     ///< bytes do not hash to the name
  WrongSize,   ///< shorter or longer than expected; not hashed
  Missing,     ///< expected, and not there
  Foreign,     ///< a file in the store's folders that is no blob
  Unreadable,  ///< the medium failed
};
std::string_view name_of(BlobFindingKind kind);  ///< "flipped", "wrong-size", …

struct BlobFinding {
  BlobFindingKind kind = BlobFindingKind::Missing;
  BlobId id;                         ///< all but Foreign
  std::string path;                  ///< relative to the data directory; Foreign only
  std::uint64_t expected_bytes = 0;  ///< where it is known
  std::uint64_t actual_bytes = 0;
  std::string detail;  ///< one sentence with both digests or both sizes
};
struct ScrubProgress {
  std::uint64_t blobs = 0, bytes = 0;  ///< looked at so far
};
struct ScrubOptions {
  int threads = 0;                         ///< 0: one per core
  std::uint64_t bytes_per_second_max = 0;  ///< over all threads; 0: unlimited
  bool hash = true;                        ///< false: sizes and presence only
  bool foreign = true;                     ///< report files that are no blobs
  bool only_expected = false;              ///< look at expected blobs only; the rest of the store is left alone
  std::function<void(std::int64_t wait_ms)> pause;  ///< how to wait for the rate; default: sleeps, ends early on stop
};

/// The next expected blob in ascending digest order, nullopt at the end. Called on scrub()'s thread.
using ExpectedBlobs = std::function<Result<std::optional<BlobInfo>>()>;
ExpectedBlobs expect_sorted(std::vector<BlobInfo> blobs);  ///< sorts them itself, and drops those named twice

/// @param expected may be empty: then nothing can be missing and only sizes that contradict the digest are found, as
/// Flipped.
/// @returns what was looked at; Cancelled when `stop` fired; Io when the folders cannot be listed. Findings are no
/// errors.
Result<ScrubProgress> scrub(FileSystem& fs, const BlobStore& blobs, const ExpectedBlobs& expected,
                            const ScrubOptions& options, const Clock& clock,
                            const std::function<void(const BlobFinding&)>& on_finding,
                            const std::function<void(const ScrubProgress&)>& on_progress, std::stop_token stop);

/// Hashes one file front to back. `more(n)` is called for every n bytes read; false stops with Cancelled.
Result<Sha256> hash_file(FileSystem& fs, const std::string& path, const std::function<bool(std::uint64_t)>& more);
}  // namespace hm::storage
