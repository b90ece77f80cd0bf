// net/url.hpp: the parts of an http(s) URL that decisions depend on. Layer 2; values.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace hm::net {
/// Signed download URLs have 1 to 4 KiB; few servers take more than 8 KiB.
inline constexpr std::size_t kUrlBytesMax = 16U << 10;

struct Url {
  std::string scheme;                ///< "http" or "https", lowercase
  std::string host;                  ///< lowercase, IPv6 without brackets and in its shortest form
  std::uint16_t port = 0;            ///< explicit or the scheme's default
  std::string path_query;            ///< begins with '/'; no fragment
  std::string text() const;          ///< absolute form
  std::string origin() const;        ///< "https://host:port", the default port left out
  std::string host_port() const;     ///< "host" or "host:port", as in a Host header
  std::string for_messages() const;  ///< without the query, which may hold a signature
  bool same_origin(const Url& other) const {
    return scheme == other.scheme && host == other.host && port == other.port;
  }
};
/// Strict on purpose: what is accepted means the same to this parser, to libcurl and to a resolver. A host that ends in
/// a number is a plain dotted IPv4 address or nothing. Error texts never repeat the URL.
/// @returns BadInput: not absolute, other scheme, user info present, no host, bytes that a URL must not hold.
Result<Url> parse_url(std::string_view text);
/// RFC 3986 reference resolution of a Location value, dot segments removed. Bytes that belong percent-encoded are
/// encoded, as browsers do; control bytes and backslashes are BadInput, and so is everything parse_url() refuses.
Result<Url> resolve_reference(const Url& base, std::string_view reference);
}  // namespace hm::net
