// URLs and Location values: what is accepted is plain, keeps its meaning when written and read again, and never leaves
// http(s). Input: a base URL, a newline, a reference.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/address_policy.hpp"
#include "net/url.hpp"

namespace {
void require_plain(const hm::net::Url& url) {
  if (url.scheme != "http" && url.scheme != "https") std::abort();
  if (url.host.empty() || url.port == 0 || !url.path_query.starts_with('/')) std::abort();
  const std::string text = url.text();
  if (text.size() > hm::net::kUrlBytesMax + 2) std::abort();  // "http://h?" gains a slash
  for (const char c : text) {
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f || c == '\\' || c == '#')
      std::abort();
  }
  if (url.origin().find('@') != std::string::npos) std::abort();
  if (const auto last = url.host.rfind('.');
      url.host.find_first_not_of("0123456789", last + 1) == std::string::npos && !hm::net::parse_ip(url.host))
    std::abort();
  if (text.size() > hm::net::kUrlBytesMax) return;
  const auto again = hm::net::parse_url(text);
  if (!again || again.assume_value().text() != text || !again.assume_value().same_origin(url)) std::abort();
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t line_end = input.find('\n');
  const auto base = hm::net::parse_url(input.substr(0, line_end));
  if (!base) return 0;
  require_plain(base.assume_value());
  if (line_end == std::string_view::npos) return 0;
  if (const auto target = hm::net::resolve_reference(base.assume_value(), input.substr(line_end + 1))) {
    require_plain(target.assume_value());
    const std::string_view path =
        std::string_view(target.assume_value().path_query).substr(0, target.assume_value().path_query.find('?'));
    if (target.assume_value().same_origin(base.assume_value()) &&
        target.assume_value().path_query.starts_with(base.assume_value().path_query))
      return 0;
    if (path.find("/../") != path.npos || path.ends_with("/..")) {
      // Only a base that had them itself, kept by a reference of query or fragment alone.
      if (base.assume_value().path_query.find("/..") == std::string::npos) std::abort();
    }
  }
  return 0;
}
