// Lineage to look at: trees, Graphviz, Mermaid, and names that would break them.
#include "provenance/lineage/drawing.hpp"

#include <gmock/gmock.h>

#include "provenance/audit/why.hpp"
#include "tests/unit/provenance/lineage_world.hpp"

namespace hm::provenance::lineage {
namespace {
using testing::HasSubstr;
using testing::Not;

class DrawingTest : public LineageWorld {
 protected:
  std::string tree(const std::string& name, Direction direction, const Walk& walk = {}) const {
    std::string out;
    const auto done = write_tree(*index_, node(name), direction, walk, [&](std::string_view text) { out += text; });
    EXPECT_TRUE(done) << done.error().what;
    return out;
  }
  report::Graph graph(const std::string& name, Direction direction) const {
    return graph_of(*index_, node(name), direction, {}).value();
  }
};

TEST_F(DrawingTest, TreesSayWhoSaysItAndWhatIsHere) {
  list(1, "org/root");
  mirror(1, "org/root");
  list(2, "org/gone");
  ASSERT_TRUE(recorder_->record_listing_gone(key(2), 404));
  list(3, "org/middle", {"1", "2", "org/Nobody"}, "merge");
  list(4, "org/child", {"3"});
  mirror(4, "org/child", "base_model: https://huggingface.co/Org/Middle/tree/main\nbase_model_relation: finetune\n");
  EXPECT_EQ(tree("org/child", Direction::Up),
            "org/child  (mirrored)\n"
            "└─ finetune  org/middle  [declared: listing baseModels: \"x/3\"; card base_model: "
            "\"https://huggingface.co/Org/Middle/tree/main\"]\n"
            "   ├─ merge  org/gone  [declared: listing baseModels: \"x/2\"]  (gone upstream)\n"
            "   ├─ merge  org/nobody  [declared: listing baseModels]  (not known here)\n"
            "   └─ merge  org/root  [declared: listing baseModels: \"x/1\"]  (mirrored)\n");
  EXPECT_EQ(tree("org/root", Direction::Down),
            "org/root  (mirrored)\n"
            "└─ merge  org/middle  [declared]\n"
            "   └─ finetune  org/child  [declared: listing baseModels: \"x/3\"; card base_model: "
            "\"https://huggingface.co/Org/Middle/tree/main\"]  (mirrored)\n")
      << "what is mirrored tells in whose words";
}

TEST_F(DrawingTest, WhatWasThereBeforeIsMarkedAndCyclesEnd) {
  list(1, "org/root", {"org/above"});
  list(2, "org/left", {"1"});
  list(3, "org/right", {"1"});
  list(4, "org/merge", {"2", "3"}, "merge");
  EXPECT_THAT(tree("org/merge", Direction::Up),
              HasSubstr("org/root  [declared: listing baseModels: \"x/1\"]  (again, see above)"));
  list(5, "org/a", {"6"});
  list(6, "org/b", {"5"});
  EXPECT_EQ(tree("org/a", Direction::Up),
            "org/a\n"
            "└─ finetune  org/b  [declared: listing baseModels: \"x/6\"]\n"
            "   └─ finetune  org/a  [declared: listing baseModels: \"x/5\"]  (again, see above: a cycle)\n");
  list(7, "org/itself", {"7"});
  EXPECT_THAT(tree("org/itself", Direction::Up),
              HasSubstr("org/itself  [declared: listing baseModels: \"x/7\"]  (again, see above: a cycle)"));
}

TEST_F(DrawingTest, HostileNamesStayLabels) {
  const std::string hostile = R"(x\"];evil -> y;<b>&lt;\\n`#quot;]-->)";  // in JSON: " and \ are escaped
  list(2, "org/child", {hostile});
  const std::string raw = R"(x"];evil -> y;<b>&lt;\n`#quot;]-->)";
  const report::Graph drawn = graph("org/child", Direction::Up);
  ASSERT_EQ(drawn.nodes.size(), 2U);
  EXPECT_EQ(drawn.nodes[1].label, raw);
  const std::string dot = to_dot(drawn);
  EXPECT_THAT(dot, HasSubstr(R"(label="x\"];evil -&gt; y;&lt;b&gt;&amp;lt;\\n`#quot;]--&gt;")"));
  const std::string mermaid = to_mermaid(drawn);
  EXPECT_THAT(mermaid,
              HasSubstr(R"(n1["x#34;#93;#59;evil -#62; y#59;#60;b#62;#38;lt#59;#92;n#96;#35;quot#59;#93;--#62;"])"));
  EXPECT_THAT(mermaid, HasSubstr("n0 -->|\"finetune, declared\"| n1\n"));
}

TEST_F(DrawingTest, OtherScriptsAreWrittenByNumberInMermaidAndControlsNowhere) {
  list(2, "org/child", {"h\\u00e9\\u6a21\\u001b[2J\\u0000"});
  const report::Graph drawn = graph("org/child", Direction::Up);
  EXPECT_THAT(to_mermaid(drawn), HasSubstr("h#233;#27169;#92;x1b#91;2j#92;x00"));
  for (const std::string& text : {to_dot(drawn), to_mermaid(drawn), tree("org/child", Direction::Up)}) {
    EXPECT_EQ(text.find('\x1b'), std::string::npos);
    EXPECT_EQ(text.find('\0'), std::string::npos);
  }
}

TEST_F(DrawingTest, DownwardsASecondParentAndACycleAreDrawnToo) {
  list(1, "org/root", {"4"});
  list(2, "org/left", {"1"});
  list(3, "org/right", {"1"});
  list(4, "org/merge", {"2", "3"}, "merge");
  const report::Graph drawn = graph("org/root", Direction::Down);
  EXPECT_EQ(drawn.nodes.size(), 4U);
  std::vector<std::string> edges;
  for (const report::GraphEdge& edge : drawn.edges)
    edges.push_back(edge.from.back() + std::string(">") + edge.to.back());
  EXPECT_THAT(edges, testing::UnorderedElementsAre("2>1", "3>1", "4>2", "4>3"));
  EXPECT_TRUE(drawn.nodes[0].subject);
}

TEST_F(DrawingTest, LargeFamiliesAreCutAndItIsSaid) {
  list(1, "org/root");
  list_children(2, 2'101, 1);
  const report::Graph drawn = graph("org/root", Direction::Down);
  EXPECT_EQ(drawn.nodes.size(), kDrawnMax);
  EXPECT_EQ(drawn.edges.size(), kDrawnMax - 1);
  EXPECT_EQ(drawn.left_out, 101U);
  EXPECT_THAT(to_dot(drawn), HasSubstr("and 101 more that are not drawn"));
  EXPECT_THAT(to_mermaid(drawn), HasSubstr("and 101 more that are not drawn"));
}

TEST_F(DrawingTest, WhyTellsEveryStatementOnTheWay) {
  list(1, "org/old");
  list(2, "org/child", {"1"});
  publish(2, "org/child", {"base_model: org/old\nbase_model_relation: finetune\n", {}, {}, 'a'});
  list(1, "org/new");
  list(3, "org/grandchild", {"org/child"}, "quantized");
  const auto why = audit::why(*index_, node("org/grandchild"), node("org/new"), {}).value();
  ASSERT_EQ(why.way.size(), 2U);
  EXPECT_THAT(why.report.answer[0],
              HasSubstr("org/grandchild descends from org/new in 2 steps; the weakest evidence on the way: declared"));
  const auto* table = why.report.table("statements");
  ASSERT_EQ(table->rows.size(), 3U);
  auto cell = [&](const char* hop, const char* number, const char* column) {
    return report::text_of(*table->find({hop, number}, column));
  };
  EXPECT_EQ(cell("1", "1", "text"), "org/child");
  EXPECT_EQ(cell("2", "1", "said_by"), "listing");
  EXPECT_EQ(cell("2", "1", "normalised"), key(1).text()) << "the listing gave an id";
  EXPECT_EQ(cell("2", "2", "said_by"), "card");
  EXPECT_EQ(cell("2", "2", "normalised"), "org/old");
  EXPECT_EQ(cell("2", "2", "parent"), "org/new");
  EXPECT_EQ(cell("2", "2", "first_commit"), std::string(40, 'a'));
  EXPECT_EQ(cell("2", "2", "last_seen"), "2027-01-15T08:00:00.000Z");
  const auto reverse = audit::why(*index_, node("org/new"), node("org/grandchild"), {}).value();
  EXPECT_TRUE(reverse.way.empty());
  ASSERT_EQ(reverse.report.answer.size(), 2U);
  EXPECT_THAT(reverse.report.answer[1], HasSubstr("The other way round it is"));
  EXPECT_EQ(audit::why(*index_, node("org/child"), node("org/stranger"), {}).value().report.answer.size(), 1U);
}
}  // namespace
}  // namespace hm::provenance::lineage
