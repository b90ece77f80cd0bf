#include "hub/rate_budget.hpp"

#include <gtest/gtest.h>

#include "hub/budgeted_client.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/run.hpp"
#include "tests/support/scripted_http_client.hpp"

namespace hm::hub {
namespace {
using test::FailsWith;
using Waits = std::vector<std::int64_t>;

net::Headers answer(std::uint64_t r, std::uint64_t t, std::uint64_t q = 500, const char* bucket = "api") {
  net::Headers headers;
  headers.add("RateLimit", "\"" + std::string(bucket) + "\";r=" + std::to_string(r) + ";t=" + std::to_string(t));
  if (q)
    headers.add("RateLimit-Policy",
                "\"fixed window\";\"" + std::string(bucket) + "\";q=" + std::to_string(q) + ";w=300");
  return headers;
}
net::Headers retry_after(const char* value) {
  net::Headers headers;
  headers.add("Retry-After", value);
  return headers;
}

struct RateBudgetTest : testing::Test {
  test::ManualClock clock;
  RateBudget budget{600'000, clock.sleeper(), clock};

  static net::Url url(Bucket bucket) {
    switch (bucket) {
      case Bucket::Api:
        return net::parse_url("https://hub.example/api/models").value();
      case Bucket::Resolvers:
        return net::parse_url("https://hub.example/a/b/resolve/main/x").value();
      case Bucket::Pages:
        break;
    }
    return net::parse_url("https://hub.example/a/b").value();
  }
  Result<Admission> ask(Bucket bucket = Bucket::Api) { return test::run(budget.admit(url(bucket), bucket)); }
  Result<Admission> ask_elsewhere(const char* text) {
    return test::run(budget.admit(net::parse_url(text).value(), std::nullopt));
  }
  /// A request whose answer never comes.
  Result<> admit(Bucket bucket = Bucket::Api) {
    HM_TRY(ask(bucket));
    return ok();
  }
  /// A request and its answer.
  void learn(const net::Headers& headers, Bucket bucket = Bucket::Api, int status = 200) {
    budget.answered(ask(bucket).value(), status, headers);
  }
  std::uint64_t remaining(Bucket bucket = Bucket::Api) const { return budget.state(bucket)->remaining; }
};

TEST_F(RateBudgetTest, HasNoLimitsWithoutHeaders) {
  learn(net::Headers());
  for (int i = 0; i < 10'000; ++i) ASSERT_TRUE(admit());
  EXPECT_TRUE(clock.waits_ms.empty());
  EXPECT_EQ(budget.admitted(Bucket::Api), 10'001u);
}

TEST_F(RateBudgetTest, UsesNineTenthsOfAWindowAndThenWaitsForTheNext) {
  learn(answer(500, 300));
  for (int i = 0; i < 450; ++i) ASSERT_TRUE(admit());
  EXPECT_TRUE(clock.waits_ms.empty());
  ASSERT_TRUE(admit());
  EXPECT_EQ(clock.waits_ms, Waits{301'000}) << "t + 1 s";
  EXPECT_EQ(budget.waits(), 1u);
  for (int i = 0; i < 449; ++i) ASSERT_TRUE(admit());
  EXPECT_EQ(clock.waits_ms.size(), 1u) << "the new window has its own nine tenths";
}

TEST_F(RateBudgetTest, KeepsTheBucketsApart) {
  learn(answer(0, 100, 500, "api"));
  learn(answer(3000, 100, 3000, "resolvers"), Bucket::Resolvers);
  ASSERT_TRUE(admit(Bucket::Resolvers));
  ASSERT_TRUE(admit(Bucket::Pages));
  EXPECT_TRUE(clock.waits_ms.empty());
  ASSERT_TRUE(admit(Bucket::Api));
  EXPECT_EQ(clock.waits_ms, Waits{101'000});
}

TEST_F(RateBudgetTest, TrustsTheSmallerNumber) {
  learn(answer(100, 300));
  std::vector<Admission> asked;
  for (int i = 0; i < 20; ++i) asked.push_back(ask().value());
  budget.answered(std::move(asked[0]), 200, answer(99, 299));  // an early one: nineteen others are under way
  EXPECT_EQ(remaining(), 80u);
  budget.answered(std::move(asked[1]), 200, answer(60, 299));  // somebody else with the same identity is at work too
  EXPECT_EQ(remaining(), 60u);
}

TEST_F(RateBudgetTest, BelievesTheFirstAnswerOfANewWindow) {
  learn(answer(60, 10));
  clock.advance(12'000);
  learn(answer(490, 298));
  EXPECT_EQ(remaining(), 490u);
  EXPECT_EQ(*budget.state(Bucket::Api)->reset_ms, clock.monotonic_ms() + 299'000) << "t may be rounded down";
}

TEST_F(RateBudgetTest, DoesNotBelieveAWindowToBeOverInItsLastSecond) {
  learn(answer(60, 10));
  clock.advance(10'500);
  EXPECT_EQ(remaining(), 60u);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(admit());
  ASSERT_TRUE(admit());
  EXPECT_EQ(clock.waits_ms, Waits{500});
}

TEST_F(RateBudgetTest, CountsWhatIsUnderWayAcrossAWindowsEndInTheNewOne) {
  learn(answer(400, 10));
  std::vector<Admission> asked;
  for (int i = 0; i < 100; ++i) asked.push_back(ask().value());
  clock.advance(12'000);
  asked.push_back(ask().value());
  EXPECT_EQ(remaining(), 399u) << "a hundred may still be counted in the new window";
  budget.answered(std::move(asked[0]), 200, answer(300, 0));
  EXPECT_EQ(remaining(), 400u) << "one was counted in the old one";
  budget.answered(std::move(asked[1]), 200, answer(480, 299));
  EXPECT_EQ(remaining(), 381u) << "480 less the 99 that are under way";
  budget.answered(std::move(asked[2]), 200, answer(499, 299));
  EXPECT_EQ(remaining(), 382u) << "it had been counted before the one with 480";
  budget.answered(std::move(asked[3]), 200, answer(479, 299));
  EXPECT_EQ(remaining(), 382u) << "it is one of those that were expected";
}

TEST_F(RateBudgetTest, AnAnswerOfTheWindowBeforeSaysNothingAboutThisOne) {
  learn(answer(400, 10));
  Admission late = ask().value();
  clock.advance(12'000);
  learn(answer(499, 299));
  budget.answered(std::move(late), 200, answer(2, 0));
  EXPECT_EQ(remaining(), 499u);
}

TEST_F(RateBudgetTest, GivesUpRatherThanWaitTooLong) {
  learn(answer(0, 3600));
  EXPECT_THAT(admit(),
              FailsWith(Errc::RateLimited, "\"api\" requests is used up for another 1 h 00 min, longer than 10 min"));
  EXPECT_TRUE(clock.waits_ms.empty());
}

TEST_F(RateBudgetTest, WaitsForAnEmptyBucketOfUnknownSize) {
  learn(answer(1, 5, 0));
  ASSERT_TRUE(admit());
  EXPECT_TRUE(clock.waits_ms.empty());
  ASSERT_TRUE(admit());
  EXPECT_EQ(clock.waits_ms, Waits{6'000});
}

TEST_F(RateBudgetTest, AdmitsSomethingFromTheSmallestQuota) {
  learn(answer(1, 5, 1));
  ASSERT_TRUE(admit());
  EXPECT_TRUE(clock.waits_ms.empty());
  learn(answer(3, 300, 3, "pages"), Bucket::Pages);
  ASSERT_TRUE(admit(Bucket::Pages));
  ASSERT_TRUE(admit(Bucket::Pages));
  EXPECT_TRUE(clock.waits_ms.empty());
  ASSERT_TRUE(admit(Bucket::Pages));
  EXPECT_EQ(clock.waits_ms.size(), 1u);
}

TEST_F(RateBudgetTest, CountsAWindowThatNobodyAnsweredIn) {
  learn(answer(51, 10));
  ASSERT_TRUE(admit());
  clock.advance(20'000);
  for (int i = 0; i < 450; ++i) ASSERT_TRUE(admit());
  EXPECT_TRUE(clock.waits_ms.empty());
  ASSERT_TRUE(admit());
  EXPECT_EQ(clock.waits_ms, Waits{301'000});
}

TEST_F(RateBudgetTest, TakesNonsenseForNumbers) {
  learn(answer(~0ULL, 300, ~0ULL));
  ASSERT_TRUE(admit());
  clock.advance(400'000);
  ASSERT_TRUE(admit());
  EXPECT_TRUE(clock.waits_ms.empty());
}

TEST_F(RateBudgetTest, PassesOnThatItWasCancelled) {
  RateBudget cancelled(
      600'000, [](std::int64_t) -> awaitable<Result<>> { co_return Error(Errc::Cancelled, "stopped"); }, clock);
  cancelled.answered(test::run(cancelled.admit(url(Bucket::Api), Bucket::Api)).value(), 200, answer(0, 10));
  EXPECT_THAT(test::run(cancelled.admit(url(Bucket::Api), Bucket::Api)), FailsWith(Errc::Cancelled, "stopped"));
}

TEST_F(RateBudgetTest, AsksOneAtATimeUntilTheFirstAnswer) {
  Admission first = ask().value();
  ASSERT_TRUE(ask());
  EXPECT_EQ(clock.waits_ms, Waits(50, 20)) << "no answer within a second: another try";
  budget.answered(std::move(first), 200, answer(499, 300));
  clock.waits_ms.clear();
  for (int i = 0; i < 20; ++i) ASSERT_TRUE(ask());
  EXPECT_TRUE(clock.waits_ms.empty());
}

TEST_F(RateBudgetTest, AnErrorOfAGatewayTellsNothingAboutBuckets) {
  learn(net::Headers(), Bucket::Api, 502);
  Admission first = ask().value();
  ASSERT_TRUE(ask());
  EXPECT_FALSE(clock.waits_ms.empty()) << "still one at a time";
}

TEST_F(RateBudgetTest, ChargesTheBucketThatTheAnswerNames) {
  learn(answer(100, 300, 100, "pages"), Bucket::Pages);
  learn(answer(500, 300));
  const net::Url batch = net::parse_url("https://hub.example/a/b.git/info/lfs/objects/batch").value();
  Admission first = test::run(budget.admit(batch, Bucket::Pages)).value();
  EXPECT_EQ(remaining(Bucket::Pages), 99u);
  EXPECT_EQ(budget.admitted(Bucket::Pages), 2u);
  budget.answered(std::move(first), 200, answer(499, 300, 500, "api"));
  EXPECT_EQ(remaining(Bucket::Pages), 100u) << "given back";
  EXPECT_EQ(remaining(Bucket::Api), 499u);
  EXPECT_EQ(budget.admitted(Bucket::Pages), 1u);
  EXPECT_EQ(budget.admitted(Bucket::Api), 2u);
  ASSERT_TRUE(test::run(budget.admit(batch, Bucket::Pages)));
  EXPECT_EQ(remaining(Bucket::Api), 498u) << "remembered";
  ASSERT_TRUE(admit(Bucket::Pages));
  EXPECT_EQ(remaining(Bucket::Pages), 99u) << "pages themselves stay pages";
}

TEST_F(RateBudgetTest, AnotherHostCountsAsApiUntilItsFirstAnswer) {
  learn(answer(500, 300));
  Admission first = ask_elsewhere("https://cdn.example/x").value();
  Admission second = ask_elsewhere("https://cdn.example/y").value();
  EXPECT_EQ(remaining(), 498u);
  budget.answered(std::move(first), 206, net::Headers());
  budget.answered(std::move(second), 206, net::Headers());
  EXPECT_EQ(remaining(), 500u);
  for (int i = 0; i < 1'000; ++i) ASSERT_TRUE(ask_elsewhere("https://cdn.example/x"));
  EXPECT_TRUE(clock.waits_ms.empty());
  EXPECT_EQ(budget.status().admitted_unlimited, 1'002u);
  Admission limited = ask_elsewhere("https://lfs.example/x").value();
  budget.answered(std::move(limited), 200, answer(3000, 300, 3000, "resolvers"));
  ASSERT_TRUE(ask_elsewhere("https://lfs.example/x"));
  EXPECT_EQ(remaining(Bucket::Resolvers), 2999u);
}

TEST_F(RateBudgetTest, BoundsWhatItRemembersOfHosts) {
  learn(answer(500, 300));
  for (int i = 0; i < 3'000; ++i) {
    auto asked = ask_elsewhere(("https://h" + std::to_string(i) + ".example/x").c_str());
    ASSERT_TRUE(asked);
    budget.answered(std::move(asked).value(), 200, net::Headers());
  }
  EXPECT_EQ(remaining(), 500u);
  EXPECT_TRUE(clock.waits_ms.empty());
}

TEST_F(RateBudgetTest, ARetryAfterClosesTheBucketForEverybody) {
  learn(answer(500, 300));
  learn(retry_after("40"), Bucket::Api, 503);
  ASSERT_TRUE(admit(Bucket::Pages));
  EXPECT_TRUE(clock.waits_ms.empty()) << "but no other bucket";
  ASSERT_TRUE(admit());
  EXPECT_EQ(clock.waits_ms, Waits{40'000});
  learn(retry_after("Fri, 15 Jan 2027 08:01:00 GMT"), Bucket::Api, 429);
  ASSERT_TRUE(admit());
  EXPECT_EQ(clock.waits_ms, (Waits{40'000, 20'000}));
  learn(retry_after("40"), Bucket::Api, 200);
  ASSERT_TRUE(admit());
  EXPECT_EQ(clock.waits_ms.size(), 2u) << "only a refusal closes";
  learn(retry_after("3600"), Bucket::Api, 429);
  EXPECT_THAT(admit(), FailsWith(Errc::RateLimited, "the upstream wants no \"api\" requests for another 1 h 00 min"));
}

TEST_F(RateBudgetTest, ARetryAfterOfAnotherHostClosesThatHost) {
  learn(answer(500, 300));
  budget.answered(ask_elsewhere("https://cdn.example/x").value(), 503, retry_after("40"));
  ASSERT_TRUE(admit());
  ASSERT_TRUE(ask_elsewhere("https://other.example/x"));
  EXPECT_TRUE(clock.waits_ms.empty());
  ASSERT_TRUE(ask_elsewhere("https://cdn.example/y"));
  EXPECT_EQ(clock.waits_ms, Waits{40'000});
}

TEST_F(RateBudgetTest, TellsHowItStands) {
  learn(answer(400, 200));
  const Admission asked = ask().value();
  const BudgetStatus status = budget.status();
  const BucketStatus& api = status.buckets[0];
  EXPECT_TRUE(api.limited);
  EXPECT_EQ(api.remaining, 399u);
  EXPECT_EQ(api.quota, 500u);
  EXPECT_EQ(api.reset_in_ms, 201'000);
  EXPECT_EQ(api.admitted, 2u);
  EXPECT_EQ(api.in_flight, 1u);
  EXPECT_EQ(api.waits, 0u);
  EXPECT_FALSE(status.buckets[1].limited);
}

TEST_F(RateBudgetTest, BudgetedClientCountsEachHopWhereItBelongs) {
  test::ScriptedHttpClient inner;
  RetryPolicy retry;
  retry.clock = &clock;
  BudgetedClient client(inner, net::parse_url("https://hub.example").value(), budget, retry);
  inner.answer(302).with("RateLimit", "\"resolvers\";r=2999;t=300");
  inner.answer(206, "bytes");
  inner.answer(429).with("Retry-After", "7");
  net::HttpRequest to_hub("https://hub.example/a/b/resolve/main/x"), to_cdn("https://cdn.example/x"),
      refused("https://hub.example/a/b.git/info/refs");
  ASSERT_TRUE(test::run(client.send(std::move(to_hub))));
  ASSERT_TRUE(test::run(client.send(std::move(to_cdn))));
  EXPECT_EQ(budget.admitted(Bucket::Resolvers), 1u);
  EXPECT_EQ(budget.admitted(Bucket::Api), 0u);
  EXPECT_EQ(budget.status().admitted_unlimited, 1u);
  ASSERT_TRUE(test::run(client.send(std::move(refused))));
  EXPECT_EQ(client.take_asked_wait_ms(), 7'000);
  EXPECT_EQ(budget.status().buckets[2].closed_ms, 7'000);
}

TEST(BucketOfPath, FollowsThePath) {
  EXPECT_EQ(bucket_of_path("/api/models/a/b?x=/resolve/"), Bucket::Api);
  EXPECT_EQ(bucket_of_path("/a/b/resolve/main/x"), Bucket::Resolvers);
  EXPECT_EQ(bucket_of_path("/api/resolve-cache/models/a/b/c/d"), Bucket::Resolvers);
  EXPECT_EQ(bucket_of_path("/a/b.git/info/lfs/objects/batch"), Bucket::Pages);
  EXPECT_EQ(class_of_path("/a/b.git/info/lfs/objects/batch"), RequestClass::LfsBatch);
  EXPECT_EQ(class_of_path("/a/b.git/info/refs?service=git-upload-pack"), RequestClass::Git);
  EXPECT_EQ(class_of_path("/a/b.git/git-upload-pack"), RequestClass::Git);
}
}  // namespace
}  // namespace hm::hub
