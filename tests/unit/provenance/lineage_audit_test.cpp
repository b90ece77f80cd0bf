// What audits find in what repositories say they are made from, what is missing of their closure, and what is affected
// when something is bad news.
#include "provenance/audit/lineage.hpp"

#include <gmock/gmock.h>

#include "base/canonical_json.hpp"
#include "provenance/audit/closure.hpp"
#include "provenance/audit/impact.hpp"
#include "provenance/audit/shapes.hpp"
#include "provenance/lineage/standing.hpp"
#include "tests/unit/provenance/lineage_world.hpp"

namespace hm::provenance::audit {
namespace {
using formats::Claim;
using formats::ClaimKind;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;

class AuditTest : public LineageWorld {
 protected:
  report::Report lineage_of(const Subjects& subjects) const {
    const auto made = audit::lineage(*index_, subjects);
    EXPECT_TRUE(made) << made.error().what;
    return made.value();
  }
  report::Report closure_of(const Subjects& subjects) const { return audit::closure(*index_, subjects).value(); }
  static Claim claim(ClaimKind kind, const std::string& field, const std::string& text) {
    return {kind, "", field, text, ""};
  }
  static FileFacts adapter_of(const std::string& base) {
    return said("adapter_config.json", {claim(ClaimKind::AdapterBase, "/base_model_name_or_path", base)});
  }
  static FileFacts config(const std::string& type, const std::string& hidden) {
    return said("config.json",
                {claim(ClaimKind::ModelType, "/model_type", type), claim(ClaimKind::Shape, "/hidden_size", hidden)});
  }
  void list_made(int number, const std::string& name, const std::string& created,
                 const std::vector<std::string>& bases = {}) {
    Listed as;
    as.bases = bases;
    as.more = R"(,"createdAt":")" + created + "\"";
    list(number, name, as);
  }
  void publish_files(int number, const std::string& name, const std::map<std::string, std::string>& large) {
    Published as;
    as.large = large;
    publish(number, name, as);
  }
  void publish_said(int number, const std::string& name, const std::string& card, const FileFacts& facts,
                    char commit = 'a') {
    Published as;
    as.card = card;
    as.said = facts;
    as.commit = commit;
    publish(number, name, as);
  }
  static std::string cell(const report::Report& report, const char* table, const std::vector<std::string>& keys,
                          const char* column) {
    const auto* of = report.table(table);
    const report::Figure* figure = of == nullptr ? nullptr : of->find(keys, column);
    return figure == nullptr ? "no such cell" : text_of(*figure);
  }
};

TEST_F(AuditTest, BasesThatNobodyHasAreFoundAndWhatIsWhereItWasIsNot) {
  list(1, "org/root");
  list(2, "org/fine", {"1"});
  list(3, "org/dangling", {"org/deleted"});
  list(4, "org/by-id", {"77"});
  list(5, "org/folder", {"./output/checkpoint-500"});
  list(6, "org/renamed-base");
  list(6, "org/new-name");
  list(7, "org/follows", {"org/renamed-base"});
  list(8, "org/vanished");
  list(9, "org/orphan", {"8"});
  ASSERT_TRUE(recorder_->record_listing_gone(key(8), 410));
  const auto report = lineage_of(all());
  EXPECT_THAT(shown(report), ElementsAre("warning org/by-id dangling-base", "warning org/dangling dangling-base",
                                         "warning org/folder base-is-no-repository", "warning org/orphan base-gone"));
  EXPECT_THAT(report.findings[1].path,
              ElementsAre("org/dangling <-finetune declared- org/deleted (listing baseModels)"));
  EXPECT_THAT(report.findings[3].what, HasSubstr("gone upstream (HTTP 410)"));
  EXPECT_EQ(cell(report, "subjects", {"model"}, "subjects"), "9");
  EXPECT_EQ(cell(report, "subjects", {"model"}, "with_base"), "66.7 %");
  EXPECT_EQ(cell(report, "edges", {"finetune"}, "dangling"), "50.0 %");
  EXPECT_EQ(cell(report, "rules", {"dangling-base"}, "warnings"), "2");
}

TEST_F(AuditTest, SelfLoopsAndCyclesAreFoundAndMembersBelowThemAreNot) {
  list(1, "org/itself", {"1"});
  list(2, "org/a", {"4"});
  list(3, "org/b", {"2"});
  list(4, "org/c", {"3"});
  list(5, "org/below", {"2"});
  const auto report = lineage_of(all());
  EXPECT_THAT(shown(report), ElementsAre("warning org/a cycle", "warning org/b cycle", "warning org/c cycle",
                                         "note org/itself self-loop"));
  EXPECT_THAT(report.findings[0].path.size(), 3U);
  EXPECT_THAT(report.findings[0].path[2], HasSubstr("org/b <-finetune declared- org/a"));
}

TEST_F(AuditTest, ASelfLoopHidesNoCycle) {
  list(1, "org/both", {"1", "2"});
  list(2, "org/other", {"1"});
  EXPECT_THAT(shown(lineage_of(all())),
              ElementsAre("warning org/both cycle", "warning org/other cycle", "note org/both self-loop"));
}

TEST_F(AuditTest, FilesThatNameAnotherBaseThanTheCardContradictIt) {
  list(1, "org/root");
  list(2, "org/quantized", {"1"}, "quantized");
  list(3, "org/other");
  publish_said(4, "org/agrees", "base_model: org/root\nbase_model_relation: adapter\n", adapter_of("org/root"));
  publish_said(5, "org/contradicts", "base_model: org/root\nbase_model_relation: adapter\n", adapter_of("org/other"));
  publish_said(6, "org/indirect", "base_model: org/root\nbase_model_relation: adapter\n", adapter_of("org/quantized"));
  publish_said(7, "org/folder", "base_model: org/root\nbase_model_relation: adapter\n", adapter_of("/home/me/model"));
  publish_said(8, "org/silent", "", adapter_of("org/other"));
  const auto report = lineage_of(mirrored());
  EXPECT_THAT(shown(report),
              ElementsAre("problem org/contradicts base-contradicted", "warning org/folder base-is-no-repository",
                          "note org/indirect base-indirect"));
  EXPECT_EQ(report.findings[0].what, "its files name org/other, declared is org/root");
  EXPECT_EQ(cell(report, "subjects", {"model"}, "from_files"), "100.0 %");
}

TEST_F(AuditTest, WhatAnEarlierRevisionSaidContradictsNothing) {
  list(1, "org/root");
  list(2, "org/other");
  publish_said(3, "org/child", "base_model: org/root\n", adapter_of("org/other"), 'a');
  EXPECT_THAT(shown(lineage_of(mirrored())), Contains("problem org/child base-contradicted"));
  clock_.advance(60'000);
  publish_said(3, "org/child", "base_model: org/root\n", adapter_of("org/root"), 'c');
  EXPECT_THAT(shown(lineage_of(mirrored())), IsEmpty());
}

/// Upstream went back to an earlier commit: what the later one says is not said any more.
TEST_F(AuditTest, WhatARevisionThatWasTakenBackSaidContradictsNothing) {
  list(1, "org/root");
  list(2, "org/other");
  publish_said(3, "org/child", "base_model: org/root\n", adapter_of("org/root"), 'a');
  clock_.advance(60'000);
  publish_said(3, "org/child", "base_model: org/root\n", adapter_of("org/other"), 'c');
  EXPECT_THAT(shown(lineage_of(mirrored())), Contains("problem org/child base-contradicted"));
  clock_.advance(60'000);
  publish_said(3, "org/child", "base_model: org/root\n", adapter_of("org/root"), 'a');
  const auto current = lineage::current_snapshot(*index_, key(3)).value();
  ASSERT_TRUE(current);
  ASSERT_EQ(current->commit.hex().front(), 'a');
  EXPECT_THAT(shown(lineage_of(mirrored())), IsEmpty());
}

/// A thousand names in a card and as many in files: each pair was searched for by itself.
TEST_F(AuditTest, ManyBasesOfCardAndFilesAreComparedInOneGo) {
  list(1, "org/root");
  list(2, "org/known", {"1"});
  std::string card = "base_model:\n- org/root\n";
  FileFacts facts = said("mergekit_config.yml", {});
  facts.files[0].add(ClaimKind::MergeParent, "/models/0/model", "org/known");
  for (int i = 0; i < 200; ++i) {
    card += "- org/declared-" + std::to_string(i) + "\n";
    facts.files[0].add(ClaimKind::MergeParent, "/models/" + std::to_string(i + 1) + "/model",
                       "org/named-" + std::to_string(i));
  }
  publish_said(3, "org/child", card, facts);
  const auto report = lineage_of(mirrored());
  std::size_t contradicted = 0, indirect = 0;
  for (const report::Finding& f : report.findings) {
    contradicted += f.rule == "base-contradicted" ? 1 : 0;
    if (f.rule != "base-indirect") continue;
    ++indirect;
    EXPECT_THAT(f.what, HasSubstr("its files name org/known, declared is org/"));
    EXPECT_THAT(f.what, HasSubstr(" more; one descends from the other"));
    EXPECT_THAT(f.path.back(), HasSubstr("org/known <-finetune declared- org/root"));
  }
  EXPECT_EQ(contradicted, 200U);
  EXPECT_EQ(indirect, 1U);
}

TEST_F(AuditTest, RelationsThatFilesContradictAreFound) {
  list(1, "org/root");
  publish_said(2, "org/lora", "base_model: org/root\nbase_model_relation: finetune\n", adapter_of("org/root"));
  publish_said(3, "org/merged", "base_model: org/root\nbase_model_relation: finetune\n",
               said("mergekit_config.yml", {claim(ClaimKind::MergeParent, "/models/0/model", "org/root")}));
  EXPECT_THAT(shown(lineage_of(mirrored())),
              ElementsAre("warning org/lora relation-contradicted", "warning org/merged relation-contradicted"));
}

TEST_F(AuditTest, ShapesThatExcludeTheBaseAreFound) {
  publish_said(1, "org/root", "", config("llama", "4096"));
  publish_said(2, "org/fits", "base_model: org/root\nbase_model_relation: finetune\n", config("llama", "4096"));
  publish_said(3, "org/smaller", "base_model: org/root\nbase_model_relation: finetune\n", config("llama", "2048"));
  publish_said(4, "org/stranger", "base_model: org/root\nbase_model_relation: quantized\n", config("gpt2", "4096"));
  publish_said(5, "org/merge", "base_model: org/root\nbase_model_relation: merge\n", config("llama", "2048"));
  const auto report = lineage_of(mirrored());
  EXPECT_THAT(shown(report), ElementsAre("warning org/smaller base-excluded", "warning org/stranger base-excluded"));
  EXPECT_THAT(report.findings[0].what, HasSubstr("hidden_size is 2048, that of the base 4096"));
}

TEST(Shapes, AVocabularyMayGrowButNotDouble) {
  Shape child, base;
  child.vocab_sizes = {"32064"};
  base.vocab_sizes = {"32000"};
  EXPECT_EQ(exclusion(child, base), "");
  child.vocab_sizes = {"151936"};
  EXPECT_EQ(exclusion(child, base), "vocab_size is 151936, that of the base 32000");
  child.vocab_sizes = {"151936", "32000"};
  EXPECT_EQ(exclusion(child, base), "");
  EXPECT_EQ(exclusion(Shape(), base), "");
}

TEST_F(AuditTest, ABaseThatIsYoungerByMoreThanADayIsFound) {
  list_made(1, "org/late", "2026-03-05T12:00:00.000Z");
  list_made(2, "org/same-day", "2026-03-04T13:00:00.000Z", {"1"});
  list_made(3, "org/early", "2026-03-04T11:00:00.000Z", {"1"});
  const auto report = lineage_of(all());
  EXPECT_THAT(shown(report), ElementsAre("warning org/early base-younger"));
  EXPECT_EQ(report.findings[0].what, "its base org/late was made on 2026-03-05, itself on 2026-03-04");
}

TEST_F(AuditTest, EqualWeightsOfAnOlderStrangerAreAnUndeclaredParent) {
  list_made(1, "org/origin", "2026-01-01T00:00:00.000Z");
  list_made(2, "org/copy", "2026-02-01T00:00:00.000Z");
  list_made(3, "org/declared", "2026-02-02T00:00:00.000Z", {"1"});
  list_made(4, "org/sibling", "2026-02-03T00:00:00.000Z", {"3"});
  list_made(5, "org/trainer", "2026-02-04T00:00:00.000Z");
  for (const auto& [number, name] :
       {std::pair{1, "org/origin"}, {2, "org/copy"}, {3, "org/declared"}, {4, "org/sibling"}})
    publish_files(number, name, {{"model.safetensors", "weights"}, {"training_args.bin", "arguments"}});
  publish_files(5, "org/trainer", {{"training_args.bin", "arguments"}, {"data.parquet", "weights"}});
  const auto report = lineage_of(mirrored());
  EXPECT_THAT(shown(report), UnorderedElementsAre("warning org/copy undeclared-parent"));
  EXPECT_THAT(report.findings[0].what, HasSubstr("model.safetensors is byte for byte model.safetensors of org/origin"));
}

TEST_F(AuditTest, CoverageTellsWhoCouldNotBeJudged) {
  list(1, "org/only-listed");
  mirror(2, "org/only-mirrored", "base_model: [unclosed\n");
  const auto report = lineage_of(all());
  EXPECT_EQ(cell(report, "subjects", {"model"}, "subjects"), "2");
  const auto* table = report.table("subjects");
  EXPECT_EQ(table->judged, (report::Share{1, 2}));
  EXPECT_EQ(table->gaps[0].count, 1U) << "not listed";
  EXPECT_EQ(table->gaps[1].count, 1U) << "card not readable";
  EXPECT_EQ(table->gaps[2].count, 1U) << "not published";
}

TEST_F(AuditTest, TheClosureTellsWhatIsMissingAndHowMuchThatMatters) {
  list(1, "org/root");
  list(2, "org/base", {"1"});
  list(3, "org/gone");
  ASSERT_TRUE(recorder_->record_listing_gone(key(3), 404));
  publish_said(10, "org/adapter", "base_model: org/base\nbase_model_relation: adapter\ndatasets: [org/data]\n",
               adapter_of("org/base"));
  publish_said(11, "org/coded", "",
               said("config.json", {claim(ClaimKind::RemoteCode, "/auto_map/AutoModel", "org/code--modeling.Model")}));
  mirror(12, "org/whole");
  mirror(13, "org/of-gone", "base_model: org/gone\nbase_model_relation: finetune\n");
  const auto report = closure_of(mirrored());
  EXPECT_THAT(shown(report), ElementsAre("problem org/base adapter-base-missing", "problem org/code code-missing",
                                         "problem org/gone base-missing", "warning org/root base-missing",
                                         "note datasets/org/data data-missing"));
  EXPECT_EQ(report.findings[0].what, "not mirrored: the base of an adapter, for org/adapter");
  EXPECT_THAT(report.findings[1].what, HasSubstr("it is not known here"));
  EXPECT_THAT(report.findings[2].what, HasSubstr("gone upstream (HTTP 404) and cannot be fetched any more"));
  EXPECT_EQ(report.findings[3].path.size(), 2U);
  EXPECT_EQ(cell(report, "subjects", {"model"}, "complete"), "25.0 %");
  EXPECT_EQ(cell(report, "subjects", {"model"}, "runs"), "50.0 %");
  EXPECT_EQ(cell(report, "missing", {"org/base"}, "needed_by"), "1");
  mirror(2, "org/base");
  EXPECT_THAT(shown(closure_of(mirrored())), Not(Contains("problem org/base adapter-base-missing")));
}

/// What runs only with something is told by any of its edges, whichever is met first.
TEST_F(AuditTest, WhatIsNeededToRunIsSoOnWhicheverWayItIsMet) {
  list(1, "org/zbase");
  list(2, "org/adapter", {"1"}, "adapter");
  list(3, "org/between", {"2"}, "adapter");
  // A base of weights by one way, and needed to run by a longer one.
  publish_said(10, "org/child", "base_model: org/adapter\nbase_model_relation: merge\n", adapter_of("org/between"));
  const auto report = closure_of(mirrored());
  EXPECT_THAT(shown(report),
              ElementsAre("problem org/adapter adapter-base-missing", "problem org/between adapter-base-missing",
                          "problem org/zbase adapter-base-missing"));
}

TEST_F(AuditTest, OneFindingTellsOfAllWhoLackTheSame) {
  list(1, "org/root");
  for (int i = 2; i <= 7; ++i) {
    list(i, "org/m" + std::to_string(i), {"1"});
    mirror(i, "org/m" + std::to_string(i));
  }
  const auto report = closure_of(mirrored());
  ASSERT_EQ(report.findings.size(), 1U);
  EXPECT_EQ(report.findings[0].what, "not mirrored: a base, for org/m2, org/m3, org/m4 and 3 more");
  publish_said(8, "org/adapter", "base_model: org/root\nbase_model_relation: adapter\n", adapter_of("org/root"));
  EXPECT_EQ(closure_of(mirrored()).findings[0].what,
            "not mirrored: the base of an adapter, for org/adapter; less pressing for 6 more");
}

TEST_F(AuditTest, ImpactOfARepositoryIsTwofold) {
  list(1, "org/root");
  list(2, "org/child", {"1"});
  list(3, "org/grandchild", {"2"}, "quantized");
  Listed app;
  app.kind = RepoKind::Space;
  app.more = R"(,"models":["org/child"])";
  list(4, "lab/app", app);
  list(5, "org/stranger");
  mirror(3, "org/grandchild");
  mirror(5, "org/stranger");
  const auto report = impact_of_repository(*index_, node("org/root")).value();
  EXPECT_EQ(report.answer[0], "org/root affects 3 repositories, of which 1 is mirrored here.");
  EXPECT_EQ(report.answer[1], "Descend from it: 2; use it or one of these: 1.");
  EXPECT_THAT(shown(report), ElementsAre("warning org/grandchild affected"));
  EXPECT_THAT(report.findings[0].path,
              ElementsAre("org/grandchild <-quantized declared- org/child (listing baseModels: \"x/2\")",
                          "org/child <-finetune declared- org/root"));
  EXPECT_EQ(cell(report, "relations", {"uses"}, "hub"), "1");
  EXPECT_EQ(cell(report, "depths", {"2"}, "mirrored"), "1");
  EXPECT_EQ(report.graphs[0].nodes.size(), 3U) << "the way to what is here";
}

TEST_F(AuditTest, WhatUsesItAndIsMadeFromItTooDescends) {
  list(1, "org/root");
  list(2, "org/child", {"1"});
  const auto code =
      said("config.json", {claim(ClaimKind::RemoteCode, "/auto_map/AutoModel", "org/root--modeling.Model")});
  publish_said(3, "org/both", "base_model: org/child\nbase_model_relation: finetune\n", code);
  publish_said(4, "org/of-both", "base_model: org/both\n", {});
  publish_said(5, "org/only-code", "", code);
  const auto report = impact_of_repository(*index_, node("org/root")).value();
  EXPECT_EQ(report.answer[1], "Descend from it: 3; use it or one of these: 1.");
}

/// The Hub gives its id beside its name; who asks has the name.
TEST_F(AuditTest, TheWayToABaseThatNobodyHasIsFoundByItsName) {
  list(1, "org/child", {"77"});
  const lineage::Node deleted{std::nullopt, {RepoKind::Model, "X/77"}};
  const auto way = lineage::Graph(*index_).way_up(node("org/child"), deleted, {}).value();
  ASSERT_EQ(way.size(), 1U);
  EXPECT_EQ(way[0].to.repo.name, "x/77");
  EXPECT_THAT(lineage::Graph(*index_).way_up(node("org/child"), {std::nullopt, {RepoKind::Model, "x/78"}}, {}).value(),
              IsEmpty());
}

TEST_F(AuditTest, ImpactOfANameThatNobodyHasIsKnownByThoseWhoNameIt) {
  list(1, "org/child", {"org/deleted"});
  mirror(1, "org/child");
  const auto report = impact_of_repository(*index_, node("org/deleted")).value();
  EXPECT_THAT(shown(report), ElementsAre("warning org/child affected"));
}

TEST_F(AuditTest, ImpactOfAFileIsThatOfAllWhoHaveIt) {
  list(1, "org/one");
  list(2, "org/two");
  list(3, "org/child", {"1"});
  list(4, "org/stranger");
  publish_files(1, "org/one", {{"model.safetensors", "poisoned"}});
  publish_files(2, "org/two", {{"copy.safetensors", "poisoned"}});
  publish_files(4, "org/stranger", {{"model.safetensors", "clean"}});
  mirror(3, "org/child");
  const auto report = impact_of_file(*index_, sha256("poisoned")).value();
  EXPECT_THAT(shown(report),
              ElementsAre("warning org/child affected", "warning org/one has-file", "warning org/two has-file"));
  EXPECT_EQ(cell(report, "holders", {"org/two"}, "path"), "copy.safetensors");
  EXPECT_THAT(impact_of_file(*index_, sha256("nobody has it")).value().answer[0], HasSubstr("Nobody is known to have"));
}

TEST_F(AuditTest, OfSeveralCausesTheNearestCounts) {
  list(1, "org/first");
  list(2, "org/between", {"1"});
  list(3, "org/second");
  list(4, "org/child", {"2", "3"});
  publish_files(1, "org/first", {{"model.safetensors", "poisoned"}});
  publish_files(3, "org/second", {{"model.safetensors", "poisoned"}});
  mirror(4, "org/child");
  const auto report = impact_of_file(*index_, sha256("poisoned")).value();
  EXPECT_EQ(cell(report, "mirrored", {"org/child"}, "steps"), "1");
  EXPECT_EQ(cell(report, "depths", {"1"}, "hub"), "2");
  ASSERT_EQ(report.findings[0].subject, "org/child");
  EXPECT_EQ(report.findings[0].path.size(), 1U);
  for (const auto& drawn : report.graphs[0].nodes)
    if (drawn.subject) {
      EXPECT_EQ(drawn.group, "mirrored") << drawn.label;
    }
}

TEST_F(AuditTest, ImpactOfALicenceReachesThoseWhoInheritIt) {
  Listed strict, two;
  strict.more = R"(,"tags":["license:cc-by-nc-4.0"],"createdAt":"2026-01-01T00:00:00.000Z")";
  list(1, "org/strict", strict);
  two.more = R"(,"tags":["license:mit","license:CC-BY-NC-4.0"])";
  list(2, "org/two", two);
  list(3, "org/child", {"1"});
  list(4, "org/free");
  mirror(3, "org/child");
  mirror(2, "org/two");
  mirror(4, "org/free", "license: mit\n");
  const auto report = impact_of_licence(*index_, "cc-by-nc-4.0").value();
  EXPECT_THAT(shown(report), ElementsAre("warning org/child affected", "warning org/two affected"));
  EXPECT_EQ(report.findings[0].what, "it descends from org/strict, which stands under cc-by-nc-4.0");
  EXPECT_EQ(cell(report, "hub", {"model"}, "affected"), "50.0 %");
  EXPECT_EQ(report.table("most_downloaded")->rows.size(), 2U);
  EXPECT_EQ(impact_of_licence(*index_, "mitt").error().code, Errc::NotFound);
  EXPECT_THAT(shown(impact_of_licence(*index_, "CC-BY-NC-4.0 as SPDX", {"cc-by-nc-4.0"}).value()),
              ElementsAre("warning org/child affected", "warning org/two affected"));
  EXPECT_THAT(shown(impact_of_licence(*index_, "MIT").value()),
              UnorderedElementsAre("warning org/two affected", "warning org/free affected"));
}

TEST_F(AuditTest, ImpactOfAnOriginReachesThoseWhoDescendFromItsOwners) {
  OriginTable origins;
  ASSERT_TRUE(
      origins.add("owner,entity,jurisdiction,sector,source,read,note\n"
                  "Lab,A Lab,DE,public,https://lab.example,2026-11-28,\n",
                  "test"));
  list(1, "lab/base");
  list(2, "org/child", {"1"});
  list(3, "org/stranger");
  mirror(2, "org/child");
  mirror(3, "org/stranger");
  for (const std::string which : {"DE", "LAB", "lab"}) {
    const auto report = impact_of_origin(*index_, origins, which).value();
    EXPECT_THAT(shown(report), ElementsAre("warning org/child affected")) << which;
    EXPECT_EQ(cell(report, "hub", {"model"}, "affected"), "33.3 %");
  }
  const auto small = impact_of_origin(*index_, origins, "de");
  ASSERT_FALSE(small) << "nobody is called so";
  EXPECT_THAT(small.error().what, HasSubstr("origin:DE"));
  EXPECT_EQ(impact_of_origin(*index_, origins, "FR").error().code, Errc::NotFound);
  EXPECT_EQ(impact_of_origin(*index_, origins, "ZZ").error().code, Errc::BadInput) << "no country has this code";
}

TEST_F(AuditTest, TheSameStateGivesTheSameBytesAlsoAfterARebuild) {
  Listed free;
  free.more = R"(,"tags":["license:mit"])";
  list(90, "org/free", free);
  list_made(1, "org/root", "2026-03-05T12:00:00.000Z", {"4"});
  list_made(2, "org/child", "2026-01-05T12:00:00.000Z", {"1", "org/deleted", "./out"});
  list(1, "org/renamed", {"4"});
  publish_said(3, "org/adapter", "base_model: org/child\ndatasets: [org/data, org/other]\n", adapter_of("org/renamed"));
  publish_files(4, "org/files", {{"model.safetensors", "weights"}});
  list(4, "org/files", {"org/adapter"});
  auto answers = [&] {
    std::string out;
    for (const auto& report :
         {lineage_of(all()), closure_of(all()), impact_of_repository(*index_, node("org/renamed")).value(),
          impact_of_file(*index_, sha256("weights")).value(), impact_of_licence(*index_, "mit").value()})
      out += canonical_json(to_json(report)).value() + to_csv(report);
    return out;
  };
  const std::string before = answers();
  EXPECT_EQ(answers(), before);
  ASSERT_TRUE(rebuild_index(*index_, *journal_));
  EXPECT_EQ(answers(), before);
}
}  // namespace
}  // namespace hm::provenance::audit
