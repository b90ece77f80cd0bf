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

namespace hm::server {
using boost::asio::awaitable;
using Socket = boost::asio::generic::stream_protocol::socket;

/// How long a client may keep a connection busy without getting anywhere.
struct Pace {
  std::int64_t stall_ms = 30'000;               ///< without one byte moved
  std::uint64_t bytes_per_second_min = 1'024;  ///< over each half minute of one body; 0: any
};

class Connection {
 public:
  virtual ~Connection() = default;
  virtual awaitable<Result<>> handshake(std::int64_t timeout_ms) = 0;
  /// At least one byte, or 0 at the end. @returns Cancelled when `timeout_ms` passed.
  virtual awaitable<Result<std::size_t>> read_some(std::span<char> into, std::int64_t timeout_ms) = 0;
  /// Waits until there is something to read, holding no buffer meanwhile.
  virtual awaitable<Result<>> wait_readable(std::int64_t timeout_ms) = 0;
  /// Both, in one system call where that goes.
  virtual awaitable<Result<>> write(std::string_view first, std::string_view second, Pace pace) = 0;
  virtual awaitable<Result<>> send_file(const File& file, std::uint64_t offset, std::uint64_t length, Pace pace) = 0;
  virtual void cancel() = 0;  ///< what waits ends with Cancelled
  /// Says farewell so that the last bytes arrive: shuts down sending, then waits a little for the other end.
  virtual awaitable<void> close(std::int64_t linger_ms) = 0;
  virtual bool encrypted() const = 0;
  virtual const std::string& peer() const = 0;
};
std::unique_ptr<Connection> make_plain_connection(Socket socket, std::string peer);
/// @param tls outlives the connection
std::unique_ptr<Connection> make_tls_connection(Socket socket, std::string peer,
                                                std::shared_ptr<boost::asio::ssl::context> tls);
}  // namespace hm::server
