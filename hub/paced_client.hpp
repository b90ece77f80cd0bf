// hub/paced_client.hpp: the bodies of all answers within our own ceiling of bytes per second. Layer 3. Threads: the
// network thread, like the client inside. The one place that received bytes pass: it stands between the real client and
// everybody.
#pragma once
#include <memory>

#include "hub/rate_budget.hpp"
#include "net/http_client.hpp"

namespace hm::hub {
/// A body's bytes are handed on when the ceiling has come to them. Meanwhile the body inside is not pulled: its
/// transfer fills its buffer and pauses, which does not count as a stall (net/stall_clock.hpp).
class PacedClient final : public net::HttpClient {
 public:
  /// The budget outlives it and its bodies.
  PacedClient(std::unique_ptr<net::HttpClient> inner, RateBudget& budget);
  /// As the client inside. A body's next() also gives Cancelled while it waits.
  awaitable<Result<net::HttpResponse>> send(net::HttpRequest request) override;

 private:
  std::unique_ptr<net::HttpClient> inner_;
  RateBudget& budget_;
};
}  // namespace hm::hub
