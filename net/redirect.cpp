#include "net/redirect.hpp"

#include "base/text.hpp"

namespace hm::net {
namespace {
// The body of a redirect is read only so that its connection can be used again: this little, and no more pulls than
// that.
constexpr std::uint64_t kDrainBytesMax = 16U << 10;
constexpr int kDrainPullsMax = 4;

awaitable<void> drain(HttpResponse& response) {
  if (response.content_length.value_or(kDrainBytesMax) > kDrainBytesMax) co_return;
  for (int i = 0; i < kDrainPullsMax; ++i) {
    const auto chunk = co_await response.body->next();
    if (!chunk || chunk.assume_value().empty()) co_return;
  }
}

bool is_secret_header(std::string_view name) {
  return ascii_equal_fold(name, "Authorization") || ascii_equal_fold(name, "Cookie") ||
         ascii_equal_fold(name, "Proxy-Authorization");
}
bool describes_body(std::string_view name) { return ascii_lower(name.substr(0, 8)) == "content-"; }

/// The request for the next hop: what was meant for one origin does not travel to another.
void redirect_request(HttpRequest& request, int status, const Url& from, const Url& to) {
  const bool becomes_get = status <= 303 && request.method != "GET" && request.method != "HEAD";
  if (becomes_get) {
    request.method = "GET";
    request.body.clear();
  }
  Headers kept;
  for (const auto& [name, value] : request.headers.all()) {
    if (is_secret_header(name) && !to.same_origin(from)) continue;
    if (becomes_get && describes_body(name)) continue;
    kept.add(name, value);
  }
  request.headers = std::move(kept);
  request.url = to.text();
}
}  // namespace

bool is_redirect(int status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

Result<Url> redirect_target(const HttpResponse& response) {
  HM_TRY(const Url from, parse_url(response.url));
  const auto location = response.headers.get("Location");
  const std::string who = "redirect by " + from.host_port();
  if (!location || location->empty())
    return Error(Errc::Refused, who + " (status " + std::to_string(response.status) + ") names no Location");
  auto to = resolve_reference(from, *location);
  if (!to) return Error(Errc::Refused, who + " refused: " + to.assume_error().what);
  if (from.scheme == "https" && to.assume_value().scheme != "https") {
    return Error(Errc::Refused, who + " refused: it leads from https to http (" + to.assume_value().host_port() + ")");
  }
  return to;
}

awaitable<Result<HttpResponse>> send_following(HttpClient& client, HttpRequest request, int redirects_max) {
  for (int hops = 0;; ++hops) {
    auto response = co_await client.send(request);
    if (!response || !is_redirect(response.assume_value().status)) co_return response;
    auto target = redirect_target(response.assume_value());
    if (!target) co_return std::move(target).as_failure();
    if (hops == redirects_max) {
      co_return Error(Errc::Refused, "more than " + std::to_string(redirects_max) +
                                         " redirects; the last one leads to " + target.assume_value().host_port());
    }
    auto from = parse_url(response.assume_value().url);
    if (!from) co_return std::move(from).as_failure();
    redirect_request(request, response.assume_value().status, from.assume_value(), target.assume_value());
    co_await drain(response.assume_value());
  }
}
}  // namespace hm::net
