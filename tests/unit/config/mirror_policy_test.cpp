// Mirroring policies: what a file and its lists mean, what is refused and with which words, and that the examples that
// are shipped can be read.
#include "config/mirror_policy.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

namespace hm::config {
namespace {
using testing::ElementsAre;
using testing::HasSubstr;
using testing::StartsWith;
namespace fs = std::filesystem;

/// With lists by path.
Result<MirrorPolicy> parse(std::string_view toml, const std::map<std::string, std::string>& lists = {}) {
  return parse_mirror_policy(toml, "p.toml", [&](const std::string& path) -> Result<std::string> {
    const auto it = lists.find(path);
    if (it == lists.end()) return Error{Errc::NotFound, path + " is not there"};
    return it->second;
  });
}
std::string policy_message_of(std::string_view toml, const std::map<std::string, std::string>& lists = {}) {
  const auto parsed = parse(toml, lists);
  EXPECT_FALSE(parsed) << toml;
  return parsed ? "accepted" : parsed.error().what;
}
MirrorPolicy must(std::string_view toml, const std::map<std::string, std::string>& lists = {}) {
  auto parsed = parse(toml, lists);
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().what);
  return parsed ? parsed.value() : MirrorPolicy{};
}

TEST(MirrorPolicy, ReadsEveryKey) {
  const MirrorPolicy p = must(R"(
description = "all of it"
[select]
kind = "dataset"
repos = ["org/a@v1", "datasets/org/d", "https://huggingface.co/spaces/org/s"]
lists = ["l.tsv"]
names = ["Qwen/*"]
words = ["base"]
owners = ["Qwen"]
tags = ["safetensors"]
licences = ["mit"]
libraries = ["transformers"]
tasks = ["text-generation"]
downloads_min = "10k"
likes_min = 5
parameters_min = "500M"
parameters_max = "7.5B"
size_max = "20GiB"
gated = false
created_since = "2026-01-31"
changed_since = "90d"
top = 200
by = "likes"
[exclude]
kinds = ["space"]
repos = ["org/x"]
lists = ["l.tsv"]
names = ["*-gguf"]
words = ["test"]
owners = ["bad"]
tags = ["nsfw"]
licences = ["other"]
libraries = ["peft"]
tasks = ["fill-mask"]
gated = true
[closure]
bases = true
derivatives = 2
derivatives_max = 50
relations = ["adapter", "merge"]
datasets = true
[files]
include = ["*.json"]
exclude = ["*.bin"]
formats = ["gguf"]
file_bytes_max = "1GiB"
[revisions]
revision = "main"
all_history = true
pull_requests = true
[limits]
repos_max = "1k"
bytes_max = "2TiB"
files_max = 100
repo_bytes_max = 4096
[schedule]
every = "12h"
order = "smallest-first"
[retention]
superseded_days = 30
unwanted_days = 0
)",
                              {{"l.tsv", "org/b\n"}});
  EXPECT_EQ(p.description, "all of it");
  EXPECT_EQ(p.select.kind, RepoKind::Dataset);
  ASSERT_EQ(p.select.repos.size(), 4U);
  EXPECT_EQ(p.select.repos[0].spec.revision, "v1");
  EXPECT_EQ(p.select.repos[0].where, "select.repos");
  EXPECT_EQ(p.select.repos[1].spec.repo.text(), "datasets/org/d");
  EXPECT_EQ(p.select.repos[2].spec.repo.text(), "spaces/org/s");
  EXPECT_EQ(p.select.repos[2].text, "https://huggingface.co/spaces/org/s");
  EXPECT_EQ(p.select.repos[3].where, "l.tsv:1");
  EXPECT_EQ(p.select.downloads_min, 10'000U);
  EXPECT_EQ(p.select.likes_min, 5U);
  EXPECT_EQ(p.select.parameters_min, 500'000'000U);
  EXPECT_EQ(p.select.parameters_max, 7'500'000'000U);
  EXPECT_EQ(p.select.size_max, 20ULL << 30);
  EXPECT_EQ(p.select.gated, false);
  EXPECT_EQ(p.select.created_since->at(0), 1'769'817'600'000);
  EXPECT_EQ(p.select.changed_since->at(100 * 86'400'000LL), 10 * 86'400'000LL);
  EXPECT_EQ(p.select.top, 200U);
  EXPECT_EQ(p.select.by, RankBy::Likes);
  EXPECT_THAT(p.exclude.kinds, ElementsAre(RepoKind::Space));
  EXPECT_EQ(p.exclude.repos.size(), 2U);
  EXPECT_EQ(p.exclude.gated, true);
  EXPECT_EQ(p.closure.bases, kClosureDepthMax);
  EXPECT_EQ(p.closure.derivatives, 2);
  EXPECT_EQ(p.closure.derivatives_max, 50U);
  EXPECT_THAT(p.closure.relations, ElementsAre("adapter", "merge"));
  EXPECT_TRUE(p.closure.datasets);
  EXPECT_EQ(p.files.text(), "exclude=*.bin&formats=gguf&include=*.json&max-file-size=1073741824");
  EXPECT_EQ(p.revisions.revision, "main");
  EXPECT_TRUE(p.revisions.all_history);
  EXPECT_TRUE(p.revisions.pull_requests);
  EXPECT_EQ(p.limits.repos_max, 1000U);
  EXPECT_EQ(p.limits.bytes_max, 2ULL << 40);
  EXPECT_EQ(p.limits.files_max, 100U);
  EXPECT_EQ(p.limits.repo_bytes_max, 4096U);
  EXPECT_EQ(p.schedule.every_ms, 12 * 3'600'000);
  EXPECT_EQ(p.schedule.order, PolicyOrder::SmallestFirst);
  EXPECT_EQ(p.retention.superseded_days, 30);
  EXPECT_EQ(p.retention.unwanted_days, 0);
}

TEST(MirrorPolicy, LetsNothingGoUnlessItSaysSo) {
  EXPECT_EQ(must("[select]\ntop = 1\n").retention.superseded_days, std::nullopt);
  EXPECT_EQ(must("[select]\ntop = 1\n").retention.unwanted_days, -1);
  for (const char* bad : {"-2", "36501", "\"30d\"", "1.5", "true"})
    EXPECT_THAT(policy_message_of(std::string("[select]\ntop = 1\n[retention]\nunwanted_days = ") + bad),
                HasSubstr("retention.unwanted_days"))
        << bad;
}

TEST(MirrorPolicy, RanksAndOrdersAreNamedInTheOrderOfTheirValues) {
  for (const auto& [word, rank] : std::map<std::string, RankBy>{{"downloads", RankBy::Downloads},
                                                                {"likes", RankBy::Likes},
                                                                {"trending", RankBy::Trending},
                                                                {"created", RankBy::Created},
                                                                {"modified", RankBy::Modified},
                                                                {"parameters", RankBy::Parameters}})
    EXPECT_EQ(must("[select]\ntop = 1\nby = \"" + word + "\"\n").select.by, rank) << word;
  for (const auto& [word, order] : std::map<std::string, PolicyOrder>{{"downloads", PolicyOrder::Downloads},
                                                                      {"smallest-first", PolicyOrder::SmallestFirst},
                                                                      {"newest-first", PolicyOrder::NewestFirst}})
    EXPECT_EQ(must("[select]\ntop = 1\n[schedule]\norder = \"" + word + "\"\n").schedule.order, order) << word;
}

TEST(MirrorPolicy, ThatNamesRepositoriesAloneHasNoConditions) {
  EXPECT_FALSE(must("[select]\nrepos = [\"org/a\"]\n").select.has_conditions());
  EXPECT_TRUE(must("[select]\nnames = [\"*\"]\n").select.has_conditions());
}

TEST(MirrorPolicyErrors, NameThePlaceAndWhatWasMeant) {
  EXPECT_EQ(policy_message_of("[select]\nlicence = [\"mit\"]\n"),
            "p.toml:2:1: unknown key \"licence\" in [select]; did you mean \"licences\"?");
  EXPECT_EQ(policy_message_of("[select]\nbases = 1\n"),
            "p.toml:2:1: unknown key \"bases\" in [select]; it belongs into [closure]");
  EXPECT_EQ(policy_message_of("[slect]\n"), "p.toml:1:2: unknown section [slect]; did you mean \"select\"?");
  EXPECT_EQ(policy_message_of("top = 3\n"),
            "p.toml:1:1: \"top\" stands outside of any section; it belongs into [select]");
  EXPECT_EQ(policy_message_of("descripton = \"x\"\n"),
            "p.toml:1:1: \"descripton\" stands outside of any section; only description may");
  EXPECT_THAT(policy_message_of("description = 3\n"), StartsWith("p.toml:1:15: description must be a text"));
  EXPECT_THAT(policy_message_of("[select\n"), StartsWith("p.toml:1:"));
}
TEST(MirrorPolicyErrors, ValuesOutOfBoundsOrForm) {
  EXPECT_EQ(policy_message_of("[closure]\nbases = 17\n"),
            "p.toml:2:9: closure.bases 17 is out of range; allowed are 0 to 16 levels");
  EXPECT_THAT(policy_message_of("[closure]\nbases = \"all\"\n"),
              HasSubstr("must be true, false or a number of levels"));
  EXPECT_THAT(policy_message_of("[select]\nparameters_max = \"7X\"\n"),
              HasSubstr("p.toml:2:18: select.parameters_max \"7X\" is not a count; write e.g. 7B"));
  EXPECT_THAT(policy_message_of("[select]\ntop = 0\n"), HasSubstr("allowed are 1 to 100000 repositories"));
  EXPECT_THAT(policy_message_of("[select]\nby = \"stars\"\n"), HasSubstr("allowed are downloads, likes, trending"));
  EXPECT_THAT(policy_message_of("[select]\nkind = \"modle\"\n"), HasSubstr("allowed are model, dataset, space"));
  EXPECT_THAT(policy_message_of("[exclude]\nkinds = [\"spaces\"]\n"), HasSubstr("allowed are model, dataset, space"));
  EXPECT_THAT(policy_message_of("[closure]\nrelations = [\"lora\"]\n"),
              HasSubstr("finetune, adapter, quantized, merge"));
  EXPECT_THAT(policy_message_of("[select]\ncreated_since = \"last week\"\n"), HasSubstr("neither a time nor an age"));
  EXPECT_THAT(policy_message_of("[select]\nrepos = [\"a/b/c\"]\n"),
              HasSubstr("select.repos \"a/b/c\" is not a repository"));
  EXPECT_THAT(policy_message_of("[schedule]\nevery = 3600\n"), HasSubstr("must be a duration like \"12h\""));
  EXPECT_THAT(policy_message_of("[schedule]\nevery = \"0h\"\n"),
              HasSubstr("0h is out of range; allowed are 1min to 3650d"));
  EXPECT_THAT(policy_message_of("[files]\nformats = [\"gguff\"]\n"), HasSubstr("did you mean \"gguf\"?"));
}
TEST(MirrorPolicyErrors, WhatContradictsItself) {
  EXPECT_THAT(policy_message_of(""), HasSubstr("p.toml: [select] says nothing"));
  EXPECT_THAT(policy_message_of("[select]\nkind = \"space\"\n"), HasSubstr("[select] says nothing"));
  EXPECT_THAT(policy_message_of("[select]\nrepos = [\"a/b\"]\nby = \"likes\"\n"), HasSubstr("ranks for select.top"));
  EXPECT_THAT(policy_message_of("[select]\nparameters_min = \"8B\"\nparameters_max = \"7B\"\n"), HasSubstr("is above"));
  EXPECT_THAT(policy_message_of("[select]\ntop = 1\n[closure]\nrelations = [\"merge\"]\n"),
              HasSubstr("closure.derivatives"));
  EXPECT_THAT(policy_message_of("[select]\ntop = 1\n[exclude]\nrepos = [\"a/b@main\"]\n"),
              HasSubstr("leave the revision out"));
  EXPECT_THAT(policy_message_of("[select]\nlists = [\"none.tsv\"]\n"),
              HasSubstr("none.tsv is not there; while reading select.lists"));
}
TEST(MirrorPolicyErrors, OfAListNameItsLine) {
  EXPECT_EQ(policy_message_of("[select]\nlists = [\"l.tsv\"]\n", {{"l.tsv", "# ours\norg/a\n\na/b/c\n"}}).substr(0, 24),
            "p.toml: l.tsv:4: \"a/b/c\"");
}

TEST(RepoList, ReadsColumnsCommentsAndWhatSpreadsheetsWrite) {
  const auto list = parse_repo_list(
      "\xef\xbb\xbfrepo\trevision\tlicence\r\n# ours\r\norg/a\r\n\r\norg/b\tv1\r\norg/c\t\tmit # sure\r\n"
      "datasets/org/d@main\t\tapache-2.0",
      "l.tsv");
  ASSERT_TRUE(list) << list.error().what;
  ASSERT_EQ(list.value().size(), 4U);
  EXPECT_EQ(list.value()[0].spec.repo.text(), "org/a");
  EXPECT_EQ(list.value()[0].where, "l.tsv:3");
  EXPECT_FALSE(list.value()[0].spec.revision);
  EXPECT_EQ(list.value()[1].spec.revision, "v1");
  EXPECT_EQ(list.value()[2].licence, "mit");
  EXPECT_FALSE(list.value()[2].spec.revision);
  EXPECT_EQ(list.value()[3].spec.repo.text(), "datasets/org/d");
  EXPECT_EQ(list.value()[3].spec.revision, "main");
  EXPECT_EQ(list.value()[3].where, "l.tsv:7");
}
TEST(RepoList, ARepositoryCalledRepoIsNoHeading) {
  EXPECT_EQ(parse_repo_list("repo\n", "l").value().size(), 1U);
  EXPECT_EQ(parse_repo_list("repo\tmain\n", "l").value().size(), 1U);
}
TEST(RepoList, TheHeadingMaySayLicenseAndHasAnOrder) {
  EXPECT_EQ(parse_repo_list("repo\trevision\tlicense\norg/a\n", "l").value().size(), 1U);
  const auto other = parse_repo_list("# ours\nlicence\trepo\nmit\torg/a\n", "l");
  ASSERT_FALSE(other);
  EXPECT_THAT(other.error().what,
              testing::AllOf(HasSubstr("l:2"), HasSubstr("repo, revision, licence, in this order")));
}
TEST(RepoList, RefusesWhatItCannotRead) {
  for (const auto& [text, why] :
       std::map<std::string, std::string>{{"org/a\tv1\tmit\tx\n", "l:1: 4 columns"},
                                          {"org/a@v1\tv2\n", "l:1: \"org/a@v1\" has a revision"},
                                          {"ok\norg/a\tv 1\n", "l:2: \"v 1\" is not a revision"},
                                          {"\tv1\n", "l:1: \"\" is not a repository"},
                                          {"org/a\t\tm\x1b[2Jit\n", "control characters"},
                                          {"org/a\t\t" + std::string(300, 'x') + "\n", "longer than 200 bytes"}}) {
    const auto list = parse_repo_list(text, "l");
    ASSERT_FALSE(list) << text;
    EXPECT_THAT(list.error().what, HasSubstr(why));
  }
}

class PolicyFolder : public testing::Test {
 protected:
  PolicyFolder()
      : dir_(fs::temp_directory_path() / ("hm-policies-" + std::to_string(::getpid()) +
                                          testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(dir_);
    fs::create_directories(dir_ / "policies");
  }
  ~PolicyFolder() override { fs::remove_all(dir_); }
  void write(const std::string& file, const std::string& text) const { std::ofstream(dir_ / file) << text; }
  std::string folder() const { return (dir_ / "policies").string(); }
  std::string failure() const {
    const auto loaded = load_mirror_policies(folder());
    EXPECT_FALSE(loaded);
    return loaded ? "loaded" : loaded.error().what;
  }
  const fs::path dir_;
};

TEST_F(PolicyFolder, IsReadInTheOrderOfNamesAndListsStartAtIt) {
  write("policies/b.toml", "[select]\nrepos = [\"org/b\"]\n");
  write("policies/a_list.toml", "[select]\nlists = [\"../lists.tsv\"]\n");
  write("policies/.#b.toml", "an editor's");
  write("policies/notes.txt", "not a policy");
  write("lists.tsv", "org/a\n");
  const auto loaded = load_mirror_policies(folder());
  ASSERT_TRUE(loaded) << loaded.error().what;
  ASSERT_EQ(loaded.value().size(), 2U);
  EXPECT_EQ(loaded.value()[0].name, "a_list");
  EXPECT_EQ(loaded.value()[0].select.repos[0].where, "../lists.tsv:1");
  EXPECT_EQ(loaded.value()[1].name, "b");
}
TEST_F(PolicyFolder, SaysWhatIsWrongWithIt) {
  EXPECT_THAT(failure(), HasSubstr("holds no policy"));
  write("policies/Ours.toml", "[select]\ntop = 1\n");
  EXPECT_THAT(failure(), HasSubstr("a policy is named by its file: a-z"));
  fs::remove_all(dir_ / "policies");
  EXPECT_THAT(failure(), HasSubstr("No such file"));
  write("policies", "a file");
  EXPECT_THAT(failure(), HasSubstr("is no folder"));
}
TEST_F(PolicyFolder, StandsBesideTheConfigurationUnlessItIsNamed) {
  const std::string file = (dir_ / "hubmirror.toml").string();
  Config config;
  EXPECT_EQ(policies_directory(config, file), folder());
  EXPECT_EQ(policies_directory(config, ""), "");
  fs::remove_all(dir_ / "policies");
  EXPECT_EQ(policies_directory(config, file), "");
  config.sync.policies = "/elsewhere";
  EXPECT_EQ(policies_directory(config, file), "/elsewhere");
}

TEST(ShippedPolicies, AreRight) {
  const auto loaded = load_mirror_policies(std::string(HM_SOURCE_DIR) + "/config/policies");
  ASSERT_TRUE(loaded) << loaded.error().what;
  EXPECT_GE(loaded.value().size(), 3U);
  for (const MirrorPolicy& policy : loaded.value()) EXPECT_NE(policy.description, "") << policy.name;
}
TEST(ShippedPolicies, AndTheirDocumentNameEveryKey) {
  std::ifstream in(std::string(HM_SOURCE_DIR) + "/docs/policies.md");
  std::stringstream text;
  text << in.rdbuf();
  for (const std::string& key : mirror_policy_keys()) EXPECT_THAT(text.str(), HasSubstr("| `" + key + "` |"));
}
}  // namespace
}  // namespace hm::config
