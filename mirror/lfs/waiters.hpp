// mirror/lfs/waiters.hpp: coroutines on loops of other threads that wait for something of the network thread. Layer 4.
// Threads: safe where the owner's lock is held, as each function says.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include "net/http_client.hpp"

namespace hm::mirror {
/// One coroutine's wait. @pre its executor is a loop of one thread: the wake-up is posted there, and so comes after the
/// coroutine has begun to wait.
class Waiter {
 public:
  Waiter(boost::asio::any_io_executor loop, std::int64_t wait_ms_max)
      : timer_(std::move(loop), std::chrono::milliseconds(wait_ms_max)) {}
  /// Until wake(), or the coroutine is cancelled: look at what was waited for. @returns false when the time is over
  boost::asio::awaitable<bool> wait() {
    const auto [error] = co_await timer_.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    co_return error.failed();
  }
  /// Any thread, also when nobody waits any more.
  static void wake(std::shared_ptr<Waiter> waiter) {
    const auto loop = waiter->timer_.get_executor();
    boost::asio::post(loop, [waiter = std::move(waiter)] { waiter->timer_.cancel(); });
  }

 private:
  boost::asio::steady_timer timer_;
};
}  // namespace hm::mirror
