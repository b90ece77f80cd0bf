#include "tests/simulation/network.hpp"

#include <array>
#include <memory>
#include <span>

#include "net/url.hpp"

namespace hm::test::sim {
namespace {
/// A body in one piece, which may break off behind it.
class Body final : public net::HttpBody {
 public:
  Body(std::string bytes, bool breaks) : bytes_(std::move(bytes)), breaks_(breaks) {}
  net::awaitable<Result<std::span<const std::byte>>> next() override {
    if (read_ && breaks_) co_return Error(Errc::Unreachable, "the connection was closed in the middle of the answer");
    const std::size_t size = read_ ? 0 : bytes_.size();
    read_ = true;
    co_return std::as_bytes(std::span(bytes_.data(), size));
  }

 private:
  const std::string bytes_;
  const bool breaks_;
  bool read_ = false;
};

net::HttpResponse answer_of(int status, std::string body, bool breaks = false) {
  net::HttpResponse response;
  response.status = status;
  response.content_length = body.size();
  response.body = std::make_unique<Body>(std::move(body), breaks);
  return response;
}
}  // namespace

Network::Fault Network::draw_fault(const std::string& target) {
  const std::uint32_t drawn = draws_.below(10'000);
  const bool continues = target.find("cursor=") != std::string::npos;
  const bool sweeps = target.find("sort=createdAt") != std::string::npos;
  const std::array<std::pair<Fault, std::uint32_t>, 9> rates{{{Fault::Lost, faults_.lost},
                                                              {Fault::Unanswered, faults_.unanswered},
                                                              {Fault::BrokenBody, faults_.broken_body},
                                                              {Fault::ServerError, faults_.server_error},
                                                              {Fault::Throttled, faults_.throttled},
                                                              {Fault::Truncated, faults_.truncated},
                                                              {Fault::Garbage, faults_.garbage},
                                                              {Fault::Empty, sweeps ? faults_.empty : 0},
                                                              {Fault::Expired, continues ? faults_.expired : 0}}};
  std::uint32_t end = 0;
  for (const auto& [fault, rate] : rates)
    if (drawn < (end += rate)) return fault;
  return Fault::None;
}

/// In the Hub's windows, which are those of the true time.
void Network::count(bool aware) {
  const std::int64_t window = time_.unix_ms() / scale::RateWindows::kWindowMs;
  if (window != window_) window_ = window, used_ = unaware_ = 0;
  ++used_;
  if (!aware) ++unaware_;
  if (used_ - unaware_ > quota_ * 9 / 10 && quota_ != 0) overdrawn_[window * scale::RateWindows::kWindowMs] = used_;
}

net::HttpResponse Network::reach_the_hub(const net::HttpRequest& request, const std::string& target,
                                         const std::string& origin, bool aware, std::string& body) {
  count(aware);
  if (told_) told_(target);
  scale::Request asked;
  asked.method = request.method;
  asked.target = target;
  asked.origin = origin;
  scale::Answer answer = world_.handle(asked);
  if (answer.status == 429 && unaware_ == 0) ++refused_;
  net::HttpResponse response;
  response.status = answer.status;
  for (auto& [name, value] : answer.headers) response.headers.add(std::move(name), std::move(value));
  body = std::move(answer.body);
  return response;
}

net::awaitable<Result<net::HttpResponse>> Network::send(net::HttpRequest request) {
  const auto url = net::parse_url(request.url);
  if (!url) co_return url.assume_error();
  const std::string& target = url.assume_value().path_query;
  ++requests_;
  const bool aware = told_a_limit_;
  const Fault fault = draw_fault(target);
  const std::uint64_t bits = draws_.next();
  const auto delay_ms =
      static_cast<std::int64_t>(latency_ms_max_ == 0 ? 0 : bits % static_cast<std::uint64_t>(latency_ms_max_));
  trace_.note("request " + target.substr(0, target.find("&expand")) +
              (target.find("cursor=") != std::string::npos ? " …cursor" : "") +
              (fault == Fault::None ? "" : ", fault " + std::to_string(static_cast<int>(fault))));
  if (fault == Fault::Lost || fault == Fault::Unanswered) {
    std::string unread;
    if (fault == Fault::Unanswered) (void)reach_the_hub(request, target, url.assume_value().origin(), aware, unread);
    HM_CO_TRY(co_await time_.sleep(30 * kSecondMs));
    co_return Error(Errc::Unreachable, "no answer within 30 s");
  }
  HM_CO_TRY(co_await time_.sleep(delay_ms / 2));
  net::HttpResponse response;
  std::string body;
  switch (fault) {
    case Fault::ServerError:
      response = answer_of(static_cast<int>(500 + bits % 4), "upstream connect error");
      break;
    case Fault::Throttled:
      response = answer_of(429, "slow down");
      response.headers.add("Retry-After", std::to_string(1 + bits % 90));
      break;
    case Fault::Expired:
      response = answer_of(400, R"({"error":"Invalid cursor"})");
      break;
    case Fault::Garbage:
      response = answer_of(200, "<!DOCTYPE html><html><title>Be right back</title></html>");
      break;
    case Fault::Empty:
      response = answer_of(200, "[]");
      break;
    default: {
      response = reach_the_hub(request, target, url.assume_value().origin(), aware, body);
      const bool cut = (fault == Fault::Truncated || fault == Fault::BrokenBody) && !body.empty();
      if (cut) body.resize(bits % body.size());
      response.content_length = body.size();
      response.body = std::make_unique<Body>(std::move(body), fault == Fault::BrokenBody);
    }
  }
  response.url = request.url;
  const auto limit = response.headers.get("RateLimit");
  trace_.note("answer " + std::to_string(response.status) + (limit ? " " + std::string(*limit) : ""));
  HM_CO_TRY(co_await time_.sleep(delay_ms - delay_ms / 2));
  told_a_limit_ |= response.headers.get("RateLimit").has_value();
  co_return std::move(response);
}
}  // namespace hm::test::sim
