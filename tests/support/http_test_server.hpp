// tests/support/http_test_server.hpp: a server on 127.0.0.1 that says exactly the bytes a test tells it to. Shares no
// code with net/. Threads: one that accepts and one per connection; handlers run on the latter, several at once.
#pragma once
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

namespace hm::test {
struct ServerRequest {
  std::string method;
  std::string target;
  std::vector<std::pair<std::string, std::string>> headers;  ///< names in lowercase
  std::string body;
  std::string header(std::string_view lowercase_name) const;  ///< empty when absent
};

/// A certificate for 127.0.0.1 and localhost that signs itself, and its key.
struct TlsIdentity {
  TlsIdentity();
  std::string certificate_pem;
  std::string key_pem;
};

class ServerConnection {
 public:
  ServerConnection(int fd, void* tls) : fd_(fd), tls_(tls) {}
  /// Blocks until the kernel has all of it; false when the peer is gone.
  bool write(std::string_view bytes);
  /// Writes until the peer has taken nothing for `quiet_ms`. @returns how many bytes went. Not over TLS.
  std::size_t write_until_blocked(std::string_view bytes, int quiet_ms);
  bool closed_within(int ms);  ///< waits that long at most for the peer to close
  bool wait_closed();          ///< blocks until the peer closes; true when it did, false when it sent something
  void end_of_stream();        ///< sends FIN
  void reset();                ///< the connection ends with RST

 private:
  friend class HttpTestServer;
  bool read_some(std::string& into);
  bool read_request(ServerRequest& into);
  int fd_;
  void* tls_;
  std::string unread_;
  bool ended_ = false;
};

class HttpTestServer {
 public:
  using Handler = std::function<void(const ServerRequest&, ServerConnection&)>;
  explicit HttpTestServer(Handler handler, const TlsIdentity* identity = nullptr);
  ~HttpTestServer();  ///< closes every connection and waits for the handlers
  HttpTestServer(const HttpTestServer&) = delete;
  HttpTestServer& operator=(const HttpTestServer&) = delete;

  std::uint16_t port() const { return port_; }
  std::string url(std::string_view path = "/", std::string_view host = "127.0.0.1") const;
  int connections() const { return connections_; }
  std::vector<ServerRequest> requests() const;

 private:
  void accept_loop();
  void serve(int fd);

  Handler handler_;
  void* tls_context_ = nullptr;
  int listener_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> connections_ = 0;
  mutable std::mutex mutex_;
  std::vector<ServerRequest> requests_;
  std::vector<int> open_;
  std::vector<std::thread> threads_;
  std::thread acceptor_;
};

/// "HTTP/1.1 200 OK" with a Content-Length and these further header lines (each with its CR LF).
std::string http_answer(int status, std::string_view body, std::string_view header_lines = {});
/// A port of 127.0.0.1 where nobody listens.
std::uint16_t closed_port();
}  // namespace hm::test
