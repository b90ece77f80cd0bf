#include "hub/wire/repo_info.hpp"

#include <gtest/gtest.h>

#include "base/text.hpp"
#include "tests/support/result_matchers.hpp"

namespace hm::hub {
namespace {
using test::FailsWith;

constexpr std::string_view kFull =
    R"({"_id":"69a2f5edef408247323ee7f4","id":"org/name","modelId":"org/name","author":"org","sha":"3885219b6810b007914f3a7950a8d1b469d598a5",)"
    R"("private":true,"gated":"manual","disabled":true,"createdAt":"2026-02-28T14:04:29.000Z","lastModified":"2026-03-02T14:08:36.000Z",)"
    R"("tags":["a","b"],"cardData":{"license":"mit","n":[1,{"x":null}]},"usedStorage":289812206528,"new field":{"kept":1},"siblings":[)"
    R"({"rfilename":"a.bin","size":12345,"blobId":"60c8d8ab2adcf57a391163a7eeb0cdb8bf348e44",)"
    R"("lfs":{"sha256":"4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393","size":12345,"pointerSize":130}},{"rfilename":"README.md"}]})";

std::string with(std::string_view field, std::string_view value) {
  return R"({"id":"org/name",")" + std::string(field) + "\":" + std::string(value) + "}";
}

TEST(RepoInfo, ReadsEveryFieldAndKeepsTheText) {
  const auto info = parse_repo_info(std::string(kFull)).value();
  EXPECT_EQ(info.id, "org/name");
  EXPECT_EQ(info.rid->text(), "69a2f5edef408247323ee7f4");
  EXPECT_EQ(info.sha->hex(), "3885219b6810b007914f3a7950a8d1b469d598a5");
  EXPECT_EQ(info.author, "org");
  EXPECT_TRUE(info.is_private);
  EXPECT_EQ(info.gated, Gated::Manual);
  EXPECT_TRUE(info.disabled);
  EXPECT_EQ(iso8601(*info.created_ms), "2026-02-28T14:04:29.000Z");
  EXPECT_EQ(iso8601(*info.last_modified_ms), "2026-03-02T14:08:36.000Z");
  EXPECT_EQ(info.tags, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(canonical_json(*info.card_data).value(), R"({"license":"mit","n":[1,{"x":null}]})");
  EXPECT_EQ(info.used_storage_bytes, 289812206528u);
  EXPECT_TRUE(info.siblings_given);
  ASSERT_EQ(info.siblings.size(), 2u);
  EXPECT_EQ(info.siblings[0].size_bytes, 12345u);
  EXPECT_EQ(info.siblings[0].blob_id->hex(), "60c8d8ab2adcf57a391163a7eeb0cdb8bf348e44");
  EXPECT_EQ(info.siblings[0].lfs->oid.hex(), "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393");
  EXPECT_EQ(info.siblings[0].lfs->pointer_size_bytes, 130u);
  EXPECT_EQ(info.siblings[1].rfilename, "README.md");
  EXPECT_FALSE(info.siblings[1].size_bytes || info.siblings[1].blob_id || info.siblings[1].lfs);
  EXPECT_EQ(info.raw, kFull);
}

TEST(RepoInfo, NeedsNothingButAName) {
  const auto info = parse_repo_info(R"({"id":"gpt2"})").value();
  EXPECT_EQ(info.id, "gpt2");
  EXPECT_FALSE(info.rid || info.sha || info.created_ms || info.card_data || info.used_storage_bytes);
  EXPECT_FALSE(info.siblings_given);
  EXPECT_EQ(info.gated, Gated::None);
}

TEST(RepoInfo, KnowsTheThreeKindsOfGateAndGuessesNoFourth) {
  EXPECT_EQ(parse_repo_info(with("gated", "false")).value().gated, Gated::None);
  EXPECT_EQ(parse_repo_info(with("gated", "\"auto\"")).value().gated, Gated::Auto);
  EXPECT_EQ(parse_repo_info(with("gated", "\"manual\"")).value().gated, Gated::Manual);
  for (const char* odd : {"true", "\"false\"", "\"\"", "1", "{}"})
    EXPECT_THAT(parse_repo_info(with("gated", odd)),
                FailsWith(Errc::BadInput, "$.gated: expected false, \"auto\" or \"manual\""))
        << odd;
}

TEST(RepoInfo, NamesTheFieldOfAWrongType) {
  struct Case {
    const char *field, *value, *message;
  };
  for (const Case& c :
       {Case{"_id", "\"69a2\"", "$._id: expected 24 lowercase hex digits"},
        Case{"_id", "7", "$._id: expected a string, got 7"},
        Case{"sha", "\"main\"", "$.sha: expected 40 lowercase hex digits, got a string (\"main\")"},
        Case{"private", "\"true\"", "$.private: expected true or false"},
        Case{"disabled", "0", "$.disabled: expected true or false, got 0"},
        Case{"createdAt", "1700000000", "$.createdAt: expected a time"},
        Case{"tags", "\"a\"", "$.tags: expected an array"},
        Case{"tags", "[\"a\",null]", "$.tags[1]: expected a string, got null"},
        Case{"cardData", "[]", "$.cardData: expected an object, got an array"},
        Case{"usedStorage", "-5", "$.usedStorage: expected a non-negative integer, got -5"},
        Case{"usedStorage", "1e30", "$.usedStorage: expected a non-negative integer, got a number"},
        Case{"author", "{}", "$.author: expected a string, got an object"},
        Case{"siblings", "{}", "$.siblings: expected an array, got an object"},
        Case{"siblings", "[{\"rfilename\":\"a\"},5]", "$.siblings[1]: expected an object, got 5"},
        Case{"siblings", "[{}]", "$.siblings[0].rfilename: missing"},
        Case{"siblings", "[{\"rfilename\":\"a\",\"size\":-1}]",
             "$.siblings[0].size: expected a non-negative integer, got -1"},
        Case{"siblings", "[{\"rfilename\":\"a\",\"lfs\":{\"size\":1}}]", "$.siblings[0].lfs.oid: missing"},
        Case{"siblings", "[{\"rfilename\":\"a\",\"lfs\":[]}]",
             "$.siblings[0].lfs: expected an object, got an array"}}) {
    EXPECT_THAT(parse_repo_info(with(c.field, c.value)), FailsWith(Errc::BadInput, c.message));
  }
}

TEST(RepoInfo, RefusesWhatIsNoInfo) {
  for (const char* text : {"", "null", "[]", "{}", "{\"id\":\"\"}", "{\"id\":null}", "{\"id\":1}", "<!doctype html>",
                           "{\"id\":\"a\"} x", "{\"id\":\"a\""})
    EXPECT_THAT(parse_repo_info(text), FailsWith(Errc::BadInput, "")) << text;
}

TEST(RepoInfo, BoundsTheNesting) {
  auto nested = [](std::size_t depth) { return with("config", std::string(depth, '[') + std::string(depth, ']')); };
  EXPECT_TRUE(parse_repo_info(nested(62)));
  EXPECT_THAT(parse_repo_info(nested(65)), FailsWith(Errc::BadInput, "not valid JSON"));
  EXPECT_THAT(parse_repo_info(nested(1'000'000)), FailsWith(Errc::BadInput, "not valid JSON"));
}

TEST(RepoInfo, KeepsControlBytesOfNamesAsTheyAre) {
  const auto info = parse_repo_info(R"({"id":"a","siblings":[{"rfilename":"x\u001b[2J\u0000\n.txt"}]})").value();
  EXPECT_EQ(info.siblings[0].rfilename, std::string("x\x1b[2J\0\n.txt", 11)) << "whoever prints it makes it printable";
}
}  // namespace
}  // namespace hm::hub
