// net/address_policy.hpp: which IP addresses belong to the public Internet. Layer 2; pure functions.
// A redirect, or a name under somebody else's control, must not make us talk to the inside of the operator's network.
// The tables are IANA's special-purpose registries, read strictly: what is not plainly public is named here.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

struct sockaddr;

namespace hm::net {
struct IpAddress {
  std::array<std::uint8_t, 16> bytes{};  ///< network order; IPv4 uses the first four
  bool is_v6 = false;
  std::string text() const;  ///< "10.0.0.1", "fe80::1"
  bool operator==(const IpAddress&) const = default;
};
/// Dotted quad without leading zeros, or RFC 4291 text; no brackets, no zone.
std::optional<IpAddress> parse_ip(std::string_view text);
/// nullopt for families other than IPv4 and IPv6.
std::optional<IpAddress> ip_of(const sockaddr& address);

/// What kind of non-public address this is ("loopback", "private", "link-local", …); empty when it is public.
/// IPv4 inside IPv6 (mapped, NAT64, 6to4) is judged by the IPv4 address.
std::string_view special_use(const IpAddress& address);
}  // namespace hm::net
