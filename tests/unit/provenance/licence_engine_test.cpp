// What the cases as data do not say: limits, size, and that one node and all nodes are judged alike.
#include "provenance/licence/engine.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "provenance/licence/bulk.hpp"
#include "provenance/licence/spdx.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/unit/provenance/licence_graph.hpp"

namespace hm::provenance::licence {
namespace {
struct LicenceEngine : testing::Test {
  const Catalogue catalogue = Catalogue::built_in().value();
  Judge judge{catalogue};
  MemoryLineage lineage;
  Verdict verdict(NodeId node) { return explain(judge, lineage, node).value(); }
  Bulk all() { return judge_all(judge, lineage, static_cast<NodeId>(lineage.claims.size())).value(); }
  static bool has(const Verdict& v, RuleId rule) {
    return std::any_of(v.findings.begin(), v.findings.end(), [&](const Finding& f) { return f.rule == rule; });
  }
};

TEST_F(LicenceEngine, AFindingSaysWhatWhoseAndOnWhichWay) {
  const NodeId base = lineage.add("a/base", "CC-BY-NC-4.0"), child = lineage.add("b/child", "MIT");
  lineage.link(child, Relation::Quantized, Evidence::Declared, base, "card base_model: a/base");
  const Verdict v = verdict(child);
  ASSERT_EQ(v.findings.size(), 1U);
  EXPECT_EQ(to_string(v.findings[0], v.name),
            "possible conflict: non-commercial-dropped: no commercial use (CC-BY-NC-4.0 of a/base); path b/child "
            "<-quantized declared- a/base (CC-BY-NC-4.0)");
  EXPECT_EQ(v.findings[0].path[0].source, "card base_model: a/base");
  EXPECT_EQ(v.findings[0].weakest, Evidence::Declared);
  EXPECT_EQ(v.findings[0].origin, base);
}

TEST_F(LicenceEngine, AHundredThousandParentsAndChildrenAreFine) {
  constexpr NodeId kMany = 100'000;
  const NodeId root = lineage.add("a/root", "CC-BY-NC-4.0");
  const NodeId sum = lineage.add("a/sum", "MIT");
  for (NodeId i = 0; i < kMany; ++i) {
    const NodeId middle = lineage.add("m/" + std::to_string(i), i % 2 == 0 ? "MIT" : "Apache-2.0");
    lineage.link(middle, Relation::Finetune, Evidence::Derived, root);
    lineage.link(sum, Relation::Merge, Evidence::Derived, middle);
  }
  const Verdict v = verdict(sum);
  EXPECT_EQ(v.summary.outcome, Outcome::Conflict);
  EXPECT_FALSE(v.summary.truncated);
  const Bulk bulk = all();
  EXPECT_EQ(bulk.summaries[sum], v.summary);
  EXPECT_EQ(bulk.outcomes[static_cast<std::size_t>(Outcome::Conflict)], kMany + 1);
}

/// Two expressions as long as they may be, of which all alternatives have most licences of the catalogue in common.
TEST_F(LicenceEngine, AnExpressionOfAStrangerCostsNoMinutes) {
  const auto hostile = [&](bool backwards) {
    std::string text =
        "(MIT OR ISC) AND (Zlib OR X11) AND (0BSD OR NTP) AND (Unlicense OR CC0-1.0) AND (NCSA OR AFL-3.0)";
    std::vector<std::string> ids;
    for (const Licence& l : catalogue.licences()) ids.push_back(l.id);
    if (backwards) std::reverse(ids.begin(), ids.end());
    for (const std::string& id : ids)
      if (text.size() + id.size() + 5 <= kExpressionBytesMax) text += " AND " + id;
    return text;
  };
  const NodeId first = lineage.add("a/first", hostile(false)), second = lineage.add("a/second", hostile(true));
  const NodeId child = lineage.add("b/child", hostile(false) + " OR " + "MIT");
  const NodeId other = lineage.add("b/other", hostile(true));
  for (const NodeId node : {child, other}) {
    lineage.link(node, Relation::Merge, Evidence::Derived, first);
    lineage.link(node, Relation::Merge, Evidence::Derived, second);
    EXPECT_EQ(verdict(node).summary.outcome, Outcome::Conflict);
  }
}

TEST_F(LicenceEngine, FindingsBeyondTheLimitAreCountedAndConflictsComeFirst) {
  const NodeId child = lineage.add("a/child", "MIT");
  for (std::size_t i = 0; i < kFindingsMax; ++i)
    lineage.link(child, Relation::Merge, Evidence::Derived, lineage.add("u/" + std::to_string(i), "NOASSERTION"));
  lineage.link(child, Relation::Merge, Evidence::Derived, lineage.add("n/c", "CC-BY-NC-4.0"));
  const Verdict v = verdict(child);
  EXPECT_EQ(v.findings.size(), kFindingsMax);
  EXPECT_EQ(v.findings_left_out, 1U);
  EXPECT_EQ(v.findings[0].rule, RuleId::NonCommercialDropped);
}

TEST_F(LicenceEngine, AChainDeeperThanTheLimitIsNotJudgedBetterThanUnknown) {
  NodeId last = lineage.add("a/0", "MIT");
  for (std::size_t i = 1; i <= kDepthMax + 1; ++i) {
    const NodeId next = lineage.add("a/" + std::to_string(i), "MIT");
    lineage.link(next, Relation::Finetune, Evidence::Derived, last);
    last = next;
    if (i == kDepthMax) {
      EXPECT_EQ(verdict(last).summary.outcome, Outcome::Compatible);
    }
  }
  const Verdict v = verdict(last);
  EXPECT_EQ(v.summary.outcome, Outcome::Unknown);
  EXPECT_TRUE(has(v, RuleId::Truncated));
  EXPECT_EQ(all().summaries[last].outcome, Outcome::Compatible) << "the pass over all has no such limit";
}

TEST_F(LicenceEngine, AGraphFullOfCyclesEnds) {
  constexpr NodeId kNodes = 200;
  for (NodeId i = 0; i < kNodes; ++i) lineage.add("n/" + std::to_string(i), i % 7 == 0 ? "CC-BY-NC-4.0" : "MIT");
  for (NodeId a = 0; a < kNodes; ++a)
    for (NodeId step = 0; step < 5; ++step)
      lineage.link(a, Relation::Finetune, Evidence::Declared, (a * 7 + step) % kNodes);
  const Bulk bulk = all();
  for (NodeId i = 0; i < kNodes; i += 20) EXPECT_EQ(bulk.summaries[i], verdict(i).summary);
}

TEST_F(LicenceEngine, OneNodeAndAllNodesAreJudgedAlike) {
  constexpr std::array<const char*, 16> kLicences{"MIT",
                                                  "Apache-2.0",
                                                  "CC-BY-NC-4.0",
                                                  "GPL-3.0-only",
                                                  "GPL-2.0-only",
                                                  "NOASSERTION",
                                                  "LicenseRef-hub-llama3",
                                                  "LicenseRef-hub-llama3.1",
                                                  "LicenseRef-hub-gemma",
                                                  "LicenseRef-hub-openrail",
                                                  "CC-BY-SA-4.0",
                                                  "CC-BY-ND-4.0",
                                                  "MIT OR GPL-3.0-only",
                                                  "CC-BY-4.0 AND MPL-2.0",
                                                  "CDLA-Sharing-1.0",
                                                  "LicenseRef-x"};
  for (std::uint32_t seed = 0; seed < 40; ++seed) {
    std::mt19937 random(seed);
    MemoryLineage graph;
    constexpr NodeId kNodes = 60;
    for (NodeId i = 0; i < kNodes; ++i) {
      Claim claim;
      claim.name = (random() % 3 == 0 ? "o/Llama-3-" : "o/n") + std::to_string(i);
      claim.expression = kLicences[random() % kLicences.size()];
      claim.material = static_cast<Material>(random() % 4);
      claim.has_text = static_cast<Known>(random() % 3);
      claim.has_notice = static_cast<Known>(random() % 3);
      if (random() % 5 == 0) claim.earlier = "MIT";
      graph.add(claim);
    }
    const bool cyclic = seed % 2 == 1;
    for (NodeId i = 0; i < kNodes; ++i)
      for (std::uint32_t e = random() % 4; e > 0; --e) {
        const NodeId limit = cyclic ? kNodes : i;
        const NodeId parent = random() % 25 == 0 || limit == 0 ? kNoNode : static_cast<NodeId>(random() % limit);
        graph.link(i, static_cast<Relation>(random() % 8), static_cast<Evidence>(random() % 5), parent, "gone");
      }
    Judge one(catalogue);
    const auto bulk = judge_all(one, graph, kNodes);
    ASSERT_TRUE(bulk);
    Judge other(catalogue);
    for (NodeId i = 0; i < kNodes; ++i)
      EXPECT_EQ(bulk.value().summaries[i], explain(other, graph, i).value().summary)
          << "seed " << seed << " node " << i;
  }
}
}  // namespace
}  // namespace hm::provenance::licence
