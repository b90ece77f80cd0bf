#include "app/gate_check.hpp"

#include <gtest/gtest.h>

#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>

#include "tests/support/result_matchers.hpp"
#include "tests/support/run.hpp"
#include "tests/support/scripted_http_client.hpp"

namespace hm::app {
namespace {
using test::FailsWith;
constexpr const char* kRid = "621ffdc036468d709f17434d";

/// Never answers.
struct SilentClient final : net::HttpClient {
  net::awaitable<Result<net::HttpResponse>> send(net::HttpRequest) override {
    boost::asio::steady_timer never(co_await boost::asio::this_coro::executor,
                                    boost::asio::steady_timer::time_point::max());
    co_await never.async_wait(boost::asio::use_awaitable);
    co_return Error(Errc::Internal, "the end of time");
  }
};

Result<bool> ask(UpstreamGateCheck& gate) {
  const RepoId repo{RepoKind::Model, "org/name"};
  return test::run(gate.allowed(repo, *Rid::parse(kRid), "hf_callers"));
}

TEST(UpstreamGateCheck, AsksOnceAndTakesNoForAnAnswer) {
  auto client = std::make_unique<test::ScriptedHttpClient>();
  client->answer(403).with("X-Error-Code", "GatedRepo");
  client->answer(503);
  client->answer(200, "{}");
  client->answer(200, std::string(R"({"_id":")") + kRid + R"(","id":"org/name"})");
  const auto* seen = client.get();
  UpstreamGateCheck gate(std::move(client), net::parse_url("https://hub.example").value());
  EXPECT_FALSE(ask(gate).value());
  EXPECT_THAT(ask(gate), FailsWith(Errc::Unreachable, "503"));
  EXPECT_TRUE(ask(gate).value()) << "one caller's trouble is not the next one's";
  EXPECT_EQ(seen->requests().size(), 4U);
}

TEST(UpstreamGateCheck, GivesUpOnAnUpstreamThatIsSilent) {
  UpstreamGateCheck gate(std::make_unique<SilentClient>(), net::parse_url("https://hub.example").value(), 1);
  EXPECT_THAT(ask(gate), FailsWith(Errc::Unreachable, "did not answer within 1 ms"));
}
}  // namespace
}  // namespace hm::app
