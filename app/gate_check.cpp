#include "app/gate_check.hpp"

#include <boost/asio/experimental/awaitable_operators.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <chrono>
#include <utility>

#include "hub/api.hpp"
#include "hub/rate_budget.hpp"
#include "hub/retry.hpp"

namespace hm::app {
namespace asio = boost::asio;

Result<std::unique_ptr<UpstreamGateCheck>> UpstreamGateCheck::open(asio::any_io_executor network, net::Url upstream,
                                                                   net::CurlOptions options) {
  options.token.clear();
  HM_TRY(auto client, net::make_curl_http_client(std::move(network), std::move(options)));
  return std::make_unique<UpstreamGateCheck>(std::move(client), std::move(upstream));
}

namespace {
asio::awaitable<Result<bool>> ask(net::HttpClient& client, net::Url upstream, RepoId repo, Rid rid, std::string token) {
  hub::RateBudget budget(0);  // of this token and this question; a quota that is used up is an answer too
  hub::RetryPolicy once;
  once.attempts_max = 1;
  hub::Api api(client, std::move(upstream), budget, std::move(once));
  co_return co_await api.may_read(std::move(repo), std::move(rid), std::move(token));
}
}  // namespace

server::awaitable<Result<bool>> UpstreamGateCheck::allowed(RepoId repo, Rid rid, std::string token) {
  using asio::experimental::awaitable_operators::operator||;
  asio::steady_timer deadline(co_await asio::this_coro::executor, std::chrono::milliseconds(deadline_ms_));
  auto question = ask(*client_, upstream_, std::move(repo), std::move(rid), std::move(token));
  auto outcome = co_await (std::move(question) || deadline.async_wait(asio::use_awaitable));
  if (auto* answer = std::get_if<0>(&outcome)) co_return std::move(*answer);
  co_return Error(Errc::Unreachable,
                  upstream_.host_port() + " did not answer within " + std::to_string(deadline_ms_) + " ms");
}
}  // namespace hm::app
