#include "net/url.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <vector>

#include "base/text.hpp"
#include "net/address_policy.hpp"

namespace hm::net {
namespace {
constexpr std::size_t kHostBytesMax = 253;  // RFC 1035, as text
constexpr std::size_t kLabelBytesMax = 63;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// RFC 3986 unreserved, reserved and '%'.
bool is_url_byte(char c) {
  return is_alpha(c) || is_digit(c) || std::string_view("-._~:/?#[]@!$&'()*+,;=%").find(c) != std::string_view::npos;
}
bool is_control_byte(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

Error bad(std::string what) { return {Errc::BadInput, "URL: " + std::move(what)}; }

std::string byte_name(char c) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto value = static_cast<unsigned char>(c);
  return std::string("0x") + kDigits[value >> 4] + kDigits[value & 15];
}

Result<> check_size(std::size_t size) {
  if (size <= kUrlBytesMax) return ok();
  return bad(std::to_string(size) + " bytes are more than " + std::to_string(kUrlBytesMax));
}

std::uint16_t default_port(std::string_view scheme) { return scheme == "https" ? 443 : 80; }

/// Resolvers read "0x7f.1", "017700000001" and "2130706433" as addresses; nobody who means well writes them.
bool ends_in_a_number(std::string_view host) {
  const std::string_view last = host.substr(host.rfind('.') + 1);
  if (last.empty()) return false;
  if (std::all_of(last.begin(), last.end(), is_digit)) return true;
  return last.starts_with("0x") && last.find_first_not_of("0123456789abcdef", 2) == std::string_view::npos;
}

Result<> check_host_name(std::string_view host) {
  if (host.size() > kHostBytesMax) return bad("host name of " + std::to_string(host.size()) + " bytes");
  for (const std::string_view label : split(host, '.')) {
    if (label.empty() || label.size() > kLabelBytesMax)
      return bad("host name with an empty or overlong part: " + printable(host));
    for (const char c : label) {
      if (!is_alpha(c) && !is_digit(c) && c != '-' && c != '_') return bad("host name with the byte " + byte_name(c));
    }
  }
  if (ends_in_a_number(host) && !parse_ip(host)) return bad("host is no plain IPv4 address: " + printable(host));
  return ok();
}

Result<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port == 0)
    return bad("port is not in 1..65535: " + printable(text));
  return port;
}

/// "host", "host:port", "[v6]", "[v6]:port"; an empty port means the default one.
Result<> read_authority(std::string_view authority, Url& into) {
  if (authority.find('@') != std::string_view::npos)
    return bad("user name or password in it; tokens are configured, not written into URLs");
  std::string_view port;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return bad("host without closing bracket");
    const auto address = parse_ip(authority.substr(1, end - 1));
    if (!address || !address->is_v6) return bad("no IPv6 address in brackets: " + printable(authority));
    into.host = address->text();
    port = authority.substr(end + 1);
    if (!port.empty() && !port.starts_with(':')) return bad("bytes after the bracket: " + printable(authority));
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    into.host = ascii_lower(authority.substr(0, colon));
    port = authority.substr(colon);
    if (into.host.empty()) return bad("no host");
    HM_TRY(check_host_name(into.host));
  }
  into.port = default_port(into.scheme);
  if (port.size() > 1) {
    HM_TRY(into.port, parse_port(port.substr(1)));
  }
  return ok();
}

/// The scheme in front of the first ':', when there is one before any of "/?#".
std::optional<std::string_view> scheme_of(std::string_view reference) {
  const std::size_t end = reference.find_first_of(":/?#");
  if (end == std::string_view::npos || reference[end] != ':') return std::nullopt;
  return reference.substr(0, end);
}

/// RFC 3986 5.2.4 on an absolute path.
std::string remove_dot_segments(std::string_view path) {
  std::vector<std::string_view> kept;
  const std::vector<std::string_view> segments = split(path.substr(1), '/');
  for (std::size_t i = 0; i < segments.size(); ++i) {
    const bool last = i + 1 == segments.size();
    if (segments[i] == "..") {
      if (!kept.empty()) kept.pop_back();
      if (last) kept.emplace_back();
    } else if (segments[i] == ".") {
      if (last) kept.emplace_back();
    } else {
      kept.push_back(segments[i]);
    }
  }
  std::string result;
  for (const std::string_view segment : kept) result.append("/").append(segment);
  return result.empty() ? "/" : result;
}

std::string_view path_of(std::string_view path_query) { return path_query.substr(0, path_query.find('?')); }

std::string without_dot_segments(std::string_view path_query) {
  const std::string_view path = path_of(path_query);
  return remove_dot_segments(path).append(path_query.substr(path.size()));
}

Result<std::string> encode_stray_bytes(std::string_view reference) {
  std::string result;
  for (const char c : reference) {
    if (is_control_byte(c) || c == '\\') return bad("a redirect with the byte " + byte_name(c));
    if (is_url_byte(c)) {
      result += c;
    } else {
      result += percent_encode(std::string_view(&c, 1));
    }
  }
  HM_TRY(check_size(result.size()));
  return result;
}
}  // namespace

std::string Url::host_port() const {
  std::string result = host.find(':') == std::string::npos ? host : "[" + host + "]";
  if (port != default_port(scheme)) result += ":" + std::to_string(port);
  return result;
}
std::string Url::origin() const { return scheme + "://" + host_port(); }
std::string Url::text() const { return origin() + path_query; }
std::string Url::for_messages() const { return origin() + std::string(path_of(path_query)); }

Result<Url> parse_url(std::string_view text) {
  HM_TRY(check_size(text.size()));
  const auto stray = std::find_if_not(text.begin(), text.end(), is_url_byte);
  if (stray != text.end())
    return bad("byte " + byte_name(*stray) + " at position " + std::to_string(stray - text.begin()));
  const auto scheme = scheme_of(text);
  if (!scheme) return bad("not absolute; one begins with https://");
  Url url;
  url.scheme = ascii_lower(*scheme);
  if (url.scheme != "http" && url.scheme != "https")
    return bad("scheme " + printable(url.scheme) + " is neither http nor https");
  std::string_view rest = text.substr(scheme->size() + 1);
  if (!rest.starts_with("//")) return bad("no // after the scheme");
  rest.remove_prefix(2);
  const std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  HM_TRY(read_authority(authority, url));
  rest.remove_prefix(authority.size());
  rest = rest.substr(0, rest.find('#'));
  url.path_query = rest.starts_with('/') ? std::string(rest) : "/" + std::string(rest);
  return url;
}

Result<Url> resolve_reference(const Url& base, std::string_view reference) {
  HM_TRY(check_size(reference.size()));
  HM_TRY(const std::string encoded, encode_stray_bytes(trim(reference)));
  const std::string_view text = std::string_view(encoded).substr(0, encoded.find('#'));
  if (scheme_of(text) || text.starts_with("//")) {
    HM_TRY(Url url, parse_url(text.starts_with("//") ? base.scheme + ":" + std::string(text) : std::string(text)));
    url.path_query = without_dot_segments(url.path_query);
    return url;
  }
  Url url = base;
  const std::string_view base_path = path_of(base.path_query);
  if (text.starts_with('/')) {
    url.path_query = without_dot_segments(text);
  } else if (text.starts_with('?')) {
    url.path_query = std::string(base_path) + std::string(text);
  } else if (!text.empty()) {
    url.path_query =
        without_dot_segments(std::string(base_path.substr(0, base_path.rfind('/') + 1)) + std::string(text));
  }
  HM_TRY(check_size(url.text().size()));
  return url;
}
}  // namespace hm::net
