// tests/hub_at_scale/transport.hpp: an HttpClient whose other side is a World in the same process. No thread, no wait:
// a request is answered when it is sent, so a simulation stays in the order of its seed.
#pragma once
#include <functional>
#include <utility>

#include "base/result.hpp"
#include "net/http_client.hpp"
#include "tests/hub_at_scale/world.hpp"

namespace hm::test::scale {
class InProcessClient final : public net::HttpClient {
 public:
  /// Runs before the world answers: may change the world, wait, or return the error that the request ends with. A
  /// lambda's captures live as long as the client.
  using Hook = std::function<net::awaitable<Result<>>(const net::HttpRequest&)>;

  /// `world` outlives the client and the bodies it gave.
  explicit InProcessClient(World& world, Hook hook = {}) : world_(world), hook_(std::move(hook)) {}
  void set_hook(Hook hook) { hook_ = std::move(hook); }  ///< not while a request is in the old one

  /// The host of the URL does not matter; Link headers name it. @returns BadInput (URL), what the hook returns.
  net::awaitable<Result<net::HttpResponse>> send(net::HttpRequest request) override;

 private:
  World& world_;
  Hook hook_;
};
}  // namespace hm::test::scale
