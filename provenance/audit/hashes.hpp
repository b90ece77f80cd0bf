// provenance/audit/hashes.hpp: which repositories have the same files, byte for byte, and which names of a repository
// changed their bytes. Layer 4. Threads: safe; blocks on the index. docs/audits.md
#pragma once
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "provenance/audit/subjects.hpp"
#include "provenance/report/figures.hpp"
#include "storage/index.hpp"

namespace hm::provenance::audit {
inline constexpr std::size_t kHoldersMax = 10'000;  ///< of one file that are looked at; some files are in every model

/// The large files of all published revisions, of a repository without one those that the Hub told of, against
/// everybody whose files are known. @returns Corrupt.
Result<report::Report> hashes(const storage::Index& index, const Subjects& asked);
/// Everything of which files are known, ascending. @returns Corrupt.
Result<std::vector<RepoKey>> with_known_files(const storage::Index& index);
}  // namespace hm::provenance::audit
