#include "hub/api.hpp"

#include <gtest/gtest.h>

#include "base/canonical_json.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/run.hpp"
#include "tests/support/scripted_http_client.hpp"

namespace hm::hub {
namespace {
using test::FailsWith;
const std::string kCommit(40, 'a'), kBlob(40, 'b'), kSha(64, 'c'), kXet(64, 'd');

struct ApiTest : testing::Test {
  test::ManualClock clock;
  test::ScriptedHttpClient client;
  RateBudget budget{600'000, clock.sleeper(), clock};
  Api api{client, net::parse_url("https://hub.example").value(), budget, policy()};
  const RepoId model{RepoKind::Model, "org/name"}, dataset{RepoKind::Dataset, "squad"};

  RetryPolicy policy() {
    RetryPolicy p;
    p.random = [] { return 0.5; };
    p.sleep = clock.sleeper();
    p.clock = &clock;
    return p;
  }
  const net::HttpRequest& request(std::size_t n) const { return client.requests().at(n); }
  Result<ResolvedFile> resolve(std::string path = "w.bin") {
    return test::run(api.resolve(model, "main", std::move(path)));
  }
};

std::string entry(const std::string& path) {
  return R"({"type":"file","oid":")" + kBlob + R"(","size":1,"path":")" + path + R"("})";
}

TEST_F(ApiTest, AsksForARepository) {
  client.answer(200, R"({"id":"org/name"})");
  EXPECT_EQ(test::run(api.repo_info(model, std::nullopt)).value().raw, R"({"id":"org/name"})");
  client.answer(200, R"({"id":"squad"})");
  EXPECT_TRUE(test::run(api.repo_info(dataset, "refs/convert/parquet")));
  EXPECT_EQ(request(0).url, "https://hub.example/api/models/org/name");
  EXPECT_EQ(request(1).url, "https://hub.example/api/datasets/squad/revision/refs%2Fconvert%2Fparquet");
}

TEST_F(ApiTest, KeepsAPathPrefixOfTheUpstream) {
  Api behind(client, net::parse_url("http://127.0.0.1:8080/hub/").value(), budget, policy());
  client.answer(200, R"({"id":"x"})");
  EXPECT_TRUE(test::run(behind.repo_info(model, std::nullopt)));
  EXPECT_EQ(request(0).url, "http://127.0.0.1:8080/hub/api/models/org/name");
  EXPECT_EQ(behind.git_url(model), "http://127.0.0.1:8080/hub/org/name.git");
  EXPECT_EQ(behind.git_url(dataset), "http://127.0.0.1:8080/hub/datasets/squad.git");
}

constexpr const char* kRidText = "621ffdc036468d709f17434d";
const std::string kSameRepo = std::string(R"({"_id":")") + kRidText + R"(","id":"org/name"})";

struct MayReadTest : ApiTest {
  Result<bool> may_read(const RepoId& repo) {
    return test::run(api.may_read(repo, *Rid::parse(kRidText), "hf_callers"));
  }
};

TEST_F(MayReadTest, AsksWithTheCallersTokenAndLooksWhoseNameItIs) {
  client.answer(200, "{}");
  client.answer(200, kSameRepo);
  EXPECT_TRUE(may_read(model).value());
  EXPECT_EQ(request(0).url, "https://hub.example/api/models/org/name/auth-check");
  EXPECT_EQ(request(1).url, "https://hub.example/api/models/org/name?expand=gated");
  for (const net::HttpRequest& sent : client.requests())
    EXPECT_EQ(sent.headers.get("Authorization"), "Bearer hf_callers");
}

TEST_F(MayReadTest, TakesARefusalForAnAnswer) {
  for (const auto& [status, code] :
       {std::pair{401, ""}, {401, "GatedRepo"}, {403, "GatedRepo"}, {403, ""}, {404, "RepoNotFound"}}) {
    client.answer(status).with("X-Error-Code", code);
    EXPECT_FALSE(may_read(dataset).value()) << status << code;
  }
  EXPECT_EQ(request(0).url, "https://hub.example/api/datasets/squad/auth-check");
  EXPECT_EQ(client.left(), 0U);
}

TEST_F(MayReadTest, TakesAnotherRepositoryOfThatNameForNone) {
  client.answer(200, "{}");
  client.answer(200, R"({"_id":"ffffffffffffffffffffffff","id":"org/name"})");
  EXPECT_FALSE(may_read(model).value());
}

TEST_F(MayReadTest, FollowsARenameWithTheToken) {
  client.answer(307).with("Location", "/api/models/new/name/auth-check");
  client.answer(200, "{}");
  client.answer(307).with("Location", "/api/models/new/name");
  client.answer(200, kSameRepo);
  EXPECT_TRUE(may_read(model).value());
  EXPECT_EQ(request(3).url, "https://hub.example/api/models/new/name?expand=gated");
  EXPECT_EQ(request(3).headers.get("Authorization"), "Bearer hf_callers");
}

TEST_F(MayReadTest, SendsTheTokenToNoOtherOrigin) {
  for (const char* elsewhere : {"https://evil.example/x", "http://hub.example/x", "https://hub.example:444/x"}) {
    client.answer(302).with("Location", elsewhere);
    EXPECT_THAT(may_read(model), FailsWith(Errc::Refused, "redirect")) << elsewhere;
  }
  EXPECT_EQ(client.requests().size(), 3U);
}

TEST_F(MayReadTest, SaysWhenThereIsNoAnswerAndNeverTheToken) {
  RetryPolicy once = policy();
  once.attempts_max = 1;
  RateBudget own(0, clock.sleeper(), clock);
  Api asking(client, net::parse_url("https://hub.example").value(), own, once);
  auto ask = [&] { return test::run(asking.may_read(model, *Rid::parse(kRidText), "hf_callers")); };
  client.answer(503);
  client.answer(429).with("Retry-After", "60");
  client.answer(405);
  client.fail(Errc::Unreachable, "no route");
  for (int i = 0; i < 4; ++i) {
    const auto answer = ask();
    ASSERT_FALSE(answer) << i;
    EXPECT_EQ(answer.error().what.find("hf_callers"), std::string::npos) << answer.error().what;
    clock.advance(3'600'000);
  }
}

TEST_F(ApiTest, LearnsTheNewNameOfARenamedRepository) {
  client.answer(307, "Temporary Redirect").with("Location", "/api/models/new-org/name");
  client.answer(200, R"({"id":"new-org/name"})");
  EXPECT_EQ(test::run(api.repo_info(model, std::nullopt)).value().id, "new-org/name");
}

TEST_F(ApiTest, SaysWhatIsWrongWithAnAnswer) {
  client.answer(200, R"({"id":"x","siblings":[{"rfilename":"a","size":"1"}]})");
  EXPECT_THAT(test::run(api.repo_info(model, std::nullopt)),
              FailsWith(Errc::BadInput,
                        "$.siblings[0].size: expected a non-negative integer, got a string (\"1\"); while reading the "
                        "answer to /api/models/org/name"));
  client.answer(200, "<html>");
  EXPECT_THAT(test::run(api.refs(model, false)), FailsWith(Errc::BadInput, "not valid JSON"));
}

TEST_F(ApiTest, TellsAnAnonymousCallerThatTheRepositoryMayBePrivate) {
  client.answer(401, R"({"error":"Invalid username or password."})");
  EXPECT_THAT(test::run(api.repo_info(model, std::nullopt)),
              FailsWith(Errc::NotFound, "it does not exist, or is private (set HF_TOKEN)"));
}

TEST_F(ApiTest, SendsNoNameThatWouldBeAnotherPath) {
  for (const char* name : {"", "..", "a/..", "../api", "a//b", "a/b/", "./a"}) {
    const RepoId odd{RepoKind::Model, name};
    EXPECT_THAT(test::run(api.repo_info(odd, std::nullopt)),
                FailsWith(Errc::BadInput, "is not the name of a repository"))
        << name;
  }
  for (const char* revision : {"", "..", "refs/../x", "a//b"})
    EXPECT_THAT(test::run(api.repo_info(model, revision)), FailsWith(Errc::BadInput, "is not a revision")) << revision;
  for (const char* path : {"", "/a", "a/../b", ".git/config", "a//b"})
    EXPECT_THAT(resolve(path), FailsWith(Errc::BadInput, "cannot be the path of a file")) << path;
  EXPECT_TRUE(client.requests().empty());
}

TEST_F(ApiTest, EncodesOddNames) {
  client.answer(200, "{}").with("X-Repo-Commit", kCommit);
  EXPECT_TRUE(test::run(api.resolve(model, "a b#?%", "dir/ü +%#?.bin")));
  EXPECT_EQ(request(0).url, "https://hub.example/org/name/resolve/a%20b%23%3F%25/dir/%C3%BC%20%2B%25%23%3F.bin");
}

TEST_F(ApiTest, WalksATreePageByPage) {
  client.answer(200, "[" + entry("a") + "," + entry("b") + "]")
      .with("Link", "<https://hub.example/api/models/org/name/tree/main?cursor=2&recursive=true>; rel=\"next\"");
  client.answer(200, "[" + entry("c") + "]");
  std::string seen;
  EXPECT_TRUE(test::run(api.tree(model, "main", true, [&](const TreeEntry& e) -> Result<> {
    seen += e.path;
    return ok();
  })));
  EXPECT_EQ(seen, "abc");
  EXPECT_EQ(request(0).url, "https://hub.example/api/models/org/name/tree/main?recursive=true&expand=false");
  EXPECT_EQ(request(1).url, "https://hub.example/api/models/org/name/tree/main?cursor=2&recursive=true");
}

TEST_F(ApiTest, StopsATreeWhenTheVisitorFails) {
  client.answer(200, "[" + entry("a") + "," + entry("b") + "]").with("Link", "</next>; rel=\"next\"");
  int visits = 0;
  EXPECT_THAT(test::run(api.tree(model, "main", false,
                                 [&](const TreeEntry&) -> Result<> {
                                   ++visits;
                                   return Error(Errc::NoSpace, "full");
                                 })),
              FailsWith(Errc::NoSpace, "full"));
  EXPECT_EQ(visits, 1);
  EXPECT_EQ(client.requests().size(), 1u);
}

TEST_F(ApiTest, RefusesAForeignOrCircularNextPage) {
  auto walk = [&] {
    return test::run(api.tree(model, "main", true, [](const TreeEntry&) -> Result<> { return ok(); }));
  };
  client.answer(200, "[]").with("Link", "<https://evil.example/next>; rel=\"next\"");
  EXPECT_THAT(walk(), FailsWith(Errc::Refused, "the next page would come from https://evil.example"));
  client.answer(200, "[]").with("Link", "</p?c=1>; rel=\"next\"");
  client.answer(200, "[]").with("Link", "</p?c=2>; rel=\"next\"");
  client.answer(200, "[]").with("Link", "</p?c=1>; rel=\"next\"");
  EXPECT_THAT(walk(), FailsWith(Errc::Refused, "go in circles"));
}

TEST_F(ApiTest, AsksForPathsInChunks) {
  std::vector<std::string> paths;
  for (int i = 0; i < 1001; ++i) paths.push_back("p \"" + std::to_string(i));
  client.answer(200, "[" + entry("x") + "]");
  client.answer(200, "[" + entry("y") + "]");
  EXPECT_EQ(test::run(api.paths_info(model, "main", paths)).value().size(), 2u);
  EXPECT_EQ(request(0).method, "POST");
  EXPECT_EQ(request(0).url, "https://hub.example/api/models/org/name/paths-info/main");
  EXPECT_EQ(request(0).headers.get("Content-Type"), "application/json");
  EXPECT_EQ(parse_json(request(0).body).value().at("paths").as_array().size(), 1000u);
  EXPECT_EQ(request(1).body, R"({"paths":["p \"1000"],"expand":false})");
}

TEST_F(ApiTest, AsksForRefsAndWhoIAm) {
  client.answer(200, R"({"branches":[]})");
  client.answer(200, R"({"branches":[],"pullRequests":[]})");
  client.answer(200, R"({"name":"n","type":"user"})");
  EXPECT_TRUE(test::run(api.refs(model, false)));
  EXPECT_TRUE(test::run(api.refs(model, true)));
  EXPECT_EQ(test::run(api.whoami()).value().name, "n");
  EXPECT_EQ(request(0).url, "https://hub.example/api/models/org/name/refs");
  EXPECT_EQ(request(1).url, "https://hub.example/api/models/org/name/refs?include_prs=1");
  EXPECT_EQ(request(2).url, "https://hub.example/api/whoami-v2");
  client.answer(401);
  EXPECT_THAT(test::run(api.whoami()), FailsWith(Errc::Gated, "a token is needed"));
}

TEST_F(ApiTest, CollectsAsManyCommitsAsAsked) {
  const std::string commit = R"({"id":")" + kCommit + R"(","date":"2026-03-02T14:08:36.000Z"})";
  client.answer(200, "[" + commit + "," + commit + "]")
      .with("Link", "</api/models/org/name/commits/main?p=1&limit=3>; rel=\"next\"");
  client.answer(200, "[" + commit + "," + commit + "]")
      .with("Link", "</api/models/org/name/commits/main?p=2&limit=3>; rel=\"next\"");
  EXPECT_EQ(test::run(api.commits(model, "main", 3)).value().size(), 3u);
  EXPECT_EQ(request(0).url, "https://hub.example/api/models/org/name/commits/main?p=0&limit=3");
  EXPECT_EQ(client.requests().size(), 2u);
  EXPECT_TRUE(test::run(api.commits(model, "main", 0)).value().empty());
  EXPECT_EQ(client.requests().size(), 2u);
}

TEST_F(ApiTest, ListsAPageAndNamesTheNext) {
  client.answer(200, R"([{"id":"a/b"}])")
      .with("Link", "<https://hub.example/api/models?limit=1&cursor=x>; rel=\"next\"");
  client.answer(200, "[]");
  const ListPage first = test::run(api.list(RepoKind::Model, "limit=1", "")).value();
  EXPECT_EQ(first.items.at(0).id, "a/b");
  const ListPage last = test::run(api.list(RepoKind::Model, "limit=1", first.next)).value();
  EXPECT_EQ(last.next, "");
  EXPECT_EQ(request(0).url, "https://hub.example/api/models?limit=1");
  EXPECT_EQ(request(1).url, "https://hub.example/api/models?limit=1&cursor=x");
  EXPECT_THAT(test::run(api.list(RepoKind::Model, "", "https://evil.example/api/models")),
              FailsWith(Errc::Refused, "is not on https://hub.example"));
}

TEST_F(ApiTest, AsksForLfsObjectsInChunks) {
  std::vector<LfsPointer> wanted;
  std::string first_answer, sep;
  for (unsigned i = 0; i < kLfsBatchMax + 1; ++i) {
    LfsPointer pointer;
    pointer.oid.bytes[0] = static_cast<std::uint8_t>(i);
    pointer.oid.bytes[1] = static_cast<std::uint8_t>(i >> 8);
    pointer.size_bytes = i;
    wanted.push_back(pointer);
    if (i == kLfsBatchMax) break;
    first_answer += sep + R"({"oid":")" + pointer.oid.hex() + R"(","size":)" + std::to_string(i) +
                    R"(,"actions":{"download":{"href":"https://cdn.example/)" + std::to_string(i) + "\"}}}";
    sep = ",";
  }
  client.answer(200, R"({"objects":[)" + first_answer + "]}").with("RateLimit", "\"resolvers\";r=2999;t=100");
  client.answer(200, R"({"objects":[]})");
  const auto objects = test::run(api.lfs_batch(model, wanted)).value();
  ASSERT_EQ(objects.size(), kLfsBatchMax + 1);
  EXPECT_EQ(objects[255].download->href, "https://cdn.example/255");
  EXPECT_EQ(objects[256].error_code, 404);
  EXPECT_EQ(request(0).url, "https://hub.example/org/name.git/info/lfs/objects/batch");
  EXPECT_EQ(request(0).headers.get("Accept"), "application/vnd.git-lfs+json");
  EXPECT_EQ(request(0).headers.get("Content-Type"), "application/vnd.git-lfs+json");
  EXPECT_EQ(request(1).body, render_lfs_batch_request(std::span(wanted).last(1)));
  EXPECT_EQ(budget.state(Bucket::Resolvers)->remaining, 2998u)
      << "the second call was counted where the first answer said";
}

TEST_F(ApiTest, FailsAWholeBatchThatIsRefused) {
  client.answer(403, R"({"message":"no access"})");
  EXPECT_THAT(test::run(api.lfs_batch(model, {LfsPointer()})),
              FailsWith(Errc::Gated, "403: no access; while asking POST /org/name.git/info/lfs/objects/batch"));
}

TEST_F(ApiTest, ResolvesAFileThatGitKeeps) {
  client.answer(307)
      .with("Location", "/api/resolve-cache/models/org/name/" + kCommit + "/config.json?config.json=&etag=%22x%22")
      .with("X-Repo-Commit", kCommit)
      .with("X-Linked-Etag", "\"" + kBlob + "\"");
  client.answer(200).with("ETag", "\"" + kBlob + "\"").with("X-Repo-Commit", kCommit).length = 313;
  const ResolvedFile file = resolve("config.json").value();
  EXPECT_EQ(file.url, "https://hub.example/api/resolve-cache/models/org/name/" + kCommit +
                          "/config.json?config.json=&etag=%22x%22");
  EXPECT_FALSE(file.elsewhere);
  EXPECT_EQ(file.commit->hex(), kCommit);
  EXPECT_EQ(file.git_oid->hex(), kBlob);
  EXPECT_FALSE(file.sha256);
  EXPECT_EQ(file.size_bytes, 313u);
  EXPECT_EQ(request(0).method, "HEAD");
  EXPECT_EQ(request(0).headers.get("Accept-Encoding"), "identity");
  EXPECT_FALSE(request(0).decompress);
  EXPECT_GT(request(0).body_bytes_max, 1ULL << 50) << "the announced length of a HEAD is not a body";
}

TEST_F(ApiTest, ResolvesALargeFileToItsSignedPlaceWithoutGoingThere) {
  client.answer(302, "Found. Redirecting")
      .with("Location", "https://cdn.example/xet-bridge/x?sig=1")
      .with("X-Repo-Commit", kCommit)
      .with("X-Linked-Etag", "\"" + kSha + "\"")
      .with("X-Linked-Size", "17920697312")
      .with("X-Xet-Hash", kXet)
      .with("ETag", "\"of the redirect\"");
  const ResolvedFile file = resolve().value();
  EXPECT_EQ(file.url, "https://cdn.example/xet-bridge/x?sig=1");
  EXPECT_TRUE(file.elsewhere);
  EXPECT_EQ(file.sha256->hex(), kSha);
  EXPECT_EQ(file.size_bytes, 17920697312u);
  EXPECT_EQ(file.xet_hash, kXet);
  EXPECT_EQ(client.requests().size(), 1u);
}

TEST_F(ApiTest, ResolvesAFileThatTheUpstreamServesItself) {
  client.answer(200).with("ETag", "W/\"" + kSha + "\"").length = 5'000'000'000;
  const ResolvedFile file = resolve().value();
  EXPECT_EQ(file.url, "https://hub.example/org/name/resolve/main/w.bin");
  EXPECT_EQ(file.sha256->hex(), kSha);
  EXPECT_EQ(file.size_bytes, 5'000'000'000u);
  EXPECT_FALSE(file.commit);
}

TEST_F(ApiTest, DoesNotTakeAnEncodedLengthForTheFiles) {
  client.answer(200).with("ETag", "\"x\"").with("Content-Encoding", "gzip").length = 5;
  EXPECT_FALSE(resolve().value().size_bytes);
}

TEST_F(ApiTest, FollowsARenameOnTheWayToAFile) {
  client.answer(307).with("Location", "/new/name/resolve/main/w.bin");
  client.answer(302).with("Location", "https://cdn.example/x").with("X-Linked-Etag", kSha).with("X-Linked-Size", "5");
  EXPECT_EQ(resolve().value().url, "https://cdn.example/x");
  EXPECT_EQ(request(1).url, "https://hub.example/new/name/resolve/main/w.bin");
}

TEST_F(ApiTest, RefusesABadRedirectOfAFile) {
  client.answer(302).with("Location", "http://cdn.example/x").with("X-Linked-Etag", kSha);
  EXPECT_THAT(resolve(), FailsWith(Errc::Refused, "https to http"));
  for (int i = 0; i < 6; ++i) client.answer(307).with("Location", "/org/name/resolve/main/w.bin");
  EXPECT_THAT(resolve(), FailsWith(Errc::Refused, "more than 5 redirects"));
}

TEST_F(ApiTest, SaysThatAFileIsMissing) {
  client.answer(404)
      .with("X-Error-Code", "EntryNotFound")
      .with("X-Error-Message", "Entry not found")
      .with("X-Repo-Commit", kCommit);
  EXPECT_THAT(
      resolve(),
      FailsWith(Errc::NotFound, "404 EntryNotFound: Entry not found; while asking HEAD /org/name/resolve/main/w.bin"));
}
}  // namespace
}  // namespace hm::hub
