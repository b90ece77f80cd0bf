// The HTTP server on 127.0.0.1 with a handler of a few lines: what goes over the wire.
#include "server/http/server.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/un.h>

#include <atomic>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>
#include <condition_variable>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "route_server.hpp"
#include "server/http/listening.hpp"

namespace hm::server {
namespace {
namespace asio = boost::asio;
using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;
using Client = route_test::RawClient;

/// Pieces of text, and how it ends.
class Pieces final : public BodySource {
 public:
  Pieces(std::vector<std::string> pieces, bool fails) : pieces_(std::move(pieces)), fails_(fails) {}
  awaitable<Result<std::span<const std::byte>>> next() override {
    if (at_ == pieces_.size()) {
      if (fails_) co_return Error{Errc::Corrupt, "the source broke"};
      co_return std::span<const std::byte>();
    }
    co_return std::as_bytes(std::span(pieces_[at_++]));
  }

 private:
  std::vector<std::string> pieces_;
  const bool fails_;
  std::size_t at_ = 0;
};

/// A door that requests for /held wait behind.
class Door {
 public:
  void open() { open_ = true; }
  awaitable<void> pass() {
    ++waiting_;
    changed_.notify_all();
    asio::steady_timer timer(co_await asio::this_coro::executor);
    while (!open_) {
      timer.expires_after(std::chrono::milliseconds(1));
      co_await timer.async_wait(asio::use_awaitable);
    }
  }
  void await(int count) {
    std::unique_lock lock(mutex_);
    while (waiting_ < count) changed_.wait_for(lock, std::chrono::milliseconds(1));
  }

 private:
  std::atomic<bool> open_{false};
  std::atomic<int> waiting_{0};
  std::mutex mutex_;
  std::condition_variable changed_;
};

class HttpServerTest : public testing::Test, public Handler {
 protected:
  HttpServerTest() {
    std::string form = (std::filesystem::temp_directory_path() / "hm-http-XXXXXX").string();
    folder_ = ::mkdtemp(form.data());
    options.listen = {"127.0.0.1:0"};
    options.threads = 2;
  }
  ~HttpServerTest() override { std::filesystem::remove_all(folder_); }
  void TearDown() override {  // before this is no handler any more
    if (server) server->stop(0);
  }
  void start() {
    server = HttpServer::open(options, *this).value();
    server->start();
  }
  std::string url() const { return server->addresses().front(); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void write_file(const std::string& name, const std::string& text) const {
    std::FILE* file = std::fopen(path(name).c_str(), "w");
    ASSERT_NE(file, nullptr);
    std::fwrite(text.data(), 1, text.size(), file);
    std::fclose(file);
  }
  std::string exchange(const std::string& bytes) const {
    const Client client(url());
    client.send(bytes);
    return client.read_all();
  }

  std::uint64_t body_bytes_max(const Request&) override { return 1U << 20; }
  awaitable<Response> answer(const Request& request) override {
    const std::string_view target = request.path();
    if (target == "/held") co_await door.pass();
    Response out =
        text_response(200, std::string(name_of(request.method)) + " " + request.target + " " + request.body + "\n");
    if (target == "/chunks")
      out.body = std::make_unique<Pieces>(std::vector<std::string>{"one ", "two ", "three"}, false);
    if (target == "/broken") out.body = std::make_unique<Pieces>(std::vector<std::string>{"one "}, true);
    if (target == "/broken-length") {
      out.body = std::make_unique<Pieces>(std::vector<std::string>{"one "}, true);
      out.length = 100;
    }
    if (target == "/length") {
      out.body = std::make_unique<Pieces>(std::vector<std::string>{"one ", "two"}, false);
      out.length = 7;
    }
    if (target == "/file") {
      std::shared_ptr<const File> file = real_file_system().open_read(path("file")).value();
      out.body = FileBytes{std::move(file), 10, 100};
    }
    if (target == "/short-file") {
      std::shared_ptr<const File> file = real_file_system().open_read(path("file")).value();
      out.body = FileBytes{std::move(file), 0, 1U << 30};
    }
    if (target == "/large") out.body = std::string(64U << 20, 'x');
    if (target == "/throws") throw std::runtime_error("a handler that throws");
    if (target == "/304") {
      out.status = 304;
      out.body = std::string();
    }
    co_return out;
  }
  void done(const Request&, const Response&, const Sent& sent) override {
    ++answers;
    if (sent.whole) ++whole_answers;
  }

  HttpOptions options;
  std::unique_ptr<HttpServer> server;
  Door door;
  std::atomic<int> answers{0}, whole_answers{0};

 private:
  std::filesystem::path folder_;
};

std::string get_request(const std::string& target, const std::string& fields = "") {
  return "GET " + target + " HTTP/1.1\r\nHost: m\r\n" + fields + "\r\n";
}
const std::string kLast = "Connection: close\r\n";

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++n;
  return n;
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrderOnOneConnection) {
  start();
  std::string all, bodies;
  for (int i = 0; i < 50; ++i) {
    all += get_request("/" + std::to_string(i));
    bodies += "GET /" + std::to_string(i) + " \n";
  }
  std::string got = exchange(all + get_request("/end", kLast)), told;
  EXPECT_EQ(count(got, "HTTP/1.1 200 OK\r\n"), 51U);
  for (std::size_t at = 0; (at = got.find("\r\n\r\n", at)) != std::string::npos;) {
    at += 4;
    told += got.substr(at, got.find('\n', at) + 1 - at);
  }
  EXPECT_EQ(told, bodies + "GET /end \n");
  EXPECT_EQ(count(got, "Connection: keep-alive\r\n"), 50U);
  EXPECT_EQ(server->counts().accepted, 1U);
}

TEST_F(HttpServerTest, ARequestInPiecesIsTheSameRequest) {
  start();
  const std::string request =
      "POST /p HTTP/1.1\r\nHost: m\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
  const Client client(url());
  for (const char c : request) client.send(std::string(1, c));
  EXPECT_THAT(client.read_all(), EndsWith("\r\n\r\nPOST /p hello\n"));
}

TEST_F(HttpServerTest, AHeadHasNoBodyAlsoWhereItIsRefused) {
  start();
  std::string got = exchange("HEAD /x HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(got, HasSubstr("Content-Length: 9\r\n"));
  EXPECT_THAT(got, EndsWith("\r\n\r\n"));
  got = exchange("HEAD /x HTTP/1.1\r\nHost: m\r\nHost: n\r\n\r\n");
  EXPECT_THAT(got, StartsWith("HTTP/1.1 400 Bad Request\r\n"));
  EXPECT_THAT(got, EndsWith("\r\n\r\n"));
  got = exchange("HEAD /chunks HTTP/1.1\r\nHost: m\r\nConnection: close\r\n\r\n");
  EXPECT_THAT(got, EndsWith("\r\n\r\n"));
  got = exchange(get_request("/304", kLast));
  EXPECT_THAT(got, Not(HasSubstr("Content-Length")));
  EXPECT_THAT(got, EndsWith("\r\n\r\n"));
}

TEST_F(HttpServerTest, ABodyOfUnknownLengthComesInChunksAndToOldClientsUntilTheEnd) {
  start();
  EXPECT_THAT(exchange(get_request("/chunks", kLast)),
              EndsWith("\r\n\r\n4\r\none \r\n4\r\ntwo \r\n5\r\nthree\r\n0\r\n\r\n"));
  const std::string old = exchange("GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  EXPECT_THAT(old, EndsWith("Connection: close\r\n\r\none two three"));
  EXPECT_THAT(old, Not(HasSubstr("chunked")));
  EXPECT_THAT(exchange(get_request("/length", kLast)),
              EndsWith("Content-Length: 7\r\nConnection: close\r\n\r\none two"));
}

TEST_F(HttpServerTest, AnOldClientMayAskToKeepTheConnection) {
  start();
  const std::string got = exchange("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /b HTTP/1.0\r\n\r\n");
  EXPECT_EQ(count(got, "HTTP/1.1 200 OK\r\n"), 2U);
  EXPECT_EQ(count(got, "Connection: keep-alive\r\n"), 1U);
}

TEST_F(HttpServerTest, ASourceThatFailsBreaksTheConnection) {
  start();
  const std::string chunked = exchange(get_request("/broken") + get_request("/never"));
  EXPECT_THAT(chunked, EndsWith("4\r\none \r\n"));
  EXPECT_THAT(exchange(get_request("/broken-length") + get_request("/never")), EndsWith("\r\n\r\none "));
  write_file("file", "short");
  EXPECT_THAT(exchange(get_request("/short-file") + get_request("/never")), EndsWith("\r\n\r\nshort"));
  EXPECT_EQ(answers, 3);
  EXPECT_EQ(whole_answers, 0);
}

TEST_F(HttpServerTest, AHandlerThatThrowsEndsItsConnectionOnly) {
  start();
  EXPECT_EQ(exchange(get_request("/throws")), "");
  EXPECT_THAT(exchange(get_request("/a", kLast)), StartsWith("HTTP/1.1 200"));
}

TEST_F(HttpServerTest, ARangeOfAFileIsSent) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += static_cast<char>('a' + i % 26);
  write_file("file", text);
  start();
  EXPECT_THAT(exchange(get_request("/file", kLast)), EndsWith("\r\n\r\n" + text.substr(10, 100)));
}

TEST_F(HttpServerTest, AClientThatExpectsIsToldToContinueOnlyWhenItsBodyIsTaken) {
  start();
  const std::string head = "POST /p HTTP/1.1\r\nHost: m\r\nConnection: close\r\nExpect: 100-continue\r\n";
  const Client client(url());
  client.send(head + "Content-Length: 2\r\n\r\n");
  const std::string go_on = "HTTP/1.1 100 Continue\r\n\r\n";
  EXPECT_EQ(client.read(go_on.size()), go_on);
  client.send("hi");
  EXPECT_THAT(client.read_all(), EndsWith("POST /p hi\n"));
  EXPECT_THAT(exchange(head + "Content-Length: 2000000\r\n\r\n"), StartsWith("HTTP/1.1 413 "));
}

TEST_F(HttpServerTest, BodiesAreCountedByWhatCameAndRefusedWhenTheyAreTooMuch) {
  options.bodies_bytes_max = 1000;
  start();
  const std::string head = "POST /p HTTP/1.1\r\nHost: m\r\nConnection: close\r\nContent-Length: ";
  const Client announces(url());
  announces.send(head + "1000000\r\n\r\n");
  EXPECT_THAT(exchange(head + "2\r\n\r\nhi"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(exchange(head + "2000\r\n\r\n" + std::string(2000, 'b')), StartsWith("HTTP/1.1 503 "));
  EXPECT_THAT(exchange(head + "2\r\n\r\nhi"), StartsWith("HTTP/1.1 200 ")) << "what was refused is given back";
}

TEST_F(HttpServerTest, SlowHeadsAndBodiesAreAnswered408) {
  options.header_timeout_ms = options.pace.stall_ms = 200;
  start();
  EXPECT_THAT(exchange("GET / HT"), StartsWith("HTTP/1.1 408 "));
  EXPECT_THAT(exchange("POST / HTTP/1.1\r\nHost: m\r\nContent-Length: 9\r\n\r\nhe"), StartsWith("HTTP/1.1 408 "));
  EXPECT_EQ(server->counts().timeouts, 2U);
}

TEST_F(HttpServerTest, AnIdleConnectionIsClosedWithoutAWord) {
  options.idle_timeout_ms = 200;
  start();
  EXPECT_EQ(exchange(""), "");
}

TEST_F(HttpServerTest, AReaderThatDoesNotReadIsCutOff) {
  options.pace.stall_ms = 200;
  start();
  const Client client(url());
  client.send(get_request("/large"));
  while (answers == 0) std::this_thread::yield();
  EXPECT_EQ(whole_answers, 0);
  EXPECT_LT(client.read_all().size(), 64U << 20);
}

TEST_F(HttpServerTest, OneAddressHasSoManyConnectionsAndGetsThemBack) {
  options.connections_per_address_max = 2;
  start();
  auto first = std::make_unique<Client>(url()), second = std::make_unique<Client>(url());
  first->send(get_request("/a")), second->send(get_request("/b"));
  EXPECT_NE(first->read(10), "");
  EXPECT_NE(second->read(10), "");
  const std::string refused = Client(url()).read_all();
  EXPECT_THAT(refused, StartsWith("HTTP/1.1 503 Service Unavailable\r\nRetry-After: "));
  EXPECT_EQ(server->counts().refused, 1U);
  first.reset(), second.reset();
  while (server->counts().open != 0) std::this_thread::yield();
  EXPECT_THAT(exchange(get_request("/a", kLast)), StartsWith("HTTP/1.1 200 "));
}

TEST_F(HttpServerTest, AProxyInFrontIsExemptFromTheLimitOfAnAddress) {
  options.connections_per_address_max = 1;
  options.exempt = [](const std::string& peer) { return peer == "127.0.0.1"; };
  start();
  const Client held(url());
  held.send(get_request("/a"));
  EXPECT_NE(held.read(10), "");
  EXPECT_THAT(exchange(get_request("/a", kLast)), StartsWith("HTTP/1.1 200 "));
}

TEST(CountedClientTest, AddressesOfOneIpv6NetworkAreOneClient) {
  EXPECT_EQ(counted_client("192.0.2.1"), "192.0.2.1");
  EXPECT_EQ(counted_client("unix"), "unix");
  EXPECT_EQ(counted_client("2001:db8::1"), counted_client("2001:db8::ffff:1:2:3"));
  EXPECT_EQ(counted_client("2001:db8:0:0:1::"), counted_client("2001:db8::2"));
  EXPECT_NE(counted_client("2001:db8:0:1::1"), counted_client("2001:db8::1"));
  EXPECT_EQ(counted_client("2001:db8:a:b:c:d:e:f"), "2001:db8:a:b::/64");
}

TEST_F(HttpServerTest, EveryRequestThatWasSentGetsItsAnswerWhileTheServerEnds) {
  start();
  std::vector<std::unique_ptr<Client>> held, idle;
  for (int i = 0; i < 8; ++i) held.push_back(std::make_unique<Client>(url()));
  for (int i = 0; i < 8; ++i) idle.push_back(std::make_unique<Client>(url()));
  for (const auto& client : held) client->send(get_request("/held"));
  door.await(8);
  std::thread stopping([&] { EXPECT_EQ(server->stop(600'000), 0U); });
  for (const auto& client : idle) EXPECT_EQ(client->read_all(), "") << "idle connections are closed";
  door.open();
  for (const auto& client : held) {
    const std::string got = client->read_all();
    EXPECT_THAT(got, StartsWith("HTTP/1.1 200 OK\r\n"));
    EXPECT_THAT(got, HasSubstr("Connection: close\r\n"));
    EXPECT_THAT(got, EndsWith("GET /held \n"));
  }
  stopping.join();
}

TEST_F(HttpServerTest, WhatDoesNotEndInTimeIsCutOff) {
  start();
  const Client client(url());
  client.send(get_request("/held"));
  door.await(1);
  std::thread ends([&] { door.open(); });
  ends.join();
  EXPECT_LE(server->stop(0), 1U);
}

TEST_F(HttpServerTest, AServerMayGoWhileAnAnswerIsStillBeingMade) {
  start();
  {
    const Client client(url());
    client.send(get_request("/held"));
    door.await(1);
    EXPECT_EQ(server->stop(0), 1U);
    server.reset();
  }
}

TEST_F(HttpServerTest, ASocketOfThisMachineIsServedAndReplacedWhenDead) {
  options.listen = {"unix:" + path("http.sock")};
  auto ask = [&] {
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::snprintf(to.sun_path, sizeof to.sun_path, "%s", path("http.sock").c_str());
    const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    EXPECT_EQ(::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof to), 0);
    const std::string request = get_request("/a", kLast);
    EXPECT_EQ(::send(fd, request.data(), request.size(), MSG_NOSIGNAL), static_cast<ssize_t>(request.size()));
    std::string got(1000, '\0');
    got.resize(static_cast<std::size_t>(std::max<ssize_t>(0, ::recv(fd, got.data(), got.size(), MSG_WAITALL))));
    ::close(fd);
    return got;
  };
  {  // left behind by a process that was killed
    const int dead = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    std::snprintf(at.sun_path, sizeof at.sun_path, "%s", path("http.sock").c_str());
    ASSERT_EQ(::bind(dead, reinterpret_cast<const sockaddr*>(&at), sizeof at), 0);
    ::close(dead);
  }
  start();
  EXPECT_EQ(url(), "unix:" + path("http.sock"));
  EXPECT_THAT(ask(), EndsWith("GET /a \n"));
  EXPECT_FALSE(HttpServer::open(options, *this).has_value()) << "one that lives keeps its socket";
  EXPECT_THAT(ask(), EndsWith("GET /a \n"));
  server->stop(600'000);
  EXPECT_FALSE(std::filesystem::exists(path("http.sock")));
}

TEST_F(HttpServerTest, AddressesThatAreNoneAreNamed) {
  for (const char* text :
       {"", "8080", "127.0.0.1", "127.0.0.1:99999", "[::1:80", "unix:relative", "unix:", "example.com:80"}) {
    options.listen = {text};
    const auto opened = HttpServer::open(options, *this);
    ASSERT_FALSE(opened.has_value()) << text;
    EXPECT_EQ(opened.error().code, Errc::BadInput) << text;
  }
}

class TlsTest : public HttpServerTest {
 protected:
  void make_certificate(const std::string& name) const {
    const std::string command =
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=" + name +
        " -keyout " + path(name + ".key") + " -out " + path(name + ".pem") + " 2>/dev/null";
    ASSERT_EQ(std::system(command.c_str()), 0) << command;
  }
  struct TlsClient {
    asio::io_context context;
    asio::ssl::context tls{asio::ssl::context::tls_client};
    asio::ssl::stream<asio::ip::tcp::socket> stream{context, tls};
    explicit TlsClient(const std::string& url) {
      const auto port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
      stream.next_layer().connect({asio::ip::make_address("127.0.0.1"), port});
      stream.handshake(asio::ssl::stream_base::client);
    }
    std::string certificate_name() {
      X509* shown = SSL_get1_peer_certificate(stream.native_handle());
      std::string out(100, '\0');
      out.resize(static_cast<std::size_t>(
          X509_NAME_get_text_by_NID(X509_get_subject_name(shown), NID_commonName, out.data(), 100)));
      X509_free(shown);
      return out;
    }
    void send(const std::string& text) { asio::write(stream, asio::buffer(text)); }
    std::string read_until(const std::string& end) {
      std::string out;
      char c = 0;
      boost::system::error_code error;
      while (!out.ends_with(end) && stream.read_some(asio::buffer(&c, 1), error) == 1) out += c;
      return out;
    }
    std::string read_all() {
      std::string out;
      boost::system::error_code error;
      asio::read(stream, asio::dynamic_buffer(out), error);
      return out;
    }
  };
};

TEST_F(TlsTest, AnswersAreTheSameOverTls) {
  make_certificate("first");
  std::string text(1U << 20, 'f');
  for (std::size_t i = 0; i < text.size(); ++i) text[i] = static_cast<char>('a' + i % 23);
  write_file("file", text);
  options.tls_certificate = path("first.pem"), options.tls_key = path("first.key");
  start();
  EXPECT_THAT(url(), StartsWith("https://127.0.0.1:"));
  TlsClient client(url());
  client.send(get_request("/a") + get_request("/file"));
  EXPECT_THAT(client.read_until("GET /a \n"), StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(client.read_until(text.substr(10, 100)), HasSubstr("Content-Length: 100\r\n"));
  client.send(get_request("/chunks", kLast));
  EXPECT_THAT(client.read_all(), EndsWith("5\r\nthree\r\n0\r\n\r\n"));
}

TEST_F(TlsTest, ANewCertificateIsShownToNewConnectionsAndDropsNone) {
  make_certificate("first"), make_certificate("second");
  options.tls_certificate = path("first.pem"), options.tls_key = path("first.key");
  start();
  TlsClient before(url());
  before.send(get_request("/a"));
  before.read_until("GET /a \n");
  ASSERT_TRUE(server->reload_certificate(path("second.pem"), path("second.key")).has_value());
  TlsClient after(url());
  EXPECT_EQ(before.certificate_name(), "first");
  EXPECT_EQ(after.certificate_name(), "second");
  EXPECT_FALSE(server->reload_certificate(path("second.pem"), path("first.key")).has_value())
      << "a key of another certificate";
  EXPECT_FALSE(server->reload_certificate(path("nothing.pem"), path("first.key")).has_value());
  EXPECT_FALSE(server->reload_certificate("", "").has_value());
  EXPECT_EQ(TlsClient(url()).certificate_name(), "second");
  before.send(get_request("/b", kLast));
  EXPECT_THAT(before.read_all(), EndsWith("GET /b \n"));
}

TEST_F(TlsTest, WhoDoesNotSpeakTlsOrStopsWithinItIsClosed) {
  make_certificate("first");
  options.tls_certificate = path("first.pem"), options.tls_key = path("first.key");
  options.header_timeout_ms = 200;
  start();
  EXPECT_THAT(exchange(get_request("/a")), Not(HasSubstr("HTTP/1.1 200")));
  EXPECT_EQ(exchange(std::string("\x16\x03\x01", 3)), "");
  while (server->counts().open != 0) std::this_thread::yield();
}
}  // namespace
}  // namespace hm::server
