#include "hub/paced_client.hpp"

#include <algorithm>
#include <utility>

namespace hm::hub {
namespace {
constexpr std::uint64_t kTransfersShare = 16;        // of as many transfers at once the buffers hold one second
constexpr std::uint64_t kAheadBytesMin = 16U << 10;  // what a TLS record holds

class PacedBody final : public net::HttpBody {
 public:
  PacedBody(std::unique_ptr<net::HttpBody> inner, RateBudget& budget) : inner_(std::move(inner)), budget_(budget) {}
  awaitable<Result<std::span<const std::byte>>> next() override {
    HM_CO_TRY(const auto bytes, co_await inner_->next());
    if (!bytes.empty()) {
      HM_CO_TRY(co_await budget_.receive(bytes.size()));
    }
    co_return bytes;
  }

 private:
  std::unique_ptr<net::HttpBody> inner_;
  RateBudget& budget_;
};

/// 0: the client's own measure.
std::uint64_t ahead_bytes(std::uint64_t bytes_per_second) {
  return bytes_per_second == 0 ? 0 : std::max(bytes_per_second / kTransfersShare, kAheadBytesMin);
}
}  // namespace

PacedClient::PacedClient(std::unique_ptr<net::HttpClient> inner, RateBudget& budget)
    : inner_(std::move(inner)), budget_(budget) {}

awaitable<Result<net::HttpResponse>> PacedClient::send(net::HttpRequest request) {
  if (const auto ahead = ahead_bytes(budget_.ceilings().lowest_bytes_per_second()); ahead != 0)
    request.ahead_bytes_max = ahead;
  HM_CO_TRY(auto response, co_await inner_->send(std::move(request)));
  response.body = std::make_unique<PacedBody>(std::move(response.body), budget_);
  co_return std::move(response);
}
}  // namespace hm::hub
