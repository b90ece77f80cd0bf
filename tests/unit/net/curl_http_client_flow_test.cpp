// Who waits for whom: cancellation, back-pressure, bounded connections, the end of the client.
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/deferred.hpp>
#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <future>

#include "net/curl_http_client.hpp"
#include "tests/unit/net/client_fixture.hpp"

namespace hm::net {
namespace {
namespace asio = boost::asio;
using test::FailsWith;
using test::http_answer;
using test::HttpTestServer;
using test::ServerConnection;
using test::ServerRequest;
using test::Succeeds;

/// Something another thread says once and a coroutine waits for.
class Event {
 public:
  explicit Event(asio::io_context& context) : context_(context), timer_(context) {}
  void set_from_any_thread() {
    asio::post(context_, [this] {
      happened_ = true;
      timer_.cancel();
    });
  }
  awaitable<void> wait() {
    timer_.expires_at(asio::steady_timer::time_point::max());
    while (!happened_) co_await timer_.async_wait(asio::as_tuple(asio::deferred));
  }
  bool happened() const { return happened_; }

 private:
  asio::io_context& context_;
  asio::steady_timer timer_;
  bool happened_ = false;
};

/// Tells its promise when the peer has gone.
HttpTestServer::Handler silence_telling(std::string answer, std::promise<void>& gone) {
  return [answer = std::move(answer), &gone](const ServerRequest&, ServerConnection& connection) {
    connection.write(answer);
    if (connection.wait_closed()) gone.set_value();
    connection.end_of_stream();
  };
}

class FlowTest : public ClientTest {
 protected:
  /// Runs `coroutine` so that signal_ cancels it; its result goes to result_.
  void spawn(awaitable<Result<Fetched>> coroutine) {
    asio::co_spawn(context_, std::move(coroutine),
                   asio::bind_cancellation_slot(signal_.slot(), [this](std::exception_ptr e, Result<Fetched> r) {
                     threw_ = e != nullptr;
                     result_ = std::move(r);
                   }));
  }
  void cancel() { signal_.emit(asio::cancellation_type::terminal); }
  /// After everything that is ready has run.
  void cancel_soon() {
    asio::post(context_, [this] { cancel(); });
  }
  asio::cancellation_signal signal_;
  std::optional<Result<Fetched>> result_;
  bool threw_ = false;
};

awaitable<Result<Fetched>> read_cancelled_after_first(HttpClient& client, std::string url,
                                                      std::function<void()> cancel_soon) {
  auto response = co_await client.send(HttpRequest(std::move(url)));
  if (!response) co_return std::move(response).as_failure();
  HttpBody& body = *response.assume_value().body;
  const auto first = co_await body.next();
  EXPECT_THAT(first, Succeeds());
  cancel_soon();
  const auto second = co_await body.next();
  if (!second) co_return second.assume_error();
  co_return Fetched();
}

TEST_F(FlowTest, CancellingInTheBodyEndsTheTransfer) {
  std::promise<void> gone;
  HttpTestServer server(silence_telling("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n1234567", gone));
  make_client(server);
  spawn(read_cancelled_after_first(*client_, server.url(), [this] { cancel_soon(); }));
  context_.run();
  EXPECT_FALSE(threw_);
  EXPECT_THAT(result_.value(), FailsWith(Errc::Cancelled, "cancelled"));
  gone.get_future().wait();
}

TEST_F(FlowTest, CancellingBeforeTheHeadEndsTheTransfer) {
  std::promise<void> gone;
  Event asked(context_);
  HttpTestServer server([&](const ServerRequest&, ServerConnection& connection) {
    asked.set_from_any_thread();
    if (connection.wait_closed()) gone.set_value();
    connection.end_of_stream();
  });
  make_client(server);
  spawn(fetch_whole(*client_, HttpRequest(server.url())));
  while (!asked.happened()) context_.run_one();
  cancel();
  context_.run();
  EXPECT_FALSE(threw_);
  EXPECT_THAT(result_.value(), FailsWith(Errc::Cancelled, "cancelled"));
  gone.get_future().wait();
}

TEST_F(FlowTest, CancellingWhileTheNameIsLookedUp) {
  HttpTestServer server(always(http_answer(200, "")));
  CurlOptions options;
  options.upstream_url = server.url("/", "localhost");
  make_client(options);
  spawn(fetch_whole(*client_, HttpRequest(options.upstream_url)));
  cancel_soon();  // the coroutine starts first, the resolver's thread cannot be heard before that
  context_.run();
  EXPECT_THAT(result_.value(), FailsWith(Errc::Cancelled, "cancelled"));
}

TEST_F(FlowTest, CancellingWhileWaitingForAConnection) {
  Event asked(context_);
  std::promise<void> answer_now;
  auto may_answer = answer_now.get_future().share();
  HttpTestServer server([&, may_answer](const ServerRequest&, ServerConnection& connection) {
    asked.set_from_any_thread();
    may_answer.wait();
    connection.write(http_answer(200, "first"));
  });
  CurlOptions options;
  options.upstream_url = server.url();
  options.connections_per_host_max = 1;
  make_client(options);
  std::optional<Result<Fetched>> first;
  asio::co_spawn(context_, fetch_whole(*client_, HttpRequest(server.url())),
                 [&](std::exception_ptr, Result<Fetched> r) { first = std::move(r); });
  while (!asked.happened()) context_.run_one();
  spawn(fetch_whole(*client_, HttpRequest(server.url())));
  context_.poll();
  cancel();
  while (!result_) context_.run_one();
  EXPECT_THAT(*result_, FailsWith(Errc::Cancelled, "cancelled"));
  answer_now.set_value();
  context_.run();
  EXPECT_EQ(first.value().value().body, "first");
  EXPECT_EQ(server.requests().size(), 1u);
}

TEST_F(FlowTest, TheLoserOfARaceIsCancelled) {
  std::promise<void> gone;
  Event asked(context_);
  HttpTestServer server([&](const ServerRequest&, ServerConnection& connection) {
    asked.set_from_any_thread();
    if (connection.wait_closed()) gone.set_value();
    connection.end_of_stream();
  });
  make_client(server);
  const auto race = [](HttpClient& client, std::string url, Event& other) -> awaitable<Result<int>> {
    using asio::experimental::awaitable_operators::operator||;
    auto request = fetch_whole(client, HttpRequest(std::move(url)));
    auto event = other.wait();
    const auto winner = co_await (std::move(request) || std::move(event));
    co_return static_cast<int>(winner.index());
  };
  EXPECT_EQ(run(race(*client_, server.url(), asked)).value(), 1);
  gone.get_future().wait();
}

TEST_F(FlowTest, DroppingABodyInTheMiddleClosesTheConnection) {
  std::promise<void> gone;
  HttpTestServer server(silence_telling("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n1234567", gone));
  make_client(server);
  const auto status = [](HttpClient& client, std::string url) -> awaitable<Result<int>> {
    auto response = co_await client.send(HttpRequest(std::move(url)));
    if (!response) co_return std::move(response).as_failure();
    co_return response.assume_value().status;
  };
  EXPECT_EQ(run(status(*client_, server.url())).value(), 200);
  gone.get_future().wait();
}

awaitable<Result<std::uint64_t>> read_late(HttpClient& client, HttpRequest request, Event& blocked) {
  auto response = co_await client.send(std::move(request));
  if (!response) co_return std::move(response).as_failure();
  co_await blocked.wait();
  std::uint64_t bytes = 0;
  for (;;) {
    const auto chunk = co_await response.assume_value().body->next();
    if (!chunk) co_return chunk.assume_error();
    if (chunk.assume_value().empty()) co_return bytes;
    for (const std::byte b : chunk.assume_value()) {
      if (b != static_cast<std::byte>((bytes / 4096) & 0xff))
        co_return Error(Errc::Corrupt, "byte " + std::to_string(bytes));
      ++bytes;
    }
  }
}

std::string numbered_pages(std::size_t size_bytes) {
  std::string bytes(size_bytes, '\0');
  for (std::size_t i = 0; i < size_bytes; ++i) bytes[i] = static_cast<char>((i / 4096) & 0xff);
  return bytes;
}

// The reader waits longer than the stall timeout: its own pause is not the server's fault.
TEST_F(FlowTest, WhatIsNotPulledIsNotReadFromTheSocket) {
  constexpr std::size_t kSize = 64U << 20;
  const std::string bytes = numbered_pages(kSize);
  Event blocked(context_);
  std::atomic<std::size_t> sent_before_block = 0;
  HttpTestServer server([&](const ServerRequest&, ServerConnection& connection) {
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n");
    sent_before_block = connection.write_until_blocked(bytes, 2000);
    blocked.set_from_any_thread();
    connection.write(std::string_view(bytes).substr(sent_before_block));
  });
  make_client(server);
  HttpRequest request(server.url());
  request.body_bytes_max = kSize;
  request.stall_timeout_ms = 1500;
  const auto read = run(read_late(*client_, request, blocked));
  ASSERT_THAT(read, Succeeds());
  EXPECT_EQ(read.assume_value(), kSize);
  EXPECT_LT(sent_before_block, kSize / 2);  // the client's buffer and the kernel's, not the body
}

TEST_F(FlowTest, SmallBuffersPauseOftenAndLoseNothing) {
  constexpr std::size_t kSize = 8U << 20;
  const std::string bytes = numbered_pages(kSize);
  HttpTestServer server([&](const ServerRequest& request, ServerConnection& connection) {
    if (request.target == "/chunked") {
      connection.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n800000\r\n" + bytes + "\r\n0\r\n\r\n");
    } else {
      connection.write(http_answer(200, bytes));
    }
  });
  CurlOptions options;
  options.upstream_url = server.url();
  options.buffer_bytes = 1;
  make_client(options);
  Event never_mind(context_);
  never_mind.set_from_any_thread();
  for (const char* path : {"/", "/chunked"}) {
    HttpRequest request(server.url(path));
    EXPECT_EQ(run(read_late(*client_, request, never_mind)).value(), kSize);
  }
}

awaitable<Result<std::size_t>> largest_piece(HttpClient& client, HttpRequest request, Event& sent) {
  auto response = co_await client.send(std::move(request));
  if (!response) co_return std::move(response).as_failure();
  co_await sent.wait();  // all that the kernel takes is there to be read
  std::size_t largest = 0;
  for (;;) {
    const auto chunk = co_await response.assume_value().body->next();
    if (!chunk) co_return chunk.assume_error();
    if (chunk.assume_value().empty()) co_return largest;
    largest = std::max(largest, chunk.assume_value().size());
  }
}

TEST_F(FlowTest, NoMoreIsReadAheadThanTheRequestSays) {
  constexpr std::size_t kSize = 64U << 20;
  const std::string bytes(kSize, 'x');
  Event sent(context_);
  HttpTestServer server([&](const ServerRequest&, ServerConnection& connection) {
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(kSize) + "\r\n\r\n");
    const std::size_t before = connection.write_until_blocked(bytes, 1000);
    sent.set_from_any_thread();
    connection.write(std::string_view(bytes).substr(before));
  });
  make_client(server);
  HttpRequest request(server.url());
  request.body_bytes_max = kSize;
  request.ahead_bytes_max = 64U << 10;
  const auto largest = run(largest_piece(*client_, request, sent));
  ASSERT_THAT(largest, Succeeds());
  EXPECT_LE(largest.assume_value(), 128U << 10);
}

TEST_F(FlowTest, TheLimitHoldsForBytesThatWaitedAside) {
  HttpTestServer server(once("HTTP/1.1 200 OK\r\n\r\n" + std::string(1U << 20, 'x')));
  CurlOptions options;
  options.upstream_url = server.url();
  options.buffer_bytes = 1;
  make_client(options);
  HttpRequest request(server.url());
  request.body_bytes_max = 300'000;
  EXPECT_THAT(fetch(request), FailsWith(Errc::Refused, "limit of 300000"));
}

TEST_F(FlowTest, AHundredRequestsShareSixteenConnections) {
  HttpTestServer server([](const ServerRequest& request, ServerConnection& connection) {
    connection.write(http_answer(200, request.target));
  });
  make_client(server);
  std::vector<Result<Fetched>> results(100);
  for (int i = 0; i < 100; ++i) {
    asio::co_spawn(
        context_, fetch_whole(*client_, HttpRequest(server.url("/" + std::to_string(i)))),
        [&results, i](std::exception_ptr, Result<Fetched> r) { results[static_cast<std::size_t>(i)] = std::move(r); });
  }
  context_.run();
  for (std::size_t i = 0; i < results.size(); ++i) {
    ASSERT_THAT(results[i], Succeeds());
    EXPECT_EQ(results[i].assume_value().body, "/" + std::to_string(i));
  }
  EXPECT_GT(server.connections(), 1);
  EXPECT_LE(server.connections(), 16);
}

// Neither the connect timeout nor the stall clock runs while a request waits for its turn.
TEST_F(FlowTest, WaitingForAConnectionIsNoFailure) {
  HttpTestServer server([](const ServerRequest&, ServerConnection& connection) {
    connection.closed_within(700);
    connection.write(http_answer(200, "x"));
  });
  CurlOptions options;
  options.upstream_url = server.url();
  options.connections_per_host_max = 1;
  options.connect_timeout_ms = 500;
  make_client(options);
  std::vector<Result<Fetched>> results(3);
  for (auto& result : results) {
    HttpRequest request(server.url());
    request.stall_timeout_ms = 1300;  // less than the turns before the last one take
    asio::co_spawn(context_, fetch_whole(*client_, std::move(request)),
                   [&result](std::exception_ptr, Result<Fetched> r) { result = std::move(r); });
  }
  context_.run();
  for (const auto& result : results) EXPECT_THAT(result, Succeeds());
  EXPECT_EQ(server.connections(), 1);
}

TEST_F(FlowTest, TheClientMayGoBeforeItsTransfers) {
  Event asked(context_);
  HttpTestServer server([&](const ServerRequest&, ServerConnection& connection) {
    connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n1234567");
    asked.set_from_any_thread();
    connection.wait_closed();
    connection.end_of_stream();
  });
  make_client(server);
  spawn(fetch_whole(*client_, HttpRequest(server.url())));
  while (!asked.happened()) context_.run_one();
  client_.reset();
  context_.run();
  EXPECT_THAT(result_.value(), FailsWith(Errc::Cancelled, "closed"));
}

TEST_F(FlowTest, ARequestThatStartsAfterTheClientIsGoneIsCancelled) {
  HttpTestServer server(always(http_answer(200, "")));
  make_client(server);
  auto late = client_->send(HttpRequest(server.url()));
  client_.reset();
  const auto status = [](awaitable<Result<HttpResponse>> pending) -> awaitable<Result<int>> {
    auto response = co_await std::move(pending);
    if (!response) co_return std::move(response).as_failure();
    co_return response.assume_value().status;
  };
  EXPECT_THAT(run(status(std::move(late))), FailsWith(Errc::Cancelled, ""));
  EXPECT_EQ(server.connections(), 0);
}

awaitable<Result<Fetched>> fetch_owning(std::unique_ptr<HttpClient> client, HttpRequest request) {
  co_return co_await fetch_whole(*client, std::move(request));
}

// Under the sanitizers: nothing leaks and nothing is touched late when a context dies with coroutines in it.
TEST(FlowEnd, AContextMayGoWithSuspendedRequests) {
  for (const bool client_first : {true, false}) {
    auto context = std::make_unique<asio::io_context>();
    auto asked = std::make_unique<Event>(*context);
    HttpTestServer server([&](const ServerRequest&, ServerConnection& connection) {
      connection.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n1234567");
      asked->set_from_any_thread();
      connection.wait_closed();
      connection.end_of_stream();
    });
    CurlOptions options;
    options.upstream_url = server.url();
    auto client = make_curl_http_client(context->get_executor(), options).value();
    bool completed = false;
    const auto on_end = [&](std::exception_ptr, Result<Fetched>) { completed = true; };
    HttpRequest request(server.url());
    if (client_first) {
      asio::co_spawn(*context, fetch_whole(*client, request), on_end);
    } else {
      asio::co_spawn(*context, fetch_owning(std::move(client), request), on_end);
    }
    while (!asked->happened()) context->run_one();
    client.reset();
    asked.reset();
    context.reset();
    EXPECT_FALSE(completed);
  }
}
}  // namespace
}  // namespace hm::net
