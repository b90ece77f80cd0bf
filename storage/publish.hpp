// storage/publish.hpp: gives verified bytes their names, many at a time. Layer 3; inside of storage only.
// Order: write back all → fdatasync each → rename each → fsync every directory once → forget the logs.
// docs/formats/blob_store.md
#pragma once
#include <bitset>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "storage/partial_blob_local.hpp"

namespace hm::storage {
/// Which directories of blobs/sha256 this process knows to be durable, so that it syncs their parents once only.
/// Thread-safe.
class KnownDirectories {
 public:
  /// `hex` is a blob's; adds to `into` every directory whose entry for it may not be durable yet.
  void collect(const DataDir& dir, const std::string& hex, std::set<std::string>& into) const;
  void mark(const std::string& hex);  ///< collect()'s directories were synced

 private:
  mutable std::mutex mutex_;
  std::bitset<256> first_;     // sha256/ holds ab/ durably
  std::bitset<65536> second_;  // ab/ holds cd/ durably
};

/// One file on its way to its name.
struct Publication {
  BlobId id;
  File* data = nullptr;
  std::string from;
  LocalPartialBlob* partial = nullptr;  ///< absent for bytes stored by put()
  Result<> result = ok();
};

/// Works on all of `items` whose result is ok so far; each gets its own result.
void publish_all(LocalContext& context, KnownDirectories& known, std::vector<Publication>& items);

/// Moves a file to quarantine/<hex>.<unixms>.<n> and says why in a .txt beside it. @returns the path of the moved file,
/// relative to the data directory.
Result<std::string> move_to_quarantine(LocalContext& context, const std::string& from, const BlobId& id,
                                       std::string_view reason);
}  // namespace hm::storage
