// net/url.hpp: the parts of an http(s) URL that decisions depend on. Layer 2; values.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace hm::net {
struct Url {
  std::string scheme;      ///< "http" or "https", lowercase
  std::string host;        ///< lowercase, IPv6 without brackets
  std::uint16_t port = 0;  ///< explicit or the scheme's default
  std::string path_query;  ///< begins with '/'; no fragment
  std::string text() const;                                           ///< absolute form
  std::string origin() const;                                         ///< "https://host:port", the default port left out
  std::string host_port() const;                                      ///< "host" or "host:port", as in a Host header
  bool same_origin(const Url& other) const { return scheme == other.scheme && host == other.host && port == other.port; }
};
/// @returns BadInput: not absolute, other scheme, user info present, no host, bytes that a URL must not hold.
Result<Url> parse_url(std::string_view text);
/// RFC 3986 reference resolution of a Location value.
Result<Url> resolve_reference(const Url& base, std::string_view reference);
}  // namespace hm::net
