#include "hub/budgeted_client.hpp"

#include <utility>

namespace hm::hub {
awaitable<Result<net::HttpResponse>> BudgetedClient::send(net::HttpRequest request) {
  asked_wait_ms_.reset();
  HM_CO_TRY(net::Url url, net::parse_url(request.url));
  std::optional<Bucket> guess;
  if (url.same_origin(upstream_)) guess = bucket_of_path(url.path_query);
  HM_CO_TRY(auto admission, co_await budget_.admit(std::move(url), guess));
  auto sent = co_await inner_.send(std::move(request));
  if (sent) {
    const net::HttpResponse& response = sent.assume_value();
    budget_.answered(std::move(admission), response.status, response.headers);
    if (is_retried_status(response.status)) asked_wait_ms_ = asked_wait_ms(retry_, response.headers);
  }
  co_return sent;
}

std::optional<std::int64_t> BudgetedClient::take_asked_wait_ms() { return std::exchange(asked_wait_ms_, std::nullopt); }
}  // namespace hm::hub
