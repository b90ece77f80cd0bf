#include "server/http/request.hpp"

#include <algorithm>
#include <cstdint>
#include <boost/beast/core/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
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

namespace {
constexpr std::uint64_t kWirePerBodyByte = 8;  // chunks of one byte need six; the rest is extensions that nobody reads
}
struct RequestReader::Parser {
  http::request_parser<http::string_body> beast;
};

RequestReader::RequestReader(ReadLimits limits) : limits_(limits), parser_(std::make_unique<Parser>()) {
  // Heads are measured here; what is left of Beast's bound is for trailers.
  parser_->beast.header_limit(static_cast<std::uint32_t>(2 * limits.head_bytes_max));
  parser_->beast.body_limit(boost::none);  // accept_body() sets it, once the route is known
  parser_->beast.eager(false);             // stop behind the head
}
RequestReader::~RequestReader() = default;

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

void RequestReader::finish_head() {
  const auto& message = parser_->beast.get();
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
  state_ = parser_->beast.is_done() ? State::Done : State::Body;
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
  beast::error_code error;
  const std::size_t n = parser_->beast.put(boost::asio::buffer(head.data(), head.size()), error);
  if (error && error != http::error::need_more)
    fail(status_of(error), error.message());
  else if (n != head.size() || !parser_->beast.is_header_done())
    fail(400, "a head that ends nowhere");
  else
    finish_head();
  kept_ = std::string();
  return taken;
}

std::size_t RequestReader::feed_body(std::string_view bytes) {
  // Beast takes lines of the chunked coding whole: what it leaves comes again, with more behind it.
  std::string_view input = bytes;
  if (!kept_.empty()) {
    kept_.append(bytes);
    input = kept_;
  }
  beast::error_code error;
  const std::size_t n = parser_->beast.put(boost::asio::buffer(input.data(), input.size()), error);
  const std::size_t left = input.size() - n;
  body_wire_bytes_ += n;
  if (error && error != http::error::need_more)
    return fail(status_of(error), error.message()), bytes.size();
  if (body_wire_bytes_ > body_wire_bytes_max_) return fail(413, "chunks that are mostly not body"), bytes.size();
  if (parser_->beast.is_done()) {
    state_ = State::Done;
    return bytes.size() - left;
  }
  if (left > limits_.head_bytes_max) return fail(400, "a line of the chunked body is too long"), bytes.size();
  kept_ = left == 0 ? std::string() : std::string(input.substr(n));
  return bytes.size();
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
  const auto announced = parse_u64(request_.header("Content-Length"));
  if (announced && *announced > bytes_max)
    return fail(413, "a body of more than " + std::to_string(bytes_max) + " bytes");
  parser_->beast.body_limit(bytes_max);
  parser_->beast.eager(true);
  body_wire_bytes_max_ = bytes_max > UINT64_MAX / (2 * kWirePerBodyByte)
                             ? UINT64_MAX
                             : kWirePerBodyByte * bytes_max + limits_.head_bytes_max;
}

Request RequestReader::take() {
  request_.body = std::move(parser_->beast.get().body());
  return std::move(request_);
}
}  // namespace hm::server
