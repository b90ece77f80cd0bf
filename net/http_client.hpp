// net/http_client.hpp: HTTP requests as coroutines. Layer 2. Interface; the real one is curl_http_client.hpp.
// Threads: every call and every HttpBody runs on the client's executor (one network thread). Cancelling the awaiting
// coroutine ends the transfer and yields Errc::Cancelled. Asio itself then makes the caller's next co_await throw
// operation_aborted, unless the caller has said `co_await boost::asio::this_coro::throw_if_cancelled(false)` once.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace hm::net {
template <class T>
using awaitable = boost::asio::awaitable<T>;

/// Header fields in their order; names compare without case.
class Headers {
 public:
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  /// First value of `name`, blanks trimmed.
  std::optional<std::string_view> get(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& all() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

enum class Protocol : std::uint8_t {
  Any,    ///< HTTP/2 over TLS where offered: many small requests on one connection
  Http1,  ///< a connection of its own: large bodies, which one shared TCP window would serialise
};

/// One request. Has constructors on purpose: g++ 12 destroys aggregate temporaries in co_await expressions twice.
struct HttpRequest {
  HttpRequest() = default;
  explicit HttpRequest(std::string u) : url(std::move(u)) {}
  HttpRequest(std::string m, std::string u) : method(std::move(m)), url(std::move(u)) {}
  std::string method = "GET";
  std::string url;   ///< absolute http(s) URL
  Headers headers;   ///< besides User-Agent and, for the configured origin only, Authorization
  std::string body;  ///< sent as is when not empty or method is POST
  Protocol protocol = Protocol::Any;
  bool decompress = false;                   ///< offer gzip and undo it; never for bytes that are verified
  std::uint64_t body_bytes_max = 16U << 20;  ///< after decompression; more is Errc::Refused
  std::int64_t stall_timeout_ms =
      30'000;  ///< no byte for this long is Errc::Unreachable; time in which the reader does not pull is not counted
  std::uint64_t min_bytes_per_second =
      0;  ///< mean over each stall_timeout_ms; slower is Unreachable, so that a trickle does not hold for ever; 0 = off
  std::uint64_t ahead_bytes_max =
      0;  ///< what may be read from the socket before the reader pulls, about; 0: the client's own measure
};

/// A response body, pulled by its reader: what is not pulled is not read from the socket (beyond a bounded buffer).
class HttpBody {
 public:
  virtual ~HttpBody() = default;  ///< dropping a body in the middle closes the transfer
  /// The next bytes; an empty span ends the body. The span lives until the next call or the end of the body object.
  /// @returns Unreachable: broken or stalled transfer, also when fewer bytes came than Content-Length says.
  virtual awaitable<Result<std::span<const std::byte>>> next() = 0;
};

struct HttpResponse {
  HttpResponse() = default;
  int status = 0;
  std::string url;  ///< the URL that answered
  Headers headers;
  std::optional<std::uint64_t> content_length;  ///< of this answer's body as sent
  std::unique_ptr<HttpBody> body;               ///< never null
};

class HttpClient {
 public:
  virtual ~HttpClient() = default;
  /// The client may be destroyed while transfers are under way: they end with Cancelled, their bodies stay valid
  /// objects. Sends the request; returns when the final response's header block is complete. Any status is a success
  /// here, 3xx too: redirects are followed by net/redirect.hpp under our own rules.
  /// @returns Unreachable (DNS, connect, TLS, reset), Refused (private address, scheme, header limits), Cancelled,
  /// BadInput (URL).
  virtual awaitable<Result<HttpResponse>> send(HttpRequest request) = 0;
};

/// Reads a whole body of at most `size_max` bytes into a string; Refused beyond.
awaitable<Result<std::string>> read_all(HttpBody& body, std::uint64_t size_max);
}  // namespace hm::net
