// hub/wire/headers.hpp: the response headers that decisions depend on. Layer 3; pure functions. What is malformed
// counts as absent, except where following it would be dangerous.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "net/http_client.hpp"
#include "net/url.hpp"

namespace hm::hub {
/// `W/"abc"` and `"abc"` → `abc`.
std::string normalized_etag(std::string_view value);
/// X-Repo-Commit; nullopt unless 40 lowercase hex digits.
std::optional<GitOid> repo_commit(const net::Headers& headers);
/// X-Linked-Size.
std::optional<std::uint64_t> linked_size(const net::Headers& headers);

/// The target of `rel="next"` in the Link headers, or an empty string.
std::string next_link(const net::Headers& headers);
/// The same resolved against `page` and checked: Refused when it leaves the origin of `upstream`, where the answers
/// would be somebody else's, and when it is `page` itself.
Result<std::string> next_page(const net::Headers& headers, const net::Url& page, const net::Url& upstream);

enum class Bucket : std::uint8_t { Api, Resolvers, Pages };  ///< the Hub counts these apart
inline constexpr std::size_t kBuckets = 3;
std::string_view name_of(Bucket bucket);  ///< "api", "resolvers", "pages"

/// What one answer says about one bucket.
struct RateLimit {
  Bucket bucket = Bucket::Api;
  std::uint64_t remaining = 0;
  std::uint64_t reset_s = 0;           ///< seconds until the window ends, ≤ kRateWindowMaxS
  std::optional<std::uint64_t> quota;  ///< of the policy, when it came too
  std::optional<std::uint64_t> window_s;
};
inline constexpr std::uint64_t kRateWindowMaxS = 86'400;  ///< the Hub's windows are 300 s; more than a day is nonsense
/// RateLimit and RateLimit-Policy: `"api";r=472;t=235` and `"fixed window";"api";q=500;w=300`, comma-separated when
/// several. Unknown buckets are skipped.
std::vector<RateLimit> parse_rate_limits(const net::Headers& headers);

/// Retry-After as milliseconds from `now_unix_ms`: seconds or an HTTP date; a date in the past is 0. nullopt when
/// absent or malformed.
std::optional<std::int64_t> parse_retry_after(std::string_view value, std::int64_t now_unix_ms);
/// How long the server asks to wait, in milliseconds: a bucket that is empty (t + 1 s), else Retry-After.
std::optional<std::int64_t> asked_wait_ms(const net::Headers& headers, std::int64_t now_unix_ms);
}  // namespace hm::hub
