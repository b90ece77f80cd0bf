// What the client says to a server, and what it makes of the answers.
#include "net/curl_http_client.hpp"

#include "net/redirect.hpp"
#include "tests/unit/net/client_fixture.hpp"

namespace hm::net {
namespace {
using test::FailsWith;
using test::http_answer;
using test::HttpTestServer;
using test::ServerConnection;
using test::ServerRequest;
using test::Succeeds;

TEST_F(ClientTest, GetsABody) {
  HttpTestServer server(always(http_answer(200, "hello", "ETag: \"x\"\r\n")));
  make_client(server);
  const auto fetched = fetch(server.url("/a/../b?x=1"));
  ASSERT_THAT(fetched, Succeeds());
  EXPECT_EQ(fetched.assume_value().status, 200);
  EXPECT_EQ(fetched.assume_value().body, "hello");
  EXPECT_EQ(fetched.assume_value().content_length, 5u);
  EXPECT_EQ(fetched.assume_value().headers.get("etag"), "\"x\"");
  EXPECT_EQ(fetched.assume_value().url, server.url("/a/../b?x=1"));
  const ServerRequest request = server.requests().at(0);
  EXPECT_EQ(request.method, "GET");
  EXPECT_EQ(request.target, "/a/../b?x=1");
  EXPECT_EQ(request.header("user-agent"), "hubmirror");
  for (const char* absent : {"authorization", "cookie", "accept-encoding", "content-type", "expect", "content-length"})
    EXPECT_EQ(request.header(absent), "") << absent;
}

TEST_F(ClientTest, KeepsConnectionsForTheNextRequest) {
  HttpTestServer server(always(http_answer(200, "x")));
  make_client(server);
  for (int i = 0; i < 5; ++i) ASSERT_THAT(fetch(server.url()), Succeeds());
  ASSERT_THAT(fetch(HttpRequest("HEAD", server.url())), Succeeds());
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(ClientTest, TriesAgainWhenAKeptConnectionWasClosed) {
  HttpTestServer server(once(http_answer(200, "x")));
  make_client(server);
  for (int i = 0; i < 3; ++i) ASSERT_THAT(fetch(server.url()), Succeeds());
  EXPECT_EQ(server.connections(), 3);
}

TEST_F(ClientTest, HeadHasNoBodyWhateverItsLength) {
  HttpTestServer server(always("HTTP/1.1 200 OK\r\nContent-Length: 1099511627776\r\n\r\n"));
  make_client(server);
  const auto fetched = fetch(HttpRequest("HEAD", server.url()));
  ASSERT_THAT(fetched, Succeeds());
  EXPECT_EQ(fetched.assume_value().body, "");
  EXPECT_EQ(fetched.assume_value().content_length, 1099511627776u);
  EXPECT_EQ(server.requests().at(0).method, "HEAD");
}

TEST_F(ClientTest, AnswersWithoutBody) {
  HttpTestServer server([](const ServerRequest& request, ServerConnection& connection) {
    if (request.target == "/204") connection.write("HTTP/1.1 204 No Content\r\n\r\n");
    if (request.target == "/304") connection.write("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n\r\n");
    if (request.target == "/103")
      connection.write("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n" +
                       http_answer(200, "late"));
    if (request.target == "/0") connection.write(http_answer(200, ""));
  });
  make_client(server);
  for (const auto& [path, status, body] : {std::tuple("/204", 204, ""), std::tuple("/304", 304, ""),
                                           std::tuple("/103", 200, "late"), std::tuple("/0", 200, "")}) {
    const auto fetched = fetch(server.url(path));
    ASSERT_THAT(fetched, Succeeds()) << path;
    EXPECT_EQ(fetched.assume_value().status, status);
    EXPECT_EQ(fetched.assume_value().body, body);
    EXPECT_FALSE(fetched.assume_value().headers.get("Link"));
  }
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(ClientTest, ReadsChunkedAndUnframedBodies) {
  HttpTestServer server([](const ServerRequest& request, ServerConnection& connection) {
    if (request.target == "/chunked") {
      connection.write(
          "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n7;x=y\r\n, world\r\n0\r\nTrailer: "
          "x\r\n\r\n");
    } else {
      connection.write("HTTP/1.1 200 OK\r\n\r\nto the end");
      connection.end_of_stream();
    }
  });
  make_client(server);
  const auto chunked = fetch(server.url("/chunked"));
  ASSERT_THAT(chunked, Succeeds());
  EXPECT_EQ(chunked.assume_value().body, "hello, world");
  EXPECT_FALSE(chunked.assume_value().content_length);
  EXPECT_FALSE(chunked.assume_value().headers.get("Trailer"));
  EXPECT_EQ(fetch(server.url("/")).value().body, "to the end");
}

TEST_F(ClientTest, AnAnswerMayComeByteByByte) {
  HttpTestServer server([](const ServerRequest&, ServerConnection& connection) {
    for (const char c : http_answer(200, "hello")) connection.write(std::string_view(&c, 1));
  });
  make_client(server);
  EXPECT_EQ(fetch(server.url()).value().body, "hello");
}

TEST_F(ClientTest, PostsBodiesAsTheyAre) {
  HttpTestServer server(always(http_answer(200, "")));
  make_client(server);
  const std::string large = std::string(3 << 20, 'x') + std::string("\0\r\n", 3);
  for (const std::string& body : {std::string(), std::string("{}"), large}) {
    HttpRequest request("POST", server.url());
    request.body = body;
    request.headers.add("Content-Type", "application/x-git-upload-pack-request");
    request.headers.add("X-Empty", "");
    ASSERT_THAT(fetch(request), Succeeds());
    const ServerRequest seen = server.requests().back();
    EXPECT_EQ(seen.method, "POST");
    EXPECT_EQ(seen.body, body);
    EXPECT_EQ(seen.header("content-type"), "application/x-git-upload-pack-request");
    EXPECT_EQ(seen.header("content-length"), std::to_string(body.size()));
    EXPECT_EQ(seen.header("expect"), "");
    EXPECT_EQ(std::count_if(seen.headers.begin(), seen.headers.end(),
                            [](const auto& field) { return field.first == "x-empty"; }),
              1);
  }
  HttpRequest put("PUT", server.url());
  put.body = "y";
  ASSERT_THAT(fetch(put), Succeeds());
  EXPECT_EQ(server.requests().back().method, "PUT");
  EXPECT_EQ(server.requests().back().body, "y");
  ASSERT_THAT(fetch(HttpRequest("DELETE", server.url())), Succeeds());
  EXPECT_EQ(server.requests().back().method, "DELETE");
}

TEST_F(ClientTest, RefusesRequestsThatWouldBeReadDifferently) {
  HttpTestServer server(always(http_answer(200, "")));
  make_client(server);
  for (const char* method : {"", "GET X", "GET\r\n", "GE\tT"})
    EXPECT_THAT(fetch(HttpRequest(method, server.url())), FailsWith(Errc::BadInput, "method"));
  for (const auto& [name, value] :
       {std::pair("Host", "x"), std::pair("content-length", "1"), std::pair("Transfer-Encoding", "chunked"),
        std::pair("A b", "x"), std::pair("", "x"), std::pair("A", "x\r\nB: y")}) {
    HttpRequest request(server.url());
    request.headers.add(name, value);
    EXPECT_THAT(fetch(request), FailsWith(Errc::BadInput, "header")) << name;
  }
  EXPECT_THAT(fetch("ftp://127.0.0.1/"), FailsWith(Errc::BadInput, "scheme"));
  EXPECT_THAT(fetch("http://u:hunter2@127.0.0.1/"), FailsWith(Errc::BadInput, "password"));
  EXPECT_TRUE(server.requests().empty());
}

TEST_F(ClientTest, GivesTheTokenToItsOriginOnly) {
  HttpTestServer hub(always(http_answer(200, "")));
  HttpTestServer cdn(always(http_answer(200, "")));
  CurlOptions options;
  options.upstream_url = hub.url("/prefix");
  options.token = "hf_secret";
  options.allowed_private = {parse_host_port("127.0.0.1").value(), parse_host_port("localhost").value()};
  make_client(options);
  ASSERT_THAT(fetch(hub.url("/anything")), Succeeds());
  EXPECT_EQ(hub.requests().back().header("authorization"), "Bearer hf_secret");
  ASSERT_THAT(fetch(cdn.url()), Succeeds());
  EXPECT_EQ(cdn.requests().back().header("authorization"), "");
  ASSERT_THAT(fetch(hub.url("/", "localhost")), Succeeds());
  EXPECT_EQ(hub.requests().back().header("authorization"), "");
  HttpRequest own(hub.url());
  own.headers.add("authorization", "Basic own");
  ASSERT_THAT(fetch(own), Succeeds());
  EXPECT_EQ(hub.requests().back().header("authorization"), "Basic own");
}

TEST_F(ClientTest, ARedirectDoesNotCarryTheToken) {
  HttpTestServer cdn(always(http_answer(200, "bytes")));
  HttpTestServer hub(always(http_answer(302, "see there", "Location: " + cdn.url("/blob") + "\r\n")));
  CurlOptions options;
  options.upstream_url = hub.url();
  options.token = "hf_secret";
  options.allowed_private = {parse_host_port("127.0.0.1:" + std::to_string(cdn.port())).value()};
  make_client(options);
  const auto follow = [](HttpClient& client, std::string url) -> awaitable<Result<std::string>> {
    auto response = co_await send_following(client, HttpRequest(std::move(url)));
    if (!response) co_return std::move(response).as_failure();
    co_return co_await read_all(*response.assume_value().body, 100);
  };
  for (int i = 0; i < 2; ++i) {
    const auto body = run(follow(*client_, hub.url()));
    ASSERT_THAT(body, Succeeds());
    EXPECT_EQ(body.assume_value(), "bytes");
  }
  for (const ServerRequest& request : cdn.requests()) {
    for (const auto& [name, value] : request.headers) EXPECT_EQ(value.find("hf_secret"), std::string::npos) << name;
  }
  EXPECT_EQ(hub.connections(), 1);
  EXPECT_EQ(cdn.connections(), 1);
}

TEST_F(ClientTest, OptionsAreChecked) {
  const auto make = [&](auto change) {
    CurlOptions options;
    options.upstream_url = "https://hub.example";
    change(options);
    return make_curl_http_client(context_.get_executor(), options);
  };
  EXPECT_THAT(make([](CurlOptions&) {}), Succeeds());
  EXPECT_THAT(make([](CurlOptions& o) { o.upstream_url = "hub.example"; }), FailsWith(Errc::BadInput, "absolute"));
  EXPECT_THAT(make([](CurlOptions& o) { o.ca_file = "/nonexistent/ca.pem"; }),
              FailsWith(Errc::BadInput, "/nonexistent/ca.pem"));
  EXPECT_THAT(make([](CurlOptions& o) { o.proxy = "gopher://x"; }), FailsWith(Errc::BadInput, "proxy"));
  const auto with_newline = make([](CurlOptions& o) { o.token = "hf_secret\n"; });
  ASSERT_THAT(with_newline, FailsWith(Errc::BadInput, "token"));
  EXPECT_EQ(with_newline.assume_error().what.find("hf_secret"), std::string::npos);
}

TEST(ParseHostPort, ReadsTheFormsPeopleWrite) {
  for (const auto& [text, host, port] :
       {std::tuple("Cache.internal", "cache.internal", 0), std::tuple("h:8080", "h", 8080),
        std::tuple("10.0.0.1:1", "10.0.0.1", 1), std::tuple("::1", "::1", 0), std::tuple("[FD00:0::1]", "fd00::1", 0),
        std::tuple("[::1]:80", "::1", 80), std::tuple("h:", "h", 0)}) {
    const auto parsed = parse_host_port(text);
    ASSERT_THAT(parsed, Succeeds()) << text;
    EXPECT_EQ(parsed.assume_value().host, host);
    EXPECT_EQ(parsed.assume_value().port, port);
  }
  for (const char* bad : {"", ":80", "h:x", "h:70000", "h/", "http://h", "u@h", "h h", "1.2.3", "[::1", "h?x", "h#x"}) {
    EXPECT_THAT(parse_host_port(bad), FailsWith(Errc::BadInput, "HOST:PORT")) << bad;
  }
}
}  // namespace
}  // namespace hm::net
