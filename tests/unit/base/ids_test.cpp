// Names as people, URLs and the Hub write them.
#include "base/ids.hpp"

#include <gtest/gtest.h>

#include <vector>

namespace hm {
namespace {
struct SpecCase {
  const char* text;
  RepoKind kind;
  const char* name;
  const char* revision;  // nullptr: none
};
TEST(RepoSpec, ReadsWhatPeopleWrite) {
  const std::vector<SpecCase> cases{
      {"Qwen/Qwen2.5-0.5B", RepoKind::Model, "Qwen/Qwen2.5-0.5B", nullptr},
      {"gpt2", RepoKind::Model, "gpt2", nullptr},
      {"models/Qwen/Qwen2.5-0.5B", RepoKind::Model, "Qwen/Qwen2.5-0.5B", nullptr},
      {"datasets/rajpurkar/squad", RepoKind::Dataset, "rajpurkar/squad", nullptr},
      {"datasets/squad", RepoKind::Dataset, "squad", nullptr},
      {"spaces/org/app@v1", RepoKind::Space, "org/app", "v1"},
      {"org/name@refs/pr/3", RepoKind::Model, "org/name", "refs/pr/3"},
      {"org/name@0123456789012345678901234567890123456789", RepoKind::Model, "org/name",
       "0123456789012345678901234567890123456789"},
      {"https://huggingface.co/org/name", RepoKind::Model, "org/name", nullptr},
      {"https://huggingface.co/org/name/", RepoKind::Model, "org/name", nullptr},
      {"https://huggingface.co/org/name.git", RepoKind::Model, "org/name", nullptr},
      {"https://huggingface.co/datasets/org/name/tree/main", RepoKind::Dataset, "org/name", "main"},
      {"https://huggingface.co/org/name/tree/refs%2Fpr%2F1", RepoKind::Model, "org/name", "refs/pr/1"},
      {"https://huggingface.co/org/name/blob/main/a/b.txt", RepoKind::Model, "org/name", "main"},
      {"https://huggingface.co/org/name/resolve/v2/model.bin?download=true", RepoKind::Model, "org/name", "v2"},
      {"http://127.0.0.1:8080/spaces/org/app", RepoKind::Space, "org/app", nullptr},
      {"hf://datasets/org/name@main", RepoKind::Dataset, "org/name", "main"},
  };
  for (const SpecCase& c : cases) {
    const auto spec = parse_repo_spec(c.text);
    ASSERT_TRUE(spec) << c.text << ": " << spec.error().what;
    EXPECT_EQ(spec.value().repo.kind, c.kind) << c.text;
    EXPECT_EQ(spec.value().repo.name, c.name) << c.text;
    EXPECT_EQ(spec.value().revision.value_or("(none)"), c.revision ? c.revision : "(none)") << c.text;
  }
}

TEST(RepoSpec, ReadsIds) {
  const auto spec = parse_repo_spec("dataset:621ffdc036468d709f17434d@main");
  ASSERT_TRUE(spec);
  EXPECT_EQ(spec.value().repo.kind, RepoKind::Dataset);
  EXPECT_EQ(spec.value().rid, Rid::parse("621ffdc036468d709f17434d"));
  EXPECT_EQ(spec.value().repo.name, "");
  EXPECT_EQ(spec.value().revision, "main");
  EXPECT_EQ((RepoKey{RepoKind::Dataset, *spec.value().rid}.text()), "dataset:621ffdc036468d709f17434d");
  EXPECT_FALSE(parse_repo_spec("model:621ffdc036468d709f17434"));
  EXPECT_FALSE(parse_repo_spec("thing:621ffdc036468d709f17434d"));
  EXPECT_FALSE(parse_repo_spec("org/name").value().rid);
}

TEST(RepoSpec, RefusesWithAnExample) {
  for (const char* text : {"",
                           "/",
                           "a/",
                           "/a",
                           "a/b/c",
                           "a b/c",
                           "-a/b",
                           "a/b.",
                           "../etc",
                           "a/..",
                           "a--b/c",
                           "a/b@",
                           "a/b@-x",
                           "a/b@x..y",
                           "a/b@x y",
                           "a/\xc3\xa9",
                           "https://huggingface.co",
                           "https://huggingface.co/",
                           "a/b@x~1",
                           "hf://spaces/raw//cpp",
                           "a/b@x%\x7f",
                           "org/name@\x01\x1b[0m:"}) {
    const auto spec = parse_repo_spec(text);
    ASSERT_FALSE(spec) << text;
    EXPECT_EQ(spec.error().code, Errc::BadInput) << text;
    EXPECT_EQ(spec.error().what.find('\x1b'), std::string::npos) << "an error must not move the cursor";
  }
  EXPECT_NE(parse_repo_spec("a b").error().what.find("org/name"), std::string::npos);
}

TEST(RepoSpec, TextReadsBackAsTheSameRepository) {
  for (const RepoKind kind : {RepoKind::Model, RepoKind::Dataset, RepoKind::Space}) {
    const RepoId repo{kind, "org/name"};
    const auto spec = parse_repo_spec(repo.text());
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec.value().repo, repo);
    EXPECT_EQ(parse_repo_kind(name_of(kind)), kind);
    EXPECT_EQ(parse_repo_kind(api_segment(kind)), kind);
  }
  EXPECT_FALSE(parse_repo_kind("Model"));
}

TEST(RepoName, FollowsTheHubsRules) {
  EXPECT_TRUE(is_valid_repo_name(std::string(96, 'a') + "/" + std::string(96, 'b')));
  EXPECT_FALSE(is_valid_repo_name(std::string(97, 'a')));
  EXPECT_FALSE(is_valid_repo_name("org/name.git"));
  EXPECT_TRUE(is_valid_repo_name("org/git"));
  EXPECT_TRUE(is_valid_repo_name("0x/_a.b-c_"));
  for (const char* bad : {"", ".", "..", ".a", "a.", "-a", "a-", "a..b", "a--b", "a/b/c", "a//b", "a\\b", "a%2fb"})
    EXPECT_FALSE(is_valid_repo_name(bad)) << bad;
}

TEST(Rid, IsTwentyFourHexDigits) {
  EXPECT_EQ(Rid::parse("0123456789abcdef01234567")->text(), "0123456789abcdef01234567");
  EXPECT_FALSE(Rid::parse("0123456789ABCDEF01234567"));
  EXPECT_FALSE(Rid::parse("0123456789abcdef0123456"));
  EXPECT_FALSE(Rid::parse(""));
}

TEST(Rid, DerivedOnesDependOnHostKindAndName) {
  const RepoId model{RepoKind::Model, "org/name"}, dataset{RepoKind::Dataset, "org/name"},
      other{RepoKind::Model, "org/name2"};
  const Rid rid = derived_rid("hub.example", model);
  EXPECT_EQ(rid, derived_rid("hub.example", model));
  EXPECT_NE(rid, derived_rid("other.example", model));
  EXPECT_NE(rid, derived_rid("hub.example", dataset));
  EXPECT_NE(rid, derived_rid("hub.example", other));
  EXPECT_EQ(rid.text(), sha256("hub.example\nmodel\norg/name").hex().substr(0, 24));
}

TEST(RepoPath, KeepsFilesInsideTheirRepository) {
  for (const char* good : {"a", "a/b", "-x", "...", "a b/c#d%20", ".gitattributes", "\xc3\xa9", "a/.git2", "git"})
    EXPECT_TRUE(is_safe_repo_path(good)) << good;
  for (const char* bad : {"", "/a", "a/", "a//b", ".", "..", "a/../b", "a/.", ".git", ".GIT/config", "a/.Git/hooks"})
    EXPECT_FALSE(is_safe_repo_path(bad)) << bad;
  EXPECT_FALSE(is_safe_repo_path(std::string_view("a\0b", 3)));
  EXPECT_TRUE(is_safe_repo_path(std::string(4096, 'a')));
  EXPECT_FALSE(is_safe_repo_path(std::string(4097, 'a')));
}

TEST(Commit, IsFortyLowercaseHexDigits) {
  EXPECT_TRUE(is_commit_hex("0123456789012345678901234567890123456789"));
  EXPECT_FALSE(is_commit_hex("012345678901234567890123456789012345678"));
  EXPECT_FALSE(is_commit_hex("main"));
  EXPECT_FALSE(
      is_commit_hex("0123456789012345678901234567890123456789"
                    "012345678901234567890123"));
}
}  // namespace
}  // namespace hm
