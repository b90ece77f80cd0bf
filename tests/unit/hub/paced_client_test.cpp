#include "hub/paced_client.hpp"

#include <gtest/gtest.h>

#include "tests/support/manual_clock.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/run.hpp"
#include "tests/support/scripted_http_client.hpp"

namespace hm::hub {
namespace {
using test::FailsWith;

struct PacedClientTest : testing::Test {
  test::ManualClock clock;
  test::ScriptedHttpClient* inner = nullptr;
  std::optional<RateBudget> budget;
  std::unique_ptr<PacedClient> client;

  void open(std::uint64_t bytes_per_second, Sleep sleep) {
    config::Ceilings ceilings;
    ceilings.bytes_per_second = bytes_per_second;
    budget.emplace(600'000, std::move(sleep), clock, config::CeilingPlan(ceilings));
    auto scripted = std::make_unique<test::ScriptedHttpClient>();
    inner = scripted.get();
    client = std::make_unique<PacedClient>(std::move(scripted), *budget);
  }
  Result<std::string> get() {
    net::HttpRequest request("https://cdn.example/x");
    HM_TRY(auto response, test::run(client->send(std::move(request))));
    return test::run(net::read_all(*response.body, 1 << 20));
  }
};

TEST_F(PacedClientTest, HandsBytesOnWhenTheCeilingHasComeToThem) {
  open(2'000, clock.sleeper());
  inner->answer(200, std::string(10'000, 'x')).chunk_bytes = 500;
  EXPECT_EQ(get().value().size(), 10'000u);
  EXPECT_EQ(clock.waits_ms, std::vector<std::int64_t>(20, 250));
  EXPECT_EQ(budget->status().received_bytes, 10'000u);
}

TEST_F(PacedClientTest, ReadsLittleAheadUnderALowCeiling) {
  open(1 << 20, clock.sleeper());
  inner->answer(200, "x");
  ASSERT_TRUE(get());
  EXPECT_EQ(inner->requests().at(0).ahead_bytes_max, 64u << 10) << "a second of it, shared by sixteen";
}

TEST_F(PacedClientTest, ChangesNothingWithoutACeiling) {
  open(0, clock.sleeper());
  inner->answer(200, "all of it").with("X-A", "b");
  inner->fail(Errc::Unreachable, "connection reset");
  EXPECT_EQ(get().value(), "all of it");
  EXPECT_THAT(get(), FailsWith(Errc::Unreachable, "connection reset"));
  EXPECT_TRUE(clock.waits_ms.empty());
  EXPECT_EQ(inner->requests().at(0).ahead_bytes_max, 0u);
}

TEST_F(PacedClientTest, PassesOnABrokenBodyAndThatItWasCancelled) {
  open(2'000, [](std::int64_t) -> awaitable<Result<>> { co_return Error(Errc::Cancelled, "stopped"); });
  inner->answer(200, "half").body_error = Error(Errc::Unreachable, "connection reset");
  EXPECT_THAT(get(), FailsWith(Errc::Cancelled, "stopped"));
  open(2'000, clock.sleeper());
  inner->answer(200, "half").body_error = Error(Errc::Unreachable, "connection reset");
  EXPECT_THAT(get(), FailsWith(Errc::Unreachable, "connection reset"));
}
}  // namespace
}  // namespace hm::hub
