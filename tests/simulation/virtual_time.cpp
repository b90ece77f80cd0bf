#include "tests/simulation/virtual_time.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>

namespace hm::test::sim {
namespace asio = boost::asio;

namespace {
constexpr auto kAsleep = asio::steady_timer::time_point::max(), kWoken = asio::steady_timer::time_point::min();
}

net::awaitable<Result<>> VirtualTime::sleep(std::int64_t ms) {
  if (halted_) co_return Error(Errc::Cancelled, "the process was killed");
  asio::steady_timer timer(context_, kAsleep);
  const auto entry = waiting_.emplace(Key{now_ms_ + std::max<std::int64_t>(ms, 0), draws_.next()}, Waiting{&timer, {}});
  ++sleepers_;
  (void)co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (timer.expiry() != kWoken) {  // the sleeper was cancelled
    waiting_.erase(entry);
    --sleepers_;
    co_return Error(Errc::Cancelled, "stopped");
  }
  if (halted_) co_return Error(Errc::Cancelled, "the process was killed");
  co_return ok();
}

void VirtualTime::after(std::int64_t ms, std::function<void()> event) {
  waiting_.emplace(Key{now_ms_ + ms, draws_.next()}, Waiting{nullptr, std::move(event)});
}

void VirtualTime::settle() {
  context_.restart();
  context_.poll();
}

bool VirtualTime::step() {
  settle();
  if (waiting_.empty()) return false;
  auto first = waiting_.extract(waiting_.begin());
  now_ms_ = first.key().first;
  const Waiting& woken = first.mapped();
  if (woken.sleeper == nullptr) {
    woken.event();
  } else {
    --sleepers_;
    woken.sleeper->expires_at(kWoken);
  }
  return true;
}

void VirtualTime::halt() {
  halted_ = true;
  for (auto it = waiting_.begin(); it != waiting_.end();) {
    if (it->second.sleeper != nullptr) it->second.sleeper->expires_at(kWoken);
    it = it->second.sleeper != nullptr ? waiting_.erase(it) : std::next(it);
  }
  sleepers_ = 0;
  settle();
}
}  // namespace hm::test::sim
