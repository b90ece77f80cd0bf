// server/credentials.hpp: the token that a request brings. Layer 5; pure.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "server/http/request.hpp"

namespace hm::server {
struct Credentials {
  enum class Kind : std::uint8_t { None, Token, Malformed } kind = Kind::None;
  std::string token;
};
/// `Authorization: Bearer <token>` or `Basic` with the token as password and any user name, the scheme in any case.
/// Malformed: another scheme, more than one field, bytes no token has.
Credentials credentials_of(const Request& request);
}  // namespace hm::server
