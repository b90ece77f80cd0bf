// mirror/lfs/arriving_blob.hpp: a large file that is read while it is fetched, by any number of readers. Layer 4.
// Threads: safe. The downloader tells what was written, on the network thread; each reader is a coroutine on its own
// loop and reads the file on the pool.
//
// Nobody is given the last byte before the digest was checked, so whoever was given bytes that turn out to be wrong
// never sees the file's end. A reader ends with Corrupt as well when a byte that it has passed comes a second time (a
// connection that broke, another route, a file that changed): the two need not be the same.
#pragma once
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "mirror/lfs/blob_reader.hpp"
#include "mirror/lfs/download.hpp"
#include "mirror/lfs/waiters.hpp"

namespace hm::mirror {
class ArrivingBlob final : public BlobWatcher, public std::enable_shared_from_this<ArrivingBlob> {
 public:
  /// @param pool for reads; outlives the readers
  ArrivingBlob(std::uint64_t size_bytes, boost::asio::thread_pool& pool) : size_bytes_(size_bytes), pool_(pool) {}

  void begun(const storage::PartialBlob& partial, std::shared_ptr<const File> data) override;
  void written(std::uint64_t offset, std::uint64_t bytes) override;
  /// The last thing it is told. @param whole the published file
  void ended(Result<std::shared_ptr<const File>> whole);

  /// A reader of [first, first + length), once its first byte can be read. @returns why it did not come; Unreachable
  /// when it takes longer than `wait_ms_max`
  awaitable<Result<std::unique_ptr<BlobReader>>> read(std::uint64_t first, std::uint64_t length,
                                                      std::int64_t wait_ms_max);

 private:
  class Reader;
  /// What one reader has taken, or waits for.
  struct Place {
    std::uint64_t first = 0, next = 0;
    bool overtaken = false;  ///< a byte of [first, next) came again, or may be another now
    std::shared_ptr<Waiter> waiter;
  };
  using Places = std::list<Place>;
  std::uint64_t readable_to(std::uint64_t offset) const;  // mutex_ held
  void wake();                                            // mutex_ held

  const std::uint64_t size_bytes_;
  boost::asio::thread_pool& pool_;
  std::mutex mutex_;
  std::uint64_t segment_bytes_ = 0;
  std::vector<std::uint64_t> written_to_;  ///< by segment: the end of what was written of it without a gap
  std::shared_ptr<const File> file_;       ///< none before it is begun
  bool whole_ = false;                     ///< the digest was checked
  std::optional<Error> failed_;
  Places places_;
};
}  // namespace hm::mirror
