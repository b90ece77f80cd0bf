#include "net/proxy.hpp"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <initializer_list>

#include "base/text.hpp"
#include "net/address_policy.hpp"

namespace hm::net {
namespace {
constexpr std::array<std::string_view, 6> kProxySchemes = {"http", "https", "socks4", "socks4a", "socks5", "socks5h"};

std::string first_set(std::initializer_list<const char*> names) {
  for (const char* name : names) {
    if (const char* value = std::getenv(name); value != nullptr && *value != '\0') return value;
  }
  return {};
}

bool same_leading_bits(const IpAddress& a, const IpAddress& b, std::uint64_t bits) {
  for (std::size_t bit = 0; bit < bits; ++bit) {
    const unsigned shift = 7U - static_cast<unsigned>(bit % 8);
    if (((a.bytes[bit / 8] ^ b.bytes[bit / 8]) >> shift) & 1U) return false;
  }
  return true;
}

bool address_matches(std::string_view entry, const IpAddress& host) {
  if (entry.starts_with('[') && entry.ends_with(']')) entry = entry.substr(1, entry.size() - 2);
  const std::size_t slash = std::min(entry.find('/'), entry.size());
  const auto network = parse_ip(entry.substr(0, slash));
  if (!network || network->is_v6 != host.is_v6) return false;
  const std::uint64_t all_bits = host.is_v6 ? 128 : 32;
  const auto bits = slash == entry.size() ? all_bits : parse_u64(entry.substr(slash + 1));
  return bits && *bits <= all_bits && same_leading_bits(*network, host, *bits);
}

bool name_matches(std::string_view entry, std::string_view host) {
  if (entry.starts_with('.')) entry.remove_prefix(1);
  if (entry.ends_with('.')) entry.remove_suffix(1);
  if (entry.empty() || host.size() < entry.size() || !ascii_equal_fold(host.substr(host.size() - entry.size()), entry))
    return false;
  return host.size() == entry.size() || host[host.size() - entry.size() - 1] == '.';
}
}  // namespace

ProxySettings proxy_settings_of_environment() {
  ProxySettings settings;
  settings.http = first_set({"http_proxy"});
  settings.https = first_set({"https_proxy", "HTTPS_PROXY"});
  settings.all = first_set({"all_proxy", "ALL_PROXY"});
  settings.excluded = first_set({"no_proxy", "NO_PROXY"});
  return settings;
}

bool is_excluded_from_proxy(std::string_view list, std::string_view host) {
  if (trim(list) == "*") return true;
  const auto address = parse_ip(host);
  while (!list.empty()) {
    const std::size_t end = std::min(list.find_first_of(", \t"), list.size());
    const std::string_view entry = list.substr(0, end);
    if (address ? address_matches(entry, *address) : name_matches(entry, host)) return true;
    list.remove_prefix(std::min(end + 1, list.size()));
  }
  return false;
}

std::string proxy_for(const ProxySettings& settings, const Url& target) {
  const std::string& own = target.scheme == "https" ? settings.https : settings.http;
  const std::string& proxy = own.empty() ? settings.all : own;
  if (proxy.empty() || is_excluded_from_proxy(settings.excluded, target.host)) return {};
  return proxy;
}

Result<> check_proxy(std::string_view proxy) {
  const std::size_t scheme_end = proxy.find("://");
  const std::string scheme = scheme_end == std::string_view::npos ? "http" : ascii_lower(proxy.substr(0, scheme_end));
  if (std::find(kProxySchemes.begin(), kProxySchemes.end(), scheme) == kProxySchemes.end()) {
    return Error(Errc::BadInput,
                 "proxy: scheme " + printable(scheme) + " is not one of http, https, socks4, socks4a, socks5, socks5h");
  }
  std::string_view authority = scheme_end == std::string_view::npos ? proxy : proxy.substr(scheme_end + 3);
  if (const std::size_t at = authority.rfind('@'); at != std::string_view::npos) authority.remove_prefix(at + 1);
  authority = authority.substr(0, authority.find('/'));
  const auto url = parse_url("http://" + std::string(authority) + "/");
  if (!url) return Error(Errc::BadInput, "proxy: " + url.assume_error().what + "; a proxy looks like http://host:3128");
  return ok();
}
}  // namespace hm::net
