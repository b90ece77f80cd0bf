// net/curl_http_client.hpp: HttpClient on libcurl's multi interface, driven by Asio. Layer 2. One instance per network
// thread. libcurl types stay in the private headers. Cancellation, back-pressure and limits: docs/threads.md.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/http_client.hpp"

namespace hm::net {
/// "host" or "host:port"; without a port every port of the host is meant.
struct HostPort {
  std::string host;  ///< lowercase, IPv6 without brackets and in its shortest form, as in Url
  std::uint16_t port = 0;
};
/// "host", "host:port", "10.0.0.1", "::1", "[::1]:8080". @returns BadInput with an example.
Result<HostPort> parse_host_port(std::string_view text);

struct CurlOptions {
  std::string upstream_url;  ///< the configured origin: gets the token, may be in a private range
  std::string token;         ///< bearer token for that origin only; empty = anonymous
  std::vector<HostPort>
      allowed_private;  ///< further hosts that may resolve to private, loopback or link-local addresses
  std::string user_agent = "hubmirror";
  std::string ca_file;  ///< PEM bundle; empty = SSL_CERT_FILE, CURL_CA_BUNDLE or REQUESTS_CA_BUNDLE of the environment,
                        ///< else the system's
  std::string proxy;    ///< empty = http_proxy, https_proxy, all_proxy of the environment, as curl reads them; no_proxy
                        ///< holds in both cases
  int connections_per_host_max = 16;
  int connections_max = 64;
  std::int64_t connect_timeout_ms = 10'000;  ///< name, TCP and TLS; waiting for a free connection does not count
  std::size_t buffer_bytes = 1U << 20;       ///< per transfer, unread; then the transfer is paused; at least 64 KiB
};

/// @returns BadInput when the upstream URL, the token, the proxy or the CA file is not usable.
Result<> check_curl_options(const CurlOptions& options);

/// Sets SIGPIPE to ignored when nobody has set it otherwise: a TLS peer that goes away must not end the process.
/// The client must be destroyed before the executor's context stops to exist; transfers may be under way then.
/// @returns as check_curl_options().
Result<std::unique_ptr<HttpClient>> make_curl_http_client(boost::asio::any_io_executor executor, CurlOptions options);
}  // namespace hm::net
