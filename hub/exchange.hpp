// hub/exchange.hpp: one question to the upstream and its answer: budget, retries, redirects, limits and errors in one
// place. Layer 3. Threads: the network thread. Callers outside hub/ use api.hpp.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>

#include "base/result.hpp"
#include "hub/rate_budget.hpp"
#include "hub/retry.hpp"
#include "hub/wire/headers.hpp"
#include "net/http_client.hpp"
#include "net/url.hpp"

namespace hm::hub {
/// What is asked. Has a constructor on purpose, like net::HttpRequest.
struct Call {
  Call(std::string m, std::string u, Bucket b, std::uint64_t max)
      : method(std::move(m)), url(std::move(u)), bucket(b), body_bytes_max(max) {}
  std::string method, url;
  Bucket bucket;                 ///< it most likely counts in; answers say
  std::uint64_t body_bytes_max;  ///< after decompression
  std::string body;
  std::string content_type;  ///< of `body`; also what is accepted, when not empty
  std::string token;         ///< asks in the name of its holder, instead of the client's own token; not in messages
  bool about_a_repo = true;  ///< then a 401 may mean that there is none
};
struct Answer {
  Answer() = default;
  net::Url url;  ///< that answered, after renames
  net::Headers headers;
  std::string body;
};

/// What a status that is no success means: code and a message with what the Hub said, printable and short.
/// @param body of the answer, or empty
Error failure_of(int status, const net::Headers& headers, std::string_view body, bool about_a_repo);

class Exchange {
 public:
  Exchange(net::HttpClient& client, net::Url upstream, RateBudget& budget, RetryPolicy retry)
      : client_(&client), upstream_(std::move(upstream)), budget_(&budget), retry_(std::move(retry)) {}

  /// A 2xx answer with its whole body. Renames are followed within the upstream's origin, the query and the rest of the
  /// path kept.
  awaitable<Result<Answer>> run(Call call);
  /// One HEAD without following: any 2xx or redirect is a success.
  awaitable<Result<net::HttpResponse>> head(Call call);

  const net::Url& upstream() const { return upstream_; }
  RateBudget& budget() { return *budget_; }
  const RetryPolicy& retry() const { return retry_; }

 private:
  awaitable<Result<net::HttpResponse>> send_retrying(const Call& call, std::string url, Backoff& backoff);
  Result<net::Url> next_hop(const Call& call, const net::HttpResponse& response) const;
  net::HttpClient* client_;
  net::Url upstream_;
  RateBudget* budget_;
  RetryPolicy retry_;
};

/// Walks from page to page: each is new, on the upstream, and there are at most `pages_max`.
class Pager {
 public:
  Pager(const net::Url& upstream, std::size_t pages_max) : upstream_(&upstream), pages_max_(pages_max) {}
  /// URL of the page after `answer`, or empty when that was the last one. Refused when the pages go in circles or do
  /// not end.
  Result<std::string> after(const Answer& answer);

 private:
  const net::Url* upstream_;
  std::size_t pages_max_;
  std::unordered_set<std::string> seen_;
};
}  // namespace hm::hub
