#include "hub/wire/headers.hpp"

#include <gtest/gtest.h>

#include "tests/support/result_matchers.hpp"

namespace hm::hub {
namespace {
using test::FailsWith;

net::Headers headers(std::initializer_list<std::pair<const char*, const char*>> fields) {
  net::Headers made;
  for (const auto& [name, value] : fields) made.add(name, value);
  return made;
}

TEST(ETag, LosesWeaknessAndQuotes) {
  for (const char* text : {"\"abc\"", "W/\"abc\"", "w/\"abc\"", "abc", " \"abc\" "})
    EXPECT_EQ(normalized_etag(text), "abc") << text;
  EXPECT_EQ(normalized_etag(""), "");
  EXPECT_EQ(normalized_etag("\""), "\"");
  EXPECT_EQ(normalized_etag("\"\""), "");
  EXPECT_EQ(normalized_etag("W/"), "");
}

TEST(RepoCommit, IsFortyHexDigitsOrNothing) {
  const std::string commit(40, 'a');
  EXPECT_EQ(repo_commit(headers({{"x-repo-commit", commit.c_str()}}))->hex(), commit);
  EXPECT_FALSE(repo_commit(headers({{"X-Repo-Commit", "main"}})));
  EXPECT_FALSE(repo_commit(headers({})));
}

TEST(LinkedSize, IsADecimalOrNothing) {
  EXPECT_EQ(linked_size(headers({{"x-linked-size", "17920697312"}})), 17920697312u);
  for (const char* text : {"", "-1", "+1", "1.5", "0x10", "99999999999999999999"})
    EXPECT_FALSE(linked_size(headers({{"X-Linked-Size", text}}))) << text;
}

TEST(NextLink, IsFoundAmongOthers) {
  EXPECT_EQ(next_link(headers({{"Link", "<https://h/x?cursor=a,b;c>; rel=\"next\""}})), "https://h/x?cursor=a,b;c");
  EXPECT_EQ(next_link(headers({{"link", "<https://h/p>; rel=\"prev\", <https://h/n>;rel=next"}})), "https://h/n");
  EXPECT_EQ(next_link(headers({{"Link", "<https://h/p>; rel=\"prev\""},
                               {"Link", "<https://h/n>; title=\"a, b; rel=x\"; rel=\"last NEXT\""}})),
            "https://h/n");
}

TEST(NextLink, IsAbsentWhenMalformed) {
  for (const char* text :
       {"", "https://h/n; rel=next", "<>; rel=next", "<https://h/n>", "<https://h/n>; rel=\"nextish\"",
        "<https://h/n; rel=next", ";", ",,,", "<a>; rel", "<https://h/n>; rev=\"next\"", "\"<https://h/n>; rel=next"})
    EXPECT_EQ(next_link(headers({{"Link", text}})), "") << text;
}

TEST(NextPage, StaysOnTheUpstream) {
  const auto upstream = net::parse_url("https://hub.example/prefix").value();
  const auto page = net::parse_url("https://hub.example/api/models?limit=2").value();
  auto next = [&](const char* link) { return next_page(headers({{"Link", link}}), page, upstream); };
  EXPECT_EQ(next("<https://hub.example/api/models?limit=2&cursor=x>; rel=\"next\"").value(),
            "https://hub.example/api/models?limit=2&cursor=x");
  EXPECT_EQ(next("<https://hub.example:443/api/models?c=x>; rel=\"next\"").value(),
            "https://hub.example/api/models?c=x");
  EXPECT_EQ(next("</api/models?cursor=x>; rel=\"next\"").value(), "https://hub.example/api/models?cursor=x");
  EXPECT_EQ(next_page(headers({}), page, upstream).value(), "");
  for (const char* foreign : {"<https://evil.example/api/models?cursor=x>; rel=\"next\"",
                              "<http://hub.example/api/models?cursor=x>; rel=\"next\"",
                              "<https://hub.example:8443/api/models>; rel=\"next\"", "<//evil.example/>; rel=\"next\""})
    EXPECT_THAT(next(foreign), FailsWith(Errc::Refused, "the next page would come from")) << foreign;
  EXPECT_THAT(next("<https://hub.example/api/models?limit=2>; rel=\"next\""),
              FailsWith(Errc::Refused, "the same page"));
  EXPECT_FALSE(next("<file:///etc/passwd>; rel=\"next\""));
  EXPECT_FALSE(next("<https://user:password@hub.example/>; rel=\"next\""));
}

TEST(RateLimits, ReadsLimitAndPolicyOfABucket) {
  const auto limits = parse_rate_limits(
      headers({{"RateLimit", "\"api\";r=472;t=235"}, {"RateLimit-Policy", "\"fixed window\";\"api\";q=500;w=300"}}));
  ASSERT_EQ(limits.size(), 1u);
  EXPECT_EQ(limits[0].bucket, Bucket::Api);
  EXPECT_EQ(limits[0].remaining, 472u);
  EXPECT_EQ(limits[0].reset_s, 235u);
  EXPECT_EQ(limits[0].quota, 500u);
  EXPECT_EQ(limits[0].window_s, 300u);
}

TEST(RateLimits, ReadsSeveralBucketsAndBlanks) {
  const auto limits = parse_rate_limits(
      headers({{"ratelimit", "\"api\" ; r = 1 ; t = 2, \"resolvers\";r=3;t=4"}, {"RateLimit", "\"pages\";t=6;r=5"}}));
  ASSERT_EQ(limits.size(), 3u);
  EXPECT_EQ(limits[0].remaining, 1u);
  EXPECT_FALSE(limits[0].quota);
  EXPECT_EQ(limits[1].bucket, Bucket::Resolvers);
  EXPECT_EQ(limits[1].reset_s, 4u);
  EXPECT_EQ(limits[2].bucket, Bucket::Pages);
  EXPECT_EQ(limits[2].remaining, 5u);
}

TEST(RateLimits, SkipsWhatIsMalformedOrUnknown) {
  for (const char* text : {"", "api", "\"other\";r=1;t=2", "\"api\";r=-1;t=2", "\"api\";r=1", "\"api\";t=1",
                           "\"api\";r=99999999999999999999;t=1", "r=1;t=2", ";;,,\"", "\"api;r=1;t=2"})
    EXPECT_TRUE(parse_rate_limits(headers({{"RateLimit", text}})).empty()) << text;
  EXPECT_TRUE(parse_rate_limits(headers({{"RateLimit-Policy", "\"fixed window\";\"api\";q=500;w=300"}})).empty())
      << "a policy alone says nothing about what is left";
}

TEST(RateLimits, BoundsTheWindow) {
  const auto limits = parse_rate_limits(headers({{"RateLimit", "\"api\";r=0;t=18446744073709551615"}}));
  ASSERT_EQ(limits.size(), 1u);
  EXPECT_EQ(limits[0].reset_s, kRateWindowMaxS);
}

TEST(RetryAfter, ReadsSecondsAndDates) {
  constexpr std::int64_t kNow = 1'445'412'480'000;  // 2015-10-21T07:28:00Z
  EXPECT_EQ(parse_retry_after("120", kNow), 120'000);
  EXPECT_EQ(parse_retry_after(" 0 ", kNow), 0);
  EXPECT_EQ(parse_retry_after("Wed, 21 Oct 2015 07:28:30 GMT", kNow), 30'000);
  EXPECT_EQ(parse_retry_after("Wed, 21 Oct 2015 07:00:00 GMT", kNow), 0) << "the past";
  EXPECT_GT(parse_retry_after("99999999999999999", kNow).value(), 0) << "no overflow";
}

TEST(RetryAfter, IsAbsentWhenMalformed) {
  for (const char* text :
       {"", "-1", "1.5", "soon", "99999999999999999999", "Wed, 21 Okt 2015 07:28:00 GMT",
        "Wed, 21 Oct 2015 07:28:00 CET", "Wed, 21 Oct 2015 07:28:xx GMT", "Wed, aa Oct 2015 07:28:00 GMT",
        "Wednesday, 21-Oct-15 07:28:00 GMT", "Wed, 21 Oct 2015 07:28 GMT"})
    EXPECT_FALSE(parse_retry_after(text, 0)) << text;
}

TEST(AskedWait, PrefersTheEmptyBucketAndFallsBackToRetryAfter) {
  EXPECT_EQ(asked_wait_ms(headers({{"RateLimit", "\"api\";r=0;t=12"}, {"Retry-After", "60"}}), 0), 13'000)
      << "t is rounded down";
  EXPECT_EQ(asked_wait_ms(headers({{"RateLimit", "\"api\";r=5;t=12"}, {"Retry-After", "60"}}), 0), 60'000)
      << "a bucket that is not empty did not cause it";
  EXPECT_FALSE(asked_wait_ms(headers({{"RateLimit", "\"api\";r=5;t=12"}}), 0));
  EXPECT_FALSE(asked_wait_ms(headers({}), 0));
}
}  // namespace
}  // namespace hm::hub
