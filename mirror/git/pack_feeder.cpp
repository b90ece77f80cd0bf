#include "mirror/git/pack_feeder.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace hm::mirror {
namespace asio = boost::asio;

PackFeeder::PackFeeder(asio::any_io_executor network, asio::thread_pool& pool, Consume consume)
    : network_(network),
      pool_(pool),
      changed_(network, asio::steady_timer::time_point::max()),
      consume_(std::move(consume)) {}

bool PackFeeder::full() const {
  const std::lock_guard lock(mutex_);
  return !failure_ && queue_.size() >= kBatchesMax;
}
bool PackFeeder::working() const {
  const std::lock_guard lock(mutex_);
  return working_;
}
Result<> PackFeeder::outcome() const {
  const std::lock_guard lock(mutex_);
  if (failure_) return *failure_;
  return ok();
}

/// No wake-up is lost: wake() runs on the network thread, which is this coroutine's, hence never between the test and
/// the wait.
asio::awaitable<void> PackFeeder::wait_while(bool (PackFeeder::*condition)() const) {
  while ((this->*condition)()) {
    auto [ec] = co_await changed_.async_wait(asio::as_tuple(asio::use_awaitable));
    static_cast<void>(
        ec);  // always operation_aborted, by wake() or by cancellation; the latter throws at the next co_await
  }
}

asio::awaitable<Result<>> PackFeeder::push(std::string batch) {
  co_await wait_while(&PackFeeder::full);
  {
    const std::lock_guard lock(mutex_);
    if (failure_) co_return *failure_;
    queue_.push_back(std::move(batch));
    if (working_) co_return ok();
    working_ = true;
  }
  asio::post(pool_, [self = shared_from_this()] { self->work(); });
  co_return ok();
}

asio::awaitable<Result<>> PackFeeder::drained() {
  co_await wait_while(&PackFeeder::working);
  co_return outcome();
}

/// Leaves the pool thread when the queue is empty: a slow network holds no thread.
void PackFeeder::work() {
  for (;;) {
    std::string batch;
    {
      const std::lock_guard lock(mutex_);
      if (queue_.empty() || failure_) {
        queue_.clear();
        working_ = false;
        break;
      }
      batch = std::move(queue_.front());
      queue_.pop_front();
    }
    Result<> consumed = consume_(batch);
    if (!consumed) {
      const std::lock_guard lock(mutex_);
      failure_ = std::move(consumed).assume_error();
    }
    wake();
  }
  wake();
}

void PackFeeder::wake() {
  asio::post(network_, [self = shared_from_this()] { self->changed_.cancel(); });
}
}  // namespace hm::mirror
