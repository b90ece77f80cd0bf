#include "hub/exchange.hpp"

#include <gtest/gtest.h>

#include "base/canonical_json.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/run.hpp"
#include "tests/support/scripted_http_client.hpp"

namespace hm::hub {
namespace {
using test::FailsWith;

struct ExchangeTest : testing::Test {
  test::ManualClock clock;
  test::ScriptedHttpClient client;
  RateBudget budget{600'000, clock.sleeper(), clock};
  Exchange exchange{client, net::parse_url("https://hub.example").value(), budget, policy()};

  RetryPolicy policy() {
    RetryPolicy p;
    p.random = [] { return 0.5; };
    p.sleep = clock.sleeper();
    p.clock = &clock;
    return p;
  }
  Result<Answer> get(std::string path = "/api/models/a/b", std::uint64_t size_max = 1000) {
    Call call("GET", "https://hub.example" + path, Bucket::Api, size_max);
    return test::run(exchange.run(std::move(call)));
  }
  Result<Answer> post() {
    Call call("POST", "https://hub.example/x", Bucket::Api, 1000);
    call.body = "{}";
    call.content_type = "application/json";
    return test::run(exchange.run(std::move(call)));
  }
};

TEST_F(ExchangeTest, GivesTheWholeBody) {
  client.answer(200, "a body of more than one chunk").with("X-A", "b");
  const Answer answer = get().value();
  EXPECT_EQ(answer.body, "a body of more than one chunk");
  EXPECT_EQ(answer.headers.get("x-a"), "b");
  EXPECT_EQ(answer.url.text(), "https://hub.example/api/models/a/b");
  const net::HttpRequest& request = client.requests().at(0);
  EXPECT_EQ(request.method, "GET");
  EXPECT_TRUE(request.decompress);
  EXPECT_EQ(request.body_bytes_max, 1000u);
  EXPECT_EQ(request.protocol, net::Protocol::Any);
  EXPECT_EQ(request.headers.get("Accept"), "application/json");
}

TEST_F(ExchangeTest, RefusesABodyOverItsLimit) {
  client.answer(200, std::string(1001, 'x'));
  EXPECT_THAT(get(), FailsWith(Errc::Refused, "while asking GET /api/models/a/b"));
  EXPECT_TRUE(clock.waits_ms.empty()) << "asking again would not make it smaller";
}

TEST_F(ExchangeTest, TriesAgainAfterTransientStatuses) {
  for (int status : {500, 502, 503, 504}) client.answer(status);
  client.answer(200, "{}");
  EXPECT_TRUE(get());
  EXPECT_EQ(clock.waits_ms, (std::vector<std::int64_t>{1000, 2000, 4000, 8000}));
}

TEST_F(ExchangeTest, TriesAgainAfterResetsAlsoInTheMiddleOfTheBody) {
  client.fail(Errc::Unreachable, "connection reset");
  client.answer(200, "half").body_error = Error(Errc::Unreachable, "connection reset");
  client.answer(200, "whole");
  EXPECT_EQ(get().value().body, "whole");
  EXPECT_EQ(clock.waits_ms, (std::vector<std::int64_t>{1000, 2000}));
}

TEST_F(ExchangeTest, SendsAPostAgainWhole) {
  client.answer(503);
  client.answer(200, "{}");
  EXPECT_TRUE(post());
  EXPECT_EQ(client.requests().at(1).body, "{}");
  EXPECT_EQ(client.requests().at(1).headers.get("Content-Type"), "application/json");
}

TEST_F(ExchangeTest, GivesUpAfterAllAttempts) {
  for (int i = 0; i < 5; ++i) client.answer(503).with("X-Error-Message", "busy");
  EXPECT_THAT(get(), FailsWith(Errc::Unreachable, "503: busy; while asking GET /api/models/a/b; after 5 attempts"));
  for (int i = 0; i < 5; ++i) client.answer(429);
  EXPECT_THAT(get(), FailsWith(Errc::RateLimited, "429"));
  EXPECT_EQ(client.left(), 0u);
}

TEST_F(ExchangeTest, DoesNotRepeatWhatWillNotChange) {
  for (int status : {400, 401, 403, 404, 410, 422, 451, 501}) {
    client.answer(status);
    EXPECT_FALSE(get()) << status;
  }
  client.fail(Errc::Refused, "private address");
  EXPECT_THAT(get(), FailsWith(Errc::Refused, "private address; while asking GET"));
  client.fail(Errc::Cancelled, "stopped");
  EXPECT_THAT(get(), FailsWith(Errc::Cancelled, "stopped"));
  EXPECT_TRUE(clock.waits_ms.empty());
}

TEST_F(ExchangeTest, WaitsAsLongAsTheServerAsks) {
  client.answer(503).with("Retry-After", "40");
  client.answer(429).with("Retry-After", "Fri, 15 Jan 2027 08:01:00 GMT");  // 20 s later than now, which is 08:00:40.1
  client.answer(429).with("RateLimit", "\"pages\";r=0;t=7");
  client.answer(200, "{}");
  EXPECT_TRUE(get());
  ASSERT_EQ(clock.waits_ms.size(), 3u);
  EXPECT_EQ(clock.waits_ms[0], 40'100);
  EXPECT_EQ(clock.waits_ms[1], 19'900 + 100);
  EXPECT_EQ(clock.waits_ms[2], 8'100);
}

TEST_F(ExchangeTest, RefusesToWaitForEver) {
  client.answer(429).with("Retry-After", "86400");
  EXPECT_THAT(get(), FailsWith(Errc::RateLimited, "the server asks to wait 24 h 00 min, longer than 10 min"));
}

TEST_F(ExchangeTest, LearnsTheBudgetAlsoFromErrors) {
  client.answer(404)
      .with("RateLimit", "\"api\";r=9;t=30")
      .with("RateLimit-Policy", "\"fixed window\";\"api\";q=100;w=300");
  EXPECT_FALSE(get());
  client.answer(200, "{}");
  EXPECT_TRUE(get());
  EXPECT_EQ(clock.waits_ms, std::vector<std::int64_t>{31'000});
}

TEST_F(ExchangeTest, FollowsARenameAndKeepsTheQuery) {
  client.answer(307, "moved").with("Location", "/api/models/org/new/tree/main");
  client.answer(200, "[]");
  EXPECT_EQ(get("/api/models/old/tree/main?recursive=true").value().url.text(),
            "https://hub.example/api/models/org/new/tree/main?recursive=true");
  EXPECT_EQ(client.requests().at(1).url, "https://hub.example/api/models/org/new/tree/main?recursive=true");
  client.answer(308).with("Location", "https://hub.example/api/models/n?own=1");
  client.answer(200, "[]");
  EXPECT_EQ(get("/api/models/o?recursive=true").value().url.path_query, "/api/models/n?own=1");
}

TEST_F(ExchangeTest, KeepsMethodAndBodyOnARename) {
  client.answer(307).with("Location", "/y");
  client.answer(200, "{}");
  EXPECT_TRUE(post());
  EXPECT_EQ(client.requests().at(1).method, "POST");
  EXPECT_EQ(client.requests().at(1).body, "{}");
  client.answer(302).with("Location", "/y");
  EXPECT_THAT(post(), FailsWith(Errc::Refused, "would turn the POST into a GET"));
}

TEST_F(ExchangeTest, StaysOnTheUpstream) {
  for (const char* location : {"https://evil.example/api/models/a/b", "http://hub.example/api/models/a/b",
                               "//evil.example/x", "https://hub.example:444/x", "ftp://hub.example/", ""}) {
    const std::size_t before = client.requests().size();
    client.answer(302).with("Location", location);
    EXPECT_THAT(get(), FailsWith(Errc::Refused, "")) << location;
    EXPECT_EQ(client.requests().size(), before + 1) << location;
  }
}

TEST_F(ExchangeTest, EndsACircleOfRedirects) {
  for (int i = 0; i < 6; ++i) client.answer(307).with("Location", "/api/models/a/b");
  EXPECT_THAT(get(), FailsWith(Errc::Refused, "more than 5 redirects"));
  EXPECT_EQ(client.left(), 0u);
}

TEST_F(ExchangeTest, DoesNotShowQueriesInErrors) {
  client.answer(404);
  const auto failed = get("/api/models?cursor=secret");
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().what.find("secret"), std::string::npos);
}

net::Headers error_headers(const char* code, const char* message) {
  net::Headers headers;
  if (*code) headers.add("X-Error-Code", code);
  if (*message) headers.add("X-Error-Message", message);
  return headers;
}

TEST(FailureOf, FollowsTheErrorContract) {
  struct Case {
    int status;
    const char *code, *message;
    Errc expected;
    const char* text;
  };
  for (const Case& c : {
           Case{401, "", "Invalid username or password.", Errc::NotFound,
                "does not exist, or is private (set HF_TOKEN)"},
           Case{401, "GatedRepo", "Access to model x is restricted.", Errc::Gated,
                "401 GatedRepo: Access to model x is restricted."},
           Case{401, "", "Invalid credentials in Authorization header", Errc::Gated, "the token is not accepted"},
           Case{403, "GatedRepo", "you are not in the authorized list.", Errc::Gated, "not in the authorized list"},
           Case{403, "", "Access to this resource is disabled.", Errc::Gated, "it is disabled on the upstream"},
           Case{403, "", "", Errc::Gated, "403"},
           Case{404, "RepoNotFound", "Repository not found", Errc::NotFound, "404 RepoNotFound: Repository not found"},
           Case{404, "RevisionNotFound", "Invalid rev id: x", Errc::NotFound,
                "404 RevisionNotFound: Invalid rev id: x"},
           Case{404, "EntryNotFound", "Entry not found", Errc::NotFound, "404 EntryNotFound: Entry not found"},
           Case{404, "", "", Errc::NotFound, "404"},
           Case{410, "", "", Errc::NotFound, "410"},
           Case{451, "", "", Errc::Gated, "451"},
           Case{429, "", "slow down", Errc::RateLimited, "429: slow down"},
           Case{408, "", "", Errc::Unreachable, "408"},
           Case{500, "", "", Errc::Unreachable, "500"},
           Case{501, "", "", Errc::Unreachable, "501"},
           Case{400, "", "bad limit", Errc::BadInput, "400: bad limit"},
           Case{416, "", "", Errc::BadInput, "416"},
       }) {
    EXPECT_THAT(Result<>(failure_of(c.status, error_headers(c.code, c.message), "", true)),
                FailsWith(c.expected, c.text))
        << c.status << c.code;
  }
  EXPECT_THAT(Result<>(failure_of(401, error_headers("", ""), "", false)),
              FailsWith(Errc::Gated, "a token is needed (set HF_TOKEN)"));
}

TEST(FailureOf, StillTellsTheStatus) {
  for (const int status : {400, 401, 403, 404, 410, 429, 451, 500, 503})
    for (const char* said : {"", "no (500 times no)", "Invalid credentials in Authorization header"})
      EXPECT_EQ(failure_of(status, error_headers("Code", said), "", true).http_status, status) << said;
}

TEST(FailureOf, TakesTheMessageFromTheBodyWhenNoHeaderHasIt) {
  auto what = [](std::string_view body) { return failure_of(404, net::Headers(), body, true).what; };
  EXPECT_EQ(what(R"({"error":"Repository not found"})"), "404: Repository not found");
  EXPECT_EQ(what(R"({"message":"no such object"})"), "404: no such object");
  EXPECT_EQ(what("Entry not found\n"), "404: Entry not found");
  EXPECT_EQ(what("<!doctype html><p>x"), "404");
  EXPECT_EQ(what(R"({"error":{}})"), "404");
  EXPECT_EQ(what(""), "404");
}

TEST(FailureOf, ShowsHostileMessagesHarmlesslyAndBriefly) {
  const Error e = failure_of(
      404, error_headers("\x1b[2J", ("\x1b]0;owned\a" + std::string(298, 'x') + "é" + std::string(5000, 'y')).c_str()),
      "", true);
  EXPECT_EQ(e.what.find('\x1b'), std::string::npos);
  EXPECT_EQ(e.what.find('\a'), std::string::npos);
  EXPECT_LT(e.what.size(), 350u);
  for (std::size_t n = 290; n < 305; ++n) {  // never half a character at the cut
    const std::string shown =
        failure_of(404, error_headers("", (std::string(n, 'x') + "ééé" + std::string(50, 'y')).c_str()), "", true).what;
    EXPECT_EQ(parse_json("\"" + shown + "\"").has_value(), true) << n;
  }
}

TEST(Pager, EndsCirclesAndEndlessListings) {
  const auto upstream = net::parse_url("https://hub.example").value();
  auto page = [](int n, int next) {
    Answer answer;
    answer.url = net::parse_url("https://hub.example/l?c=" + std::to_string(n)).value();
    if (next >= 0) answer.headers.add("Link", "<https://hub.example/l?c=" + std::to_string(next) + ">; rel=\"next\"");
    return answer;
  };
  Pager pager(upstream, 3);
  EXPECT_EQ(pager.after(page(0, 1)).value(), "https://hub.example/l?c=1");
  EXPECT_EQ(pager.after(page(1, 2)).value(), "https://hub.example/l?c=2");
  EXPECT_THAT(pager.after(page(2, 0)), FailsWith(Errc::Refused, "go in circles"));
  EXPECT_THAT(pager.after(page(2, 2)), FailsWith(Errc::Refused, "the same page"));
  EXPECT_THAT(pager.after(page(2, 3)), FailsWith(Errc::Refused, "more than 3 pages"));
  EXPECT_EQ(pager.after(page(2, -1)).value(), "");
}
}  // namespace
}  // namespace hm::hub
