// mirror/lfs/tasks.hpp: what coroutines of one thread need to wait for each other and to end together. Layer 4.
// Threads: everything runs on the network executor.
//
// Rule of this folder: a coroutine that owns a TaskScope has called `throw_if_cancelled(false)`, so that it can still
// await after it was cancelled, and it does not leave before join() has returned: no child outlives what it refers to.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/steady_timer.hpp>
#include <list>

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
}  // namespace hm::mirror
