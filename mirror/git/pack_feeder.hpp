// mirror/git/pack_feeder.hpp: carries received bytes to the git pool, so that the network thread receives the next
// batch while one is indexed. Layer 4; private to this folder. Back-pressure: push() waits while kBatchesMax batches
// are queued, and what is not read stays in the socket. Threads: push() and drained() on the network executor;
// `consume` on the pool, one call at a time.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace hm::mirror {
inline constexpr std::size_t kBatchBytes =
    512U << 10;  ///< large enough to make the change of threads and the indexer's mappings cheap
inline constexpr std::size_t kBatchesMax = 3;

class PackFeeder : public std::enable_shared_from_this<PackFeeder> {
 public:
  using Consume = std::function<Result<>(std::string_view)>;
  PackFeeder(boost::asio::any_io_executor network, boost::asio::thread_pool& pool, Consume consume);

  /// Queues a batch. @returns the first error of `consume`; later batches are dropped then.
  boost::asio::awaitable<Result<>> push(std::string batch);
  /// Waits until everything queued has been consumed and the pool no longer touches `consume`.
  boost::asio::awaitable<Result<>> drained();

 private:
  boost::asio::awaitable<void> wait_while(bool (PackFeeder::*condition)() const);
  bool full() const;
  bool working() const;
  Result<> outcome() const;
  void work();
  void wake();

  boost::asio::any_io_executor network_;
  boost::asio::thread_pool& pool_;
  boost::asio::steady_timer changed_;  // never expires; cancelled to wake the waiting coroutine
  const Consume consume_;
  mutable std::mutex mutex_;  // guards what follows
  std::deque<std::string> queue_;
  bool working_ = false;
  std::optional<Error> failure_;
};
}  // namespace hm::mirror
