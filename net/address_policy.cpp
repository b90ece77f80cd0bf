#include "net/address_policy.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>

namespace hm::net {
namespace {
struct Prefix {
  std::array<std::uint8_t, 16> bytes;
  unsigned bits;
  std::string_view use;
};

constexpr std::array<std::uint8_t, 16> v4(unsigned a, unsigned b, unsigned c) {
  return {static_cast<std::uint8_t>(a), static_cast<std::uint8_t>(b), static_cast<std::uint8_t>(c)};
}
/// The first four groups of an IPv6 prefix; no entry below is longer than 64 bits, but for the two that are compared
/// whole.
constexpr std::array<std::uint8_t, 16> v6(unsigned a, unsigned b = 0, unsigned c = 0, unsigned d = 0,
                                          unsigned last = 0) {
  const auto high = [](unsigned group) { return static_cast<std::uint8_t>(group >> 8); };
  const auto low = [](unsigned group) { return static_cast<std::uint8_t>(group & 0xff); };
  std::array<std::uint8_t, 16> bytes = {high(a), low(a), high(b), low(b), high(c), low(c), high(d), low(d)};
  bytes[15] = static_cast<std::uint8_t>(last);
  return bytes;
}

constexpr Prefix kSpecialV4[] = {
    {v4(0, 0, 0), 8, "unspecified"},           {v4(10, 0, 0), 8, "private"},
    {v4(100, 64, 0), 10, "carrier-grade NAT"}, {v4(127, 0, 0), 8, "loopback"},
    {v4(169, 254, 0), 16, "link-local"},  // cloud metadata services live here
    {v4(172, 16, 0), 12, "private"},           {v4(192, 0, 0), 24, "protocol assignment"},
    {v4(192, 0, 2), 24, "documentation"},      {v4(192, 88, 99), 24, "6to4 relay"},
    {v4(192, 168, 0), 16, "private"},          {v4(198, 18, 0), 15, "benchmark"},
    {v4(198, 51, 100), 24, "documentation"},   {v4(203, 0, 113), 24, "documentation"},
    {v4(224, 0, 0), 4, "multicast"},           {v4(240, 0, 0), 4, "reserved"},  // 255.255.255.255 too
};

constexpr Prefix kSpecialV6[] = {
    {v6(0, 0, 0, 0, 0), 128, "unspecified"},  {v6(0, 0, 0, 0, 1), 128, "loopback"},
    {v6(0x64, 0xff9b, 1), 48, "local NAT64"}, {v6(0x100), 64, "discard"},
    {v6(0x2001), 23, "protocol assignment"},  // Teredo, benchmark, ORCHID
    {v6(0x2001, 0xdb8), 32, "documentation"}, {v6(0x3fff), 20, "documentation"},
    {v6(0xfc00), 7, "unique local"},          {v6(0xfe80), 10, "link-local"},
    {v6(0xfec0), 10, "site-local"},           {v6(0xff00), 8, "multicast"},
};
constexpr Prefix kGlobalUnicastV6 = {v6(0x2000), 3, ""};

/// Where an IPv6 prefix carries an IPv4 address, and at which byte.
struct Embedding {
  Prefix prefix;
  std::size_t offset;
};
constexpr std::array<std::uint8_t, 16> kMappedPrefix = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr Embedding kEmbeddings[] = {
    {{kMappedPrefix, 96, "IPv4-mapped"}, 12},
    {{v6(0x64, 0xff9b), 96, "NAT64"}, 12},
    {{v6(0x2002), 16, "6to4"}, 2},
};

bool matches(const IpAddress& address, const Prefix& prefix) {
  const std::size_t whole = prefix.bits / 8;
  if (!std::equal(prefix.bytes.begin(), prefix.bytes.begin() + static_cast<std::ptrdiff_t>(whole),
                  address.bytes.begin()))
    return false;
  const unsigned rest = prefix.bits % 8;
  return rest == 0 || (address.bytes[whole] >> (8 - rest)) == (prefix.bytes[whole] >> (8 - rest));
}
std::string_view find_in(std::span<const Prefix> table, const IpAddress& address) {
  const auto found =
      std::find_if(table.begin(), table.end(), [&](const Prefix& prefix) { return matches(address, prefix); });
  return found == table.end() ? std::string_view() : found->use;
}
IpAddress embedded_v4(const IpAddress& address, std::size_t offset) {
  IpAddress inner;
  std::copy_n(address.bytes.begin() + static_cast<std::ptrdiff_t>(offset), 4, inner.bytes.begin());
  return inner;
}
}  // namespace

std::string IpAddress::text() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  inet_ntop(is_v6 ? AF_INET6 : AF_INET, bytes.data(), buffer, sizeof buffer);
  return buffer;
}

std::optional<IpAddress> parse_ip(std::string_view text) {
  if (text.size() >= INET6_ADDRSTRLEN || text.find('\0') != std::string_view::npos) return std::nullopt;
  const std::string terminated(text);
  IpAddress address;
  address.is_v6 = text.find(':') != std::string_view::npos;
  if (inet_pton(address.is_v6 ? AF_INET6 : AF_INET, terminated.c_str(), address.bytes.data()) != 1) return std::nullopt;
  return address;
}

std::optional<IpAddress> ip_of(const sockaddr& address) {
  IpAddress result;
  if (address.sa_family == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &address, sizeof in);
    std::memcpy(result.bytes.data(), &in.sin_addr, 4);
    return result;
  }
  if (address.sa_family == AF_INET6) {
    sockaddr_in6 in{};
    std::memcpy(&in, &address, sizeof in);
    std::memcpy(result.bytes.data(), &in.sin6_addr, 16);
    result.is_v6 = true;
    return result;
  }
  return std::nullopt;
}

std::string_view special_use(const IpAddress& address) {
  if (!address.is_v6) return find_in(kSpecialV4, address);
  for (const Embedding& embedding : kEmbeddings) {
    if (matches(address, embedding.prefix)) return find_in(kSpecialV4, embedded_v4(address, embedding.offset));
  }
  if (const std::string_view use = find_in(kSpecialV6, address); !use.empty()) return use;
  return matches(address, kGlobalUnicastV6) ? std::string_view() : "reserved";
}
}  // namespace hm::net
