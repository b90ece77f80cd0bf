// server/http/handler.hpp: what answers requests; the server below it knows nothing of repositories. Layer 5.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <cstdint>

#include "server/http/request.hpp"
#include "server/http/response.hpp"

namespace hm::server {
/// What became of an answer.
struct Sent {
  std::uint64_t body_bytes = 0;
  std::int64_t elapsed_us = 0;  ///< from the request's end to the last byte
  bool whole = false;
};

/// Threads: called from all loops at once.
class Handler {
 public:
  virtual ~Handler() = default;
  /// How long a body the request may have, by its head.
  virtual std::uint64_t body_bytes_max(const Request& head) = 0;
  /// On the connection's loop; may not block it. `request` lives until done() returned.
  virtual boost::asio::awaitable<Response> answer(const Request& request) = 0;
  virtual void done(const Request& request, const Response& response, const Sent& sent) = 0;
};
}  // namespace hm::server
