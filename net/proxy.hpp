// net/proxy.hpp: which proxy a request takes, decided as curl decides it. Layer 2; values.
// Decided here and not in libcurl, because the address policy has to know whether a connection goes to a proxy or to
// the host itself.
#pragma once
#include <string>
#include <string_view>

#include "net/url.hpp"

namespace hm::net {
/// What the environment says; empty = not set.
struct ProxySettings {
  std::string http;      ///< http_proxy; the upper-case form is ignored as curl does: a CGI request could set it
  std::string https;     ///< https_proxy, HTTPS_PROXY
  std::string all;       ///< all_proxy, ALL_PROXY: for schemes without one of their own
  std::string excluded;  ///< no_proxy, NO_PROXY: "host,.domain,10.0.0.0/8" or "*"
};
ProxySettings proxy_settings_of_environment();

/// True when `list` in the form of no_proxy excludes `host`: an equal name, a domain above it, an equal address or a
/// network around it.
bool is_excluded_from_proxy(std::string_view list, std::string_view host);
/// The proxy URL for `target`; empty = connect directly.
std::string proxy_for(const ProxySettings& settings, const Url& target);
/// [scheme://][user[:password]@]host[:port] with a scheme libcurl knows. The error never repeats the text: it may hold
/// a password.
Result<> check_proxy(std::string_view proxy);
}  // namespace hm::net
