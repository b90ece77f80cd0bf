// mirror/lfs/download.hpp: fetches large files into the blob store: parallel files, parallel ranges, resumable, each
// digest checked before it names bytes. Layer 4. Threads: coroutines on the network executor; writing and hashing run
// on the `disk` pool. docs/threads.md
#pragma once
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "hub/api.hpp"
#include "storage/blob_store.hpp"

namespace hm::mirror {
using net::awaitable;

/// One blob and where it can be had.
struct WantedBlob {
  storage::BlobId id;
  std::uint64_t size_bytes = 0;
  std::string path;      ///< one path of it, for resolve and for messages
  std::string revision;  ///< commit that holds the path
};
struct BlobOutcome {
  storage::BlobId id;
  Result<> result;
  std::uint64_t fetched_bytes = 0;  ///< over the wire by this run; less than the size after a resume
};
struct DownloadOptions {
  int files_parallel = 8;
  int ranges_per_file = 4;                        ///< connections for one large file
  std::uint64_t bytes_in_flight_max = 64U << 20;  ///< received and not yet written, over all transfers
};
/// Sees the bytes of one blob as they come to lie in its partial file, before its digest was checked. Network thread.
class BlobWatcher {
 public:
  virtual ~BlobWatcher() = default;
  /// It is begun, or begun anew: then nothing that was told before holds any more. @param data its bytes, as
  /// PartialBlob::open_data()
  virtual void begun(const storage::PartialBlob& partial, std::shared_ptr<const File> data) = 0;
  /// Bytes can be read; ascending within a segment, unless they come a second time.
  virtual void written(std::uint64_t offset, std::uint64_t bytes) = 0;
};

/// What a caller of fetch() hears while it runs; on the network thread. Each may be empty.
struct DownloadEvents {
  std::function<void(const WantedBlob&, std::uint64_t more_bytes)> on_bytes;
  std::function<void(const WantedBlob&, const BlobOutcome&)> on_done;
  /// Of the one blob that is wanted. Somebody waits for its first byte: it is fetched beside files_parallel others, and
  /// what came is written at once when the disk has nothing to do.
  std::shared_ptr<BlobWatcher> watcher;
};

class Downloader {
 public:
  Downloader(hub::Api& api, net::HttpClient& client, storage::BlobStore& blobs, boost::asio::thread_pool& disk_pool,
             DownloadOptions options);
  /// Fetches every blob of `wanted` that is not stored, each once; one that fails does not stop the others. A blob that
  /// another fetch() of this Downloader is fetching right now is waited for. Outcomes in the order of `wanted`. Fails
  /// as a whole only for Cancelled and NoSpace.
  awaitable<Result<std::vector<BlobOutcome>>> fetch(RepoId repo, std::vector<WantedBlob> wanted, DownloadEvents events);
  /// From now on, also for what is under way; `bytes_in_flight_max` stays as it was. Network thread.
  void set_parallel(int files, int ranges_per_file);
  ~Downloader();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};
}  // namespace hm::mirror
