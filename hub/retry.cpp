#include "hub/retry.hpp"

#include <boost/asio/as_tuple.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <random>

#include "base/text.hpp"
#include "hub/wire/headers.hpp"

namespace hm::hub {
namespace asio = boost::asio;

awaitable<Result<>> sleep_on_timer(std::int64_t milliseconds) {
  asio::steady_timer timer(co_await asio::this_coro::executor, std::chrono::milliseconds(milliseconds));
  const auto [ec] = co_await timer.async_wait(asio::as_tuple(asio::use_awaitable));
  if (ec) co_return Error(Errc::Cancelled, "stopped while waiting before another attempt");
  co_return ok();
}

double random_unit() {
  thread_local std::minstd_rand generator(std::random_device{}());
  return std::generate_canonical<double, 31>(generator);
}

bool is_retried_status(int status) {
  return status == 408 || status == 429 || status == 500 || status == 502 || status == 503 || status == 504;
}

bool is_retried_error(const Error& error) { return error.code == Errc::Unreachable; }

Result<std::int64_t> Backoff::next_wait_ms(Error cause, std::optional<std::int64_t> asked_ms) {
  ++failures_;
  if (failures_ >= policy_.attempts_max) {
    cause.what += "; after " + std::to_string(failures_) + (failures_ == 1 ? " attempt" : " attempts");
    return cause;
  }
  if (asked_ms && *asked_ms > policy_.max_wait_ms) {
    const auto seconds = [](std::int64_t ms) {
      return human_seconds(static_cast<std::uint64_t>(std::max<std::int64_t>(ms, 0)) / 1000);
    };
    return Error{Errc::RateLimited, cause.what + "; the server asks to wait " + seconds(*asked_ms) + ", longer than " +
                                        seconds(policy_.max_wait_ms)};
  }
  const int doublings = std::min(failures_ - 1, 30);
  const double pause =
      std::min(static_cast<double>(policy_.cap_ms), std::ldexp(static_cast<double>(policy_.base_ms), doublings));
  const double unit = policy_.random();
  if (asked_ms && static_cast<double>(*asked_ms) >= pause) {  // never earlier than asked: the jitter only adds
    return *asked_ms +
           static_cast<std::int64_t>(std::min(pause, static_cast<double>(policy_.base_ms)) * policy_.jitter * unit);
  }
  return std::llround(pause * (1.0 + policy_.jitter * (2.0 * unit - 1.0)));
}

awaitable<Result<>> Backoff::pause(Error cause, std::optional<std::int64_t> asked_ms) {
  HM_CO_TRY(const std::int64_t wait_ms, next_wait_ms(std::move(cause), asked_ms));
  co_return co_await policy_.sleep(wait_ms);
}

std::optional<std::int64_t> asked_wait_ms(const RetryPolicy& policy, const net::Headers& headers) {
  return asked_wait_ms(headers, policy.clock->unix_ms());
}
}  // namespace hm::hub
