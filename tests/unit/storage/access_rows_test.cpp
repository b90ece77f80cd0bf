#include "storage/access_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/secret.hpp"
#include "tests/support/memory_index.hpp"
#include "tests/support/result_matchers.hpp"

namespace hm::storage {
namespace {
using test::FailsWith;
using testing::ElementsAre;
using testing::IsEmpty;

TokenRow some_row() {
  TokenRow row;
  row.hash = sha256("a token");
  row.name = "ci";
  row.created_ms = 1;
  row.expires_ms = 100;
  row.repos = {"org/*"};
  row.gated = {"org/gated", "datasets/org/*"};
  row.private_repos = {"org/secret"};
  return row;
}

TEST(TokenRow, ComesBackAsItWasStored) {
  const auto index = test::open_memory_index(test::make_memory_disk());
  EXPECT_THAT(list_tokens(*index).value(), IsEmpty());
  Batch batch;
  put_token(batch, some_row());
  batch.put(Family::Meta, "access/tokenize", "something else");
  ASSERT_TRUE(index->commit(batch));
  EXPECT_THAT(list_tokens(*index).value(), ElementsAre(some_row()));
}

TEST(TokenRow, HoldsNoToken) {
  const std::string token = make_token();
  TokenRow row = some_row();
  row.hash = sha256(token);
  Batch batch;
  put_token(batch, row);
  for (const auto& change : batch.changes())
    EXPECT_EQ((change.key + change.value).find(token.substr(9)), std::string::npos);
}

TEST(TokenRow, IsRefusedWhenAFieldIsMissing) {
  for (const char* value :
       {R"({"name":"ci"})", "[]", "", R"({"created":1,"expires":0,"gated":[],"name":"ci","private":[],"revoked":0})",
        R"({"created":1,"expires":-5,"gated":[],"name":"ci","private":[],"repos":[],"revoked":0})"}) {
    const auto index = test::open_memory_index(test::make_memory_disk());
    Batch batch;
    batch.put(Family::Meta, "access/token/" + std::string(32, 'h'), value);
    ASSERT_TRUE(index->commit(batch));
    EXPECT_THAT(list_tokens(*index), FailsWith(Errc::Corrupt, "token")) << value;
  }
}

TEST(TokenRow, IsInForceUntilItExpiresOrIsRevoked) {
  TokenRow row = some_row();
  EXPECT_TRUE(row.in_force(99));
  EXPECT_FALSE(row.in_force(100));
  row.expires_ms = 0;
  EXPECT_TRUE(row.in_force(1'000'000));
  row.revoked_ms = 50;
  EXPECT_FALSE(row.in_force(1));
}

TEST(Token, HasTheFormThatClientsOfTheHubCheck) {
  for (int i = 0; i < 100; ++i) {
    const std::string token = make_token();
    EXPECT_TRUE(token.starts_with("hf_"));
    EXPECT_GE(token.size(), 37U);
    EXPECT_LE(token.size(), 256U);
    for (const char c : token.substr(3)) EXPECT_TRUE(std::isalnum(static_cast<unsigned char>(c)) != 0) << token;
    EXPECT_TRUE(is_mirror_token(token));
  }
  EXPECT_FALSE(is_mirror_token("hf_" + random_alphanumerics(34)));
}

TEST(Globs, MeanRepositoriesByTheirWholeNameWithoutCase) {
  const RepoId model{RepoKind::Model, "Org/Name"}, set{RepoKind::Dataset, "org/name"}, old{RepoKind::Model, "gpt2"};
  EXPECT_TRUE(any_glob_matches({"x", "org/*"}, model));
  EXPECT_TRUE(any_glob_matches({"ORG/NAME"}, model));
  EXPECT_FALSE(any_glob_matches({"org/*"}, set));
  EXPECT_TRUE(any_glob_matches({"datasets/org/*"}, set));
  EXPECT_FALSE(any_glob_matches({"datasets/*"}, model));
  EXPECT_TRUE(any_glob_matches({"gpt2"}, old));
  EXPECT_FALSE(any_glob_matches({"name"}, model));
  EXPECT_FALSE(any_glob_matches({}, model));
}
}  // namespace
}  // namespace hm::storage
