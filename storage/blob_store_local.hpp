// storage/blob_store_local.hpp: the blob store on a filesystem. Layer 3. docs/formats/blob_store.md,
// docs/formats/partial_blob.md
#pragma once
#include <cstdint>
#include <memory>
#include <string>

#include "base/file.hpp"
#include "storage/blob_store.hpp"
#include "storage/data_dir.hpp"

namespace hm::storage {
struct LocalBlobStoreOptions {
  /// Free space that is left alone: the larger of `reserve_bytes` and `reserve_percent` of the filesystem, the latter
  /// at most `reserve_percent_bytes_max`.
  std::uint64_t reserve_bytes = 1ULL << 30;
  unsigned reserve_percent = 1;
  std::uint64_t reserve_percent_bytes_max = 16ULL << 30;  ///< 1 % of a large array is more than anybody needs
  std::uint32_t segment_bytes = 16U << 20;                ///< multiple of 64, kSegmentBytesMin … kSegmentBytesMax
  std::uint64_t sync_every_bytes = 256ULL << 20;          ///< what a power loss may cost of one download
  std::string boot_id;                                    ///< empty: the kernel's; tests say what they like
};
/// Touches nothing before its first use. Any number of processes may read; one at a time writes (WriterLock). `fs`
/// outlives the store and its partials.
std::unique_ptr<BlobStore> make_local_blob_store(FileSystem& fs, DataDir dir, LocalBlobStoreOptions options = {});
}  // namespace hm::storage
