#include "server/http/session.hpp"

#include <array>
#include <boost/asio/post.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <charconv>
#include <chrono>
#include <ctime>

#include "base/log.hpp"

namespace hm::server {
namespace asio = boost::asio;
namespace {
constexpr std::size_t kBufferBytes = 16U << 10;
constexpr int kInARowMax = 16;  // pipelined requests before others on this loop get a turn
constexpr std::int64_t kLingerMs = 2'000;
constexpr std::size_t kHeadKept = 4096;

std::int64_t monotonic_us() {
  return std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

/// "Date: Sat, 28 Nov 2026 14:28:26 GMT\r\n", made anew once a second.
std::string_view date_field() {
  thread_local std::array<char, 64> text{};
  thread_local std::size_t size = 0;
  thread_local std::time_t of = 0;
  const std::time_t now = std::time(nullptr);
  if (now != of) {
    std::tm utc{};
    ::gmtime_r(&now, &utc);
    size = std::strftime(text.data(), text.size(), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", &utc);
    of = now;
  }
  return {text.data(), size};
}

void append_number(std::string& to, std::uint64_t number) {
  std::array<char, 20> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number);
  to.append(digits.data(), end.ptr);
}

/// Which statuses have no body, so no length either.
bool bodiless(int status) { return status == 304 || status == 204 || status < 200; }

}  // namespace

/// One body's part in the bytes of request bodies that all sessions hold: what has come, not what was announced, so
/// that those who announce much and send nothing take no room.
class Session::BodyBudget {
 public:
  explicit BodyBudget(SessionParts& parts) : p_(parts) {}
  ~BodyBudget() { p_.body_bytes -= bytes_; }
  BodyBudget(const BodyBudget&) = delete;
  BodyBudget& operator=(const BodyBudget&) = delete;
  /// @returns false when it is more than all may hold together
  bool add(std::size_t bytes) {
    bytes_ += bytes;
    return (p_.body_bytes += bytes) <= p_.options.bodies_bytes_max;
  }

 private:
  SessionParts& p_;
  std::uint64_t bytes_ = 0;
};

void Session::drain() {
  if (idle_) connection_->cancel();
}

awaitable<void> Session::run() {
  co_await asio::this_coro::throw_if_cancelled(false);
  const auto shaken = co_await connection_->handshake(p_.options.header_timeout_ms);
  if (!shaken) co_return;
  while (co_await one_request() == Next::Request) {
  }
  co_await connection_->close(kLingerMs);
}

/// Waits for a request to begin, without a buffer where nothing is there yet.
awaitable<Result<>> Session::await_first_bytes() {
  if (end_ != begin_) co_return ok();
  if (!buffer_) buffer_ = std::make_unique_for_overwrite<char[]>(kBufferBytes);
  begin_ = end_ = 0;
  HM_CO_TRY(const std::size_t now, connection_->read_now({buffer_.get(), kBufferBytes}));
  end_ = now;
  if (now != 0) co_return ok();
  buffer_.reset();
  in_a_row_ = 0;
  idle_ = true;
  auto readable = co_await connection_->wait_readable(p_.options.idle_timeout_ms);
  idle_ = false;
  if (readable || !p_.draining) co_return readable;
  // The server closes what is idle, and a request came at that very moment: it is answered all the same.
  buffer_ = std::make_unique_for_overwrite<char[]>(kBufferBytes);
  HM_CO_TRY(end_, connection_->read_now({buffer_.get(), kBufferBytes}));
  if (end_ == 0) co_return readable;
  co_return ok();
}

awaitable<Result<std::size_t>> Session::fill(std::int64_t timeout_ms) {
  if (!buffer_) buffer_ = std::make_unique_for_overwrite<char[]>(kBufferBytes);
  begin_ = end_ = 0;
  HM_CO_TRY(const std::size_t n, co_await connection_->read_some({buffer_.get(), kBufferBytes}, timeout_ms));
  end_ = n;
  co_return n;
}

void Session::feed(RequestReader& reader) { begin_ += reader.feed({buffer_.get() + begin_, end_ - begin_}); }

awaitable<Result<>> Session::read_head(RequestReader& reader) {
  const std::int64_t until_us = monotonic_us() + p_.options.header_timeout_ms * 1000;
  if (end_ != begin_) feed(reader);
  while (reader.state() == RequestReader::State::Head) {
    const std::int64_t left_ms = (until_us - monotonic_us()) / 1000;
    if (left_ms <= 0) co_return Error{Errc::Cancelled, "the head takes too long"};
    HM_CO_TRY(const std::size_t n, co_await fill(left_ms));
    if (n == 0) co_return Error{Errc::Unreachable, "ended within a head"};
    feed(reader);
  }
  co_return ok();
}

awaitable<Result<>> Session::read_body(RequestReader& reader, BodyBudget& budget) {
  const std::int64_t began_us = monotonic_us();
  std::uint64_t arrived = 0;
  const Error too_much{Errc::Refused, "too many request bodies at once"};
  if (end_ != begin_) {
    if (!budget.add(end_ - begin_)) co_return too_much;
    feed(reader);
  }
  while (reader.state() == RequestReader::State::Body) {
    HM_CO_TRY(const std::size_t n, co_await fill(p_.options.pace.stall_ms));
    if (n == 0) co_return Error{Errc::Unreachable, "ended within a body"};
    if (!budget.add(n)) co_return too_much;
    feed(reader);
    arrived += n;
    const std::int64_t passed_ms = (monotonic_us() - began_us) / 1000;
    if (passed_ms > p_.options.pace.window_ms &&
        arrived < p_.options.pace.bytes_per_second_min * static_cast<std::uint64_t>(passed_ms) / 1000)
      co_return Error{Errc::Cancelled, "the body comes too slowly"};
  }
  co_return ok();
}

awaitable<void> Session::refuse(const BadRequest& problem, Method method) {
  ++p_.bad_requests;
  head_ = "HTTP/1.1 " + std::to_string(problem.status) + " " + std::string(reason_of(problem.status)) + "\r\n";
  head_.append(date_field());
  const std::string body = problem.what + "\n";
  head_ +=
      "Content-Type: text/plain; charset=utf-8\r\nConnection: close\r\nContent-Length: " + std::to_string(body.size()) +
      "\r\n\r\n";
  const std::string_view sent = method == Method::Head ? std::string_view() : std::string_view(body);
  const auto ignored = co_await connection_->write(head_, sent, p_.options.pace);
  static_cast<void>(ignored);
}

awaitable<Session::Next> Session::one_request() {
  if (const auto first = co_await await_first_bytes(); !first) co_return Next::End;
  if (++in_a_row_ > kInARowMax) {
    in_a_row_ = 0;
    co_await asio::post(co_await asio::this_coro::executor, asio::use_awaitable);
  }
  RequestReader reader(p_.options.read);
  auto read = co_await read_head(reader);
  BodyBudget budget(p_);
  if (read && reader.state() == RequestReader::State::Body) {
    reader.accept_body(p_.handler.body_bytes_max(reader.head()));
    if (reader.state() == RequestReader::State::Body && reader.wants_continue() && begin_ == end_)
      read = co_await connection_->write("HTTP/1.1 100 Continue\r\n\r\n", {}, p_.options.pace);
    if (read && reader.state() == RequestReader::State::Body) read = co_await read_body(reader, budget);
  }
  if (!read) {
    const bool late = read.assume_error().code == Errc::Cancelled;
    if (late) ++p_.timeouts;
    const BadRequest problem{late ? 408 : 503, read.assume_error().what};
    if ((late && reader.begun()) || read.assume_error().code == Errc::Refused)
      co_await refuse(problem, reader.head().method);
    co_return Next::End;
  }
  if (reader.state() == RequestReader::State::Bad) {
    co_await refuse(reader.problem(), reader.head().method);
    co_return Next::End;
  }
  Request request = reader.take();
  request.peer = connection_->peer();
  request.encrypted = connection_->encrypted();
  request.number = ++p_.requests;
  const std::int64_t began_us = monotonic_us();
  Response response = co_await p_.handler.answer(request);
  const bool keep_alive = request.keep_alive && !response.close && !p_.draining;
  Sent sent;
  const auto written = co_await send(request, response, keep_alive, sent);
  sent.whole = written.has_value();
  sent.elapsed_us = monotonic_us() - began_us;
  p_.handler.done(request, response, sent);
  co_return written&& keep_alive ? Next::Request : Next::End;
}

awaitable<Result<>> Session::send(const Request& request, Response& response, bool keep_alive, Sent& sent) {
  auto* source = std::get_if<std::unique_ptr<BodySource>>(&response.body);
  const bool has_body = request.method != Method::Head && !bodiless(response.status);
  const bool chunked = source != nullptr && !response.length;
  const bool close_ends_body = chunked && request.http10;
  head_.clear();
  head_.append("HTTP/1.1 ");
  append_number(head_, static_cast<std::uint64_t>(response.status));
  head_.append(" ").append(reason_of(response.status)).append("\r\n").append(date_field());
  head_.append("X-Request-Id: ").append(p_.id_prefix);
  append_number(head_, request.number);
  head_.append("\r\n").append(response.fields);
  if (chunked) {
    if (!close_ends_body) head_.append("Transfer-Encoding: chunked\r\n");
  } else if (!bodiless(response.status)) {
    head_.append("Content-Length: ");
    append_number(head_, response.length ? *response.length : response.body_bytes());
    head_.append("\r\n");
  }
  head_.append(keep_alive && !close_ends_body ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
  if (!has_body) co_return co_await connection_->write(head_, {}, p_.options.pace);

  Result<> outcome = ok();
  if (const auto* text = std::get_if<std::string>(&response.body)) {
    outcome = co_await connection_->write(head_, *text, p_.options.pace);
  } else if (const auto* shared = std::get_if<SharedBytes>(&response.body)) {
    const std::string_view body = std::string_view(*shared->bytes).substr(shared->offset, shared->length);
    outcome = co_await connection_->write(head_, body, p_.options.pace);
  } else if (const auto* file = std::get_if<FileBytes>(&response.body)) {
    HM_CO_TRY(co_await connection_->write(head_, {}, p_.options.pace, /*more=*/file->length != 0));
    outcome = co_await connection_->send_file(*file->file, file->offset, file->length, p_.options.pace);
  } else {
    HM_CO_TRY(co_await connection_->write(head_, {}, p_.options.pace));
    outcome = co_await send_source(**source, chunked && !close_ends_body, sent);
    if (outcome && close_ends_body) outcome = Error{Errc::Unreachable, "the end of the connection ends the body"};
    co_return outcome;
  }
  if (outcome) sent.body_bytes = response.body_bytes();
  if (head_.capacity() > kHeadKept) head_ = std::string();
  co_return outcome;
}

awaitable<Result<>> Session::send_source(BodySource& source, bool chunked, Sent& sent) {
  for (;;) {
    HM_CO_TRY(const auto piece, co_await source.next());
    const std::string_view bytes(reinterpret_cast<const char*>(piece.data()), piece.size());
    if (bytes.empty()) break;
    if (chunked) {
      std::array<char, 20> digits;
      auto* end = std::to_chars(digits.data(), digits.data() + digits.size(), bytes.size(), 16).ptr;
      *end++ = '\r';
      *end++ = '\n';
      const std::string_view size_line(digits.data(), static_cast<std::size_t>(end - digits.data()));
      HM_CO_TRY(co_await connection_->write(size_line, bytes, p_.options.pace, true));
      HM_CO_TRY(co_await connection_->write("\r\n", {}, p_.options.pace));
    } else {
      HM_CO_TRY(co_await connection_->write(bytes, {}, p_.options.pace));
    }
    sent.body_bytes += bytes.size();
  }
  if (chunked) co_return co_await connection_->write("0\r\n\r\n", {}, p_.options.pace);
  co_return ok();
}
}  // namespace hm::server
