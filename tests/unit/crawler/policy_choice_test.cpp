// Which repositories a policy means, by what listings told: every stage on a handful of repositories whose lineage is
// known.
#include "crawler/policy_choice.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>

#include "provenance/listing.hpp"
#include "provenance/record.hpp"
#include "storage/journal.hpp"
#include "tests/support/manual_clock.hpp"

namespace hm::crawler {
namespace {
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

class PolicyChoiceTest : public testing::Test {
 protected:
  PolicyChoiceTest()
      : dir_(std::filesystem::temp_directory_path() / ("hm-choice-" + std::to_string(::getpid()) +
                                                       testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(dir_);
    index_ = storage::open_index(dir_.string(), storage::Index::Mode::Write, {}).value();
    journal_.emplace(*index_);
    recorder_.emplace(*index_, *journal_, clock_, "node-a");
  }
  ~PolicyChoiceTest() override {
    index_.reset();
    std::filesystem::remove_all(dir_);
  }

  Rid rid_of(const std::string& text) {
    const auto [it, is_new] = rids_.try_emplace(text, rids_.size() + 1);
    char hex[25];
    std::snprintf(hex, sizeof hex, "%024zx", it->second);
    return *Rid::parse(hex);
  }
  RepoKey key_of(const std::string& text) {
    const RepoSpec spec = parse_repo_spec(text).value();
    return {spec.repo.kind, rid_of(text)};
  }
  /// Lists a repository; `more` is the rest of its JSON. The rid stays that of `text` when it gets another name.
  void list(const std::string& text, const std::string& more = "", const std::string& new_name = "") {
    RepoId repo = parse_repo_spec(text).value().repo;
    if (!new_name.empty()) repo.name = new_name;
    const Rid rid = rid_of(text);
    json::object item = parse_json("{\"_id\":\"" + rid.text() + "\",\"id\":\"" + repo.name + "\"" +
                                   (more.empty() ? "" : "," + more) + "}")
                            .value()
                            .as_object();
    ASSERT_TRUE(recorder_->record_listing("huggingface.co", {provenance::read_listing(repo, rid, item)}, {}, {}));
  }
  /// A model with tags (comma-separated), made from `bases` as their ids tell.
  void model(const std::string& name, std::uint64_t downloads, const std::string& tags = "",
             const std::vector<std::string>& bases = {}, const std::string& relation = "finetune",
             const std::string& more = "") {
    std::string json = "\"downloads\":" + std::to_string(downloads) + ",\"tags\":[";
    std::string models;
    std::string list_of_tags = tags;
    for (const std::string& base : bases) {
      list_of_tags += (list_of_tags.empty() ? "base_model:" : ",base_model:") + base;
      models += (models.empty() ? "" : ",") + std::string("{\"_id\":\"") + rid_of(base).text() + "\",\"id\":\"" + base +
                "\"}";
    }
    for (std::size_t at = 0; at < list_of_tags.size();) {
      const std::size_t end = std::min(list_of_tags.find(',', at), list_of_tags.size());
      json += (at == 0 ? "\"" : ",\"") + list_of_tags.substr(at, end - at) + "\"";
      at = end + 1;
    }
    json += "]";
    if (!bases.empty()) json += ",\"baseModels\":{\"relation\":\"" + relation + "\",\"models\":[" + models + "]}";
    if (!more.empty()) json += "," + more;
    list(name, json);
  }

  PolicyChoice choose_by(const std::string& toml, const std::string& tsv = "") {
    auto policy =
        config::parse_mirror_policy(toml, "p.toml", [&](const std::string&) -> Result<std::string> { return tsv; });
    EXPECT_TRUE(policy) << (policy ? "" : policy.error().what);
    auto choice = choose(*index_, policy.value(), clock_.unix_ms());
    EXPECT_TRUE(choice) << (choice ? "" : choice.error().what);
    return choice ? choice.value() : PolicyChoice{};
  }
  static std::vector<std::string> names(const PolicyChoice& choice) {
    std::vector<std::string> out;
    for (const ChosenRepo& c : choice.chosen)
      out.push_back(c.repo.text() + (c.revision ? "@" + *c.revision : std::string()));
    return out;
  }
  static std::map<std::string, std::vector<std::string>> reasons(const PolicyChoice& choice) {
    std::map<std::string, std::vector<std::string>> out;
    for (const ChosenRepo& c : choice.chosen) out[c.repo.text()] = c.why;
    return out;
  }
  static std::map<std::string, std::string> skipped(const PolicyChoice& choice) {
    std::map<std::string, std::string> out;
    for (const SkippedRepo& s : choice.skipped) out[s.repo.text()] = s.why;
    return out;
  }

  const std::filesystem::path dir_;
  test::ManualClock clock_;
  std::map<std::string, std::size_t> rids_;
  std::unique_ptr<storage::Index> index_;
  std::optional<storage::Journal> journal_;
  std::optional<provenance::Recorder> recorder_;
};

TEST_F(PolicyChoiceTest, TakesTheFirstOfThoseThatMeetTheConditions) {
  model("org/a", 10, "license:mit,safetensors");
  model("org/b", 30, "license:mit,safetensors");
  model("org/c", 20, "license:apache-2.0,safetensors", {}, "", "\"usedStorage\":4096,\"likes\":7");
  model("org/d", 90, "license:other,safetensors");
  model("org/e", 80, "license:mit");
  const auto choice = choose_by("[select]\nlicences = [\"mit\", \"Apache-2.0\"]\ntags = [\"safetensors\"]\ntop = 2\n");
  ASSERT_THAT(names(choice), ElementsAre("org/b", "org/c"));
  EXPECT_THAT(choice.chosen[0].why, ElementsAre("selected"));
  EXPECT_EQ(choice.chosen[0].key, key_of("org/b"));
  EXPECT_EQ(choice.chosen[1].downloads, 20U);
  EXPECT_EQ(choice.chosen[1].likes, 7U);
  EXPECT_EQ(choice.chosen[1].storage_bytes, 4096U);
  EXPECT_THAT(choice.chosen[1].licences, ElementsAre("apache-2.0"));
  EXPECT_THAT(choice.notes, IsEmpty());
  EXPECT_THAT(names(choose_by("[select]\nlicences = [\"mit\"]\n")), ElementsAre("org/e", "org/b", "org/a"));
}

TEST_F(PolicyChoiceTest, EachConditionNarrows) {
  model("org/small", 1, "", {}, "",
        R"("safetensors":{"total":100},"pipeline_tag":"fill-mask","library_name":"transformers","usedStorage":10,)"
        R"("createdAt":"2026-12-01T00:00:00.000Z","lastModified":"2027-01-10T00:00:00.000Z")");
  model("other/big", 9, "", {}, "",
        R"("safetensors":{"total":9000},"gated":"auto","likes":3,"usedStorage":1000,)"
        R"("createdAt":"2020-01-01T00:00:00.000Z","lastModified":"2020-01-01T00:00:00.000Z")");
  list("datasets/org/data");
  for (const char* condition :
       {"names = [\"ORG/*\"]", "words = [\"small\"]", "owners = [\"org\"]", "tasks = [\"fill-mask\"]",
        "libraries = [\"Transformers\"]", "parameters_max = \"1k\"", "size_max = 10", "gated = false",
        "created_since = \"2026-01-01\"", "changed_since = \"10d\""})
    EXPECT_THAT(names(choose_by("[select]\n" + std::string(condition) + "\n")), ElementsAre("org/small")) << condition;
  for (const char* condition : {"downloads_min = 5", "likes_min = 1", "parameters_min = \"1k\"", "gated = true"})
    EXPECT_THAT(names(choose_by("[select]\n" + std::string(condition) + "\n")), ElementsAre("other/big")) << condition;
  EXPECT_THAT(names(choose_by("[select]\nkind = \"dataset\"\nowners = [\"org\"]\n")), ElementsAre("datasets/org/data"));
}

TEST_F(PolicyChoiceTest, NamedRepositoriesComeWithTheirRevisionsKnownOrNot) {
  model("org/a", 1);
  const auto choice = choose_by(
      "[select]\nrepos = [\"org/a@v1\", \"org/a@v2\", \"org/unknown\"]\nlists = [\"l.tsv\"]\n"
      "[revisions]\nrevision = \"main\"\n",
      "org/a\tv1\ndatasets/org/new\n");
  EXPECT_THAT(names(choice), ElementsAre("org/a@v1", "org/a@v2", "org/unknown@main", "datasets/org/new@main"));
  EXPECT_THAT(choice.chosen[0].why, ElementsAre("select.repos", "l.tsv:1"));
  EXPECT_THAT(choice.chosen[1].why, ElementsAre("select.repos"));
  EXPECT_TRUE(choice.chosen[1].key);
  EXPECT_FALSE(choice.chosen[2].key);
  EXPECT_THAT(choice.notes, ElementsAre(HasSubstr("2 of the repositories named are in no listing")));
}

TEST_F(PolicyChoiceTest, WhatIsNamedWithARevisionIsNotTakenAgainForAnotherReason) {
  model("org/base", 50);
  model("org/a", 1, "", {"org/base"});
  const auto choice = choose_by("[select]\nrepos = [\"org/a\", \"org/base@v1\"]\ntop = 1\n[closure]\nbases = 1\n");
  EXPECT_THAT(reasons(choice),
              UnorderedElementsAre(Pair("org/a", ElementsAre("select.repos")),
                                   Pair("org/base", ElementsAre("select.repos", "selected", "base of org/a"))));
  EXPECT_THAT(names(choice), ElementsAre("org/base@v1", "org/a"));
}

TEST_F(PolicyChoiceTest, ARepositoryIsFoundByItsFormerNameAndById) {
  model("org/old", 1);
  model("org/b", 1);
  list("org/old", "", "org/new");
  const auto choice = choose_by("[select]\nrepos = [\"org/old\", \"" + key_of("org/b").text() +
                                "\", \"model:00000000000000000000ffff\"]\n");
  EXPECT_THAT(reasons(choice), UnorderedElementsAre(Pair("org/new", ElementsAre("select.repos as org/old")),
                                                    Pair("org/b", ElementsAre("select.repos"))));
  EXPECT_THAT(skipped(choice),
              ElementsAre(Pair("model:00000000000000000000ffff", HasSubstr("no listing knows this id"))));
}

TEST_F(PolicyChoiceTest, AnotherLicenceThanTheListBelievesKeepsTheRepositoryOut) {
  model("org/right", 3, "license:mit");
  model("org/wrong", 2, "license:llama3.1");
  model("org/silent", 1);
  const auto choice = choose_by("[select]\nlists = [\"l.tsv\"]\nnames = [\"org/*\"]\n",
                                "org/wrong\norg/right\t\tMIT\norg/wrong\t\tmit\norg/silent\t\tmit\n");
  EXPECT_THAT(names(choice), ElementsAre("org/right", "org/silent"));
  EXPECT_THAT(skipped(choice),
              ElementsAre(Pair("org/wrong", "l.tsv:3 takes it to be under mit; the Hub lists llama3.1")));
  EXPECT_THAT(choice.chosen[1].why[0], HasSubstr("not confirmed"));
}

TEST_F(PolicyChoiceTest, WhatIsGonePrivateOrDisabledIsSkipped) {
  model("org/gone", 1);
  model("org/private", 1, "", {}, "", "\"private\":true");
  model("org/disabled", 1, "", {}, "", "\"disabled\":true");
  ASSERT_TRUE(recorder_->record_listing_gone(key_of("org/gone"), 404));
  const auto choice = choose_by("[select]\nrepos = [\"org/gone\"]\nowners = [\"org\"]\n");
  EXPECT_THAT(names(choice), IsEmpty());
  EXPECT_THAT(skipped(choice),
              UnorderedElementsAre(Pair("org/gone", "gone upstream (404)"), Pair("org/private", "private"),
                                   Pair("org/disabled", "disabled by the Hub")));
}

TEST_F(PolicyChoiceTest, BasesComeAlongAsManyLevelsAsAsked) {
  model("org/root", 1);
  model("org/middle", 2, "", {"org/root"});
  model("org/leaf", 3, "", {"org/middle"});
  const std::string select = "[select]\nrepos = [\"org/leaf\"]\n[closure]\nbases = ";
  EXPECT_THAT(names(choose_by(select + "0\n")), ElementsAre("org/leaf"));
  EXPECT_THAT(names(choose_by(select + "1\n")), ElementsAre("org/leaf", "org/middle"));
  const auto all = choose_by(select + "true\n");
  EXPECT_THAT(reasons(all), UnorderedElementsAre(Pair("org/leaf", ElementsAre("select.repos")),
                                                 Pair("org/middle", ElementsAre("base of org/leaf")),
                                                 Pair("org/root", ElementsAre("base of org/middle"))));
}

TEST_F(PolicyChoiceTest, LineageThatRunsInACircleEnds) {
  model("org/a", 1, "", {"org/b", "org/a"});
  model("org/b", 1, "", {"org/a"});
  const auto choice = choose_by("[select]\nrepos = [\"org/a\"]\n[closure]\nbases = true\nderivatives = true\n");
  EXPECT_THAT(names(choice), ElementsAre("org/a", "org/b"));
}

TEST_F(PolicyChoiceTest, ABaseThatOnlyATagNamesIsFoundByThatName) {
  model("org/base", 1);
  model("org/moved", 1);
  list("org/moved", "", "org/elsewhere");
  model("org/leaf", 9,
        "base_model:org/base,base_model:finetune:org/base,base_model:org/moved,base_model:org/nowhere,base_model:/home/"
        "me/x");
  const auto choice = choose_by("[select]\nrepos = [\"org/leaf\"]\n[closure]\nbases = 1\n");
  EXPECT_THAT(names(choice), UnorderedElementsAre("org/leaf", "org/base", "org/elsewhere"));
  EXPECT_THAT(skipped(choice), UnorderedElementsAre(Pair("org/nowhere", "no listing knows it"),
                                                    Pair("/home/me/x", "no listing knows it")));
  EXPECT_EQ(choice.skipped[0].wanted, "base of org/leaf");
}

TEST_F(PolicyChoiceTest, DerivativesComeAlongByRelationMostDownloadedFirst) {
  model("org/base", 100);
  model("x/tune", 5, "", {"org/base"});
  model("x/quant", 9, "", {"org/base"}, "quantized");
  model("x/quant2", 3, "", {"org/base"}, "quantized");
  model("x/quant-of-tune", 7, "", {"x/tune"}, "quantized");
  const std::string select = "[select]\nrepos = [\"org/base\"]\n[closure]\n";
  EXPECT_THAT(names(choose_by(select + "derivatives = 1\n")), ElementsAre("org/base", "x/quant", "x/tune", "x/quant2"));
  EXPECT_THAT(names(choose_by(select + "derivatives = 2\n")),
              ElementsAre("org/base", "x/quant", "x/quant-of-tune", "x/tune", "x/quant2"));
  const auto quantized = choose_by(select + "derivatives = true\nrelations = [\"quantized\"]\n");
  EXPECT_THAT(names(quantized), ElementsAre("org/base", "x/quant", "x/quant2"));
  EXPECT_THAT(reasons(quantized)["x/quant"], ElementsAre("quantized of org/base"));
  const auto few = choose_by(select + "derivatives = true\nderivatives_max = 2\n");
  EXPECT_THAT(names(few), ElementsAre("org/base", "x/quant", "x/tune"));
  EXPECT_THAT(few.notes, ElementsAre(HasSubstr("closure.derivatives_max")));
}

TEST_F(PolicyChoiceTest, DerivativesBringTheirOtherBases) {
  model("org/base", 100);
  model("org/other", 50);
  model("x/merge", 5, "", {"org/base", "org/other"}, "merge");
  EXPECT_THAT(names(choose_by("[select]\nrepos = [\"org/base\"]\n[closure]\nbases = 1\nderivatives = 1\n")),
              ElementsAre("org/base", "org/other", "x/merge"));
}

TEST_F(PolicyChoiceTest, DeclaredTrainingDataComesAlong) {
  list("datasets/org/data");
  list("datasets/squad");
  model("org/base", 1, "dataset:squad");
  model("org/a", 2, "dataset:org/data,dataset:no/such,dataset:my own notes", {"org/base"});
  const auto choice = choose_by("[select]\nrepos = [\"org/a\"]\n[closure]\nbases = 1\ndatasets = true\n");
  EXPECT_THAT(names(choice), UnorderedElementsAre("org/a", "org/base", "datasets/org/data", "datasets/squad"));
  EXPECT_THAT(reasons(choice)["datasets/squad"], ElementsAre("training data of org/base"));
  EXPECT_THAT(skipped(choice), UnorderedElementsAre(Pair("datasets/no/such", HasSubstr("no listing knows it")),
                                                    Pair("datasets/my own notes", HasSubstr("no listing knows it"))));
}

TEST_F(PolicyChoiceTest, ExclusionWinsOverEverything) {
  list("datasets/org/data");
  model("org/root", 1);
  model("bad/middle", 2, "", {"org/root"});
  model("org/leaf", 9, "dataset:org/data", {"bad/middle"});
  const std::string select =
      "[select]\nrepos = [\"org/leaf\", \"bad/unknown\"]\n[closure]\nbases = true\ndatasets = true\n[exclude]\n";
  const auto owner = choose_by(select + "owners = [\"BAD\"]\n");
  EXPECT_THAT(names(owner), ElementsAre("org/leaf", "org/root", "datasets/org/data"))
      << "what it descends from further up is wanted still";
  EXPECT_THAT(skipped(owner), UnorderedElementsAre(Pair("bad/middle", "excluded: owner \"bad\""),
                                                   Pair("bad/unknown", "excluded: owner \"bad\"")));
  EXPECT_THAT(names(choose_by(select + "kinds = [\"dataset\"]\nrepos = [\"Org/Root\"]\n")),
              ElementsAre("org/leaf", "bad/middle", "bad/unknown"));
  EXPECT_THAT(names(choose_by(select + "names = [\"*leaf\"]\nwords = [\"unk\"]\n")), IsEmpty())
      << "the closure of what is excluded is not wanted";
}

TEST_F(PolicyChoiceTest, EachExclusionWorksByItself) {
  model("org/a", 2, "license:other,nsfw", {}, "",
        R"("gated":"manual","pipeline_tag":"fill-mask","library_name":"peft")");
  model("org/b", 1, "license:mit");
  for (const char* exclusion : {"tags = [\"NSFW\", \"x\"]", "licences = [\"other\"]", "libraries = [\"peft\"]",
                                "tasks = [\"fill-mask\"]", "gated = true", "words = [\"/A\"]", "names = [\"*/A\"]"})
    EXPECT_THAT(names(choose_by("[select]\nnames = [\"*\"]\n[exclude]\n" + std::string(exclusion) + "\n")),
                ElementsAre("org/b"))
        << exclusion;
  EXPECT_THAT(names(choose_by("[select]\nnames = [\"*\"]\n[exclude]\nrepos = [\"" + key_of("org/a").text() + "\"]\n")),
              ElementsAre("org/b"));
}

TEST_F(PolicyChoiceTest, OrderSaysWhatStaysWithinTheLimit) {
  model("org/a", 1, "", {}, "", R"("usedStorage":300,"lastModified":"2026-03-01T00:00:00.000Z")");
  model("org/b", 3, "", {}, "", R"("usedStorage":100,"lastModified":"2026-01-01T00:00:00.000Z")");
  model("org/c", 2, "", {}, "", R"("lastModified":"2026-02-01T00:00:00.000Z")");
  const std::string select = "[select]\nnames = [\"*\"]\n[limits]\nrepos_max = 2\n[schedule]\norder = ";
  const auto most = choose_by(select + "\"downloads\"\n");
  EXPECT_THAT(names(most), ElementsAre("org/b", "org/c"));
  EXPECT_THAT(skipped(most), ElementsAre(Pair("org/a", "beyond limits.repos_max, which is 2")));
  EXPECT_THAT(names(choose_by(select + "\"smallest-first\"\n")), ElementsAre("org/b", "org/a"));
  EXPECT_THAT(names(choose_by(select + "\"newest-first\"\n")), ElementsAre("org/a", "org/c"));
}

TEST_F(PolicyChoiceTest, SaysWhenNothingIsKnownOrNothingMatches) {
  EXPECT_THAT(choose_by("[select]\ntop = 1\n").notes, ElementsAre(HasSubstr("hubmirror crawl")));
  model("org/a", 1);
  EXPECT_THAT(choose_by("[select]\nwords = [\"zzz\"]\n").notes, ElementsAre(HasSubstr("match nothing that is known")));
}
}  // namespace
}  // namespace hm::crawler
