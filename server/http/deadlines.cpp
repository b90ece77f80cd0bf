#include "server/http/deadlines.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <chrono>

namespace hm::server {
namespace asio = boost::asio;
namespace {
std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}
}  // namespace

void Deadline::set(std::int64_t after_ms) { at_ms_ = now_ms() + after_ms; }

void Deadline::unlink() {
  if (before_) before_->behind_ = behind_;
  if (behind_) behind_->before_ = before_;
  before_ = behind_ = nullptr;
}

void Deadlines::add(Deadline& deadline) {
  deadline.unlink();
  deadline.before_ = &head_;
  deadline.behind_ = head_.behind_;
  if (head_.behind_) head_.behind_->before_ = &deadline;
  head_.behind_ = &deadline;
}

void Deadlines::look() {
  const std::int64_t now = now_ms();
  for (Deadline* one = head_.behind_; one != nullptr;) {
    Deadline* const next = one->behind_;  // on_passed only cancels; what it ends is destroyed later, by its coroutine
    if (one->at_ms_ != 0 && one->at_ms_ <= now) one->on_passed_();
    one = next;
  }
}

asio::awaitable<void> Deadlines::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  asio::steady_timer timer(co_await asio::this_coro::executor);
  for (;;) {
    timer.expires_after(std::chrono::milliseconds(kTickMs));
    const auto [error] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
    if (error) co_return;
    look();
  }
}
}  // namespace hm::server
