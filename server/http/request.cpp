#include "server/http/request.hpp"

#include <algorithm>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/empty_body.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstdint>
#include <optional>

#include "base/text.hpp"

namespace hm::server {
namespace beast = boost::beast;
namespace http = boost::beast::http;

std::string_view name_of(Method method) {
  switch (method) {
    case Method::Get:
      return "GET";
    case Method::Head:
      return "HEAD";
    case Method::Post:
      return "POST";
    case Method::Put:
      return "PUT";
    case Method::Delete:
      return "DELETE";
    case Method::Options:
      return "OPTIONS";
    case Method::Patch:
      return "PATCH";
    case Method::Other:
      break;
  }
  return "OTHER";
}

std::string_view Request::query() const {
  const std::size_t mark = target.find('?');
  return mark == std::string::npos ? std::string_view() : std::string_view(target).substr(mark + 1);
}

std::string_view Request::header(std::string_view name) const {
  for (const Span& f : fields_)
    if (f.name_size == name.size() && ascii_equal_fold(std::string_view(text_).substr(f.name, f.name_size), name))
      return std::string_view(text_).substr(f.value, f.value_size);
  return {};
}

std::size_t Request::count_fields(std::string_view name) const {
  return static_cast<std::size_t>(std::count_if(fields_.begin(), fields_.end(), [&](const Span& f) {
    return ascii_equal_fold(std::string_view(text_).substr(f.name, f.name_size), name);
  }));
}

std::vector<std::string_view> Request::headers(std::string_view name) const {
  std::vector<std::string_view> out;
  for (const Span& f : fields_)
    if (ascii_equal_fold(std::string_view(text_).substr(f.name, f.name_size), name))
      out.push_back(std::string_view(text_).substr(f.value, f.value_size));
  return out;
}

bool Request::has_header(std::string_view name) const { return count_fields(name) != 0; }

void Request::add_field(std::string_view name, std::string_view value) {
  const auto at = static_cast<std::uint32_t>(text_.size());
  text_.append(name).append(value);
  fields_.push_back({at, static_cast<std::uint32_t>(name.size()), at + static_cast<std::uint32_t>(name.size()),
                     static_cast<std::uint32_t>(value.size())});
}

std::vector<Parameter> parse_form(std::string_view text, std::size_t count_max) {
  std::vector<Parameter> out;
  auto decoded = [](std::string_view part) {
    std::string plain(part);
    std::replace(plain.begin(), plain.end(), '+', ' ');
    return percent_decode(plain);
  };
  while (!text.empty() && out.size() < count_max) {
    const std::size_t end = std::min(text.find('&'), text.size());
    const std::string_view pair = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (pair.empty()) continue;
    const std::size_t equals = std::min(pair.find('='), pair.size());
    out.push_back({decoded(pair.substr(0, equals)), decoded(pair.substr(std::min(equals + 1, pair.size())))});
  }
  return out;
}

RequestReader::RequestReader(ReadLimits limits) : limits_(limits) {}

void RequestReader::fail(int status, std::string what) {
  problem_ = {status, std::move(what)};
  state_ = State::Bad;
}

/// Looks for the end of the head, and for what Beast lets pass although proxies differ about it: line ends of one byte,
/// fields that go on in the next line, NUL. @returns how many bytes belong to the head.
std::size_t RequestReader::scan_head(std::string_view bytes) {
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    const char c = bytes[i];
    if (line_bytes_ == 0 && scanned_ != 0 && (c == ' ' || c == '\t'))
      return fail(400, "a field that goes on in the next line"), bytes.size();
    if (c == '\0') return fail(400, "a NUL byte in the head"), bytes.size();
    if ((c == '\n') != (last_ == '\r')) return fail(400, "a line that does not end in CR LF"), bytes.size();
    if (++scanned_ > limits_.head_bytes_max)
      return fail(431, "a head of more than " + std::to_string(limits_.head_bytes_max) + " bytes"), bytes.size();
    last_ = c;
    ++line_bytes_;
    if (c != '\n') continue;
    head_ended_ = line_bytes_ == 2;
    line_bytes_ = 0;
    if (head_ended_) return i + 1;
  }
  return bytes.size();
}

namespace {
int status_of(const beast::error_code& error) {
  if (error == http::error::header_limit) return 431;
  if (error == http::error::body_limit) return 413;
  if (error == http::error::bad_version) return 505;
  return 400;
}
Method method_of(http::verb verb) {
  switch (verb) {
    case http::verb::get:
      return Method::Get;
    case http::verb::head:
      return Method::Head;
    case http::verb::post:
      return Method::Post;
    case http::verb::put:
      return Method::Put;
    case http::verb::delete_:
      return Method::Delete;
    case http::verb::options:
      return Method::Options;
    case http::verb::patch:
      return Method::Patch;
    default:
      return Method::Other;
  }
}
constexpr std::uint64_t kFramingPerBodyByte = 8;  // chunks of one byte need five; the rest is what nobody reads
int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}
bool is_host(std::string_view host) {
  return !host.empty() && host.size() <= 255 && std::all_of(host.begin(), host.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '-' ||
           c == '_' || c == ':' || c == '[' || c == ']';
  });
}
/// "http://host/path" → "/path"; a server has to take this form too (RFC 9112 §3.2.2).
std::optional<std::string> origin_form(std::string_view target, Method method) {
  if (target == "*" && method == Method::Options) return "/";
  if (target.starts_with("http://") || target.starts_with("https://")) {
    const std::size_t authority = target.find("://") + 3;
    const std::size_t path = target.find_first_of("/?", authority);
    if (path == authority) return std::nullopt;
    if (path == std::string_view::npos) return "/";
    return target[path] == '?' ? "/" + std::string(target.substr(path)) : std::string(target.substr(path));
  }
  if (!target.starts_with('/')) return std::nullopt;
  return std::string(target);
}
}  // namespace

void RequestReader::parse_head(std::string_view head) {
  http::request_parser<http::empty_body> parser;
  parser.header_limit(static_cast<std::uint32_t>(2 * limits_.head_bytes_max));  // measured by scan_head()
  parser.body_limit(boost::none);                                               // accept_body() knows it
  parser.eager(false);                                                          // stop behind the head
  beast::error_code error;
  const std::size_t n = parser.put(boost::asio::buffer(head.data(), head.size()), error);
  if (error && error != http::error::need_more) return fail(status_of(error), error.message());
  if (n != head.size() || !parser.is_header_done()) return fail(400, "a head that ends nowhere");
  const auto& message = parser.get();
  request_.method = method_of(message.method());
  request_.http10 = message.version() == 10;
  request_.keep_alive = message.keep_alive();
  std::size_t count = 0;
  for (const auto& field : message) {
    if (++count > limits_.fields_max)
      return fail(431, "more than " + std::to_string(limits_.fields_max) + " header fields");
    const auto name = field.name_string(), value = field.value();
    request_.add_field({name.data(), name.size()}, {value.data(), value.size()});
  }
  const std::string_view target(message.target().data(), message.target().size());
  if (target.size() > limits_.target_bytes_max) return fail(414, "the address is too long");
  const auto origin = origin_form(target, request_.method);
  if (!origin || !std::all_of(origin->begin(), origin->end(), [](char c) { return c > 0x20 && c != 0x7f; }))
    return fail(400, "an address that is no path");
  request_.target = *origin;
  const std::size_t hosts = request_.count_fields("Host"), lengths = request_.count_fields("Content-Length"),
                    encodings = request_.count_fields("Transfer-Encoding");
  if (hosts > 1 || (hosts == 0 && !request_.http10)) return fail(400, "there must be one Host field");
  if (hosts == 1 && !is_host(request_.header("Host"))) return fail(400, "a Host field that names no host");
  // Whoever disagrees with a proxy in front about where a body ends can be made to read one request as two.
  if (lengths > 1 || encodings > 1 || (lengths != 0 && encodings != 0) || (encodings != 0 && request_.http10))
    return fail(400, "more than one length of the body");
  if (lengths == 1 && !parse_u64(request_.header("Content-Length")))
    return fail(400, "a Content-Length that is no number");
  if (encodings != 0 && !ascii_equal_fold(request_.header("Transfer-Encoding"), "chunked"))
    return fail(501, "a Transfer-Encoding other than chunked");
  chunked_ = encodings != 0;
  left_ = parse_u64(request_.header("Content-Length")).value_or(0);
  state_ = chunked_ || left_ != 0 ? State::Body : State::Done;
}

std::size_t RequestReader::feed_head(std::string_view bytes) {
  const std::size_t taken = scan_head(bytes);
  if (state_ == State::Bad) return taken;
  std::string_view head = bytes.substr(0, taken);
  if (!kept_.empty() || !head_ended_) {
    kept_.append(head);
    head = kept_;
  }
  if (!head_ended_) return taken;
  parse_head(head);
  kept_ = std::string();
  return taken;
}

std::size_t RequestReader::take_data(std::string_view bytes) {
  const auto n = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
  request_.body.append(bytes.substr(0, n));
  left_ -= n;
  return n;
}

std::size_t RequestReader::feed_body(std::string_view bytes) {
  if (!chunked_) {
    const std::size_t n = take_data(bytes);
    if (left_ == 0) state_ = State::Done;
    return n;
  }
  std::size_t taken = 0;
  while (taken < bytes.size() && state_ == State::Body) {
    if (chunk_ == Chunk::Data) {
      taken += take_data(bytes.substr(taken));
      if (left_ == 0) chunk_ = Chunk::DataCr;
      continue;
    }
    step_chunk(bytes[taken++]);
    if (++framing_bytes_ > kFramingPerBodyByte * request_.body.size() + limits_.head_bytes_max)
      fail(413, "chunks that are mostly not body");
  }
  return state_ == State::Bad ? bytes.size() : taken;
}

/// One byte of the chunked coding that is no data (RFC 9112 §7.1). Extensions and trailers are read over; what proxies
/// could take for a line end and we not, or the other way round, is refused.
void RequestReader::step_chunk(char c) {
  auto bad = [this] { fail(400, "a chunked body of the wrong form"); };
  const bool control = (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
  auto expect = [&](char wanted, Chunk next) {
    if (c != wanted) return bad();
    chunk_ = next;
  };
  switch (chunk_) {
    case Chunk::Size:
      if (const int digit = hex_digit(c); digit >= 0) {
        if (left_ >> 60 != 0) return bad();
        left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
        size_begun_ = true;
        return;
      }
      if (!size_begun_) return bad();
      if (c == ';') return void(chunk_ = Chunk::Extension);
      return expect('\r', Chunk::SizeLf);
    case Chunk::Extension:
      if (c == '\r') return void(chunk_ = Chunk::SizeLf);
      return control ? bad() : void();
    case Chunk::SizeLf:
      if (left_ > body_bytes_max_ - request_.body.size())
        return fail(413, "a body of more than " + std::to_string(body_bytes_max_) + " bytes");
      size_begun_ = false;
      return expect('\n', left_ == 0 ? Chunk::TrailerBegin : Chunk::Data);
    case Chunk::Data:
      return;
    case Chunk::DataCr:
      return expect('\r', Chunk::DataLf);
    case Chunk::DataLf:
      return expect('\n', Chunk::Size);
    case Chunk::TrailerBegin:
      if (c == '\r') return void(chunk_ = Chunk::LastLf);
      chunk_ = Chunk::TrailerName;
      return c == ':' || c == ' ' || c == '\t' || control ? bad() : void();
    case Chunk::TrailerName:
      if (c == ':') return void(chunk_ = Chunk::TrailerValue);
      return c == ' ' || c == '\t' || control ? bad() : void();
    case Chunk::TrailerValue:
      if (c == '\r') return void(chunk_ = Chunk::TrailerLf);
      return control ? bad() : void();
    case Chunk::TrailerLf:
      return expect('\n', Chunk::TrailerBegin);
    case Chunk::LastLf:
      if (c != '\n') return bad();
      state_ = State::Done;
  }
}

std::size_t RequestReader::feed(std::string_view bytes) {
  if (bytes.empty() || state_ == State::Done || state_ == State::Bad) return 0;
  begun_ = true;
  return state_ == State::Head ? feed_head(bytes) : feed_body(bytes);
}

bool RequestReader::wants_continue() const {
  return state_ == State::Body && !request_.http10 && ascii_equal_fold(request_.header("Expect"), "100-continue");
}

void RequestReader::accept_body(std::uint64_t bytes_max) {
  body_bytes_max_ = bytes_max;
  if (!chunked_ && left_ > bytes_max) fail(413, "a body of more than " + std::to_string(bytes_max) + " bytes");
}

Request RequestReader::take() { return std::move(request_); }
}  // namespace hm::server
