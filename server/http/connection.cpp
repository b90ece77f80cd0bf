#include "server/http/connection.hpp"

#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <cerrno>
#include <chrono>
#include <vector>

namespace hm::server {
namespace asio = boost::asio;
using boost::system::error_code;

namespace {
constexpr std::size_t kQuantum = 2U << 20;     // a fast reader leaves the loop to others after so much
constexpr std::size_t kTlsPiece = 256U << 10;  // what TLS reads and seals at a time
constexpr std::size_t kEarlyBytes = 512;       // held by each idle connection with TLS; a usual request fits
constexpr auto kToken = asio::as_tuple(asio::use_awaitable);

Error broken(const error_code& error) {
  return {error == asio::error::operation_aborted ? Errc::Cancelled : Errc::Unreachable, error.message()};
}
Error broken(int number) { return {Errc::Unreachable, error_code(number, boost::system::system_category()).message()}; }

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// Watches that a transfer keeps up with its Pace.
class Meter {
 public:
  explicit Meter(Pace pace) : pace_(pace), window_began_ms_(now_ms()) {}
  void moved(std::uint64_t bytes) { in_window_ += bytes; }
  /// Asked before each wait. @returns Cancelled when the last window moved too little.
  Result<> check() {
    const std::int64_t now = now_ms(), passed = now - window_began_ms_;
    if (passed < pace_.window_ms) return ok();
    if (in_window_ < pace_.bytes_per_second_min * static_cast<std::uint64_t>(passed) / 1000)
      return Error{Errc::Cancelled, "the other end is too slow"};
    window_began_ms_ = now;
    in_window_ = 0;
    return ok();
  }

 private:
  const Pace pace_;
  std::int64_t window_began_ms_;
  std::uint64_t in_window_ = 0;
};

class PlainConnection : public Connection {
 public:
  PlainConnection(Socket socket, std::string peer, Deadlines& deadlines)
      : socket_(std::move(socket)), peer_(std::move(peer)), deadline_([this] { cancel(); }) {
    deadlines.add(deadline_);
    error_code ignored;
    socket_.non_blocking(true, ignored);
    socket_.native_non_blocking(true, ignored);
  }

  awaitable<Result<>> handshake(std::int64_t) override { co_return ok(); }

  Result<std::size_t> read_now(std::span<char> into) override {
    for (;;) {
      const ssize_t n = ::recv(socket_.native_handle(), into.data(), into.size(), 0);
      if (n > 0) return static_cast<std::size_t>(n);
      if (n == 0) return Error{Errc::Unreachable, "closed by the other end"};
      if (errno == EAGAIN || errno == EWOULDBLOCK) return std::size_t{0};
      if (errno != EINTR) return broken(errno);
    }
  }

  awaitable<Result<std::size_t>> read_some(std::span<char> into, std::int64_t timeout_ms) override {
    for (;;) {
      const ssize_t n = ::recv(socket_.native_handle(), into.data(), into.size(), 0);
      if (n >= 0) co_return static_cast<std::size_t>(n);
      if (errno == EINTR) continue;
      if (errno != EAGAIN && errno != EWOULDBLOCK) co_return broken(errno);
      HM_CO_TRY(co_await wait(Socket::wait_read, timeout_ms));
    }
  }

  awaitable<Result<>> wait_readable(std::int64_t timeout_ms) override { return wait(Socket::wait_read, timeout_ms); }

  awaitable<Result<>> write(std::string_view first, std::string_view second, Pace pace, bool more) override {
    Meter meter(pace);
    while (!first.empty() || !second.empty()) {
      std::array<iovec, 2> parts{iovec{const_cast<char*>(first.data()), first.size()},
                                 iovec{const_cast<char*>(second.data()), second.size()}};
      msghdr message{};
      message.msg_iov = parts.data();
      message.msg_iovlen = parts.size();
      const ssize_t sent = ::sendmsg(socket_.native_handle(), &message, MSG_NOSIGNAL | (more ? MSG_MORE : 0));
      if (sent < 0) {
        if (errno == EINTR) continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK) co_return broken(errno);
        HM_CO_TRY(meter.check());
        HM_CO_TRY(co_await wait(Socket::wait_write, pace.stall_ms));
        continue;
      }
      auto n = static_cast<std::size_t>(sent);
      meter.moved(n);
      const std::size_t of_first = std::min(n, first.size());
      first.remove_prefix(of_first);
      second.remove_prefix(n - of_first);
    }
    co_return ok();
  }

  awaitable<Result<>> send_file(const File& file, std::uint64_t offset, std::uint64_t length, Pace pace) override {
    Meter meter(pace);
    auto at = static_cast<off_t>(offset);
    while (length != 0) {
      const std::size_t wanted = std::min<std::uint64_t>(length, kQuantum);
      const ssize_t sent = ::sendfile(socket_.native_handle(), file.native_handle(), &at, wanted);
      if (sent > 0) {
        length -= static_cast<std::uint64_t>(sent);
        meter.moved(static_cast<std::uint64_t>(sent));
        if (static_cast<std::size_t>(sent) == kQuantum)
          co_await asio::post(socket_.get_executor(), asio::use_awaitable);
        continue;
      }
      if (sent == 0) co_return Error{Errc::Corrupt, "the file is shorter than was announced"};
      if (errno == EINTR) continue;
      if (errno != EAGAIN) co_return broken(errno);
      HM_CO_TRY(meter.check());
      HM_CO_TRY(co_await wait(Socket::wait_write, pace.stall_ms));
    }
    co_return ok();
  }

  void cancel() override {
    error_code ignored;
    socket_.cancel(ignored);
  }

  awaitable<void> close(std::int64_t linger_ms) override {
    // Closing with unread bytes resets the connection, and the answer is lost on its way: read them away for a while.
    error_code ignored;
    socket_.shutdown(Socket::shutdown_send, ignored);
    std::array<char, 4096> rest;
    const std::int64_t until = now_ms() + linger_ms;
    for (std::int64_t left = linger_ms; left > 0; left = until - now_ms()) {
      const auto n = co_await read_some(rest, left);
      if (!n || n.assume_value() == 0) break;
    }
    socket_.close(ignored);
  }

  bool encrypted() const override { return false; }
  const std::string& peer() const override { return peer_; }

 private:
  awaitable<Result<>> wait(Socket::wait_type what, std::int64_t timeout_ms) {
    deadline_.set(timeout_ms);
    const auto [error] = co_await socket_.async_wait(what, kToken);
    deadline_.clear();
    if (error) co_return broken(error);
    co_return ok();
  }

  Socket socket_;
  const std::string peer_;
  Deadline deadline_;
};

class TlsConnection : public Connection {
 public:
  TlsConnection(Socket socket, std::string peer, Deadlines& deadlines, std::shared_ptr<asio::ssl::context> tls)
      : tls_(std::move(tls)),
        stream_(std::move(socket), *tls_),
        peer_(std::move(peer)),
        deadline_([this] { cancel(); }) {
    deadlines.add(deadline_);
  }

  awaitable<Result<>> handshake(std::int64_t timeout_ms) override {
    deadline_.set(timeout_ms);
    const auto [error] = co_await stream_.async_handshake(asio::ssl::stream_base::server, kToken);
    deadline_.clear();
    if (error) co_return broken(error);
    co_return ok();
  }

  Result<std::size_t> read_now(std::span<char> into) override { return take_early(into); }

  awaitable<Result<std::size_t>> read_some(std::span<char> into, std::int64_t timeout_ms) override {
    if (const std::size_t n = take_early(into); n != 0) co_return n;
    deadline_.set(timeout_ms);
    const auto [error, n] = co_await stream_.async_read_some(asio::buffer(into.data(), into.size()), kToken);
    deadline_.clear();
    if (error == asio::error::eof || error == asio::ssl::error::stream_truncated) co_return std::size_t{0};
    if (error) co_return broken(error);
    co_return n;
  }

  awaitable<Result<>> wait_readable(std::int64_t timeout_ms) override {
    // Not a wait for the socket: bytes that came along with others, e.g. with the end of a handshake, are in buffers of
    // the stream and of OpenSSL, whole records among them that nobody has opened yet.
    if (early_begin_ != early_end_) co_return ok();
    deadline_.set(timeout_ms);
    const auto [error, n] = co_await stream_.async_read_some(asio::buffer(early_), kToken);
    deadline_.clear();
    if (error == asio::error::eof || error == asio::ssl::error::stream_truncated)
      co_return Error{Errc::Unreachable, "closed by the other end"};
    if (error) co_return broken(error);
    early_begin_ = 0;
    early_end_ = n;
    co_return ok();
  }

  awaitable<Result<>> write(std::string_view first, std::string_view second, Pace pace, bool) override {
    std::string joined;
    if (!first.empty() && !second.empty() && second.size() <= kTlsPiece) {
      joined.reserve(first.size() + second.size());
      joined.append(first).append(second);
      first = joined;
      second = {};
    }
    Meter meter(pace);
    for (std::string_view part : {first, second})
      while (!part.empty()) {
        HM_CO_TRY(meter.check());
        deadline_.set(pace.stall_ms);
        const auto [error, n] = co_await stream_.async_write_some(asio::buffer(part.data(), part.size()), kToken);
        deadline_.clear();
        if (error) co_return broken(error);
        meter.moved(n);
        part.remove_prefix(n);
      }
    co_return ok();
  }

  awaitable<Result<>> send_file(const File& file, std::uint64_t offset, std::uint64_t length, Pace pace) override {
    std::vector<char> piece(std::min<std::uint64_t>(length, kTlsPiece));
    while (length != 0) {
      const std::size_t wanted = std::min<std::uint64_t>(length, piece.size());
      HM_CO_TRY(const std::size_t n, file.read_at(offset, std::as_writable_bytes(std::span(piece.data(), wanted))));
      if (n == 0) co_return Error{Errc::Corrupt, "the file is shorter than was announced"};
      HM_CO_TRY(co_await write({piece.data(), n}, {}, pace, false));
      offset += n;
      length -= n;
    }
    co_return ok();
  }

  void cancel() override {
    error_code ignored;
    stream_.next_layer().cancel(ignored);
  }

  awaitable<void> close(std::int64_t linger_ms) override {
    deadline_.set(linger_ms);
    co_await stream_.async_shutdown(kToken);
    deadline_.clear();
    error_code ignored;
    stream_.next_layer().close(ignored);
  }

  bool encrypted() const override { return true; }
  const std::string& peer() const override { return peer_; }

 private:
  std::size_t take_early(std::span<char> into) {
    const std::size_t n = std::min(into.size(), early_end_ - early_begin_);
    std::copy_n(early_.begin() + static_cast<std::ptrdiff_t>(early_begin_), n, into.begin());
    early_begin_ += n;
    return n;
  }

  std::shared_ptr<asio::ssl::context> tls_;
  asio::ssl::stream<Socket> stream_;
  std::array<char, kEarlyBytes> early_;  ///< what came while the connection was idle
  std::size_t early_begin_ = 0, early_end_ = 0;
  const std::string peer_;
  Deadline deadline_;
};
}  // namespace

std::unique_ptr<Connection> make_plain_connection(Socket socket, std::string peer, Deadlines& deadlines) {
  return std::make_unique<PlainConnection>(std::move(socket), std::move(peer), deadlines);
}
std::unique_ptr<Connection> make_tls_connection(Socket socket, std::string peer, Deadlines& deadlines,
                                                std::shared_ptr<asio::ssl::context> tls) {
  return std::make_unique<TlsConnection>(std::move(socket), std::move(peer), deadlines, std::move(tls));
}
}  // namespace hm::server
