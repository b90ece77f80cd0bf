#include "server/http/server.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <random>
#include <set>
#include <thread>
#include <unordered_map>

#include "base/log.hpp"
#include "base/text.hpp"
#include "server/http/listening.hpp"
#include "server/http/session.hpp"

namespace hm::server {
namespace asio = boost::asio;
namespace {
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);
constexpr std::int64_t kDrainLookMs = 100;
constexpr std::string_view kFull =
    "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";

struct Loop {
  asio::io_context context{1};
  asio::executor_work_guard<asio::io_context::executor_type> work{context.get_executor()};
  Deadlines deadlines;
  std::set<Session*> sessions;  ///< the loop's thread only
  std::thread thread;
};

/// How many connections there are, and of whom.
class Census {
 public:
  bool enter(const std::string& address, int of_address_max) {
    const std::lock_guard lock(mutex_);
    int& count = by_address_[address];
    if (count >= of_address_max) {
      if (count == 0) by_address_.erase(address);
      return false;
    }
    ++count;
    ++open_;
    return true;
  }
  void leave(const std::string& address) {
    const std::lock_guard lock(mutex_);
    const auto at = by_address_.find(address);
    if (at != by_address_.end() && --at->second == 0) by_address_.erase(at);
    --open_;
  }
  std::uint64_t open() const { return open_; }

 private:
  std::mutex mutex_;
  std::unordered_map<std::string, int> by_address_;
  std::atomic<std::uint64_t> open_{0};
};

Result<std::shared_ptr<asio::ssl::context>> load_certificate(const std::string& certificate, const std::string& key) {
  auto context = std::make_shared<asio::ssl::context>(asio::ssl::context::tls_server);
  boost::system::error_code error;
  auto bad = [&](const std::string& file) {
    return Error{Errc::BadInput, "cannot use " + printable(file) + " for TLS: " + error.message()};
  };
  context->set_options(
      asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1, error);
  if (context->use_certificate_chain_file(certificate, error); error) return bad(certificate);
  if (context->use_private_key_file(key, asio::ssl::context::pem, error); error) return bad(key);
  ::SSL_CTX_set_mode(context->native_handle(), SSL_MODE_RELEASE_BUFFERS);
  return context;
}

std::string random_prefix() {
  std::random_device device;
  return "hm-" + std::to_string(device()) + "-";
}

/// Each connection is a descriptor, and each large file under way another.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

class Server : public HttpServer {
 public:
  Server(HttpOptions options, Handler& handler, std::vector<ListeningSocket> sockets)
      : options_(std::move(options)), parts_(options_, handler, random_prefix()), sockets_(std::move(sockets)) {
    int count = options_.threads;
    if (count == 0) count = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
    for (int i = 0; i < count; ++i) loops_.push_back(std::make_unique<Loop>());
  }
  ~Server() override { stop(0); }
  const HttpOptions& options() const { return options_; }

  Result<> reload_certificate(const std::string& certificate, const std::string& key) override {
    if (certificate.empty() != options_.tls_certificate.empty())
      return Error{Errc::BadInput, "TLS cannot be turned on or off while the server runs; start it anew"};
    if (certificate.empty()) return ok();
    if (key.empty()) return Error{Errc::BadInput, "serve.tls_certificate needs serve.tls_key, which is not set"};
    HM_TRY(auto context, load_certificate(certificate, key));
    const std::lock_guard lock(tls_mutex_);
    tls_ = std::move(context);
    return ok();
  }

  std::vector<std::string> addresses() const override {
    std::vector<std::string> out;
    for (const ListeningSocket& socket : sockets_)
      out.push_back(socket.is_unix() ? socket.address()
                                     : (options_.tls_certificate.empty() ? "http://" : "https://") + socket.address());
    return out;
  }

  void start() override {
    raise_descriptor_limit();
    Loop& first = *loops_.front();
    for (ListeningSocket& socket : sockets_) {
      acceptors_.push_back(std::make_unique<asio::posix::stream_descriptor>(first.context, ::dup(socket.fd())));
      asio::co_spawn(first.context, accept_all(*acceptors_.back(), socket), asio::detached);
    }
    for (auto& loop : loops_) {
      asio::co_spawn(loop->context, loop->deadlines.run(), asio::detached);
      loop->thread = std::thread([&loop = *loop] { loop.context.run(); });
    }
    running_ = true;
  }

  HttpCounts counts() const override {
    return {accepted_, refused_, parts_.requests, parts_.bad_requests, parts_.timeouts, census_.open()};
  }

  std::size_t stop(std::int64_t deadline_ms) override {
    if (!running_) return 0;
    running_ = false;
    stop_accepting();
    parts_.draining = true;
    const auto until = std::chrono::steady_clock::now() + std::chrono::milliseconds(deadline_ms);
    // An idle connection may have a request on its way at this moment: it gets a last chance before it is closed.
    bool gently = true;
    while (census_.open() != 0 && std::chrono::steady_clock::now() < until) {
      std::this_thread::sleep_for(std::chrono::milliseconds(kDrainLookMs));
      if (!gently) each_session([](Session& session) { session.drain(); });
      gently = false;
    }
    const std::size_t cut_off = census_.open();
    each_session([](Session& session) { session.cut_off(); });
    wait_for_end();
    for (auto& loop : loops_) loop->work.reset();
    for (auto& loop : loops_) loop->context.stop();
    for (auto& loop : loops_) loop->thread.join();
    return cut_off;
  }

 private:
  /// Those that asked to be connected before are let in first.
  void stop_accepting() {
    std::mutex mutex;
    std::condition_variable done;
    bool ended = false;
    asio::post(loops_.front()->context, [&] {
      for (std::size_t i = 0; i < sockets_.size(); ++i) {
        accept_waiting(sockets_[i]);
        boost::system::error_code ignored;
        acceptors_[i]->close(ignored);
        sockets_[i].close();
      }
      const std::lock_guard lock(mutex);
      ended = true;
      done.notify_all();
    });
    std::unique_lock lock(mutex);
    done.wait(lock, [&] { return ended; });
  }

  void each_session(const std::function<void(Session&)>& visit) {
    for (auto& loop : loops_)
      asio::post(loop->context, [&loop = *loop, visit] {
        for (Session* session : loop.sessions) visit(*session);
      });
  }

  /// Answers that are cut off end by themselves; a handler that blocks in a pool for longer is not waited for.
  void wait_for_end() {
    for (int i = 0; i < 50 && census_.open() != 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      each_session([](Session& session) { session.cut_off(); });
    }
  }

  awaitable<void> accept_all(asio::posix::stream_descriptor& acceptor, const ListeningSocket& socket) {
    co_await asio::this_coro::throw_if_cancelled(false);
    asio::steady_timer pause(co_await asio::this_coro::executor);
    for (;;) {
      const auto [error] = co_await acceptor.async_wait(asio::posix::stream_descriptor::wait_read, kToken);
      if (error) co_return;
      if (accept_waiting(socket)) continue;
      // It will not be better at once, and what waits to be accepted makes the socket readable all the time.
      pause.expires_after(std::chrono::milliseconds(100));
      co_await pause.async_wait(kToken);
    }
  }

  /// @returns false when accepting failed, for want of descriptors or memory as a rule
  bool accept_waiting(const ListeningSocket& socket) {
    for (;;) {
      sockaddr_storage address{};
      socklen_t size = sizeof address;
      const int fd = ::accept4(socket.fd(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
      if (fd < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return true;
      if (fd < 0 && (errno == ECONNABORTED || errno == EINTR || errno == EPROTO)) continue;  // that one has gone
      if (fd < 0) return false;
      take_in(fd, socket.is_unix() ? AF_UNIX : address.ss_family, socket.is_unix() ? "unix" : peer_of(&address));
    }
  }

  void take_in(int fd, int family, std::string peer) {
    ++accepted_;
    const std::string address = counted_client(peer);
    const bool exempt = family == AF_UNIX || (options_.exempt && options_.exempt(peer));
    const int most = exempt ? options_.connections_max : options_.connections_per_address_max;
    if (census_.open() >= static_cast<std::uint64_t>(options_.connections_max) || !census_.enter(address, most)) {
      ++refused_;
      if (options_.tls_certificate.empty()) static_cast<void>(::send(fd, kFull.data(), kFull.size(), MSG_NOSIGNAL));
      ::close(fd);
      return;
    }
    const int one = 1;
    if (family != AF_UNIX) ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    Loop& loop = *loops_[next_loop_++ % loops_.size()];
    asio::post(loop.context, [this, &loop, fd, family, address, peer = std::move(peer)]() mutable {
      Socket socket(loop.context, asio::generic::stream_protocol(family, 0), fd);
      asio::co_spawn(loop.context, serve(loop, std::move(socket), std::move(peer), address), asio::detached);
    });
  }

  awaitable<void> serve(Loop& loop, Socket socket, std::string peer, std::string address) {
    struct Leave {
      Census& census;
      const std::string& address;
      ~Leave() { census.leave(address); }
    };
    const Leave leave{census_, address};
    std::shared_ptr<asio::ssl::context> tls;
    {
      const std::lock_guard lock(tls_mutex_);
      tls = tls_;
    }
    Session session(tls ? make_tls_connection(std::move(socket), std::move(peer), loop.deadlines, tls)
                        : make_plain_connection(std::move(socket), std::move(peer), loop.deadlines),
                    parts_);
    loop.sessions.insert(&session);
    try {
      co_await session.run();
    } catch (const std::exception& e) {
      log(LogLevel::Error, "connection ended by an exception", {{"what", e.what()}});
    }
    loop.sessions.erase(&session);
  }

  const HttpOptions options_;
  SessionParts parts_;
  std::vector<ListeningSocket> sockets_;
  Census census_;  // before the loops: connections that are cut off leave it when their loop is destroyed
  std::vector<std::unique_ptr<Loop>> loops_;
  std::vector<std::unique_ptr<asio::posix::stream_descriptor>> acceptors_;
  std::mutex tls_mutex_;
  std::shared_ptr<asio::ssl::context> tls_;
  std::atomic<std::uint64_t> accepted_{0}, refused_{0};
  std::size_t next_loop_ = 0;
  bool running_ = false;
};
}  // namespace

Result<std::unique_ptr<HttpServer>> HttpServer::open(HttpOptions options, Handler& handler) {
  std::vector<ListeningSocket> sockets = ListeningSocket::handed_over();
  if (sockets.empty())
    for (const std::string& text : options.listen) {
      HM_TRY(auto socket, ListeningSocket::bind(text));
      sockets.push_back(std::move(socket));
    }
  if (sockets.empty()) return Error{Errc::BadInput, "there is no address to listen on; set serve.listen or --listen"};
  auto server = std::make_unique<Server>(std::move(options), handler, std::move(sockets));
  HM_TRY(server->reload_certificate(server->options().tls_certificate, server->options().tls_key));
  return std::unique_ptr<HttpServer>(std::move(server));
}
}  // namespace hm::server
