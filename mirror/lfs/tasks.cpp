#include "mirror/lfs/tasks.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "base/check.hpp"

namespace hm::mirror {
namespace asio = boost::asio;

namespace {
/// After cancel(), children are asked again this often: one that was between two awaits when it was asked first has not
/// heard it.
constexpr auto kAskAgain = std::chrono::milliseconds(50);
}  // namespace

awaitable<bool> is_cancelled() {
  const auto state = co_await asio::this_coro::cancellation_state;
  co_return state.cancelled() != asio::cancellation_type::none;
}

awaitable<void> Signal::wait() { co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable)); }

TaskScope::~TaskScope() { HM_CHECK(running_ == 0); }

void TaskScope::spawn(awaitable<void> task) {
  children_.remove_if([](const Child& c) { return c.ended; });
  Child& child = children_.emplace_back();
  ++running_;
  auto ended = [this, &child](std::exception_ptr exception) {
    child.ended = true;
    --running_;
    if (exception) failed_ = true;
    timer_.cancel();
  };
  asio::co_spawn(executor_, std::move(task), asio::bind_cancellation_slot(child.signal.slot(), std::move(ended)));
}

void TaskScope::cancel() {
  cancelled_ = true;
  timer_.cancel();
  for (Child& child : children_) {
    if (!child.ended) child.signal.emit(asio::cancellation_type::terminal);
  }
}

awaitable<void> TaskScope::join() {
  while (running_ > 0) {
    const bool asked = co_await is_cancelled();  // not inside ||: g++ 12 then resumes at a place that does not exist
    if (cancelled_ || asked) {
      cancel();
      timer_.expires_after(kAskAgain);
    } else {
      timer_.expires_at(asio::steady_timer::time_point::max());
    }
    co_await timer_.async_wait(asio::as_tuple(asio::use_awaitable));
  }
}
}  // namespace hm::mirror
