// A report as a page: what is in it, that nothing of a stranger's is markup, and where a graph is drawn.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "provenance/report/page.hpp"
#include "provenance/report/page_graph.hpp"

namespace hm::provenance::report {
namespace {
using testing::HasSubstr;
using testing::Not;

const std::string kHostile = "<script>alert('x')</script>\"><img src=x onerror=alert(1)>&amp;\xE2\x80\xAE\x01";

Graph graph_of(const std::vector<std::pair<std::string, std::string>>& edges) {
  Graph out;
  std::set<std::string> ids;
  for (const auto& [child, parent] : edges) {
    for (const std::string& id : {child, parent})
      if (ids.insert(id).second) out.nodes.push_back({id, id, "", false, ""});
    out.edges.push_back({child, parent, "finetune, declared", false});
  }
  return out;
}
const PlacedNode& placed(const Layout& layout, const std::string& label) {
  for (const PlacedNode& node : layout.nodes)
    if (node.label == label || node.title.starts_with(label)) return node;
  ADD_FAILURE() << label << " is not drawn";
  return layout.nodes.front();
}
std::uint64_t stands_for(const Layout& layout) {
  std::uint64_t out = 0;
  for (const PlacedNode& node : layout.nodes) out += node.count;
  return out;
}
void expect_within(const Layout& layout) {
  for (const PlacedNode& node : layout.nodes) {
    EXPECT_TRUE(std::isfinite(node.at.x) && std::isfinite(node.at.y));
    EXPECT_GE(node.at.x - node.width / 2, -0.01);
    EXPECT_GE(node.at.y - node.height / 2, -0.01);
    EXPECT_LE(node.at.x + node.width / 2, layout.width + 0.01);
    EXPECT_LE(node.at.y + node.height / 2, layout.height + 0.01);
  }
}
Report report_with(const std::string& text) {
  Report out;
  out.id = text, out.title = text, out.answer = {text, text};
  out.basis.upstreams = {text};
  out.findings = {{Severity::Problem, text, text, text, {text}}};
  FigureTable table;
  table.id = table.title = table.population = text;
  table.columns = {{text, text}, {text, text}, {text, text}};
  table.rows = {{text, text, Share{1, 3}}, {text, text, Share{2, 3}}};
  table.gaps = {{text, 1, text}};
  out.tables = {table};
  Graph graph;
  graph.title = text;
  graph.nodes = {{text, text, text, true, text}, {"b", text, text, false, text}};
  graph.edges = {{"b", text, text, true}};
  out.graphs = {graph};
  return out;
}

TEST(Page, NothingOfAStrangerIsMarkup) {
  const std::string html = page(report_with(kHostile));
  EXPECT_THAT(html, Not(HasSubstr("<script")));
  EXPECT_THAT(html, Not(HasSubstr("<img")));
  EXPECT_THAT(html, Not(HasSubstr("\xE2\x80\xAE")));
  EXPECT_THAT(html, HasSubstr("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;&quot;&gt;&lt;img"));
  // Every quote inside of a tag opens or closes an attribute: with an escaped one too many the count would be odd.
  for (std::size_t at = html.find("<body>"); (at = html.find('<', at + 1)) != html.npos;) {
    const std::string tag = html.substr(at, html.find('>', at) - at);
    EXPECT_EQ(std::count(tag.begin(), tag.end(), '"') % 2, 0) << tag;
  }
}

TEST(Page, FetchesAndRunsNothing) {
  const std::string html = page(report_with("org/name"));
  EXPECT_THAT(html, HasSubstr("content=\"default-src 'none'; style-src 'unsafe-inline'\""));
  for (const char* const fetched : {"http://", "https://", "url(", "@import", "src=", "href=", "javascript:"})
    EXPECT_THAT(html, Not(HasSubstr(fetched)));
  EXPECT_EQ(html, page(report_with("org/name"))) << "the same report gives the same bytes";
}

TEST(Page, HasTheAnswerTheFindingsTheFiguresAndWhatCouldNotBeJudged) {
  Report report;
  report.id = "audit-origins", report.title = "Origins of all", report.answer = {"Yes."};
  report.findings = {{Severity::Warning, "root-refused", "org/a", "It is from there.", {"org/a <- org/b"}}};
  FigureTable table;
  table.id = "t", table.title = "By jurisdiction", table.population = "all";
  table.columns = {{"jurisdiction", "code"}, {"share", "of all"}};
  table.rows = {{std::string("FR"), Share{1, 4}}, {std::string("unknown"), Share{3, 4}}};
  table.judged = {1, 4};
  table.gaps = {{"publisher unknown", 3, "no row"}, {"none of these", 0, "never shown"}};
  report.tables = {table};
  const std::string html = page(report);
  for (const char* const part : {"<p class=\"answer\">Yes.</p>", "root-refused", "org/a &lt;- org/b", "25.0 %",
                                 "1 of 4", "publisher unknown", "class=\"strip\""})
    EXPECT_THAT(html, HasSubstr(part));
  EXPECT_THAT(html, Not(HasSubstr("never shown")));
}

TEST(Page, ManyFindingsAreClosedAndAllThere) {
  Report report;
  for (int i = 0; i < 5'000; ++i)
    report.findings.push_back({Severity::Note, "rule-" + std::to_string(i % 3), "org/m" + std::to_string(i), "x", {}});
  report.sort_findings();
  const std::string html = page(report);
  EXPECT_THAT(html, Not(HasSubstr("<details class=\"rule\" open>")));
  EXPECT_THAT(html, HasSubstr("org/m4999<"));
}

TEST(PageGraph, BasesStandLeftOfWhatIsMadeFromThem) {
  const Layout layout = lay_out(graph_of({{"b", "a"}, {"c", "b"}, {"d", "c"}, {"d", "a"}}));
  ASSERT_FALSE(layout.rings);
  const auto left = [&](const char* label) { return placed(layout, label).at.x - placed(layout, label).width / 2; };
  EXPECT_LT(left("a"), left("b"));
  EXPECT_LT(left("b"), left("c"));
  EXPECT_LT(left("c"), left("d"));
  EXPECT_EQ(layout.edges.size(), 4U);
  expect_within(layout);
}

TEST(PageGraph, NoTwoBoxesLieOnEachOther) {
  std::vector<std::pair<std::string, std::string>> edges;
  for (int i = 1; i < 40; ++i) edges.push_back({"n" + std::to_string(i), "n" + std::to_string(i / 3)});
  const Layout layout = lay_out(graph_of(edges));
  ASSERT_FALSE(layout.rings);
  for (std::size_t i = 0; i < layout.nodes.size(); ++i)
    for (std::size_t j = 0; j < i; ++j) {
      const PlacedNode &a = layout.nodes[i], &b = layout.nodes[j];
      EXPECT_FALSE(std::abs(a.at.x - b.at.x) < (a.width + b.width) / 2 - 0.01 &&
                   std::abs(a.at.y - b.at.y) < (a.height + b.height) / 2 - 0.01)
          << a.label << " " << b.label;
    }
}

TEST(PageGraph, EdgesThatNeedNotCrossDoNot) {
  const Layout layout = lay_out(graph_of({{"x1", "a"}, {"y1", "b"}, {"y2", "b"}, {"x2", "a"}, {"b", "r"}, {"a", "r"}}));
  const auto y = [&](const char* label) { return placed(layout, label).at.y; };
  EXPECT_EQ(y("a") < y("b"), std::max(y("x1"), y("x2")) < std::min(y("y1"), y("y2")));
}

TEST(PageGraph, CirclesLoopsAndUnknownEndsAreDrawn) {
  Graph graph = graph_of({{"b", "a"}, {"a", "b"}, {"a", "a"}, {"b", "a"}});
  graph.edges.push_back({"a", "nobody", "", false});
  const Layout layout = lay_out(graph);
  EXPECT_EQ(layout.nodes.size(), 2U);
  ASSERT_EQ(layout.edges.size(), 2U);
  EXPECT_NE(layout.edges[0].aside, layout.edges[1].aside) << "one of them closes the circle";
  expect_within(layout);
  EXPECT_TRUE(lay_out(Graph{}).nodes.empty());
}

TEST(PageGraph, ManyLeavesOfOneParentAreOneBox) {
  std::vector<std::pair<std::string, std::string>> edges;
  for (int i = 0; i < 1'532; ++i) edges.push_back({"q" + std::to_string(i), "base"});
  Graph graph = graph_of(edges);
  for (auto& edge : graph.edges) edge.label = "quantized, declared";
  const Layout layout = lay_out(graph);
  EXPECT_EQ(layout.nodes.size(), 2U);
  EXPECT_EQ(placed(layout, "1,532 quantized").count, 1'532U);
  EXPECT_EQ(stands_for(layout), 1'533U);
}

TEST(PageGraph, ManyNodesStandOnRingsAndEachIsThere) {
  std::vector<std::pair<std::string, std::string>> edges;
  for (int i = 1; i < 2'000; ++i) edges.push_back({"n" + std::to_string(i), "n" + std::to_string(i * 7 / 50)});
  Graph graph = graph_of(edges);
  graph.nodes[5].subject = true;
  const Layout layout = lay_out(graph);
  ASSERT_TRUE(layout.rings);
  EXPECT_EQ(stands_for(layout), 2'000U);
  expect_within(layout);
  EXPECT_TRUE(std::any_of(layout.labels.begin(), layout.labels.end(), [](const auto& l) { return l.subject; }));
  std::vector<const PlacedNode*> heads;
  for (const PlacedNode& node : layout.nodes)
    if (node.form == PlacedNode::Form::Head) heads.push_back(&node);
  for (std::size_t i = 0; i < heads.size(); ++i)
    for (std::size_t j = 0; j < i; ++j)
      EXPECT_GT(std::hypot(heads[i]->at.x - heads[j]->at.x, heads[i]->at.y - heads[j]->at.y),
                heads[i]->width / 2 + heads[j]->width / 2 - 0.01);
}

TEST(PageGraph, WhatIsAloneIsDrawnToo) {
  Graph graph;
  for (int i = 0; i < 500; ++i) graph.nodes.push_back({"n" + std::to_string(i), "n", "mit", false, ""});
  const Layout layout = lay_out(graph);
  EXPECT_EQ(stands_for(layout), 500U);
  expect_within(layout);
}

TEST(PageGraph, TheLargestGroupsHaveColoursAndUnknownHasNone) {
  Graph graph;
  for (int group = 0; group < 10; ++group)
    for (int i = 0; i <= group; ++i)
      graph.nodes.push_back(
          {std::to_string(group) + "." + std::to_string(i), "n", "g" + std::to_string(group), false, ""});
  graph.nodes.push_back({"u", "n", "unknown", false, ""});
  const Layout layout = lay_out(graph);
  ASSERT_EQ(layout.legend.size(), kColours + 2);
  EXPECT_EQ(layout.legend[0].name, "g9");
  EXPECT_EQ(layout.legend[0].colour, 0U);
  EXPECT_EQ(layout.legend[kColours].count, 1U + 2U + 3U);
  EXPECT_EQ(layout.legend.back().name, "unknown");
  EXPECT_EQ(layout.legend.back().colour, kGrey);
}

TEST(PageGraph, LongNamesLoseTheirMiddle) {
  EXPECT_EQ(shortened("short", 10), "short");
  EXPECT_EQ(shortened("organisation/model", 9), "orga…odel");
  EXPECT_EQ(shortened("ééééééé", 3), "é…é");
}
}  // namespace
}  // namespace hm::provenance::report
