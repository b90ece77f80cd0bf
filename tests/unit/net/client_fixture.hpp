// tests/unit/net/client_fixture.hpp: the real HTTP client against the test server, driven until nothing is left to do.
#pragma once
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "net/curl_http_client.hpp"
#include "tests/support/http_test_server.hpp"
#include "tests/support/result_matchers.hpp"

namespace hm::net {
struct Fetched {
  int status = 0;
  std::string url;
  Headers headers;
  std::optional<std::uint64_t> content_length;
  std::string body;
};

inline awaitable<Result<Fetched>> fetch_whole(HttpClient& client, HttpRequest request) {
  auto response = co_await client.send(std::move(request));
  if (!response) co_return std::move(response).as_failure();
  HttpResponse& answer = response.assume_value();
  auto body = co_await read_all(*answer.body, UINT64_MAX);
  if (!body) co_return std::move(body).as_failure();
  Fetched fetched;
  fetched.status = answer.status;
  fetched.url = answer.url;
  fetched.headers = answer.headers;
  fetched.content_length = answer.content_length;
  fetched.body = std::move(body).assume_value();
  co_return fetched;
}

class ClientTest : public testing::Test {
 protected:
  ClientTest() {
    for (const char* name : {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY", "no_proxy",
                             "NO_PROXY", "CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"}) {
      ::unsetenv(name);
    }
  }
  void make_client(CurlOptions options) {
    auto made = make_curl_http_client(context_.get_executor(), std::move(options));
    ASSERT_THAT(made, test::Succeeds());
    client_ = std::move(made).assume_value();
  }
  void make_client(const test::HttpTestServer& upstream, std::string token = {}) {
    CurlOptions options;
    options.upstream_url = upstream.url();
    options.token = std::move(token);
    make_client(std::move(options));
  }
  /// Runs until the context has nothing left: a client that leaves timers or sockets behind would hang here.
  template <class T>
  Result<T> run(awaitable<Result<T>> coroutine) {
    std::optional<Result<T>> result;
    boost::asio::co_spawn(context_, std::move(coroutine), [&](std::exception_ptr e, Result<T> r) {
      if (e) std::rethrow_exception(e);
      result = std::move(r);
    });
    context_.restart();
    context_.run();
    if (!result) return Error(Errc::Internal, "the coroutine did not end");
    return std::move(*result);
  }
  Result<Fetched> fetch(HttpRequest request) { return run(fetch_whole(*client_, std::move(request))); }
  Result<Fetched> fetch(std::string url) { return fetch(HttpRequest(std::move(url))); }

  boost::asio::io_context context_{1};
  std::unique_ptr<HttpClient> client_;
};

inline test::HttpTestServer::Handler always(std::string answer) {
  return [answer = std::move(answer)](const test::ServerRequest&, test::ServerConnection& connection) {
    connection.write(answer);
  };
}
/// Says this and closes.
inline test::HttpTestServer::Handler once(std::string answer) {
  return [answer = std::move(answer)](const test::ServerRequest&, test::ServerConnection& connection) {
    connection.write(answer);
    connection.end_of_stream();
  };
}
/// Says this and then nothing until the peer goes.
inline test::HttpTestServer::Handler then_silence(std::string answer) {
  return [answer = std::move(answer)](const test::ServerRequest&, test::ServerConnection& connection) {
    connection.write(answer);
    connection.wait_closed();
    connection.end_of_stream();
  };
}
}  // namespace hm::net
