// mirror/git/pool_work.hpp: blocking work on the git pool, awaited by a coroutine of the network thread. Layer 4;
// private to this folder.
#pragma once
#include <atomic>
#include <boost/asio/associated_cancellation_slot.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <utility>

#include "base/result.hpp"

namespace hm::mirror {
/// The wish to end a job, from the network thread to the pool. `flag` is read anywhere; everything else belongs to the
/// network thread.
struct Stop {
  std::atomic<bool> flag{false};
  std::function<void()> hook;  ///< ends what the pool thread may be waiting for
  void request() {
    flag = true;
    if (hook) hook();
  }
};

/// Runs `work` on `pool` and resumes the coroutine on its own executor. The coroutine resumes only after `work` has
/// returned, so `work` may use what lives in its frame. Cancelling the coroutine requests `stop`, which `work` is to
/// watch.
template <class F>
boost::asio::awaitable<void> run_on_pool(boost::asio::thread_pool& pool, std::shared_ptr<Stop> stop, F work) {
  namespace asio = boost::asio;
  auto initiate = [&pool, stop = std::move(stop), work = std::move(work)](auto handler) mutable {
    auto slot = asio::get_associated_cancellation_slot(handler);
    if (slot.is_connected()) slot.assign([stop](asio::cancellation_type) { stop->request(); });
    auto guard = asio::make_work_guard(asio::get_associated_executor(handler));
    asio::post(pool, [work = std::move(work), handler = std::move(handler), guard = std::move(guard)]() mutable {
      std::exception_ptr thrown;
      try {
        work();
      } catch (...) {
        thrown = std::current_exception();
      }
      auto executor = guard.get_executor();
      asio::post(executor, [handler = std::move(handler), thrown]() mutable { std::move(handler)(thrown); });
    });
  };
  co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr)>(std::move(initiate),
                                                                                         asio::use_awaitable);
}
}  // namespace hm::mirror
