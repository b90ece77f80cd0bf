// crawler/gc.hpp: removes what no published revision needs, after a grace period, never under a pin. Layer 5.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "base/file.hpp"
#include "base/result.hpp"
#include "config/mirror_policy.hpp"
#include "mirror/catalog.hpp"
#include "provenance/record.hpp"

namespace hm::crawler {
struct GcOptions {
  std::int64_t superseded_days = -1;  ///< -1: revisions are kept for ever; of repositories that no policy wants
  /// Those of the present files: what they want, and let go, comes before superseded_days.
  std::vector<config::MirrorPolicy> policies;
  std::int64_t grace_hours = 24;
  std::int64_t quarantine_days = 30;
  /// Although the store has seen a longer journal, or another one, or repositories that this index does not know. These
  /// stay; blobs that only they refer to go.
  bool trust_index = false;
};
struct GcItem {
  std::string kind;  ///< "unwanted", "revision", "blob", "unfinished", "repository", "quarantine"
  std::string subject;
  std::uint64_t bytes = 0;
  std::string why;  ///< of "unwanted": which policies brought it, and since when none wants it
};
struct GcReport {
  std::vector<GcItem> items;  ///< removed, or what would be
  std::uint64_t bytes = 0;
  std::uint64_t kept_young = 0;  ///< unreferenced, but within the grace period
  /// What stays because the index has no room for the entry.
  std::uint64_t kept_for_room = 0;                   ///< superseded revisions
  std::uint64_t unwanted_kept_for_room = 0;          ///< repositories
  std::uint64_t count(std::string_view kind) const;  ///< of items
};
/// Directories below git/ that no repository of the index has, relative to the data directory. Refreshes the index
/// before it says so.
Result<std::vector<std::string>> unknown_repositories(const mirror::Catalog& catalog, storage::Index& index,
                                                      FileSystem& fs, const storage::DataDir& dir);
/// What it looks at.
struct GcParts {
  const mirror::Catalog& catalog;
  storage::Index& index;
  const storage::BlobStore& blobs;
  FileSystem& fs;
  const storage::DataDir& dir;
  const Clock& clock;
};
/// What would go. Changes nothing and needs no lock; beside a writer it tells of what the writer had committed.
/// @returns Corrupt when the index is older than the store, or a generation cannot be read.
Result<GcReport> plan_garbage(const GcParts& parts, const GcOptions& options);
/// The same, and it goes. @param recorder nullptr: what takes a journal entry stays (superseded revisions, repositories
/// that nothing wants); the rest needs no room on the disk.
Result<GcReport> collect_garbage(const GcParts& parts, storage::BlobStore& blobs, provenance::Recorder* recorder,
                                 const GcOptions& options);
}  // namespace hm::crawler
