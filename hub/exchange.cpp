#include "hub/exchange.hpp"

#include <boost/json/value.hpp>

#include "base/canonical_json.hpp"
#include "base/text.hpp"
#include "net/redirect.hpp"

namespace hm::hub {
namespace {
constexpr std::size_t kErrorBodyBytesMax = 64 << 10;  // error bodies are one sentence; more is not read
constexpr std::size_t kMessageBytesMax = 300;         // of what the Hub said, in our messages
constexpr std::uint64_t kBytesPerSecondMin = 128;     // slower for half a minute is a peer that holds us, not a line

/// Printable, and cut at a character.
std::string shown(std::string_view text) {
  std::string clean = printable(text);
  if (clean.size() <= kMessageBytesMax) return clean;
  std::size_t end = kMessageBytesMax;
  while (end > 0 && (static_cast<unsigned char>(clean[end]) & 0xc0) == 0x80) --end;
  return clean.substr(0, end) + "…";
}

/// `error` (the Hub) or `message` (LFS) of a JSON body, else a plain body that is no web page.
std::string message_of_body(std::string_view body) {
  const std::string_view text = trim(body);
  if (const auto document = parse_json(text)) {
    const json::object* object = document.assume_value().if_object();
    for (const char* key : {"error", "message"}) {
      const json::value* field = object ? object->if_contains(key) : nullptr;
      if (field && field->is_string()) return std::string(field->get_string().data(), field->get_string().size());
    }
    return {};
  }
  return text.starts_with('<') ? std::string() : std::string(text);
}

/// The request path without the query, which may hold a cursor or a signature.
std::string path_of(const std::string& url) {
  const auto parsed = net::parse_url(url);
  if (!parsed) return printable(url);
  const std::string& path = parsed.assume_value().path_query;
  return printable(path.substr(0, path.find('?')));
}

Error in_context(Error error, const Call& call, const std::string& url) {
  error.what += "; while asking " + call.method + " " + path_of(url);
  return error;
}

net::HttpRequest request_for(const Call& call, std::string url) {
  net::HttpRequest request(call.method, std::move(url));
  const bool json = call.method != "HEAD";
  request.decompress = json;
  request.body_bytes_max = call.body_bytes_max;
  if (json) request.min_bytes_per_second = kBytesPerSecondMin;
  if (json)
    request.headers.add("Accept", call.content_type.empty() ? "application/json" : call.content_type);
  else
    request.headers.add("Accept-Encoding", "identity");  // Content-Length is then the file's
  if (!call.body.empty()) request.headers.add("Content-Type", call.content_type);
  if (!call.token.empty()) request.headers.add("Authorization", "Bearer " + call.token);
  request.body = call.body;
  return request;
}

Error kind_of_failure(int status, std::string_view code, std::string_view said, std::string what, bool about_a_repo) {
  if (status == 401) {
    if (code == "GatedRepo") return {Errc::Gated, what};
    if (said.starts_with("Invalid credentials in Authorization header"))
      return {Errc::Gated, "the token is not accepted (" + what + ")"};
    if (about_a_repo) return {Errc::NotFound, "it does not exist, or is private (set HF_TOKEN) (" + what + ")"};
    return {Errc::Gated, "a token is needed (set HF_TOKEN) (" + what + ")"};
  }
  if (status == 403) {
    if (said.starts_with("Access to this resource is disabled"))
      return {Errc::Gated, "it is disabled on the upstream (" + what + ")"};
    return {Errc::Gated, what};
  }
  if (status == 451) return {Errc::Gated, what};
  if (status == 404 || status == 410) return {Errc::NotFound, what};
  if (status == 429) return {Errc::RateLimited, what};
  if (status == 408 || status >= 500) return {Errc::Unreachable, what};
  return {Errc::BadInput, what};
}
}  // namespace

Error failure_of(int status, const net::Headers& headers, std::string_view body, bool about_a_repo) {
  const std::string_view code = headers.get("X-Error-Code").value_or(std::string_view());
  const auto header_message = headers.get("X-Error-Message");
  const std::string said = shown(header_message ? *header_message : std::string_view(message_of_body(body)));
  std::string what = std::to_string(status);
  if (!code.empty()) what += " " + shown(code);
  if (!said.empty()) what += ": " + said;
  Error failure = kind_of_failure(status, code, said, std::move(what), about_a_repo);
  failure.http_status = status;
  return failure;
}

/// Sends until an answer comes that is worth looking at: any status that is not retried.
awaitable<Result<net::HttpResponse>> Exchange::send_retrying(const Call& call, std::string url, Backoff& backoff) {
  for (;;) {
    HM_CO_TRY(net::Url target, net::parse_url(url));
    HM_CO_TRY(auto admission, co_await budget_->admit(std::move(target), call.bucket));
    auto request = request_for(call, url);
    auto sent = co_await client_->send(std::move(request));
    Error failure;
    std::optional<std::int64_t> asked_ms;
    if (sent) {
      net::HttpResponse& response = sent.assume_value();
      budget_->answered(std::move(admission), response.status, response.headers);
      if (!is_retried_status(response.status)) co_return std::move(sent);
      failure = failure_of(response.status, response.headers, {}, call.about_a_repo);
      asked_ms = asked_wait_ms(retry_, response.headers);
    } else {
      admission = Admission();  // nothing of it is under way during the pause
      failure = sent.assume_error();
      if (!is_retried_error(failure)) co_return in_context(std::move(failure), call, url);
    }
    failure = in_context(std::move(failure), call, url);
    HM_CO_TRY(co_await backoff.pause(std::move(failure), asked_ms));
  }
}

/// Where a redirect of a JSON call leads. A rename keeps the rest of the path; a query that the Location left out is
/// put back, because without `recursive=true` a part of the tree would look like all of it.
Result<net::Url> Exchange::next_hop(const Call& call, const net::HttpResponse& response) const {
  HM_TRY(auto target, net::redirect_target(response));
  if (!target.same_origin(upstream_))
    return Error{Errc::Refused, "the redirect leaves " + upstream_.origin() + " for " + printable(target.origin())};
  const bool keeps_the_method = response.status == 307 || response.status == 308;
  if (!keeps_the_method && call.method != "GET")
    return Error{Errc::Refused,
                 "a " + std::to_string(response.status) + " redirect would turn the " + call.method + " into a GET"};
  const std::size_t query = response.url.find('?');
  if (query != std::string::npos && target.path_query.find('?') == std::string::npos)
    target.path_query += response.url.substr(query);
  return target;
}

awaitable<Result<Answer>> Exchange::run(Call call) {
  Backoff backoff(retry_);
  std::string url = call.url;
  for (int redirects = 0;;) {
    HM_CO_TRY(auto response, co_await send_retrying(call, url, backoff));
    if (net::is_redirect(response.status)) {
      auto hop = next_hop(call, response);
      if (hop && ++redirects > net::kRedirectsMax)
        hop = Error{Errc::Refused, "more than " + std::to_string(net::kRedirectsMax) + " redirects"};
      if (!hop) co_return in_context(std::move(hop).assume_error(), call, url);
      url = hop.assume_value().text();
      continue;
    }
    const bool success = response.status >= 200 && response.status < 300;
    auto body = co_await net::read_all(*response.body, success ? call.body_bytes_max : kErrorBodyBytesMax);
    if (!success) {
      const std::string text = body ? std::move(body).assume_value() : std::string();
      co_return in_context(failure_of(response.status, response.headers, text, call.about_a_repo), call, url);
    }
    if (body) {
      Answer answer;
      HM_CO_TRY(answer.url, net::parse_url(url));
      answer.headers = std::move(response.headers);
      answer.body = std::move(body).assume_value();
      co_return std::move(answer);
    }
    Error failure = in_context(std::move(body).assume_error(), call, url);
    if (!is_retried_error(failure)) co_return std::move(failure);
    HM_CO_TRY(co_await backoff.pause(std::move(failure)));
  }
}

awaitable<Result<net::HttpResponse>> Exchange::head(Call call) {
  Backoff backoff(retry_);
  HM_CO_TRY(auto response, co_await send_retrying(call, call.url, backoff));
  const bool success = response.status >= 200 && response.status < 300;
  if (!success && !net::is_redirect(response.status))
    co_return in_context(failure_of(response.status, response.headers, {}, call.about_a_repo), call, call.url);
  co_return std::move(response);
}

Result<std::string> Pager::after(const Answer& answer) {
  seen_.insert(answer.url.text());
  HM_TRY(auto next, next_page(answer.headers, answer.url, *upstream_));
  if (next.empty()) return next;
  if (seen_.contains(next))
    return Error{Errc::Refused, "the pages go in circles: a page names one that has been read as the next"};
  if (seen_.size() >= pages_max_)
    return Error{Errc::Refused, "the listing has more than " + std::to_string(pages_max_) + " pages"};
  return next;
}
}  // namespace hm::hub
