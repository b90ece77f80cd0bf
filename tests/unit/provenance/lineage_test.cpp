// Who descends from whom, by what listings and cards say; what is derived stays the same however it came about.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "provenance/derive.hpp"
#include "provenance/lineage/claims.hpp"
#include "provenance/lineage/graph.hpp"
#include "provenance/listing.hpp"
#include "provenance/record.hpp"
#include "storage/edge_lists_format.hpp"
#include "storage/key_space.hpp"
#include "tests/support/manual_clock.hpp"

namespace hm::provenance::lineage {
namespace {
namespace fs = std::filesystem;
using storage::Evidence;
using storage::Family;
using storage::Relation;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;
const std::string kSrc = "huggingface.co";

class LineageTest : public testing::Test {
 protected:
  LineageTest()
      : dir_(fs::temp_directory_path() / ("hm-lineage-" + std::to_string(::getpid()) +
                                          testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(dir_);
    index_ = storage::open_index(dir_.string(), storage::Index::Mode::Write, {}).value();
    journal_.emplace(*index_);
    recorder_.emplace(*index_, *journal_, clock_, "node-a");
  }
  ~LineageTest() override {
    index_.reset();
    fs::remove_all(dir_);
  }
  static Rid rid(int number) {
    std::string hex = std::to_string(number);
    return *Rid::parse(std::string(24 - hex.size(), '0') + hex);
  }
  /// A model; `bases` as the Hub lists them: "<number>" by id, anything else by name.
  void list(int number, const std::string& name, const std::vector<std::string>& bases = {},
            const std::string& relation = "finetune", const std::string& more = "") {
    std::string models;
    for (const std::string& base : bases) {
      const bool by_id = base.find_first_not_of("0123456789") == std::string::npos;
      models += (models.empty() ? "{" : ",{") +
                (by_id ? "\"_id\":\"" + rid(std::stoi(base)).text() + "\",\"id\":\"x/" + base + "\"}"
                       : "\"id\":\"" + base + "\"}");
    }
    const std::string text =
        "{\"_id\":\"" + rid(number).text() + "\",\"id\":\"" + name + "\"" +
        (bases.empty() ? "" : ",\"baseModels\":{\"relation\":\"" + relation + "\",\"models\":[" + models + "]}") +
        more + "}";
    const auto parsed = parse_json(text);
    const std::vector<Listing> page{read_listing({RepoKind::Model, name}, rid(number), parsed.value().as_object())};
    ASSERT_TRUE(recorder_->record_listing(kSrc, page, std::nullopt, {}));
  }
  /// A published revision with this card.
  void publish(int number, const std::string& name, const std::string& card, char commit = 'a', FileFacts said = {}) {
    Observation seen;
    seen.src = kSrc, seen.repo = {RepoKind::Model, name}, seen.rid = rid(number), seen.head = "refs/heads/main";
    PublishedRevision revision;
    revision.commit = *Commit::parse(std::string(40, commit));
    revision.tree = *GitOid::parse(std::string(40, 'b'));
    seen.refs["refs/heads/main"] = revision.commit;
    revision.refs["refs/heads/main"] = revision.commit;
    revision.card_front_matter = card;
    revision.said = std::move(said);
    ASSERT_TRUE(recorder_->record_visit(seen));
    const auto done = recorder_->publish(kSrc, {RepoKind::Model, rid(number)}, {revision});
    ASSERT_TRUE(done) << done.error().what;
  }
  Graph graph() const { return Graph(*index_); }
  Node node(const std::string& name, RepoKind kind = RepoKind::Model) const {
    return graph().find(RepoId{kind, name}).value();
  }
  std::vector<std::string> down(const std::string& name, const Walk& walk = {}, RepoKind kind = RepoKind::Model) const {
    std::vector<std::string> out;
    const auto done = graph().descendants(node(name, kind), walk, [&](const Descendant& d) {
      const auto key = storage::key::parse_repo(d.key);
      out.push_back(std::to_string(d.depth) + " " + *graph().name_of(*key).value());
      return true;
    });
    EXPECT_TRUE(done);
    return out;
  }
  std::vector<std::string> up(const std::string& name, const Walk& walk = {}) const {
    std::vector<std::string> out;
    const auto found = graph().ancestors(node(name), walk);
    EXPECT_TRUE(found);
    for (const Ancestor& a : found.value())
      out.push_back(std::to_string(a.depth) + " " + std::string(storage::name_of(a.edge.relation)) + " " +
                    a.edge.to.repo.name + (a.edge.to.key ? "" : " (dangling)") + (a.again ? " again" : ""));
    return out;
  }
  std::map<std::string, std::string> edge_rows() const {
    std::map<std::string, std::string> rows;
    EXPECT_TRUE(index_->scan(Family::Edges, {}, [&](std::string_view k, std::string_view v) {
      if (!storage::edge_lists::is_of_lists(k)) rows.emplace(k, v);
      return true;
    }));
    return rows;
  }

  const fs::path dir_;
  test::ManualClock clock_;
  std::unique_ptr<storage::Index> index_;
  std::optional<storage::Journal> journal_;
  std::optional<Recorder> recorder_;
};

TEST_F(LineageTest, GoesUpAndDown) {
  list(1, "org/root");
  list(2, "org/child", {"1"});
  list(3, "org/grandchild", {"2"}, "quantized");
  list(4, "org/merge", {"1", "3"}, "merge");
  EXPECT_THAT(down("org/root"), ElementsAre("1 org/child", "1 org/merge", "2 org/grandchild"));
  EXPECT_THAT(up("org/merge"), ElementsAre("1 merge org/grandchild", "1 merge org/root", "2 quantized org/child",
                                           "3 finetune org/root again"));
  const auto way = graph().way_up(node("org/grandchild"), node("org/root"), {});
  ASSERT_EQ(way.value().size(), 2U);
  EXPECT_EQ(way.value()[0].to.repo.name, "org/child");
  EXPECT_EQ(way.value()[1].to.repo.name, "org/root");
  EXPECT_THAT(graph().way_up(node("org/root"), node("org/child"), {}).value(), IsEmpty());
}

TEST_F(LineageTest, AChildMayComeBeforeItsParent) {
  list(2, "org/by-id", {"1"});
  list(3, "org/by-name", {"org/Root"});
  EXPECT_THAT(up("org/by-id"), ElementsAre("1 finetune x/1"));
  EXPECT_THAT(up("org/by-name"), ElementsAre("1 finetune org/root (dangling)"));
  EXPECT_THAT(down("org/root"), ElementsAre("1 org/by-name"));
  list(1, "org/ROOT");
  EXPECT_THAT(up("org/by-id"), ElementsAre("1 finetune org/ROOT"));
  EXPECT_THAT(up("org/by-name"), ElementsAre("1 finetune org/ROOT"));
  EXPECT_THAT(down("org/root"), ElementsAre("1 org/by-id", "1 org/by-name"));
}

FileFacts said(std::vector<std::pair<formats::ClaimKind, std::string>> claims) {
  FileFacts out;
  out.files.push_back({"config.json", true, {}, {}});
  for (const auto& [kind, text] : claims) out.files[0].add(kind, "/field", text);
  return out;
}

TEST_F(LineageTest, WhatFilesSayIsFollowedToo) {
  using formats::ClaimKind;
  list(1, "org/root");
  list(2, "org/loaded");
  publish(3, "org/child", "base_model: org/root\nbase_model_relation: adapter\n", 'a',
          said({{ClaimKind::AdapterBase, "org/root"},
                {ClaimKind::LoadedFrom, "org/loaded"},
                {ClaimKind::LoadedFrom, "/home/somebody/model"},
                {ClaimKind::LoadedFrom, "org/child"},
                {ClaimKind::RemoteCode, "org/code--modeling.Model"},
                {ClaimKind::RemoteCode, "modeling.Own"},
                {ClaimKind::ModelType, "llama"}}));
  EXPECT_THAT(up("org/child"), ElementsAre("1 base org/loaded", "1 adapter org/root"));
  const auto edges = graph().parents(node("org/child"), {}).value();
  ASSERT_EQ(edges.size(), 2U);
  EXPECT_EQ(edges[0].evidence(), Evidence::Inferred);
  ASSERT_EQ(edges[1].statements.size(), 2U);
  EXPECT_EQ(edges[1].statements[0].evidence, Evidence::Derived);
  EXPECT_EQ(edges[1].statements[0].field, "config.json /field");
  EXPECT_EQ(edges[1].statements[1].evidence, Evidence::Declared);
  EXPECT_EQ(edges[1].statements[1].field, "base_model");

  Walk uses;
  uses.relations = {Relation::Uses};
  EXPECT_THAT(up("org/child", uses), ElementsAre("1 uses org/code (dangling)"));
  Walk founded;
  founded.evidence_min = Evidence::Derived;
  EXPECT_THAT(down("org/root", founded), ElementsAre("1 org/child"));
  EXPECT_THAT(down("org/loaded", founded), IsEmpty());

  const auto before = edge_rows();
  ASSERT_TRUE(rebuild_index(*index_, *journal_));
  EXPECT_EQ(edge_rows(), before);
}

TEST_F(LineageTest, WhatFilesOfARetiredRevisionSaidIsGone) {
  using formats::ClaimKind;
  publish(3, "org/child", "", 'a', said({{ClaimKind::MergeParent, "org/one"}, {ClaimKind::MergeParent, "org/two"}}));
  publish(3, "org/child", "", 'c', said({{ClaimKind::MergeParent, "org/two"}}));
  EXPECT_THAT(down("org/one"), ElementsAre("1 org/child"));
  const auto row = Deriver(*index_).repo({RepoKind::Model, rid(3)}).value();
  ASSERT_TRUE(recorder_->retire(*row, *Commit::parse(std::string(40, 'a')), "test"));
  EXPECT_THAT(down("org/one"), IsEmpty());
  EXPECT_THAT(down("org/two"), ElementsAre("1 org/child"));
  EXPECT_THAT(up("org/child"), ElementsAre("1 merge org/two (dangling)"));
}

TEST_F(LineageTest, StatementsOfOneBaseAreOneEdge) {
  list(1, "org/root");
  list(2, "org/child", {"1"}, "finetune");
  publish(2, "org/child", "base_model: org/root\n");
  EXPECT_THAT(up("org/child"), ElementsAre("1 finetune org/root"));
  EXPECT_EQ(graph().parents(node("org/child"), {}).value()[0].statements.size(), 2U);
  // Of a base that is gone the Hub still gives the id.
  list(3, "org/orphan", {"77"}, "finetune");
  publish(3, "org/orphan", "base_model: x/77\n");
  EXPECT_THAT(up("org/orphan"), ElementsAre("1 finetune x/77"));
  EXPECT_EQ(graph().parents(node("org/orphan"), {}).value()[0].statements.size(), 2U);
}

TEST_F(LineageTest, LoopsAndCyclesEnd) {
  list(1, "org/itself", {"1", "org/itself"});
  list(2, "org/a", {"3"});
  list(3, "org/b", {"2"});
  EXPECT_THAT(down("org/itself"), IsEmpty());
  EXPECT_THAT(up("org/itself"), ElementsAre("1 finetune org/itself again"));
  EXPECT_THAT(down("org/a"), ElementsAre("1 org/b"));
  EXPECT_THAT(up("org/a"), ElementsAre("1 finetune org/b", "2 finetune org/a again"));
}

TEST_F(LineageTest, DeepFamiliesAreFollowedToTheDepthThatIsAskedFor) {
  list(1, "org/m1");
  for (int i = 2; i <= 20; ++i) list(i, "org/m" + std::to_string(i), {std::to_string(i - 1)});
  EXPECT_EQ(down("org/m1").size(), 19U);
  EXPECT_EQ(up("org/m20").size(), 19U);
  Walk two;
  two.depth_max = 2;
  EXPECT_THAT(down("org/m1", two), ElementsAre("1 org/m2", "2 org/m3"));
  EXPECT_THAT(up("org/m20", two), ElementsAre("1 finetune org/m19", "2 finetune org/m18"));
}

TEST_F(LineageTest, RelationsAndEvidenceNarrowTheWalk) {
  list(1, "org/root");
  list(2, "org/q", {"1"}, "quantized");
  list(3, "org/f", {"1"}, "finetune");
  Walk quantized;
  quantized.relations = {Relation::Quantized};
  EXPECT_THAT(down("org/root", quantized), ElementsAre("1 org/q"));
  Walk proven;
  proven.evidence_min = Evidence::Derived;
  EXPECT_THAT(down("org/root", proven), IsEmpty());
  EXPECT_THAT(up("org/q", proven), IsEmpty());
}

TEST_F(LineageTest, WhatIsNoLongerSaidIsNoEdge) {
  list(1, "org/root");
  list(2, "org/other");
  list(3, "org/child", {"1"});
  list(3, "org/child", {"2"});
  EXPECT_THAT(down("org/root"), IsEmpty());
  EXPECT_THAT(down("org/other"), ElementsAre("1 org/child"));
  list(3, "org/child");
  EXPECT_THAT(down("org/other"), IsEmpty());
}

TEST_F(LineageTest, NamesLeadWhereTheyMeanToday) {
  list(1, "org/old");
  list(2, "org/child", {"org/old"});
  list(1, "org/new");  // renamed: the old name leads to it
  EXPECT_THAT(down("org/new"), ElementsAre("1 org/child"));
  EXPECT_THAT(up("org/child"), ElementsAre("1 finetune org/new"));
  list(3, "org/old");  // somebody else took the name
  EXPECT_THAT(down("org/new"), IsEmpty());
  EXPECT_THAT(down("org/old"), ElementsAre("1 org/child"));
  list(2, "org/child-renamed", {"org/old"});
  EXPECT_THAT(down("org/old"), ElementsAre("1 org/child-renamed"));
}

TEST_F(LineageTest, CardsOfRevisionsSaySince) {
  list(1, "org/root");
  publish(2, "org/child", "base_model: org/root\ndatasets: [org/data]\n", 'a');
  clock_.advance(60'000);
  publish(2, "org/child", "base_model: https://huggingface.co/org/root/tree/main\nbase_model_relation: finetune\n",
          'c');
  // The first says in no way how, the second does: one edge, with what each revision said.
  EXPECT_THAT(up("org/child"), ElementsAre("1 finetune org/root", "1 trained-on org/data (dangling)"));
  const auto edges = graph().parents(node("org/child"), {}).value();
  ASSERT_EQ(edges.size(), 2U);
  ASSERT_EQ(edges[0].statements.size(), 2U);
  std::map<std::string, const Statement*> by_text;
  for (const Statement& statement : edges[0].statements) by_text[statement.text] = &statement;
  const Statement* const first = by_text.at("org/root");
  EXPECT_EQ(first->field, "base_model");
  EXPECT_EQ(first->first->hex(), std::string(40, 'a'));
  EXPECT_EQ(first->last->hex(), std::string(40, 'a'));
  EXPECT_EQ(by_text.at("https://huggingface.co/org/root/tree/main")->first->hex(), std::string(40, 'c'));
  EXPECT_THAT(down("org/root"), ElementsAre("1 org/child"));
  EXPECT_THAT(down("org/data", {}, RepoKind::Dataset), ElementsAre("1 org/child"));
}

TEST_F(LineageTest, ListingAndCardThatAgreeAreOneEdge) {
  list(1, "org/root");
  list(2, "org/child", {"1"});
  publish(2, "org/child", "base_model: org/root\nbase_model_relation: finetune\n");
  const auto edges = graph().parents(node("org/child"), {}).value();
  ASSERT_EQ(edges.size(), 1U);
  EXPECT_EQ(edges[0].statements.size(), 2U);
  EXPECT_THAT(down("org/root"), ElementsAre("1 org/child"));
}

TEST_F(LineageTest, ARevisionThatIsDroppedTakesItsStatementsAlong) {
  list(1, "org/root");
  publish(2, "org/child", "base_model: org/root\n", 'a');
  publish(2, "org/child", "base_model: org/elsewhere\n", 'c');
  const auto row =
      storage::unpack_repo(*index_->get(Family::Repos, storage::key::repo({RepoKind::Model, rid(2)})).value());
  ASSERT_TRUE(recorder_->retire(row.value(), *Commit::parse(std::string(40, 'a')), ""));
  EXPECT_THAT(down("org/root"), IsEmpty());
  EXPECT_THAT(down("org/elsewhere"), ElementsAre("1 org/child"));
}

TEST_F(LineageTest, ABaseThatNobodyListsIsFoundByTheNameBesideItsId) {
  list(2, "org/child", {"7"});  // {_id: 7, id: "x/7"}
  list(3, "org/other", {"7"});
  EXPECT_EQ(node("X/7").key, (RepoKey{RepoKind::Model, rid(7)}));
  EXPECT_THAT(down("x/7"), ElementsAre("1 org/child", "1 org/other"));
  const auto way = graph().way_up(node("org/child"), node("x/7"), {});
  ASSERT_EQ(way.value().size(), 1U);
  list(2, "org/child");
  EXPECT_THAT(down("x/7"), ElementsAre("1 org/other"));
  list(3, "org/other");
  EXPECT_EQ(node("x/7").key, std::nullopt);
  list(3, "org/other", {"7"});
  list(8, "x/7");  // somebody else has the name now
  EXPECT_EQ(node("x/7").key, (RepoKey{RepoKind::Model, rid(8)}));
  EXPECT_THAT(down("x/7"), IsEmpty());
}

TEST_F(LineageTest, TheSameRowsComeOfARebuild) {
  list(5, "org/early", {"org/late"});
  list(1, "org/root");
  list(2, "org/child", {"1"}, "finetune", R"(,"tags":["dataset:org/data"])");
  list(1, "org/renamed");
  list(2, "org/child", {"1", "org/dangling"});
  publish(3, "org/mirrored", "base_model: [org/child, org/root]\n", 'a');
  publish(3, "org/mirrored", "base_model: org/child\n", 'c');
  list(6, "org/late");
  const auto before = edge_rows();
  ASSERT_TRUE(rebuild_index(*index_, *journal_));
  EXPECT_EQ(edge_rows(), before);
  EXPECT_THAT(down("org/renamed"), ElementsAre("1 org/child", "1 org/mirrored"));
}

TEST(References, AreReadAsAuthorsWriteThem) {
  auto name = [](std::string_view text) { return reference_of(RepoKind::Model, text).name; };
  EXPECT_EQ(name("Org/Name"), "org/name");
  EXPECT_EQ(name(" https://huggingface.co/Org/Name/ "), "org/name");
  EXPECT_EQ(name("https://huggingface.co/org/name/tree/main?x=1"), "org/name");
  EXPECT_EQ(name("http://hf.co/gpt2"), "gpt2");
  EXPECT_EQ(name("https://hf.com/gpt2"), "https://hf.com/gpt2");  // no address of the Hub
  EXPECT_EQ(name("https://hf.co/gpt2"), "gpt2");
  EXPECT_EQ(name("gpt2"), "gpt2");
  EXPECT_EQ(name("/home/me/Model"), "/home/me/model");
  EXPECT_EQ(name("./out"), "./out");
  EXPECT_EQ(reference_of(RepoKind::Model, "https://huggingface.co/datasets/a/b").kind, RepoKind::Dataset);
  EXPECT_EQ(name("huggingface.co/Org/Name/tree/main"), "org/name") << "without a scheme too";
  EXPECT_EQ(name("hf.co/org/name"), "org/name");
  EXPECT_EQ(name("https://www.huggingface.co/gpt2/blob/main/config.json"), "gpt2");
  EXPECT_EQ(name("https://huggingface.co/org/tree/tree/main"), "org/tree");
  for (const char* squad : {"https://huggingface.co/datasets/squad", "huggingface.co/datasets/squad/tree/main/"}) {
    EXPECT_EQ(reference_of(RepoKind::Model, squad).kind, RepoKind::Dataset) << squad;
    EXPECT_EQ(name(squad), "squad");
  }
  EXPECT_EQ(reference_of(RepoKind::Dataset, "datasets/a/b").name, "a/b");
  EXPECT_EQ(name(std::string(5000, 'x')).size(), 256U);
}

TEST(Claims, OfListingsTakeWhateverFormTheHubSends) {
  auto of = [](RepoKind kind, const std::string& text) {
    std::vector<std::string> out;
    for (const Claim& c : claims_of_listing(kind, parse_json(text).value().as_object()))
      out.push_back(std::string(storage::name_of(c.relation)) + " " + (c.to.rid ? c.to.rid->text() : c.to.name));
    return out;
  };
  EXPECT_THAT(of(RepoKind::Model, R"({"baseModels":["a/b","c/d"]})"), ElementsAre("base a/b", "base c/d"));
  EXPECT_THAT(of(RepoKind::Model, R"({"tags":["base_model:a/b","base_model:adapter:a/b","dataset:d/e"]})"),
              ElementsAre("adapter a/b", "trained-on d/e"));
  EXPECT_THAT(of(RepoKind::Dataset, R"({"tags":["source_datasets:original","source_datasets:extended|squad"]})"),
              ElementsAre("from-dataset squad"));
  EXPECT_THAT(of(RepoKind::Space, R"({"models":["a/b"],"datasets":[{"id":"c/d"}]})"),
              ElementsAre("uses a/b", "uses c/d"));
  EXPECT_THAT(of(RepoKind::Model, R"({"baseModels":{"relation":7,"models":[3,{},{"_id":"x"}]},"tags":"none"})"),
              IsEmpty());
}

TEST(Claims, OfCardsAreAllThatACardSaysOfItsDescent) {
  auto of = [](RepoKind kind, const storage::CardFacts& card) {
    std::vector<std::string> out;
    for (const Claim& c : claims_of_card(kind, card))
      out.push_back(std::string(storage::name_of(c.relation)) + " " + c.to.name + " " + c.field + " " + c.text);
    return out;
  };
  storage::CardFacts card;
  card.datasets = {"d/train"};
  card.evaluated_on = {"glue", "d/train"};
  card.source_datasets = {"original", "extended|squad", "other", "extended|other", "org/data"};
  card.models = {"a/b"};
  card.new_version = "https://huggingface.co/org/newer";
  const std::string newer = " org/newer new_version https://huggingface.co/org/newer";
  EXPECT_THAT(of(RepoKind::Model, card),
              ElementsAre("trained-on d/train datasets d/train", "evaluated-on glue model-index glue",
                          "evaluated-on d/train model-index d/train", "superseded-by" + newer));
  EXPECT_THAT(of(RepoKind::Dataset, card),
              ElementsAre("uses d/train datasets d/train", "from-dataset squad source_datasets extended|squad",
                          "from-dataset org/data source_datasets org/data", "superseded-by" + newer));
  EXPECT_THAT(of(RepoKind::Space, card),
              ElementsAre("uses d/train datasets d/train", "uses a/b models a/b", "superseded-by" + newer));
}
}  // namespace
}  // namespace hm::provenance::lineage
