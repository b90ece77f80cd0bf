#include "hub/budgeted_client.hpp"

#include <utility>

namespace hm::hub {
awaitable<Result<net::HttpResponse>> BudgetedClient::send(net::HttpRequest request) {
  asked_wait_ms_.reset();
  const auto url = net::parse_url(request.url);
  const bool counts = url && url.assume_value().same_origin(upstream_);
  if (counts) {
    const Bucket bucket = bucket_of_path(url.assume_value().path_query);
    HM_CO_TRY(co_await budget_.admit(bucket));
  }
  auto sent = co_await inner_.send(std::move(request));
  if (sent && counts) {
    const net::HttpResponse& response = sent.assume_value();
    budget_.learn(response.headers);
    if (is_retried_status(response.status)) asked_wait_ms_ = asked_wait_ms(retry_, response.headers);
  }
  co_return sent;
}

std::optional<std::int64_t> BudgetedClient::take_asked_wait_ms() { return std::exchange(asked_wait_ms_, std::nullopt); }
}  // namespace hm::hub
