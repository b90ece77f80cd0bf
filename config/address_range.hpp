// config/address_range.hpp: addresses of machines, singly and by network, as they are written in the configuration.
// Layer 1; values.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.hpp"

namespace hm::config {
/// An IPv4 or IPv6 address; IPv4 as ::ffff:a.b.c.d, which is how a socket for both shows it too.
using Address = std::array<std::uint8_t, 16>;
/// "10.0.0.7", "fe80::1", "::ffff:10.0.0.7"; no brackets, zone or port.
std::optional<Address> parse_address(std::string_view text);

/// One address, a network, or whatever comes through a socket of this machine.
class AddressRange {
 public:
  /// "10.0.0.7", "10.0.0.0/8", "fd00::/8", "unix". @returns BadInput naming the text, also for a network with bits
  /// behind its prefix: nobody knows then what was meant.
  static Result<AddressRange> parse(std::string_view text);
  /// @param address as a connection names its peer, "unix" for a socket of this machine
  bool contains(std::string_view address) const;

 private:
  Address address_{};
  unsigned bits_ = 0;
  bool unix_ = false;
};
}  // namespace hm::config
