#include "mirror/lfs/write_queue.hpp"

#include <algorithm>
#include <boost/asio/post.hpp>

#include "base/check.hpp"
#include "base/crash_point.hpp"

namespace hm::mirror {
namespace {
/// Batches that one job writes before it queues behind the other transfers' jobs.
constexpr int kBatchesPerJob = 4;
/// Every transfer needs a buffer to make progress; with fewer than this, two transfers would wait for each other's
/// ends.
constexpr std::size_t kBuffersMin = 4;
}  // namespace

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  if (this != &other) {
    give_back();
    pool_ = std::move(other.pool_);
    bytes_ = std::move(other.bytes_);
  }
  return *this;
}

void Buffer::give_back() {
  if (bytes_) pool_->put(std::move(bytes_));
  pool_.reset();
}

BufferPool::BufferPool(boost::asio::any_io_executor executor, std::uint64_t bytes_max)
    : freed_(std::move(executor)),
      left_(std::max<std::size_t>(kBuffersMin, static_cast<std::size_t>(bytes_max / kBatchBytes))) {}

std::optional<Buffer> BufferPool::try_take() {
  if (left_ == 0) return std::nullopt;
  --left_;
  if (idle_.empty()) return Buffer(shared_from_this(), std::make_unique_for_overwrite<std::byte[]>(kBatchBytes));
  Buffer buffer(shared_from_this(), std::move(idle_.back()));  // the one used last: its memory is warm
  idle_.pop_back();
  return buffer;
}

void BufferPool::put(std::unique_ptr<std::byte[]> bytes) {
  ++left_;
  idle_.push_back(std::move(bytes));
  freed_.notify_all();
}

WriteQueue::WriteQueue(boost::asio::any_io_executor network, boost::asio::thread_pool& disk, storage::PartialBlob& into,
                       BlobWatcher* watcher)
    : network_(network), disk_(disk), into_(into), watcher_(watcher), written_(std::move(network)) {}

void WriteQueue::push(Batch batch) {
  ++pending_;
  {
    const std::lock_guard lock(mutex_);
    batches_.push_back(std::move(batch));
    if (std::exchange(working_, true)) return;
  }
  ++jobs_;
  boost::asio::post(disk_, [self = shared_from_this()]() mutable { work(std::move(self)); });
}

void WriteQueue::work(std::shared_ptr<WriteQueue> self) {
  WriteQueue& q = *self;
  for (int i = 0; i < kBatchesPerJob; ++i) {
    Batch batch;
    {
      const std::lock_guard lock(q.mutex_);
      if (q.batches_.empty()) {
        q.working_ = false;
        break;
      }
      batch = std::move(q.batches_.front());
      q.batches_.pop_front();
    }
    auto error = q.write(batch);
    boost::asio::post(q.network_, [self, batch = std::move(batch), error = std::move(error)]() mutable {
      self->done(std::move(batch), std::move(error));
    });
    if (i + 1 == kBatchesPerJob) {
      boost::asio::post(q.disk_, [self = std::move(self)]() mutable { work(std::move(self)); });
      return;
    }
  }
  boost::asio::post(q.network_, [self = std::move(self)] {
    --self->jobs_;
    self->written_.notify_all();
  });
}

std::optional<Error> WriteQueue::write(const Batch& batch) {
  if (broken_) return std::nullopt;  // nobody is told of it: error_ is set before done() hears of this batch
  Result<> r = into_.write(batch.offset_bytes, std::span<const std::byte>(batch.buffer.data(), batch.size));
  if (r && batch.completes) {
    HM_CRASH_POINT("lfs_before_segment");
    r = into_.complete_segment(*batch.completes);
    HM_CRASH_POINT("lfs_after_segment");
  }
  if (r) return std::nullopt;
  broken_ = true;
  return std::move(r).assume_error();
}

void WriteQueue::done(Batch batch, std::optional<Error> error) {
  batch.buffer.give_back();
  if (error) error_ = std::move(error);
  if (watcher_ != nullptr && !error_) watcher_->written(batch.offset_bytes, batch.size);
  if (pending_ == 1 && !error_ && on_last_written_) on_last_written_();
  --pending_;
  written_.notify_all();
}

awaitable<void> WriteQueue::drain() {
  while (pending_ > 0 || jobs_ > 0) co_await written_.wait();
}
}  // namespace hm::mirror
