// server/http/session.hpp: one connection from its first byte to its last: reads requests, has them answered, writes
// the answers. Layer 5. Threads: the connection's loop.
#pragma once
#include <atomic>
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "server/http/connection.hpp"
#include "server/http/handler.hpp"
#include "server/http/server.hpp"

namespace hm::server {
/// Shared by all sessions of one server.
struct SessionParts {
  SessionParts(const HttpOptions& o, Handler& h, std::string prefix)
      : options(o), handler(h), id_prefix(std::move(prefix)) {}
  const HttpOptions& options;
  Handler& handler;
  const std::string id_prefix;  ///< of X-Request-Id: this process
  std::atomic<bool> draining{false};
  std::atomic<std::uint64_t> requests{0}, bad_requests{0}, timeouts{0}, body_bytes{0};
};

class Session {
 public:
  Session(std::unique_ptr<Connection> connection, SessionParts& parts)
      : connection_(std::move(connection)), p_(parts) {}
  /// Ends when the connection has.
  awaitable<void> run();
  /// The loop's thread. An idle connection is closed, a busy one after its answer.
  void drain();
  void cut_off() { connection_->cancel(); }

 private:
  enum class Next : std::uint8_t { Request, End };
  class BodyBudget;
  awaitable<Next> one_request();
  awaitable<Result<>> await_first_bytes();
  awaitable<Result<>> read_head(RequestReader& reader);
  awaitable<Result<>> read_body(RequestReader& reader, BodyBudget& budget);
  awaitable<Result<>> send(const Request& request, Response& response, bool keep_alive, Sent& sent);
  awaitable<Result<>> send_source(BodySource& source, bool chunked, Sent& sent);
  awaitable<void> refuse(const BadRequest& problem, Method method);
  awaitable<Result<std::size_t>> fill(std::int64_t timeout_ms);
  void feed(RequestReader& reader);

  std::unique_ptr<Connection> connection_;
  SessionParts& p_;
  std::unique_ptr<char[]> buffer_;  ///< given back while the connection is idle
  std::size_t begin_ = 0, end_ = 0;
  std::string head_;  ///< of the answer; kept for its capacity
  int in_a_row_ = 0;  ///< requests without a wait between them
  bool idle_ = true;
};
}  // namespace hm::server
