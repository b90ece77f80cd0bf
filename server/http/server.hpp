// server/http/server.hpp: listens, accepts, and runs one coroutine per connection on one event loop per core. Layer 5.
// Threads: its own; docs/threads.md. Everything public is for the thread that made it.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "server/http/connection.hpp"
#include "server/http/handler.hpp"

namespace hm::server {
struct HttpOptions {
  std::vector<std::string> listen;  ///< "address:port", "[v6]:port", "unix:/path"; port 0: any
  std::string tls_certificate, tls_key;
  int threads = 0;  ///< 0: one per core
  int connections_max = 20'000, connections_per_address_max = 1'024;
  std::int64_t header_timeout_ms = 10'000, idle_timeout_ms = 75'000;
  Pace pace;
  ReadLimits read;
  std::uint64_t bodies_bytes_max = 256ULL << 20;        ///< of requests, of all connections together
  std::function<bool(const std::string& peer)> exempt;  ///< from the limit per address: a proxy in front
};

struct HttpCounts {
  std::uint64_t accepted = 0, refused = 0, requests = 0, bad_requests = 0, timeouts = 0;
  std::uint64_t open = 0;  ///< now
};

class HttpServer {
 public:
  /// Binds everything, or nothing. Sockets that systemd handed over (LISTEN_FDS) win over `listen`.
  /// @returns BadInput for an address or certificate that cannot be read; Io when it cannot be bound.
  static Result<std::unique_ptr<HttpServer>> open(HttpOptions options, Handler& handler);
  virtual ~HttpServer() = default;
  /// Where it listens, with the true ports: "http://127.0.0.1:8080", "unix:/run/…".
  virtual std::vector<std::string> addresses() const = 0;
  virtual void start() = 0;
  /// Reads a certificate; connections that are open keep theirs. Both empty: nothing, where none was used so far.
  /// @returns BadInput, and the old one stays.
  virtual Result<> reload_certificate(const std::string& certificate, const std::string& key) = 0;
  virtual HttpCounts counts() const = 0;
  /// Takes no more connections; every answer from now on is the last of its connection. Ends when all have gone or
  /// after `deadline_ms`, when the rest is cut off; then the threads are joined. @returns how many were cut off.
  virtual std::size_t stop(std::int64_t deadline_ms) = 0;
};
}  // namespace hm::server
