// mirror/lfs/blob_transfer.hpp: the bytes of one blob, from its location into its partial file, over one or several
// connections. Layer 4. Threads: a coroutine on the network executor; writing and hashing on the disk pool
// (write_queue.hpp).
//
//   location ─▶ request for a run of missing segments (range_plan.hpp) ─▶ head judged (content_range.hpp) ─▶ body ─▶
//   batches (write_queue.hpp)
//       ▲                 │ broken, stalled, 5xx: pause, go on at the first missing byte (hub/retry.hpp; progress
//       resets the count) └─────────────────┘ 401, 403, 404, 410, expired: a new location
//
// A file begins with one connection. Another joins while the disk waits for the network, up to ranges_per_file: on a
// fast line or a slow disk one connection stays alone, and the hash finds all its bytes in the buffers; on a long line
// four share the file. Whatever the server sends, only publishing decides: the digest.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "hub/budgeted_client.hpp"
#include "hub/retry.hpp"
#include "mirror/lfs/content_range.hpp"
#include "mirror/lfs/download.hpp"
#include "mirror/lfs/range_plan.hpp"
#include "mirror/lfs/tasks.hpp"
#include "mirror/lfs/write_queue.hpp"

namespace hm::mirror {
/// Transfers of one Downloader at a time: as many connections as the client opens to one host, so that none waits
/// inside it and seems stalled.
inline constexpr int kTransfersMax = 16;
/// Locations asked for in a row without a byte in between.
inline constexpr int kFreshLocationsMax = 3;
/// What has to come between two failures for the first to be forgotten: a byte per attempt would go on for ever.
inline constexpr std::uint64_t kProgressBytesMin = 64U << 10;
/// A connection more when this many batches in a row found the disk idle …
inline constexpr int kIdleBatchesToWiden = 4;
/// … and the last one was added this long ago: its effect has to show first.
inline constexpr std::int64_t kWidenIntervalMs = 200;

/// A download host that sends less, over the client's stall timeout of 30 s, counts as stalled: slower than any line
/// that is worth waiting for, and above the byte now and then that would hold a connection for ever.
inline constexpr std::uint64_t kRateMinBytesPerSecond = 1U << 10;

struct Location {
  Location() = default;
  std::string url;
  net::Headers headers;
  std::optional<std::int64_t> expires_unix_ms;
};

/// What the transfers of one Downloader share.
struct TransferContext {
  TransferContext(net::HttpClient& c, hub::Api& api, boost::asio::thread_pool& d, boost::asio::any_io_executor n,
                  std::shared_ptr<BufferPool> b, const DownloadOptions& o)
      : client(c, api.upstream(), api.budget(), api.retry()),
        disk(d),
        network(std::move(n)),
        buffers(std::move(b)),
        retry(api.retry()),
        options(o) {}
  hub::BudgetedClient client;  ///< each hop of each request counts where its host counts it
  boost::asio::thread_pool& disk;
  boost::asio::any_io_executor network;
  std::shared_ptr<BufferPool> buffers;
  const hub::RetryPolicy& retry;
  const DownloadOptions& options;
  int transfers = 0;  ///< connections in use
};

class BlobTransfer {
 public:
  /// Where the blob is now: asked at the beginning and whenever the last answer has gone stale. Owns what it captures.
  using Locate = std::function<awaitable<Result<Location>>()>;
  /// All arguments outlive run().
  BlobTransfer(TransferContext& context, const WantedBlob& wanted, storage::PartialBlob& partial, Locate locate,
               const DownloadEvents& events);
  BlobTransfer(const BlobTransfer&) = delete;
  BlobTransfer& operator=(const BlobTransfer&) = delete;
  ~BlobTransfer();

  /// Fetches every missing segment. Nothing of it runs any more when it returns. @pre throw_if_cancelled(false), see
  /// tasks.hpp.
  /// @returns Corrupt: the announced size is wrong. Unreachable, RateLimited, Gated, NotFound after all attempts.
  /// Refused. Cancelled. Errors of the store.
  awaitable<Result<>> run();
  std::uint64_t fetched_bytes() const { return fetched_bytes_; }

 private:
  struct Connection;
  struct Failure;
  enum class Restart : std::uint8_t { None, Changed, NoRanges };

  awaitable<Result<>> tell_watcher();
  awaitable<Result<>> attempt();
  awaitable<void> connection();
  awaitable<Result<>> fetch_runs(Connection& c);
  awaitable<Result<>> fetch_run(Connection& c);
  awaitable<Failure> request(Connection& c);
  awaitable<Failure> receive(Connection& c, net::HttpResponse& response, AskedBytes asked, std::uint64_t end);
  awaitable<Failure> take(Connection& c, std::span<const std::byte> bytes, std::uint64_t position);
  awaitable<Result<>> take_buffer(Connection& c);
  awaitable<Result<>> recover(Connection& c, Failure failure);
  awaitable<Result<Location>> location();
  Failure judge(const net::HttpResponse& response, const AskedBytes& asked, std::uint64_t& end);
  AskedBytes next_bytes(const Connection& c) const;
  void submit(Connection& c);
  void submit_begun(Connection& c);
  void maybe_widen(const Connection& c);
  void fail(Error error);
  bool ending() const { return failure_.has_value() || restart_ != Restart::None || (scope_ && scope_->cancelled()); }
  std::int64_t now_ms() const { return context_.retry.clock->monotonic_ms(); }

  TransferContext& context_;
  const WantedBlob& wanted_;
  storage::PartialBlob& partial_;
  Locate locate_;
  const DownloadEvents& events_;

  std::optional<RangePlan> plan_;
  std::unique_ptr<TaskScope> scope_;
  std::optional<Error> failure_;
  Restart restart_ = Restart::None;
  bool alone_ = false;      // the server knows no ranges: one connection, which skips what is stored
  int ranges_ignored_ = 0;  // 200 answers to a Range since the last 206
  int idle_batches_ = 0;
  std::int64_t widened_ms_ = 0;

  std::optional<Location> location_;
  std::uint64_t location_number_ = 0;  // how many there were
  bool locating_ = false;
  bool location_used_ = false;
  Signal located_;
  std::string validator_, validator_origin_;
  std::uint64_t fetched_bytes_ = 0;
};
}  // namespace hm::mirror
