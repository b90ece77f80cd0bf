#include "server/peer.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "net/url.hpp"

namespace hm::server {
namespace {
constexpr std::size_t kHopsMax = 32;  // looked at, from the nearest; a chain of proxies has three

/// All elements of a list field, nearest hop last, over all its lines: some proxies add a line, others an element.
std::vector<std::string_view> elements_of(const Request& request, std::string_view name) {
  std::vector<std::string_view> out;
  for (const std::string_view line : request.headers(name))
    for (const std::string_view element : split(line, ',')) out.push_back(trim(element));
  return out;
}
std::string_view last_of(const Request& request, std::string_view name) {
  const auto elements = elements_of(request, name);
  return elements.empty() ? std::string_view() : elements.back();
}

/// "10.0.0.7", "10.0.0.7:1234", "[::1]:1234", "::1" → the address; "" for what is none, e.g. "unknown".
std::string_view address_in(std::string_view hop) {
  if (hop.starts_with('[')) {
    hop = hop.substr(1, hop.find(']') - 1);
  } else if (const std::size_t colon = hop.find(':');
             colon != std::string_view::npos && hop.find(':', colon + 1) == std::string_view::npos) {
    hop = hop.substr(0, colon);
  }
  return config::parse_address(hop) ? hop : std::string_view();
}

/// As strict as for the URLs that we go to ourselves: the host ends up in links that clients follow.
std::optional<std::string> believable_host(const std::string& scheme, std::string_view host) {
  if (host.empty() || host.find_first_of("/?#@\\ ") != std::string_view::npos) return std::nullopt;
  const auto url = net::parse_url(scheme + "://" + std::string(host) + "/");
  if (!url || url.assume_value().path_query != "/") return std::nullopt;
  return url.assume_value().host_port();
}
}  // namespace

Result<PeerRules> PeerRules::make(const config::Serve& serve) {
  PeerRules rules;
  for (const std::string& text : serve.trusted_proxies) {
    HM_TRY(config::AddressRange range,
           within(config::AddressRange::parse(text), [] { return "reading serve.trusted_proxies"; }));
    rules.trusted_.push_back(range);
  }
  rules.public_url_ = serve.public_url;
  while (rules.public_url_.ends_with('/')) rules.public_url_.pop_back();
  return rules;
}

bool PeerRules::trusts(std::string_view address) const {
  return std::any_of(trusted_.begin(), trusted_.end(), [&](const auto& range) { return range.contains(address); });
}

Origin PeerRules::origin_of(const Request& request) const {
  Origin origin;
  origin.address = request.peer;
  origin.scheme = request.encrypted ? "https" : "http";
  std::string_view host = request.header("Host");
  if (trusts(request.peer)) {
    auto hops = elements_of(request, "X-Forwarded-For");
    for (std::size_t n = 0; n < kHopsMax && !hops.empty() && trusts(origin.address); ++n, hops.pop_back()) {
      const std::string_view address = address_in(hops.back());
      if (address.empty()) break;
      origin.address = address;
    }
    const std::string scheme = ascii_lower(last_of(request, "X-Forwarded-Proto"));
    if (scheme == "http" || scheme == "https") origin.scheme = scheme;
    if (const std::string_view forwarded = last_of(request, "X-Forwarded-Host"); !forwarded.empty()) host = forwarded;
  }
  origin.host = believable_host(origin.scheme, host);
  return origin;
}

std::optional<std::string> PeerRules::base_url(const Request& request) const {
  if (!public_url_.empty()) return public_url_;
  Origin origin = origin_of(request);
  if (!origin.host) return std::nullopt;
  return origin.scheme + "://" + *origin.host;
}
}  // namespace hm::server
