// base/run_on.hpp: a blocking call, made elsewhere, awaited by a coroutine. Layer 0.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <boost/asio/associated_executor.hpp>
#include <boost/asio/async_result.hpp>
#include <boost/asio/awaitable.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <exception>
#include <optional>
#include <type_traits>
#include <utility>

namespace hm {
/// Runs `call` on `where` (a pool; in a simulation the one thread there is) and returns what it returned; the awaiting
/// coroutine goes on on its own executor. Not cancellable once it has begun, so `call` may refer to the frame that
/// awaits it. (co_spawn there would end the wait with an exception when the cancellation comes before the call does.)
template <class Call, class R = std::invoke_result_t<Call&>>
boost::asio::awaitable<R> run_on(boost::asio::any_io_executor where, Call call) {
  namespace asio = boost::asio;
  auto begin = [where = std::move(where), call = std::move(call)](auto handler) mutable {
    auto guard = asio::make_work_guard(asio::get_associated_executor(handler));
    asio::post(where, [call = std::move(call), handler = std::move(handler), guard = std::move(guard)]() mutable {
      std::exception_ptr thrown;
      std::optional<R> result;
      try {
        result.emplace(call());
      } catch (...) {
        thrown = std::current_exception();
      }
      const auto executor = guard.get_executor();
      asio::post(executor, [handler = std::move(handler), guard = std::move(guard), thrown = std::move(thrown),
                            result = std::move(result)]() mutable { std::move(handler)(thrown, std::move(result)); });
    });
  };
  std::optional<R> result =
      co_await asio::async_initiate<const asio::use_awaitable_t<>, void(std::exception_ptr, std::optional<R>)>(
          std::move(begin), asio::use_awaitable);
  co_return std::move(*result);
}
template <class Call, class R = std::invoke_result_t<Call&>>
boost::asio::awaitable<R> run_on(boost::asio::thread_pool& pool, Call call) {
  return run_on<Call, R>(boost::asio::any_io_executor(pool.get_executor()), std::move(call));
}
}  // namespace hm
