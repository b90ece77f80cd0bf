#include "server/turns.hpp"

#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>
#include <list>
#include <mutex>
#include <utility>

namespace hm::server {
namespace asio = boost::asio;
namespace {
struct Waiter {
  Waiter(const asio::any_io_executor& executor, std::int64_t wait_ms_max)
      : timer(executor, std::chrono::milliseconds(wait_ms_max)) {}
  asio::steady_timer timer;  // the waiter's own thread touches it, nobody else
  bool granted = false;
};
using WaiterPtr = std::shared_ptr<Waiter>;
}  // namespace

struct TurnsState {
  TurnsState(int at_once, std::size_t w) : free(at_once), all(at_once), waiting_max(w) {}
  std::mutex mutex;
  int free;
  const int all;
  const std::size_t waiting_max;
  std::list<WaiterPtr> line;

  void give_back() {
    WaiterPtr next;
    {
      const std::lock_guard guard(mutex);
      if (line.empty()) {
        ++free;
        return;
      }
      next = std::move(line.front());
      line.pop_front();
      next->granted = true;
    }
    const auto executor = next->timer.get_executor();
    asio::post(executor, [next = std::move(next)] { next->timer.cancel(); });
  }
  /// Out of the line. @returns whether its turn had come before.
  bool leave(const WaiterPtr& waiter) {
    const std::lock_guard guard(mutex);
    if (!waiter->granted) line.remove(waiter);
    return waiter->granted;
  }
};

namespace {
/// A place in the line, left also when the coroutine that waits is destroyed.
class Place {
 public:
  Place(std::shared_ptr<TurnsState> state, WaiterPtr waiter) : state_(std::move(state)), waiter_(std::move(waiter)) {}
  ~Place() {
    if (waiter_ && state_->leave(waiter_)) state_->give_back();
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;
  /// @returns whether the turn is ours.
  bool settle() { return state_->leave(std::exchange(waiter_, nullptr)); }

 private:
  std::shared_ptr<TurnsState> state_;
  WaiterPtr waiter_;
};
}  // namespace

Turns::Turns(int at_once, std::size_t waiting_max) : state_(std::make_shared<TurnsState>(at_once, waiting_max)) {}
Turns::~Turns() = default;

Turns::Turn& Turns::Turn::operator=(Turn&& other) noexcept {
  if (this != &other) {
    give_back();
    state_ = std::move(other.state_);
  }
  return *this;
}
void Turns::Turn::give_back() {
  if (const auto state = std::exchange(state_, nullptr)) state->give_back();
}

asio::awaitable<Result<Turns::Turn>> Turns::take(std::int64_t wait_ms_max) {
  const auto executor = co_await asio::this_coro::executor;
  WaiterPtr waiter;
  {
    const std::lock_guard guard(state_->mutex);
    if (state_->free > 0) {
      --state_->free;
      co_return Turn(state_);
    }
    if (state_->line.size() >= state_->waiting_max) co_return Error(Errc::Busy, "too many wait already");
    waiter = std::make_shared<Waiter>(executor, wait_ms_max);
    state_->line.push_back(waiter);
  }
  Place place(state_, waiter);
  const auto [error] = co_await waiter->timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (place.settle()) co_return Turn(state_);
  if (error) co_return Error(Errc::Cancelled, "stopped while waiting for a turn");
  co_return Error(Errc::Busy, "waited too long for a turn");
}

std::size_t Turns::taken() const {
  const std::lock_guard guard(state_->mutex);
  return static_cast<std::size_t>(state_->all - state_->free);
}
std::size_t Turns::waiting() const {
  const std::lock_guard guard(state_->mutex);
  return state_->line.size();
}
}  // namespace hm::server
