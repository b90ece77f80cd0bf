// hubmirror token: what is printed, what is kept, and what is refused.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "app/cli.hpp"
#include "base/canonical_json.hpp"
#include "base/digest.hpp"
#include "base/file.hpp"
#include "tests/unit/storage/storage_fixture.hpp"

namespace hm::app {
namespace {
using testing::HasSubstr;
using testing::Not;

struct TokenTest : testing::Test {
  test::TempDirectory directory;
  std::istringstream in;
  std::ostringstream out, err;

  Exit hubmirror(std::vector<const char*> arguments) {
    const std::string where = directory.path() + "/data";
    arguments.insert(arguments.begin(), {"hubmirror", "--data-dir", where.c_str()});
    out.str("");
    err.str("");
    return run(static_cast<int>(arguments.size()), arguments.data(), Streams{in, out, err});
  }
  void SetUp() override { ASSERT_EQ(hubmirror({"init"}), Exit::Done) << err.str(); }
  json::value listed() {
    EXPECT_EQ(hubmirror({"token", "ls", "--json"}), Exit::Done);
    return parse_json(out.str()).value();
  }
};

TEST_F(TokenTest, IsPrintedOnceAndKeptNowhere) {
  ASSERT_EQ(hubmirror({"token", "create", "ci"}), Exit::Done) << err.str();
  std::string token = out.str();
  ASSERT_TRUE(token.ends_with('\n'));
  token.pop_back();
  EXPECT_EQ(token.size(), 52U);
  EXPECT_THAT(err.str(), Not(HasSubstr(token)));
  EXPECT_THAT(err.str(), HasSubstr(sha256(token).hex().substr(0, 12)));
  ASSERT_EQ(hubmirror({"token", "ls"}), Exit::Done);
  EXPECT_THAT(out.str(), HasSubstr("in force"));
  EXPECT_THAT(out.str() + err.str(), Not(HasSubstr(token.substr(9))));
  auto& files = real_file_system();
  const auto entries = files.list(directory.path() + "/data/index");
  for (const DirectoryEntry& entry : entries.assume_value()) {
    if (!entry.is_regular) continue;
    const auto bytes = read_small_file(files, directory.path() + "/data/index/" + entry.name, 64 << 20);
    EXPECT_THAT(bytes.value(), Not(HasSubstr(token.substr(9)))) << entry.name;
  }
}

TEST_F(TokenTest, KeepsWhatItGrants) {
  ASSERT_EQ(hubmirror({"token", "create", "ci", "--repos", "org/*", "--repos", "models/old", "--gated", "org/gated",
                       "--private", "datasets/org/secret", "--expires", "90d", "--json"}),
            Exit::Done)
      << err.str();
  EXPECT_TRUE(parse_json(out.str()).value().at("token").as_string().starts_with("hf_mirror"));
  const auto row = listed().as_array().at(0);
  EXPECT_EQ(row.at("repos"), json::value({"org/*", "old"}));
  EXPECT_EQ(row.at("gated"), json::value({"org/gated"}));
  EXPECT_EQ(row.at("private"), json::value({"datasets/org/secret"}));
  EXPECT_TRUE(row.at("expires").is_string());
  EXPECT_FALSE(row.as_object().contains("token"));
}

TEST_F(TokenTest, IsTakenBackByNameAndById) {
  ASSERT_EQ(hubmirror({"token", "create", "a"}), Exit::Done);
  ASSERT_EQ(hubmirror({"token", "create", "b"}), Exit::Done);
  EXPECT_EQ(hubmirror({"token", "create", "a"}), Exit::Usage);
  EXPECT_THAT(err.str(), HasSubstr("a has a token already"));
  EXPECT_EQ(hubmirror({"token", "revoke", "a"}), Exit::Done);
  const std::string id(listed().as_array().at(1).at("id").as_string());
  EXPECT_EQ(hubmirror({"token", "revoke", id.c_str()}), Exit::Done);
  const json::value rows = listed();
  for (const json::value& row : rows.as_array()) EXPECT_EQ(row.at("state").as_string(), "revoked");
  EXPECT_EQ(hubmirror({"token", "revoke", "a"}), Exit::Incomplete);
  EXPECT_THAT(err.str(), HasSubstr("hubmirror token ls"));
  EXPECT_EQ(hubmirror({"token", "create", "a"}), Exit::Done) << "the name is free again";
}

TEST_F(TokenTest, RefusesWhatCannotBeMeant) {
  for (const std::vector<const char*>& arguments : {std::vector<const char*>{"token", "create"},
                                                    {"token", "create", "a b"},
                                                    {"token", "create", "-x"},
                                                    {"token", "create", "0123456789ab"},
                                                    {"token", "create", "a", "--repos", ""},
                                                    {"token", "create", "a", "--repos", "org/x@main"},
                                                    {"token", "create", "a", "--gated", "model:0123"},
                                                    {"token", "create", "a", "--expires", "soon"},
                                                    {"token", "create", "a", "--expires", "0d"},
                                                    {"token", "create", "a", "--expires", "99999d"},
                                                    {"token"},
                                                    {"token", "revoke"}})
    EXPECT_EQ(hubmirror(arguments), Exit::Usage) << arguments.back();
  EXPECT_TRUE(listed().as_array().empty());
}

TEST_F(TokenTest, StandsInTheJournalForAuditors) {
  ASSERT_EQ(hubmirror({"token", "create", "ci", "--gated", "org/*"}), Exit::Done);
  ASSERT_EQ(hubmirror({"token", "revoke", "ci"}), Exit::Done);
  ASSERT_EQ(hubmirror({"changes", "--since", "2020-01-01"}), Exit::Done);
  EXPECT_THAT(out.str(), HasSubstr("granted to ci, gated org/*, by "));
  EXPECT_THAT(out.str(), HasSubstr("taken back from ci"));
  ASSERT_EQ(hubmirror({"verify", "--deep"}), Exit::Done) << out.str() << err.str();
  ASSERT_EQ(hubmirror({"index", "rebuild"}), Exit::Done) << err.str();
  EXPECT_EQ(listed().as_array().size(), 1U);
}
}  // namespace
}  // namespace hm::app
