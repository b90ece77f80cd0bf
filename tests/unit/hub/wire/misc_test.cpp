#include "hub/wire/misc.hpp"

#include <gtest/gtest.h>
#include <boost/json/serialize.hpp>

#include "base/text.hpp"
#include "tests/support/result_matchers.hpp"

namespace hm::hub {
namespace {
using test::FailsWith;
const std::string kTarget(40, 'b');

TEST(Refs, ReadsTheFourGroups) {
  auto group = [](const char* name, const char* ref) {
    return R"([{"name":")" + std::string(name) + R"(","ref":")" + ref + R"(","targetCommit":")" + kTarget + R"("}])";
  };
  const auto refs = parse_refs(R"({"branches":)" + group("main", "refs/heads/main") + R"(,"converts":)" +
                               group("parquet", "refs/convert/parquet") + R"(,"tags":)" + group("v1", "refs/tags/v1") +
                               R"(,"pullRequests":)" + group("1", "refs/pr/1") + "}")
                        .value();
  ASSERT_EQ(refs.branches.size(), 1u);
  EXPECT_EQ(refs.branches[0].name, "main");
  EXPECT_EQ(refs.branches[0].ref, "refs/heads/main");
  EXPECT_EQ(refs.branches[0].target.hex(), kTarget);
  ASSERT_EQ(refs.converts.size() + refs.tags.size() + refs.pull_requests.size(), 3u);
  EXPECT_EQ(refs.converts[0].ref, "refs/convert/parquet");
  EXPECT_EQ(refs.tags[0].ref, "refs/tags/v1");
  EXPECT_EQ(refs.pull_requests[0].ref, "refs/pr/1");
}

TEST(Refs, MayLackAllButBranches) {
  EXPECT_TRUE(parse_refs(R"({"branches":[]})").value().branches.empty());
  EXPECT_THAT(parse_refs("{}"), FailsWith(Errc::BadInput, "$.branches: missing"));
  EXPECT_THAT(parse_refs(R"({"branches":[],"tags":{}})"), FailsWith(Errc::BadInput, "$.tags: expected an array"));
  EXPECT_THAT(parse_refs(R"({"branches":[{"name":"m","ref":"refs/heads/m","targetCommit":"HEAD"}]})"),
              FailsWith(Errc::BadInput,
                        "$.branches[0].targetCommit: expected 40 lowercase hex digits, got a string (\"HEAD\")"));
}

TEST(Commits, ReadsThem) {
  const auto commits =
      parse_commits(
          R"([{"id":")" + kTarget +
          R"(","title":"t","message":"m\nn","date":"2026-03-02T14:08:36.000Z","authors":[{"user":"u","avatar":"x"},{"user":"v"}]},)"
          R"({"id":")" +
          kTarget + R"(","date":"2026-03-02T14:08:36Z"}])")
          .value();
  ASSERT_EQ(commits.size(), 2u);
  EXPECT_EQ(commits[0].title, "t");
  EXPECT_EQ(commits[0].message, "m\nn");
  EXPECT_EQ(iso8601(commits[0].date_ms), "2026-03-02T14:08:36.000Z");
  EXPECT_EQ(commits[0].authors, (std::vector<std::string>{"u", "v"}));
  EXPECT_TRUE(commits[1].authors.empty());
  EXPECT_THAT(parse_commits(R"([{"id":")" + kTarget + R"("}])"), FailsWith(Errc::BadInput, "$[0].date: missing"));
  EXPECT_THAT(parse_commits(R"([{"id":")" + kTarget + R"(","date":"2026-03-02T14:08:36Z","authors":[{}]}])"),
              FailsWith(Errc::BadInput, "$[0].authors[0].user: missing"));
}

TEST(List, KeepsAllFieldsOfEachItem) {
  const auto page = parse_list(R"([ {"id":"a/b","x":"]},{"} ,{"id":"c/d" , "likes":1.5}])").value();
  ASSERT_EQ(page.items.size(), 2u);
  EXPECT_EQ(json::serialize(page.items[0].fields), R"({"id":"a/b","x":"]},{"})");
  EXPECT_EQ(page.items[1].id, "c/d");
  EXPECT_EQ(json::serialize(page.items[1].fields), R"({"id":"c/d","likes":1.5E0})");
  EXPECT_TRUE(page.next.empty());
}

TEST(List, GoesOnWithoutABadItemAndNamesIt) {
  const auto page = parse_list(R"([{"id":"a/b"},{"id":"c/d","gated":true},7,{"id":"e/f"}])").value();
  ASSERT_EQ(page.items.size(), 2u);
  EXPECT_EQ(page.items[1].id, "e/f");
  EXPECT_EQ(page.items[1].fields.at("id").as_string(), "e/f");
  ASSERT_EQ(page.bad_items.size(), 2u);
  EXPECT_THAT(page.bad_items[0].what, testing::HasSubstr("$[1].gated"));
  EXPECT_THAT(page.bad_items[1].what, testing::HasSubstr("$[2]"));
  EXPECT_THAT(parse_list("{}"), FailsWith(Errc::BadInput, "$: expected an array"));
}

TEST(WhoAmI, ReadsNameKindAndOrganisations) {
  const auto who =
      parse_whoami(R"({"type":"user","name":"n","fullname":"N","orgs":[{"name":"o","type":"org"}]})").value();
  EXPECT_EQ(who.name, "n");
  EXPECT_EQ(who.type, "user");
  EXPECT_EQ(who.full_name, "N");
  EXPECT_EQ(who.orgs, std::vector<std::string>{"o"});
  EXPECT_THAT(parse_whoami(R"({"type":"user"})"), FailsWith(Errc::BadInput, "$.name: missing"));
  EXPECT_THAT(parse_whoami(R"({"type":"user","name":"n","orgs":[{}]})"),
              FailsWith(Errc::BadInput, "$.orgs[0].name: missing"));
}
}  // namespace
}  // namespace hm::hub
