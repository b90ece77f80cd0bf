// tests/support/run.hpp: runs a coroutine to its end on an io_context of its own.
#pragma once
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <exception>
#include <optional>
#include <utility>

#include "base/result.hpp"
#include "net/http_client.hpp"

namespace hm::test {
/// @returns what the coroutine returned; an exception is thrown on. A coroutine that never ends leaves Internal.
template <class T>
Result<T> run(net::awaitable<Result<T>> coroutine) {
  boost::asio::io_context context;
  std::optional<Result<T>> result;
  boost::asio::co_spawn(context, std::move(coroutine), [&](std::exception_ptr e, Result<T> r) {
    if (e) std::rethrow_exception(e);
    result = std::move(r);
  });
  context.run();
  if (!result) return Error(Errc::Internal, "the coroutine did not end");
  return std::move(*result);
}
}  // namespace hm::test
