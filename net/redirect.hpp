// net/redirect.hpp: redirects under our own rules (libcurl follows none). Layer 2.
// Relative and absolute Location; at most kRedirectsMax; https never to http; http and https only. Who gets the token
// and which addresses may be connected to is the client's business (CurlOptions), for each hop anew.
#pragma once
#include "net/http_client.hpp"
#include "net/url.hpp"

namespace hm::net {
inline constexpr int kRedirectsMax = 5;
/// Where `response` (a 301, 302, 303, 307 or 308) points to, resolved against the URL that answered. Refused with the
/// reason otherwise.
Result<Url> redirect_target(const HttpResponse& response);
bool is_redirect(int status);
/// send() and follow. Method and body are kept for 307 and 308; 301–303 become GET (HEAD stays HEAD), as browsers do.
awaitable<Result<HttpResponse>> send_following(HttpClient& client, HttpRequest request,
                                               int redirects_max = kRedirectsMax);
}  // namespace hm::net
