#include "tests/support/scripted_http_client.hpp"

#include <algorithm>
#include <span>

namespace hm::test {
namespace {
class ScriptedBody final : public net::HttpBody {
 public:
  explicit ScriptedBody(ScriptedAnswer answer) : answer_(std::move(answer)) {}
  net::awaitable<Result<std::span<const std::byte>>> next() override {
    const std::string_view rest = std::string_view(answer_.body).substr(at_);
    if (rest.empty() && answer_.body_error) co_return *answer_.body_error;
    const std::string_view chunk = rest.substr(0, std::max<std::size_t>(answer_.chunk_bytes, 1));
    at_ += chunk.size();
    co_return std::as_bytes(std::span(chunk.data(), chunk.size()));
  }

 private:
  ScriptedAnswer answer_;
  std::size_t at_ = 0;
};
}  // namespace

net::awaitable<Result<net::HttpResponse>> ScriptedHttpClient::send(net::HttpRequest request) {
  requests_.push_back(request);
  if (answers_.empty())
    co_return Error(Errc::Internal, "no scripted answer is left for " + request.method + " " + request.url);
  ScriptedAnswer answer = std::move(answers_.front());
  answers_.pop_front();
  if (answer.error) co_return *answer.error;
  net::HttpResponse response;
  response.status = answer.status;
  response.url = request.url;
  response.headers = answer.headers;
  response.content_length = answer.length ? answer.length : std::optional<std::uint64_t>(answer.body.size());
  if (request.method == "HEAD") answer.body.clear();
  response.body = std::make_unique<ScriptedBody>(std::move(answer));
  co_return std::move(response);
}
}  // namespace hm::test
