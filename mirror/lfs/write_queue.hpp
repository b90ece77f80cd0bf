// mirror/lfs/write_queue.hpp: from the socket to the disk: pooled buffers, bounded in number, written in order by the
// disk pool. Layer 4. Threads: called on the network executor; PartialBlob is called on the disk pool.
//
// The disk works on one batch while the network thread fills the next. When batches run out (BufferPool) or one
// transfer has too many waiting (kQueuedBatchesMax), its coroutine stops pulling its body, the client stops reading the
// socket, and the sender waits.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "base/result.hpp"
#include "mirror/lfs/download.hpp"
#include "mirror/lfs/tasks.hpp"
#include "storage/blob_store.hpp"

namespace hm::mirror {
/// Bytes handed to the disk at once: enough that the hand-over (two thread switches) costs nothing against hashing it
/// (0.3 ms), little enough to stay in a core's cache.
inline constexpr std::size_t kBatchBytes = 512U << 10;
/// Batches of one transfer that wait for the disk: covers the pause between two requests, and keeps the bytes close to
/// when they were received.
inline constexpr std::size_t kQueuedBatchesMax = 8;

class BufferPool;
/// One batch of memory; goes back to its pool at its end.
class Buffer {
 public:
  Buffer() = default;
  Buffer(Buffer&&) = default;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer() { give_back(); }
  explicit operator bool() const { return bytes_ != nullptr; }
  std::byte* data() const { return bytes_.get(); }
  void give_back();

 private:
  friend BufferPool;
  Buffer(std::shared_ptr<BufferPool> pool, std::unique_ptr<std::byte[]> bytes)
      : pool_(std::move(pool)), bytes_(std::move(bytes)) {}
  std::shared_ptr<BufferPool> pool_;
  std::unique_ptr<std::byte[]> bytes_;
};

/// At most `bytes_max` in buffers, over all transfers of a Downloader. Network executor.
class BufferPool : public std::enable_shared_from_this<BufferPool> {
 public:
  BufferPool(boost::asio::any_io_executor executor, std::uint64_t bytes_max);
  std::optional<Buffer> try_take();
  awaitable<void> wait() { co_await freed_.wait(); }  ///< until one may have come back, or cancelled

 private:
  friend Buffer;
  void put(std::unique_ptr<std::byte[]> bytes);
  Signal freed_;
  std::size_t left_;  // buffers that may still be handed out
  std::vector<std::unique_ptr<std::byte[]>> idle_;
};

/// The batches of one transfer. @pre of its end: drained.
class WriteQueue : public std::enable_shared_from_this<WriteQueue> {
 public:
  /// `into` outlives the queue's drain(). @param watcher none, or told of what was written; outlives it too
  WriteQueue(boost::asio::any_io_executor network, boost::asio::thread_pool& disk, storage::PartialBlob& into,
             BlobWatcher* watcher = nullptr);
  struct Batch {
    Batch() = default;
    Buffer buffer;
    std::size_t size = 0;
    std::uint64_t offset_bytes = 0;
    std::optional<std::uint64_t> completes;  ///< segment that these bytes end
  };
  void push(Batch batch);
  /// Called when the last batch that is pending was written, while it still counts as pending; it may push. None: not
  /// called.
  void on_last_written(std::function<void()> then) { on_last_written_ = std::move(then); }
  std::size_t pending() const { return pending_; }  ///< pushed and not yet written
  bool full() const { return pending_ >= kQueuedBatchesMax; }
  const std::optional<Error>& error() const { return error_; }  ///< the first; nothing is written after it
  awaitable<void> wait() { co_await written_.wait(); }          ///< until something was written, or cancelled
  awaitable<void> drain();                                      ///< until nothing is pending, also when cancelled

 private:
  // On the disk pool. Each takes the reference along, so that the last one always ends on the network thread.
  static void work(std::shared_ptr<WriteQueue> self);
  std::optional<Error> write(const Batch& batch);
  void done(Batch batch, std::optional<Error> error);
  boost::asio::any_io_executor network_;
  boost::asio::thread_pool& disk_;
  storage::PartialBlob& into_;
  BlobWatcher* const watcher_;
  std::function<void()> on_last_written_;
  Signal written_;
  std::size_t pending_ = 0;
  int jobs_ = 0;  // on the disk pool
  std::optional<Error> error_;

  std::mutex mutex_;  // guards the two below
  std::deque<Batch> batches_;
  bool working_ = false;
  bool broken_ = false;  // disk pool, one job at a time: a write failed
};
}  // namespace hm::mirror
