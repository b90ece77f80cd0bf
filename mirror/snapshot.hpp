// mirror/snapshot.hpp: one revision: which files it has, which of them are wanted, what has to be fetched, and the
// manifest that follows. Layer 4. Threads: blocking, on the git pool; one Repository per call.
#pragma once
#include <cstdint>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "config/filter_use.hpp"
#include "config/policy.hpp"
#include "mirror/git/repository.hpp"
#include "mirror/lfs/download.hpp"
#include "storage/manifest.hpp"

namespace hm::mirror {
/// Old repositories hold modes such as 100664; git itself reads them as one of these three.
storage::FileMode mode_of(std::uint32_t git_mode);

/// sha256 and LFS pointers of git blobs that were read before: revisions share most of their files.
struct BlobFacts {
  Sha256 sha256;  ///< of the file's bytes: for a pointer, of what it points to
  std::uint64_t size_bytes = 0;
  bool is_lfs = false;
};
using BlobFactsCache = std::unordered_map<GitOid, BlobFacts>;

struct RevisionPlan {
  Commit commit;
  GitOid tree;
  storage::Manifest
      manifest;  ///< of the wanted files; complete before a byte is fetched, because pointers name digest and size
  std::uint64_t left_out_files = 0, left_out_bytes = 0;
  std::vector<std::string> submodules;
  std::string readme;  ///< README.md of this commit, at most 512 KiB; "" when there is none
  std::uint64_t git_bytes_hashed = 0;
};

/// Walks the commit's tree and reads its small files. `also` are files wanted besides the selection (published earlier
/// under another one).
/// `use` is shown every file. With `present`, large files are wanted when they are in that store, whatever the
/// selection says. @returns Refused for a file that git stores and that is larger than `git_file_bytes_max`.
Result<RevisionPlan> plan_revision(const Repository& repository, const Commit& commit,
                                   const config::Selection& selection, const storage::Manifest* also,
                                   BlobFactsCache& cache, std::uint64_t git_file_bytes_max,
                                   config::FilterUse* use = nullptr, const storage::BlobStore* present = nullptr);

/// LFS blobs of the manifest, each digest once.
std::vector<WantedBlob> blobs_of(const RevisionPlan& plan);
}  // namespace hm::mirror
