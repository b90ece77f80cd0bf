#include "provenance/card.hpp"

#include <gtest/gtest.h>

#include <string>

namespace hm::provenance {
namespace {
using Strings = std::vector<std::string>;

TEST(FrontMatter, IsTheTextBetweenTheFirstTwoFences) {
  EXPECT_EQ(front_matter("---\nlicense: mit\n---\n# Title\n"), "license: mit\n");
  EXPECT_EQ(front_matter("---\r\nlicense: mit\r\n---\r\n"), "license: mit\r\n");
  EXPECT_EQ(front_matter("\xEF\xBB\xBF---\na: b\n---"), "a: b\n");
  EXPECT_EQ(front_matter("\n---\na: b\n---\n"), "a: b\n") << "the Hub's client accepts a blank line before the fence";
  EXPECT_EQ(front_matter("\xEF\xBB\xBF \n\t---\na: b\n---\n"), "a: b\n") << "and blanks";
  EXPECT_EQ(front_matter("---\na: b\n--- \t\nc: d\n---\n"), "a: b\n") << "blanks behind the second fence";
  EXPECT_EQ(front_matter("---\n\n\na: b\n---"), "a: b\n");
  EXPECT_EQ(front_matter("---\n---\n"), "");
}
TEST(FrontMatter, IsEmptyWithoutAClosedFence) {
  EXPECT_EQ(front_matter("# Title\n---\nlicense: mit\n---\n"), "");
  EXPECT_EQ(front_matter("---\nlicense: mit\n"), "");
  EXPECT_EQ(front_matter("----\na: b\n----\n"), "");
  EXPECT_EQ(front_matter("--- \na: b\n---\n"), "") << "blanks behind the first fence: the Hub takes it for text";
  EXPECT_EQ(front_matter("---\na: b\n  ---\n"), "") << "a fence does not begin with blanks";
  EXPECT_EQ(front_matter("---\na: b\n---x\n"), "");
  EXPECT_EQ(front_matter("---"), "");
  EXPECT_EQ(front_matter(""), "");
  EXPECT_EQ(front_matter("---\n" + std::string(kFrontMatterBytesMax, 'a') + "\n---\n"), "") << "longer than the bound";
}

TEST(Card, ReadsScalarsAndLists) {
  const auto card = parse_card(
      "license: apache-2.0\nbase_model:\n- Qwen/Qwen2.5-0.5B\n- org/other\ndatasets: [a/b, c]\nlanguage: "
      "no\npipeline_tag: text-generation\nlibrary_name: peft\nbase_model_relation: adapter\n");
  EXPECT_EQ(card.licences, Strings{"apache-2.0"});
  EXPECT_EQ(card.base_models, (Strings{"Qwen/Qwen2.5-0.5B", "org/other"}));
  EXPECT_EQ(card.datasets, (Strings{"a/b", "c"}));
  EXPECT_EQ(card.languages, Strings{"no"}) << "Norwegian, not a boolean";
  EXPECT_EQ(card.pipeline_tag, "text-generation");
  EXPECT_EQ(card.library_name, "peft");
  EXPECT_EQ(card.base_model_relation, "adapter");
  EXPECT_EQ(card.problem, "");
}
TEST(Card, KeepsTheLastOfDuplicateKeysAndDropsNulls) {
  EXPECT_EQ(parse_card("license: mit\nlicense: gpl-3.0\n").licences, Strings{"gpl-3.0"});
  EXPECT_EQ(parse_card("license:\n- mit\nlicense:\n- bsd\n").licences, Strings{"bsd"});
  EXPECT_TRUE(parse_card("license:\nbase_model: null\n").licences.empty());
  EXPECT_TRUE(parse_card("license:\nbase_model: null\n").base_models.empty());
}
TEST(Card, WalksOverDeeperStructure) {
  const auto card = parse_card(
      "model-index:\n- name: x\n  results:\n  - task: {type: t}\n    license: inner\n? [a, b]\n: license\nlicense: "
      "mit\n");
  EXPECT_EQ(card.licences, Strings{"mit"});
}
TEST(Card, ExpandsAliasesOfScalarsOnly) {
  EXPECT_EQ(parse_card("x: &l mit\nlicense: *l\n").licences, Strings{"mit"});
  EXPECT_NE(parse_card("a: &a [*a]\nlicense: mit\n").problem, "");
  EXPECT_NE(parse_card("a: &a [x]\nb: [*a, *a]\n").problem, "");
}
TEST(Card, ReadsWhatLineageNeeds) {
  const auto card = parse_card(
      "new_version: org/newer\nsource_datasets: [original, extended|squad]\nmodels: [a/b]\n"
      "model-index:\n- name: dataset\n  results:\n"
      "  - task: {type: t}\n    dataset: {type: glue, name: GLUE, args: {type: inner}}\n    metrics: [{type: f1}]\n"
      "  - dataset:\n      type: org/eval\n  - dataset: {type: glue}\n  - dataset: plain\n"
      "dataset: {type: elsewhere}\n");
  EXPECT_EQ(card.new_version, "org/newer");
  EXPECT_EQ(card.source_datasets, (Strings{"original", "extended|squad"}));
  EXPECT_EQ(card.models, Strings{"a/b"});
  EXPECT_EQ(card.evaluated_on, (Strings{"glue", "org/eval"})) << "each once, and no other type";
  EXPECT_TRUE(parse_card("model-index: [{results: [{dataset: {type: x}}]}]\nmodel-index: none\n").evaluated_on.empty())
      << "the last of duplicate keys";
}
TEST(Card, TakesLicencesAndLanguagesByConfigurationAsOneList) {
  const auto card = parse_card("licenses:\n  en:\n  - mit\n  de: [cc-by-4.0]\nlanguages: {en: [en], de: de}\n");
  EXPECT_EQ(card.licences, (Strings{"mit", "cc-by-4.0"}));
  EXPECT_EQ(card.languages, (Strings{"en", "de"}));
  EXPECT_TRUE(parse_card("datasets: [{name: x}]\nbase_model: {name: y}\n").datasets.empty()) << "a name of what?";
}
TEST(Card, KeepsOfABrokenCardWhatCanBeReadAlone) {
  const auto card = parse_card(
      "language:\n-acu\n-af\nlicense: cc0-1.0\r\ntitle: \"never closed\ntags:\n  a:\n  - x\n   b: y\ndatasets:\n- "
      "a/b\n");
  EXPECT_EQ(card.problem, "not valid YAML in line 3: could not find expected ':'; not read: language, title, tags");
  EXPECT_EQ(card.licences, Strings{"cc0-1.0"});
  EXPECT_EQ(card.datasets, Strings{"a/b"});
  EXPECT_TRUE(card.languages.empty());
  EXPECT_EQ(parse_card("license: mit\nb: " + std::string(60, '[') + std::string(60, ']') + "\n").licences,
            Strings{"mit"});
  EXPECT_EQ(parse_card("license: mit\nlicense: [bsd\n").licences, Strings{"mit"});
}
TEST(Card, SaysWhatIsWrongWhereNothingCanBeRead) {
  for (const std::string& bad : {std::string("license: [mit\n"), std::string("- a\n- b\n"), std::string("just text\n"),
                                 std::string("- license: mit\n"), std::string("license: \tmit\n\tx: y\n"),
                                 "a: " + std::string(100, '[') + "\n"}) {
    const auto card = parse_card(bad);
    EXPECT_NE(card.problem, "") << bad.substr(0, 40);
    EXPECT_TRUE(card.licences.empty()) << bad.substr(0, 40);
  }
}
TEST(Card, ReadsTheFirstOfSeveralDocuments) {
  const auto card = parse_card("license: mit\n...\nlicense: bsd\n");
  EXPECT_EQ(card.licences, Strings{"mit"});
}
TEST(Card, IsBoundedInEvents) {
  std::string many = "x:\n";
  for (int i = 0; i < 60'000; ++i) many += "- a\n";
  EXPECT_NE(parse_card(many.substr(0, kFrontMatterBytesMax)).problem, "");
}
TEST(Card, NeverLetsControlBytesThrough) {
  const auto card = parse_card("license: \"mit\\e[31m\\n\"\n");
  ASSERT_EQ(card.licences.size(), 1U);
  EXPECT_EQ(card.licences[0].find('\x1b'), std::string::npos);
}
}  // namespace
}  // namespace hm::provenance
