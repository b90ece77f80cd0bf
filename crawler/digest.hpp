// crawler/digest.hpp: reads the model files of published revisions and records digests of their tensors. Layer 5.
// Threads: digest() blocks and works on threads of its own; docs/formats/model_files.md
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "mirror/catalog.hpp"
#include "provenance/record.hpp"
#include "storage/blob_store.hpp"
#include "storage/data_dir.hpp"
#include "storage/index.hpp"

namespace hm::crawler {
/// What digesting looks at; everything outlives the call.
struct DigestParts {
  const mirror::Catalog& catalog;
  const storage::Index& index;
  const storage::BlobStore& blobs;
  provenance::Recorder& recorder;
};
struct DigestOptions {
  std::vector<RepoSpec> only;  ///< empty: every model. Without a revision: what branches name
  std::size_t threads = 1;     ///< each holds about 1 MiB
};
struct DigestProgress {
  std::uint64_t bytes_done = 0, bytes_total = 0;
};
/// A file that has no digests now.
struct Undigested {
  std::string repo, path;  ///< printable
  std::string why;
  bool bad = false;  ///< its bytes could not be read; else they are no model file, which is not our fault
};
struct DigestReport {
  /// Repositories with model files, in the order in which they were looked at.
  struct Repo {
    RepoKey key;
    std::string name;                    ///< printable
    std::uint64_t files = 0, bytes = 0;  ///< digested now
    std::uint64_t tensors = 0;           ///< of them
    std::uint64_t known = 0;             ///< files whose digests were known already
  };
  std::vector<Repo> repos;
  std::vector<Undigested> undigested;
};
/// One file after the other; each is recorded when it was read, so that a run that was cut short goes on where it was.
/// Files whose bytes have digests, from whatever repository, are not read. Bytes are taken as they lie: whether they
/// are those that were recorded is verify's question.
/// @param progress called on digesting threads, one at a time. @returns Cancelled, NotFound for a repository or
/// revision that is not here, what the index and the recorder return.
Result<DigestReport> digest(const DigestParts& parts, const DigestOptions& options,
                            const std::function<void(const DigestProgress&)>& progress, std::stop_token stop);
}  // namespace hm::crawler
