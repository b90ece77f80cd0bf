// crawler/gc.hpp: removes what no published revision needs, after a grace period, never under a pin. Layer 5.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/result.hpp"
#include "mirror/catalog.hpp"
#include "provenance/record.hpp"

namespace hm::crawler {
struct GcOptions {
  std::int64_t superseded_days = -1;  ///< -1: revisions are kept for ever
  std::int64_t grace_hours = 24;
  std::int64_t quarantine_days = 30;
  bool dry_run = false;
  bool trust_index = false;  ///< although the store has seen a longer journal, or another one
};
struct GcItem {
  std::string kind;  ///< "revision", "blob", "unfinished", "repository", "quarantine"
  std::string subject;
  std::uint64_t bytes = 0;
};
struct GcReport {
  std::vector<GcItem> items;  ///< removed, or what would be
  std::uint64_t bytes = 0;
  std::uint64_t kept_young = 0;  ///< unreferenced, but within the grace period
};
/// Directories below git/ that no repository of the index has, relative to the data directory.
Result<std::vector<std::string>> unknown_repositories(const mirror::Catalog& catalog, FileSystem& fs,
                                                      const storage::DataDir& dir);
Result<GcReport> collect_garbage(const mirror::Catalog& catalog, storage::Index& index, storage::BlobStore& blobs,
                                 FileSystem& fs, const storage::DataDir& dir, provenance::Recorder& recorder,
                                 const Clock& clock, const GcOptions& options);
}  // namespace hm::crawler
