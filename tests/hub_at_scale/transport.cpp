#include "tests/hub_at_scale/transport.hpp"

#include <algorithm>
#include <memory>
#include <span>
#include <string>

#include "net/url.hpp"

namespace hm::test::scale {
namespace {
class WholeBody final : public net::HttpBody {
 public:
  explicit WholeBody(std::string bytes) : bytes_(std::move(bytes)) {}
  net::awaitable<Result<std::span<const std::byte>>> next() override {
    constexpr std::size_t kChunkBytes = 64U << 10;
    const std::size_t size = std::min(kChunkBytes, bytes_.size() - at_);
    const auto chunk = std::as_bytes(std::span(bytes_.data() + at_, size));
    at_ += size;
    co_return chunk;
  }

 private:
  std::string bytes_;
  std::size_t at_ = 0;
};
}  // namespace

net::awaitable<Result<net::HttpResponse>> InProcessClient::send(net::HttpRequest request) {
  const auto url = net::parse_url(request.url);
  if (!url) co_return url.assume_error();
  if (hook_) {
    const Result<> allowed = co_await hook_(request);
    if (!allowed) co_return allowed.assume_error();
  }
  Request asked;
  asked.method = request.method;
  asked.target = url.assume_value().path_query;
  asked.authorization = request.headers.get("authorization").value_or(std::string_view{});
  asked.origin = url.assume_value().origin();
  Answer answer = world_.handle(asked);
  net::HttpResponse response;
  response.status = answer.status;
  response.url = request.url;
  for (auto& [name, value] : answer.headers) response.headers.add(std::move(name), std::move(value));
  response.content_length = answer.body.size();
  response.body = std::make_unique<WholeBody>(std::move(answer.body));
  co_return std::move(response);
}
}  // namespace hm::test::scale
