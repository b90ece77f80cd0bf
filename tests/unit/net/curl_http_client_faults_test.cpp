// Bad servers, bad networks and forbidden places: each ends in one clear error.
#include <sys/socket.h>

#include <array>
#include <cstdio>

#include "net/curl_http_client.hpp"
#include "tests/unit/net/client_fixture.hpp"

namespace hm::net {
namespace {
using test::FailsWith;
using test::http_answer;
using test::HttpTestServer;
using test::ServerConnection;
using test::ServerRequest;
using test::Succeeds;

std::uint32_t crc32_of(std::string_view bytes) {
  std::uint32_t crc = 0xffffffffU;
  for (const char c : bytes) {
    crc ^= static_cast<unsigned char>(c);
    for (int bit = 0; bit < 8; ++bit) crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xedb88320U : 0U);
  }
  return ~crc;
}

/// gzip of 1 + 258·`matches` zero bytes: one literal and then matches of the greatest length, 13 bits each.
std::string gzip_of_zeros(std::size_t matches) {
  std::string out("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
  unsigned pending = 0;
  unsigned pending_bits = 0;
  const auto put = [&](unsigned code, int bits) {  // Huffman codes go most significant bit first
    for (int bit = bits - 1; bit >= 0; --bit) {
      pending |= ((code >> bit) & 1U) << pending_bits;
      if (++pending_bits < 8) continue;
      out += static_cast<char>(pending);
      pending = pending_bits = 0;
    }
  };
  put(0b110, 3);  // last block, fixed codes
  put(0x30, 8);   // literal 0
  for (std::size_t i = 0; i < matches; ++i) {
    put(0xc5, 8);  // length 258
    put(0, 5);     // distance 1
  }
  put(0, 7);  // end of block
  put(0, 7);  // fill the last byte
  const std::string plain(1 + 258 * matches, '\0');
  for (const std::uint32_t word : {crc32_of(plain), static_cast<std::uint32_t>(plain.size())}) {
    for (int shift = 0; shift < 32; shift += 8) out += static_cast<char>(word >> shift);
  }
  return out;
}

TEST_F(ClientTest, ShortBodySaysHowMuchCame) {
  HttpTestServer server(once("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n1234567"));
  make_client(server);
  EXPECT_THAT(fetch(server.url()), FailsWith(Errc::Unreachable, "7 of 100 bytes"));
}

TEST_F(ClientTest, ResetSaysHowMuchCame) {
  HttpTestServer server([](const ServerRequest&, ServerConnection& connection) {
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
    connection.reset();
  });
  make_client(server);
  EXPECT_THAT(fetch(server.url()), FailsWith(Errc::Unreachable, "127.0.0.1:" + std::to_string(server.port())));
}

TEST_F(ClientTest, TruncatedChunksAreAnError) {
  for (const char* rest : {"a\r\n12345", "5\r\n12345\r\n", "5\r\n12345", "z\r\n"}) {
    HttpTestServer server(once(std::string("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n") + rest));
    make_client(server);
    EXPECT_THAT(fetch(server.url()), FailsWith(Errc::Unreachable, "transfer from 127.0.0.1")) << rest;
  }
}

TEST_F(ClientTest, EndedBeforeOrInsideTheHead) {
  HttpTestServer silent(once(""));
  make_client(silent);
  EXPECT_THAT(fetch(silent.url()), FailsWith(Errc::Unreachable, "without an answer"));
  HttpTestServer half(once("HTTP/1.1 200 OK\r\nContent-Le"));
  make_client(half);
  EXPECT_THAT(fetch(half.url()), FailsWith(Errc::Unreachable, "127.0.0.1"));
  HttpTestServer other(once("SSH-2.0-OpenSSH_9.2\r\n"));
  make_client(other);
  EXPECT_THAT(fetch(other.url()), FailsWith(Errc::Unreachable, "127.0.0.1"));
}

TEST_F(ClientTest, HeadersHaveLimits) {
  std::string many;
  for (int i = 0; i < 101; ++i) many += "a: b\r\n";
  std::string total;
  for (int i = 0; i < 40; ++i) total += "a: " + std::string(2000, 'x') + "\r\n";
  for (const std::string& lines :
       {many, total, "a: " + std::string(70'000, 'x') + "\r\n", "a: " + std::string(400'000, 'x') + "\r\n"}) {
    HttpTestServer server(once("HTTP/1.1 200 OK\r\n" + lines + "\r\n"));
    make_client(server);
    EXPECT_THAT(fetch(server.url()), FailsWith(Errc::Refused, "header")) << lines.size();
  }
}

TEST_F(ClientTest, BodiesHaveALimit) {
  const std::string body(10, 'x');
  HttpTestServer server([&](const ServerRequest& request, ServerConnection& connection) {
    if (request.target == "/length") connection.write(http_answer(200, body));
    if (request.target == "/chunked")
      connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\n" + body + "\r\n0\r\n\r\n");
    if (request.target == "/endless") {
      connection.write("HTTP/1.1 200 OK\r\n\r\n");
      while (connection.write(body)) {
      }
      connection.end_of_stream();
    }
  });
  make_client(server);
  for (const char* path : {"/length", "/chunked", "/endless"}) {
    HttpRequest request(server.url(path));
    request.body_bytes_max = 9;
    EXPECT_THAT(fetch(request), FailsWith(Errc::Refused, "limit of 9")) << path;
    request.body_bytes_max = 10;
    if (request.url != server.url("/endless")) {
      EXPECT_THAT(fetch(request), Succeeds()) << path;
    }
  }
}

TEST_F(ClientTest, ATooLargeBodyStillHasItsStatus) {
  HttpTestServer server(always(http_answer(404, std::string(100, 'x'))));
  make_client(server);
  const auto status = [](HttpClient& client, HttpRequest request) -> awaitable<Result<int>> {
    auto response = co_await client.send(std::move(request));
    if (!response) co_return std::move(response).as_failure();
    co_return response.assume_value().status;
  };
  HttpRequest request(server.url());
  request.body_bytes_max = 10;
  EXPECT_EQ(run(status(*client_, request)).value(), 404);
}

TEST_F(ClientTest, DecompressesOnlyWhenAsked) {
  const std::string packed = gzip_of_zeros(3);
  HttpTestServer server(always(http_answer(200, packed, "Content-Encoding: gzip\r\n")));
  make_client(server);
  HttpRequest request(server.url());
  EXPECT_EQ(fetch(request).value().body, packed);
  EXPECT_EQ(server.requests().back().header("accept-encoding"), "");
  request.decompress = true;
  EXPECT_EQ(fetch(request).value().body, std::string(1 + 3 * 258, '\0'));
  EXPECT_EQ(server.requests().back().header("accept-encoding"), "gzip");
}

TEST_F(ClientTest, AGzipBombEndsAtTheLimit) {
  HttpTestServer server(always(http_answer(200, gzip_of_zeros(40'000), "Content-Encoding: gzip\r\n")));
  make_client(server);
  HttpRequest request(server.url());
  request.decompress = true;
  request.body_bytes_max = 1 << 20;
  EXPECT_THAT(fetch(request), FailsWith(Errc::Refused, "(decompressed)"));
}

TEST_F(ClientTest, BrokenCompressionIsAnError) {
  HttpTestServer server(always(http_answer(200, "this is not gzip", "Content-Encoding: gzip\r\n")));
  make_client(server);
  HttpRequest request(server.url());
  request.decompress = true;
  EXPECT_THAT(fetch(request), FailsWith(Errc::Unreachable, "decompressed"));
}

TEST_F(ClientTest, SilenceEndsATransfer) {
  HttpTestServer before_head(then_silence(""));
  make_client(before_head);
  HttpRequest request(before_head.url());
  request.stall_timeout_ms = 300;
  EXPECT_THAT(fetch(request), FailsWith(Errc::Unreachable, "no byte for 300 ms"));
  HttpTestServer in_body(then_silence("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n1234567"));
  make_client(in_body);
  request.url = in_body.url();
  EXPECT_THAT(fetch(request), FailsWith(Errc::Unreachable, "after 7 bytes"));
}

TEST_F(ClientTest, ATrickleEndsATransferThatWantsMore) {
  HttpTestServer server([](const ServerRequest&, ServerConnection& connection) {
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n");
    while (!connection.closed_within(5)) connection.write("x");
    connection.end_of_stream();
  });
  make_client(server);
  HttpRequest request(server.url());
  request.stall_timeout_ms = 400;
  request.min_bytes_per_second = 100'000;
  EXPECT_THAT(fetch(request), FailsWith(Errc::Unreachable, "slower than 100000 bytes/s"));
}

TEST_F(ClientTest, NobodyListens) {
  CurlOptions options;
  options.upstream_url = "http://127.0.0.1:" + std::to_string(test::closed_port());
  make_client(options);
  EXPECT_THAT(
      fetch(options.upstream_url),
      FailsWith(Errc::Unreachable, "cannot connect to " + options.upstream_url.substr(7) + ": Connection refused"));
}

TEST_F(ClientTest, PrivateAddressesAreRefusedAfterDns) {
  HttpTestServer server(always(http_answer(200, "inside")));
  CurlOptions options;
  options.upstream_url = "https://hub.example";
  make_client(options);
  for (const char* host : {"127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "[::]", "0.0.0.0", "10.0.0.1",
                           "169.254.169.254", "[fe80::1]", "[64:ff9b::7f00:1]"}) {
    const auto fetched = fetch(server.url("/", host));
    EXPECT_THAT(fetched,
                FailsWith(Errc::Refused, std::string("--allow-private ") +
                                             (host == std::string("[::ffff:127.0.0.1]") ? "[::ffff:127.0.0.1]" : host)))
        << host;
  }
  const auto by_name = fetch(server.url("/", "localhost"));
  EXPECT_THAT(by_name,
              FailsWith(Errc::Refused, "refused to connect to localhost:" + std::to_string(server.port()) + " at "));
  EXPECT_THAT(by_name, FailsWith(Errc::Refused, "loopback"));
  EXPECT_EQ(server.connections(), 0);
}

TEST_F(ClientTest, PrivateAddressesAreAllowedByHostAndPort) {
  HttpTestServer server(always(http_answer(200, "inside")));
  const auto port = server.port();
  const auto fetch_with = [&](std::vector<HostPort> allowed, const char* host) {
    CurlOptions options;
    options.upstream_url = "https://hub.example";
    options.allowed_private = std::move(allowed);
    make_client(options);
    return fetch(server.url("/", host));
  };
  HostPort localhost;
  localhost.host = "localhost";
  EXPECT_THAT(fetch_with({localhost}, "localhost"), Succeeds());
  EXPECT_THAT(fetch_with({localhost}, "127.0.0.1"), FailsWith(Errc::Refused, "loopback"));
  localhost.port = port;
  EXPECT_THAT(fetch_with({localhost}, "localhost"), Succeeds());
  localhost.port = static_cast<std::uint16_t>(port ^ 1U);
  EXPECT_THAT(fetch_with({localhost}, "localhost"), FailsWith(Errc::Refused, "loopback"));
}

TEST_F(ClientTest, TheUpstreamsPermissionIsForItsPortOnly) {
  HttpTestServer upstream(always(http_answer(200, "")));
  HttpTestServer neighbour(always(http_answer(200, "")));
  make_client(upstream);
  EXPECT_THAT(fetch(upstream.url()), Succeeds());
  EXPECT_THAT(fetch(neighbour.url()), FailsWith(Errc::Refused, "loopback"));
  EXPECT_EQ(neighbour.connections(), 0);
}

TEST_F(ClientTest, AProxyIsConnectedToWhereverItIs) {
  HttpTestServer proxy(always(http_answer(200, "proxied")));
  CurlOptions options;
  options.upstream_url = "https://hub.example";
  options.proxy = "http://user:pw@127.0.0.1:" + std::to_string(proxy.port());
  make_client(options);
  EXPECT_EQ(fetch("http://cdn.example/x").value().body, "proxied");
  EXPECT_EQ(proxy.requests().at(0).target, "http://cdn.example/x");
  EXPECT_NE(proxy.requests().at(0).header("proxy-authorization"), "");
  for (const char* host : {"10.0.0.1", "127.0.0.1", "localhost", "a.localhost", "[fd00::1]"}) {
    EXPECT_THAT(fetch(std::string("http://") + host + "/"), FailsWith(Errc::Refused, "--allow-private")) << host;
  }
  EXPECT_EQ(proxy.requests().size(), 1u);
}

TEST_F(ClientTest, TheProxyOfTheEnvironmentIsUsed) {
  HttpTestServer proxy(always(http_answer(200, "proxied")));
  HttpTestServer direct(always(http_answer(200, "direct")));
  ::setenv("http_proxy", ("http://127.0.0.1:" + std::to_string(proxy.port())).c_str(), 1);
  ::setenv("no_proxy", "localhost,127.0.0.0/8", 1);
  make_client(direct);
  EXPECT_EQ(fetch("http://cdn.example/x").value().body, "proxied");
  EXPECT_EQ(fetch(direct.url()).value().body, "direct");
}

TEST_F(ClientTest, AProxyThatRefusesTheTunnelIsAnError) {
  HttpTestServer proxy(once("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"));
  CurlOptions options;
  options.upstream_url = "https://hub.example";
  options.token = "hf_secret";
  options.proxy = "127.0.0.1:" + std::to_string(proxy.port());
  make_client(options);
  EXPECT_THAT(fetch("https://hub.example/x"), FailsWith(Errc::Unreachable, "403"));
  ASSERT_EQ(proxy.requests().size(), 1u);
  EXPECT_EQ(proxy.requests()[0].method, "CONNECT");
  EXPECT_EQ(proxy.requests()[0].header("authorization"), "");
}

class TlsClientTest : public ClientTest {
 protected:
  TlsClientTest() : ca_file_(testing::TempDir() + "hm_net_ca_" + std::to_string(::getpid()) + ".pem") {
    std::ofstream(ca_file_) << identity_.certificate_pem;
  }
  ~TlsClientTest() override { std::remove(ca_file_.c_str()); }
  test::TlsIdentity identity_;
  std::string ca_file_;
};

TEST_F(TlsClientTest, AnUnknownCertificateIsNotTrusted) {
  HttpTestServer server(always(http_answer(200, "x")), &identity_);
  make_client(server);
  const auto fetched = fetch(server.url());
  EXPECT_THAT(fetched, FailsWith(Errc::Unreachable, "certificate of 127.0.0.1 is not trusted"));
  EXPECT_THAT(fetched, FailsWith(Errc::Unreachable, "set ca_file or SSL_CERT_FILE"));
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(TlsClientTest, CaFileMakesItTrusted) {
  HttpTestServer server(always(http_answer(200, "x")), &identity_);
  CurlOptions options;
  options.upstream_url = server.url();
  options.token = "hf_secret";
  options.ca_file = ca_file_;
  make_client(options);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(fetch(server.url()).value().body, "x");
  EXPECT_EQ(server.connections(), 1);
  EXPECT_EQ(server.requests().back().header("authorization"), "Bearer hf_secret");
}

TEST_F(TlsClientTest, SoDoTheVariablesOfTheEnvironment) {
  for (const char* name : {"SSL_CERT_FILE", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE"}) {
    HttpTestServer server(always(http_answer(200, "x")), &identity_);
    ::setenv(name, ca_file_.c_str(), 1);
    make_client(server);
    EXPECT_THAT(fetch(server.url()), Succeeds()) << name;
    ::unsetenv(name);
  }
  HttpTestServer server(always(http_answer(200, "x")), &identity_);
  ::setenv("SSL_CERT_FILE", "/nonexistent/ca.pem", 1);
  make_client(server);
  EXPECT_THAT(fetch(server.url()), FailsWith(Errc::BadInput, "/nonexistent/ca.pem"));
}

TEST_F(TlsClientTest, ATokenForHttpsDoesNotGoToHttpOnTheSamePort) {
  HttpTestServer server(always(http_answer(200, "x")));
  CurlOptions options;
  options.upstream_url = "https" + server.url().substr(4);
  options.token = "hf_secret";
  options.connect_timeout_ms = 500;
  make_client(options);
  EXPECT_THAT(fetch(server.url()), Succeeds());
  EXPECT_EQ(server.requests().back().header("authorization"), "");
  EXPECT_THAT(fetch(options.upstream_url),
              FailsWith(Errc::Unreachable, "no answer within 500 ms"));  // it waits for the end of a request head
}
}  // namespace
}  // namespace hm::net
