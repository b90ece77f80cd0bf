// tests/support/virtual_time.hpp: time that passes when nothing else can happen: many coroutines that wait, none that
// really does. Single-threaded; the same program takes the same course.
#pragma once
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cstdint>
#include <map>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "net/http_client.hpp"

namespace hm::test {
class VirtualTime final : public Clock {
 public:
  std::int64_t unix_ms() const override { return now_ms_ + unix_offset_ms_; }
  std::int64_t monotonic_ms() const override { return now_ms_; }
  void set_wall_clock(std::int64_t unix_ms) { unix_offset_ms_ = unix_ms - now_ms_; }

  /// As hub::Sleep. The object outlives the function.
  auto sleeper() {
    return [this](std::int64_t ms) { return sleep(ms); };
  }
  net::awaitable<Result<>> sleep(std::int64_t ms) {
    boost::asio::steady_timer timer(context, boost::asio::steady_timer::time_point::max());
    const auto entry = sleepers_.emplace(now_ms_ + ms, &timer);
    co_await timer.async_wait(boost::asio::as_tuple(boost::asio::use_awaitable));
    if (timer.expiry() != boost::asio::steady_timer::time_point::min()) {
      sleepers_.erase(entry);
      co_return Error(Errc::Cancelled, "stopped");
    }
    co_return ok();
  }

  /// Runs until nobody sleeps any more, or until that time.
  void run(std::int64_t until_ms = INT64_MAX) {
    for (;;) {
      context.restart();
      context.poll();
      if (sleepers_.empty() || sleepers_.begin()->first > until_ms) break;
      const auto next = sleepers_.begin();
      now_ms_ = next->first;
      boost::asio::steady_timer& timer = *next->second;
      sleepers_.erase(next);
      timer.expires_at(boost::asio::steady_timer::time_point::min());
    }
  }

  boost::asio::io_context context{1};

 private:
  std::int64_t now_ms_ = 1'000'000'000, unix_offset_ms_ = 1'799'000'000'000;
  std::multimap<std::int64_t, boost::asio::steady_timer*> sleepers_;
};
}  // namespace hm::test
