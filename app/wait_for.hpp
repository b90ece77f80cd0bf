// app/wait_for.hpp: a coroutine of the network thread, waited for on the main thread until it ends or Ctrl-C. Layer 6.
#pragma once
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <chrono>
#include <exception>
#include <functional>
#include <future>
#include <memory>
#include <stop_token>
#include <utility>

#include "base/result.hpp"
#include "net/http_client.hpp"

namespace hm::app {
/// Blocks; when `stop` fires the coroutine is cancelled, and its end is still waited for. @param tick called ten times
/// a second meanwhile
template <class T>
Result<T> wait_for(boost::asio::io_context& context, net::awaitable<Result<T>> coroutine, const std::stop_token& stop,
                   const std::function<void()>& tick = {}) {
  namespace asio = boost::asio;
  struct Shared {  // a stop that comes last is heard after all is over
    std::promise<Result<T>> promise;
    asio::cancellation_signal cancel;
    bool ended = false;  // network thread
  };
  auto shared = std::make_shared<Shared>();
  auto ended = shared->promise.get_future();
  auto on_end = [shared](const std::exception_ptr& thrown, Result<T> result) {
    if (thrown) result = Error{Errc::Cancelled, "stopped"};  // how a cancelled coroutine ends inside Asio
    shared->ended = true;
    shared->promise.set_value(std::move(result));
  };
  asio::co_spawn(context, std::move(coroutine), asio::bind_cancellation_slot(shared->cancel.slot(), std::move(on_end)));
  const std::stop_callback on_stop(stop, [&] {
    asio::post(context, [shared] {
      if (!shared->ended) shared->cancel.emit(asio::cancellation_type::terminal);
    });
  });
  while (tick && ended.wait_for(std::chrono::milliseconds(100)) == std::future_status::timeout) tick();
  return ended.get();
}

/// What `call` returns on the thread that runs `context`. Not to be called there.
template <class Call>
auto on_network_thread(boost::asio::io_context& context, Call call) {
  std::packaged_task<decltype(call())()> task(std::move(call));
  auto ended = task.get_future();
  boost::asio::post(context, std::move(task));
  return ended.get();
}
}  // namespace hm::app
