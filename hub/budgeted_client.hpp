// hub/budgeted_client.hpp: requests that do not go through Api (git's, and those of large files) within the budget.
// Layer 3. Threads: the network thread, like the client inside.
#pragma once
#include <cstdint>
#include <optional>

#include "hub/rate_budget.hpp"
#include "hub/retry.hpp"
#include "net/http_client.hpp"
#include "net/url.hpp"

namespace hm::hub {
/// Every request waits for the budget, and its answer teaches it; other hosts than `upstream` are unlimited as long as
/// their answers name no bucket. Repeats nothing: who reads the body decides about that, with the wait that the last
/// answer asked for.
class BudgetedClient final : public net::HttpClient {
 public:
  /// The client and the budget outlive it. @param retry for its clock.
  BudgetedClient(net::HttpClient& inner, net::Url upstream, RateBudget& budget, RetryPolicy retry)
      : inner_(inner), upstream_(std::move(upstream)), budget_(budget), retry_(std::move(retry)) {}

  /// As the client inside; also RateLimited, when the upstream wants a longer wait than the budget takes upon itself.
  awaitable<Result<net::HttpResponse>> send(net::HttpRequest request) override;
  /// What the last answer with a retried status asked to wait, in milliseconds; asked for once.
  std::optional<std::int64_t> take_asked_wait_ms();

 private:
  net::HttpClient& inner_;
  const net::Url upstream_;
  RateBudget& budget_;
  const RetryPolicy retry_;
  std::optional<std::int64_t> asked_wait_ms_;
};
}  // namespace hm::hub
