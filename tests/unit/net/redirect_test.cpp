#include "net/redirect.hpp"

#include <gtest/gtest.h>

#include <string>

#include "tests/support/result_matchers.hpp"
#include "tests/support/run.hpp"
#include "tests/support/scripted_http_client.hpp"

namespace hm::net {
namespace {
using test::FailsWith;
using test::Succeeds;

HttpResponse answer(int status, std::string url, std::string location) {
  HttpResponse response;
  response.status = status;
  response.url = std::move(url);
  response.headers.add("Location", std::move(location));
  return response;
}

awaitable<Result<int>> status_of(HttpClient& client, HttpRequest request, int redirects_max) {
  auto response = co_await send_following(client, std::move(request), redirects_max);
  if (!response) co_return std::move(response).as_failure();
  co_return response.assume_value().status;
}
Result<int> follow(HttpClient& client, HttpRequest request, int redirects_max = kRedirectsMax) {
  return test::run(status_of(client, std::move(request), redirects_max));
}

TEST(RedirectTarget, IsRelativeOrAbsolute) {
  EXPECT_EQ(redirect_target(answer(307, "https://hub/api/models/old", "/api/models/ns/new")).value().text(),
            "https://hub/api/models/ns/new");
  EXPECT_EQ(redirect_target(answer(302, "https://hub/x", "https://cdn/y?sig=1")).value().text(), "https://cdn/y?sig=1");
  EXPECT_EQ(redirect_target(answer(302, "http://hub/x", "https://hub/x")).value().text(), "https://hub/x");
}

TEST(RedirectTarget, RefusesWhatLeadsAway) {
  EXPECT_THAT(redirect_target(answer(302, "https://hub/x", "http://hub/x")),
              FailsWith(Errc::Refused, "from https to http"));
  EXPECT_THAT(redirect_target(answer(302, "https://hub/x", "file:///etc/passwd")),
              FailsWith(Errc::Refused, "scheme file"));
  EXPECT_THAT(redirect_target(answer(302, "https://hub/x", "https://u:p@h/")), FailsWith(Errc::Refused, "password"));
  EXPECT_THAT(redirect_target(answer(302, "https://hub/x", "")), FailsWith(Errc::Refused, "no Location"));
  HttpResponse bare;
  bare.status = 301;
  bare.url = "https://hub/";
  EXPECT_THAT(redirect_target(bare), FailsWith(Errc::Refused, "no Location"));
}

TEST(IsRedirect, KnowsTheFive) {
  for (const int status : {301, 302, 303, 307, 308}) EXPECT_TRUE(is_redirect(status));
  for (const int status : {200, 300, 304, 305, 306, 400}) EXPECT_FALSE(is_redirect(status));
}

TEST(SendFollowing, StopsAfterFive) {
  test::ScriptedHttpClient client;
  for (int i = 0; i < 6; ++i) client.answer(302).with("Location", "/again");
  EXPECT_THAT(follow(client, HttpRequest("https://hub/x")), FailsWith(Errc::Refused, "more than 5 redirects"));
  EXPECT_EQ(client.requests().size(), 6u);
}

TEST(SendFollowing, FiveAreFine) {
  test::ScriptedHttpClient client;
  for (int i = 0; i < 5; ++i) client.answer(302).with("Location", "/again");
  client.answer(200, "there");
  EXPECT_EQ(follow(client, HttpRequest("https://hub/x")).value(), 200);
}

TEST(SendFollowing, NoneAllowedMeansNoSecondRequest) {
  test::ScriptedHttpClient client;
  client.answer(302).with("Location", "/again");
  EXPECT_THAT(follow(client, HttpRequest("https://hub/x"), 0), FailsWith(Errc::Refused, "more than 0"));
  EXPECT_EQ(client.requests().size(), 1u);
}

TEST(SendFollowing, KeepsMethodAndBodyFor307And308) {
  for (const int status : {307, 308}) {
    test::ScriptedHttpClient client;
    client.answer(status).with("Location", "/new");
    client.answer(200);
    HttpRequest request("POST", "https://hub/old");
    request.body = "{}";
    request.headers.add("Content-Type", "application/json");
    ASSERT_THAT(follow(client, request), Succeeds());
    EXPECT_EQ(client.requests()[1].method, "POST");
    EXPECT_EQ(client.requests()[1].body, "{}");
    EXPECT_EQ(client.requests()[1].headers.get("content-type"), "application/json");
    EXPECT_EQ(client.requests()[1].url, "https://hub/new");
  }
}

TEST(SendFollowing, OtherRedirectsBecomeGetButHeadStaysHead) {
  for (const int status : {301, 302, 303}) {
    test::ScriptedHttpClient client;
    client.answer(status).with("Location", "/new");
    client.answer(200);
    client.answer(status).with("Location", "/new");
    client.answer(200);
    HttpRequest request("POST", "https://hub/old");
    request.body = "{}";
    request.headers.add("Content-Type", "application/json");
    request.headers.add("Accept", "x/y");
    ASSERT_THAT(follow(client, request), Succeeds());
    ASSERT_THAT(follow(client, HttpRequest("HEAD", "https://hub/old")), Succeeds());
    EXPECT_EQ(client.requests()[1].method, "GET");
    EXPECT_EQ(client.requests()[1].body, "");
    EXPECT_FALSE(client.requests()[1].headers.get("content-type"));
    EXPECT_EQ(client.requests()[1].headers.get("accept"), "x/y");
    EXPECT_EQ(client.requests()[3].method, "HEAD");
  }
}

TEST(SendFollowing, SecretsDoNotLeaveTheirOrigin) {
  test::ScriptedHttpClient client;
  client.answer(302).with("Location", "/same");
  client.answer(302).with("Location", "https://cdn/other");
  client.answer(302).with("Location", "https://hub/back");
  client.answer(200);
  HttpRequest request("https://hub/x");
  request.headers.add("authorization", "Basic secret");
  request.headers.add("Cookie", "a=b");
  request.headers.add("Range", "bytes=1-");
  ASSERT_THAT(follow(client, request), Succeeds());
  EXPECT_TRUE(client.requests()[1].headers.get("Authorization"));
  for (const std::size_t later : {2u, 3u}) {
    EXPECT_FALSE(client.requests()[later].headers.get("Authorization"));
    EXPECT_FALSE(client.requests()[later].headers.get("Cookie"));
    EXPECT_EQ(client.requests()[later].headers.get("Range"), "bytes=1-");
  }
}

TEST(ReadAll, HoldsItsLimit) {
  test::ScriptedHttpClient client;
  client.answer(200, "0123456789");
  client.answer(200, "0123456789");
  const auto read = [](HttpClient& c, std::uint64_t size_max) -> awaitable<Result<std::string>> {
    auto response = co_await c.send(HttpRequest("https://hub/"));
    co_return co_await read_all(*response.assume_value().body, size_max);
  };
  EXPECT_EQ(test::run(read(client, 10)).value(), "0123456789");
  EXPECT_THAT(test::run(read(client, 9)), FailsWith(Errc::Refused, "larger"));
}
}  // namespace
}  // namespace hm::net
