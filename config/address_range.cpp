#include "config/address_range.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <string>

#include "base/text.hpp"

namespace hm::config {
namespace {
constexpr unsigned kBitsOfV4 = 32, kBits = 128;
constexpr std::size_t kTextBytesMax = 64;  // the longest form of an IPv6 address has 45

bool has_bits_behind(const Address& address, unsigned bits) {
  for (unsigned i = bits; i < kBits; ++i)
    if ((address[i / 8] >> (7 - i % 8) & 1U) != 0) return true;
  return false;
}
}  // namespace

std::optional<Address> parse_address(std::string_view text) {
  if (text.size() > kTextBytesMax || text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string zero_ended(text);
  Address address{};
  if (::inet_pton(AF_INET6, zero_ended.c_str(), address.data()) == 1) return address;
  constexpr std::size_t kMapped = 12;
  address.fill(0);
  address[10] = address[11] = 0xff;
  if (::inet_pton(AF_INET, zero_ended.c_str(), address.data() + kMapped) == 1) return address;
  return std::nullopt;
}

Result<AddressRange> AddressRange::parse(std::string_view text) {
  AddressRange range;
  if (text == "unix") {
    range.unix_ = true;
    return range;
  }
  auto wrong = [&](const std::string& why) {
    return Error{Errc::BadInput, "\"" + printable(text) + "\" " + why +
                                     "; write e.g. \"10.0.0.7\", \"10.0.0.0/8\", \"fd00::/8\" or \"unix\""};
  };
  const std::size_t slash = text.find('/');
  const std::string_view host = text.substr(0, slash);
  const auto address = parse_address(host);
  if (!address) return wrong("is no address or network");
  range.address_ = *address;
  range.bits_ = kBits;
  if (slash == std::string_view::npos) return range;
  const bool v4 = host.find(':') == std::string_view::npos;
  const auto bits = parse_u64(text.substr(slash + 1));
  if (!bits || *bits > (v4 ? kBitsOfV4 : kBits)) return wrong("has no length of a prefix behind the slash");
  range.bits_ = static_cast<unsigned>(*bits) + (v4 ? kBits - kBitsOfV4 : 0);
  if (has_bits_behind(range.address_, range.bits_)) return wrong("has bits behind its prefix");
  return range;
}

bool AddressRange::contains(std::string_view address) const {
  if (unix_ || address == "unix") return unix_ && address == "unix";
  const auto other = parse_address(address);
  if (!other) return false;
  const std::size_t whole = bits_ / 8;
  const unsigned rest = bits_ % 8;
  if (!std::equal(address_.begin(), address_.begin() + static_cast<std::ptrdiff_t>(whole), other->begin()))
    return false;
  return rest == 0 || (address_[whole] >> (8 - rest)) == ((*other)[whole] >> (8 - rest));
}
}  // namespace hm::config
