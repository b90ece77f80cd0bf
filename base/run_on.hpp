// base/run_on.hpp: a blocking call, made on a pool, awaited by a coroutine. Layer 0.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <type_traits>
#include <utility>

namespace hm {
/// Runs `call` on a thread of `pool` and returns what it returned; the awaiting coroutine goes on on its own executor.
/// A call that has begun is not interrupted: cancelling the coroutine takes effect when it is back.
template <class Call>
boost::asio::awaitable<std::invoke_result_t<Call>> run_on(boost::asio::thread_pool& pool, Call call) {
  // A plain function object, not a lambda coroutine with captures: co_spawn keeps it alive for as long as its coroutine
  // runs.
  struct Body {
    Call call;
    boost::asio::awaitable<std::invoke_result_t<Call>> operator()() { co_return call(); }
    explicit Body(Call c) : call(std::move(c)) {}
  };
  Body body(std::move(call));
  co_return co_await boost::asio::co_spawn(pool, std::move(body), boost::asio::use_awaitable);
}
}  // namespace hm
