// server/peer.hpp: who a request came from and what it called us, through the reverse proxies that are trusted. Layer
// 5; values, thread-safe.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "config/address_range.hpp"
#include "config/config.hpp"
#include "server/http/request.hpp"

namespace hm::server {
struct Origin {
  std::string address;              ///< of the client: the nearest hop that is no trusted proxy; "unix"
  std::string scheme;               ///< "http" or "https", as the client sees it
  std::optional<std::string> host;  ///< "host" or "host:port", lowercase; none: it named none that can be believed
};

class PeerRules {
 public:
  /// @returns BadInput naming the entry of serve.trusted_proxies that cannot be read.
  static Result<PeerRules> make(const config::Serve& serve);

  bool trusts(std::string_view address) const;
  /// X-Forwarded-For, -Proto and -Host count when the peer is a trusted proxy; of each, what the proxy nearest to us
  /// wrote, which is the last. A client can put what it likes in front of that.
  Origin origin_of(const Request& request) const;
  /// What links begin with: serve.public_url, else scheme and host of origin_of(); without a slash at the end. Nullopt
  /// when the client named no host: then there is no absolute link to it.
  std::optional<std::string> base_url(const Request& request) const;

 private:
  std::vector<config::AddressRange> trusted_;
  std::string public_url_;
};
}  // namespace hm::server
