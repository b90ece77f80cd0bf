#include "net/response_head.hpp"

#include <algorithm>
#include <string>

#include "base/text.hpp"

namespace hm::net {
namespace {
std::string_view without_line_end(std::string_view line) {
  while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.remove_suffix(1);
  return line;
}
/// "HTTP/1.1 200 OK", "HTTP/2 200".
std::optional<int> status_of(std::string_view line) {
  const std::size_t blank = line.find(' ');
  if (!line.starts_with("HTTP/") || blank == std::string_view::npos) return std::nullopt;
  const std::string_view rest = line.substr(blank + 1);
  const auto status = parse_u64(rest.substr(0, rest.find(' ')));
  if (!status || *status < 100 || *status > 999) return std::nullopt;
  return static_cast<int>(*status);
}
}  // namespace

Result<> ResponseHead::feed(std::string_view line) {
  bytes_ += line.size();
  if (bytes_ > kHeaderBytesMax)
    return Error(Errc::Refused, "header of the answer is larger than " + human_bytes(kHeaderBytesMax));
  if (complete_) {  // trailers of a chunked body: counted, not used
    if (++fields_ > kHeaderFieldsMax)
      return Error(Errc::Refused, "answer has more than " + std::to_string(kHeaderFieldsMax) + " header fields");
    return ok();
  }
  line = without_line_end(line);
  if (status_ == 0) return begin(line);
  return line.empty() ? finish() : add_field(line);
}

Result<> ResponseHead::begin(std::string_view status_line) {
  const auto status = status_of(status_line);
  if (!status) return Error(Errc::Unreachable, "answer is not HTTP: " + printable(status_line.substr(0, 60)));
  status_ = *status;
  return ok();
}

Result<> ResponseHead::add_field(std::string_view line) {
  if (++fields_ > kHeaderFieldsMax)
    return Error(Errc::Refused, "answer has more than " + std::to_string(kHeaderFieldsMax) + " header fields");
  const std::size_t colon = line.find(':');
  // A folded line (obsolete since RFC 7230) or one without a colon could mean one thing to us and another to a proxy in
  // between.
  if (line.front() == ' ' || line.front() == '\t' || colon == 0 || colon == std::string_view::npos) {
    return Error(Errc::Unreachable, "malformed header line in the answer: " + printable(line.substr(0, 60)));
  }
  headers_.add(std::string(trim(line.substr(0, colon))), std::string(trim(line.substr(colon + 1))));
  return ok();
}

Result<> ResponseHead::finish() {
  if (status_ < 200) {
    status_ = 0;
    headers_ = Headers();
    return ok();
  }
  complete_ = true;
  const bool framed_otherwise = headers_.get("Transfer-Encoding").has_value();
  std::optional<std::uint64_t> length;
  for (const auto& [name, value] : headers_.all()) {
    if (!ascii_equal_fold(name, "Content-Length")) continue;
    const auto one = parse_u64(value);
    if (!one || (length && *length != *one))
      return Error(Errc::Unreachable, "answer with an unusable Content-Length: " + printable(value));
    length = one;
  }
  if (!framed_otherwise) content_length_ = length;
  return ok();
}
}  // namespace hm::net
