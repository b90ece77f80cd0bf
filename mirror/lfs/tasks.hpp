// mirror/lfs/tasks.hpp: what coroutines of one thread need to wait for each other and to end together. Layer 4.
// Threads: everything runs on the network executor; the function of on_pool() alone runs elsewhere.
//
// Rule of this folder: a coroutine that owns a TaskScope has called `throw_if_cancelled(false)`, so that it can still
// await after it was cancelled, and it does not leave before join() has returned: no child outlives what it refers to.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <list>
#include <type_traits>
#include <utility>

#include "net/http_client.hpp"

namespace hm::mirror {
using net::awaitable;

/// True when the coroutine that awaits this was asked to end.
awaitable<bool> is_cancelled();

/// "Something changed": wakes all that wait now. A waiter looks at what it waits for before and after: `while (!ready)
/// co_await signal.wait();`
class Signal {
 public:
  explicit Signal(boost::asio::any_io_executor executor)
      : timer_(std::move(executor), boost::asio::steady_timer::time_point::max()) {}
  /// Returns after a notify_all(), when the waiter is cancelled, and now and then for no reason.
  awaitable<void> wait();
  void notify_all() { timer_.cancel(); }

 private:
  boost::asio::steady_timer timer_;
};

/// Child coroutines that end before their scope does.
class TaskScope {
 public:
  explicit TaskScope(boost::asio::any_io_executor executor) : executor_(executor), timer_(std::move(executor)) {}
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;
  ~TaskScope();  ///< @pre nothing runs: join() has returned

  void spawn(awaitable<void> task);
  /// Asks every child to end. They go on to their next awaits, which fail or return early.
  void cancel();
  bool cancelled() const { return cancelled_; }
  int running() const { return running_; }
  /// Until no child runs. When the awaiting coroutine is cancelled meanwhile, so are the children. A child that ended
  /// by an exception (a bug, or a cancellation inside somebody's coroutine) counts as ended; failed() tells.
  awaitable<void> join();
  bool failed() const { return failed_; }

 private:
  struct Child {
    boost::asio::cancellation_signal signal;
    bool ended = false;
  };
  boost::asio::any_io_executor executor_;
  boost::asio::steady_timer timer_;
  std::list<Child> children_;  // a list: slots refer to their signals by address
  int running_ = 0;
  bool cancelled_ = false;
  bool failed_ = false;
};

/// Runs `work` on the pool and returns what it returned, on the awaiting coroutine's executor. Not cancellable: `work`
/// may refer to the frame that awaits it.
template <class F, class R = std::invoke_result_t<F&>>
awaitable<R> on_pool(boost::asio::thread_pool& pool, F work) {
  auto begin = [](auto handler, boost::asio::thread_pool* target, F f) {
    auto executor = boost::asio::get_associated_executor(handler);
    auto guard = boost::asio::make_work_guard(executor);
    boost::asio::post(
        *target, [handler = std::move(handler), executor, guard = std::move(guard), f = std::move(f)]() mutable {
          boost::asio::post(executor, [handler = std::move(handler), guard = std::move(guard), result = f()]() mutable {
            std::move(handler)(std::move(result));
          });
        });
  };
  return boost::asio::async_initiate<const boost::asio::use_awaitable_t<>, void(R)>(
      std::move(begin), boost::asio::use_awaitable, &pool, std::move(work));
}
}  // namespace hm::mirror
