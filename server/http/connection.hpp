// server/http/connection.hpp: bytes to and from one client, whatever the transport: TCP, a socket of this machine, TLS.
// Layer 5. Threads: the connection's loop only.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/generic/stream_protocol.hpp>
#include <boost/asio/ssl/context.hpp>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "base/file.hpp"
#include "base/result.hpp"
#include "server/http/deadlines.hpp"

namespace hm::server {
using boost::asio::awaitable;
using Socket = boost::asio::generic::stream_protocol::socket;

/// How slow a client may be. A reader that takes a byte now and then holds memory and a descriptor as well as one that
/// takes none.
struct Pace {
  std::int64_t stall_ms = 30'000;              ///< without one byte moved
  std::uint64_t bytes_per_second_min = 1'024;  ///< over each `window_ms`; 0: any
  std::int64_t window_ms = 30'000;
};

class Connection {
 public:
  virtual ~Connection() = default;
  virtual awaitable<Result<>> handshake(std::int64_t timeout_ms) = 0;
  /// At least one byte, or 0 at the end. @returns Cancelled when `timeout_ms` passed; Unreachable when the other end
  /// broke off; as all below.
  virtual awaitable<Result<std::size_t>> read_some(std::span<char> into, std::int64_t timeout_ms) = 0;
  /// Waits until there is something to read, holding no buffer meanwhile.
  virtual awaitable<Result<>> wait_readable(std::int64_t timeout_ms) = 0;
  /// What can be had without waiting; 0: nothing yet. For a connection that keeps its buffer no longer than needed.
  virtual Result<std::size_t> read_now(std::span<char> into) = 0;
  /// Both, in one system call where that goes. `more` follows at once.
  virtual awaitable<Result<>> write(std::string_view first, std::string_view second, Pace pace, bool more = false) = 0;
  virtual awaitable<Result<>> send_file(const File& file, std::uint64_t offset, std::uint64_t length, Pace pace) = 0;
  virtual void cancel() = 0;  ///< what waits ends with Cancelled
  /// Says farewell so that the last bytes arrive: shuts down sending, then waits a little for the other end.
  virtual awaitable<void> close(std::int64_t linger_ms) = 0;
  virtual bool encrypted() const = 0;
  virtual const std::string& peer() const = 0;
};
/// @param deadlines of the socket's loop; outlives the connection
std::unique_ptr<Connection> make_plain_connection(Socket socket, std::string peer, Deadlines& deadlines);
std::unique_ptr<Connection> make_tls_connection(Socket socket, std::string peer, Deadlines& deadlines,
                                                std::shared_ptr<boost::asio::ssl::context> tls);
}  // namespace hm::server
