#include "mirror/lfs/arriving_blob.hpp"

#include <algorithm>
#include <boost/asio/this_coro.hpp>

#include "base/run_on.hpp"
#include "mirror/lfs/tasks.hpp"

namespace hm::mirror {
namespace {
/// Read and sent at once, by each reader.
constexpr std::uint64_t kPieceBytes = 256U << 10;
/// The downloader's own time limits end a wait; this one is for the day they do not.
constexpr std::int64_t kPieceWaitMs = 3'600'000;

Error overtaken() {
  return {Errc::Corrupt, "bytes that were given out already came a second time, and may have changed"};
}
}  // namespace

class ArrivingBlob::Reader final : public BlobReader {
 public:
  Reader(std::shared_ptr<ArrivingBlob> blob, std::uint64_t first, std::uint64_t length)
      : blob_(std::move(blob)), end_(first + length) {
    const std::lock_guard lock(blob_->mutex_);
    place_ = blob_->places_.insert(blob_->places_.end(), Place{first, first, false, nullptr});
  }
  ~Reader() override {
    const std::lock_guard lock(blob_->mutex_);
    blob_->places_.erase(place_);
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  awaitable<Result<std::span<const std::byte>>> next() override;
  /// Until there is something to read, or never will be.
  awaitable<Result<>> wait(std::int64_t wait_ms_max);

 private:
  std::optional<Result<>> state();  // mutex_ held

  const std::shared_ptr<ArrivingBlob> blob_;
  const std::uint64_t end_;
  Places::iterator place_;
  std::vector<std::byte> piece_;
};

/// Nullopt while there is nothing to read yet.
std::optional<Result<>> ArrivingBlob::Reader::state() {
  if (place_->overtaken) return Result<>(overtaken());
  if (blob_->failed_) return Result<>(*blob_->failed_);
  if (place_->next == end_ || blob_->readable_to(place_->next) > place_->next) return ok();
  return std::nullopt;
}

awaitable<Result<>> ArrivingBlob::Reader::wait(std::int64_t wait_ms_max) {
  const auto loop = co_await boost::asio::this_coro::executor;
  for (bool woken = true;;) {
    const auto waiter = std::make_shared<Waiter>(loop, wait_ms_max);
    {
      const std::lock_guard lock(blob_->mutex_);
      if (auto now = state()) co_return *now;
      if (!woken) co_return Error{Errc::Unreachable, "upstream has not sent these bytes in time; the download goes on"};
      place_->waiter = waiter;
    }
    woken = co_await waiter->wait();
    if (co_await is_cancelled()) co_return Error{Errc::Cancelled, "the reader was stopped"};
  }
}

awaitable<Result<std::span<const std::byte>>> ArrivingBlob::Reader::next() {
  HM_CO_TRY(co_await wait(kPieceWaitMs));
  std::uint64_t offset = 0, size = 0;
  std::shared_ptr<const File> file;
  {
    const std::lock_guard lock(blob_->mutex_);
    if (place_->next == end_) co_return std::span<const std::byte>();
    file = blob_->file_;
    offset = place_->next;
    const std::uint64_t readable_to = blob_->readable_to(offset);
    if (readable_to == offset) co_return overtaken();  // begun anew since we waited
    size = std::min({readable_to, end_, offset + kPieceBytes}) - offset;
    place_->next = offset + size;  // before they are read: what is written meanwhile overtakes us
  }
  piece_.resize(size);
  auto read = [&] { return file->read_at(offset, piece_); };
  HM_CO_TRY(const std::size_t got, co_await run_on(blob_->pool_, std::move(read)));
  if (got != size) co_return Error{Errc::Io, "a file that is being downloaded is shorter than what was written to it"};
  const std::lock_guard lock(blob_->mutex_);
  if (place_->overtaken) co_return overtaken();
  co_return std::span<const std::byte>(piece_);
}

std::uint64_t ArrivingBlob::readable_to(std::uint64_t offset) const {
  if (whole_) return size_bytes_;
  if (segment_bytes_ == 0 || offset >= size_bytes_) return offset;
  std::uint64_t end = offset;
  for (std::uint64_t segment = offset / segment_bytes_; segment < written_to_.size(); ++segment) {
    if (written_to_[segment] <= end) break;
    end = written_to_[segment];
    if (end != (segment + 1) * segment_bytes_) break;
  }
  return std::max(offset, std::min(end, size_bytes_ - 1));
}

void ArrivingBlob::wake() {
  for (Place& place : places_)
    if (place.waiter && (place.overtaken || failed_ || readable_to(place.next) > place.next))
      Waiter::wake(std::move(place.waiter));
}

void ArrivingBlob::begun(const storage::PartialBlob& partial, std::shared_ptr<const File> data) {
  std::vector<std::uint64_t> written_to(partial.segment_count());
  for (std::uint64_t i = 0; i < written_to.size(); ++i) {
    const std::uint64_t begin = i * partial.segment_bytes();
    const std::uint64_t end = std::min<std::uint64_t>(begin + partial.segment_bytes(), size_bytes_);
    written_to[i] = partial.has_segment(i) ? end : begin;
  }
  const std::lock_guard lock(mutex_);
  for (Place& place : places_) place.overtaken = place.overtaken || place.next > place.first;
  segment_bytes_ = partial.segment_bytes();
  written_to_ = std::move(written_to);
  file_ = std::move(data);
  wake();
}

void ArrivingBlob::written(std::uint64_t offset, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  if (segment_bytes_ == 0 || bytes == 0) return;
  std::uint64_t& to = written_to_[offset / segment_bytes_];
  if (offset < to)
    for (Place& place : places_)
      if (place.first < to && place.next > offset) place.overtaken = true;
  to = offset + bytes;
  wake();
}

void ArrivingBlob::ended(Result<std::shared_ptr<const File>> whole) {
  const std::lock_guard lock(mutex_);
  if (whole) {
    whole_ = true;
    file_ = std::move(whole).assume_value();
  } else {
    failed_ = std::move(whole).assume_error();
  }
  wake();
}

awaitable<Result<std::unique_ptr<BlobReader>>> ArrivingBlob::read(std::uint64_t first, std::uint64_t length,
                                                                  std::int64_t wait_ms_max) {
  auto reader = std::make_unique<Reader>(shared_from_this(), first, length);
  HM_CO_TRY(co_await reader->wait(wait_ms_max));
  co_return std::unique_ptr<BlobReader>(std::move(reader));
}
}  // namespace hm::mirror
