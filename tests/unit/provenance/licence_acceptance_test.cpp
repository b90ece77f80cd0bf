#include "provenance/licence/acceptance.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "provenance/licence/engine.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/unit/provenance/licence_graph.hpp"

namespace hm::provenance::licence {
namespace {
using test::FailsWith;
using Decision = Acceptance::Decision;
using testing::ElementsAre;
using testing::HasSubstr;

struct LicenceAcceptance : testing::Test {
  const Catalogue catalogue = Catalogue::built_in().value();
  Judge judge{catalogue};
  MemoryLineage lineage;
  LicencePolicy shipped(const std::string& name) {
    const auto policy = load_licence_policy(catalogue, std::string(HM_LICENCE_POLICIES) + "/" + name);
    EXPECT_TRUE(policy) << policy.error().what;
    return policy.value();
  }
  Acceptance apply(const LicencePolicy& policy, NodeId node) {
    return accept(policy, explain(judge, lineage, node).value(), judge);
  }
};

TEST_F(LicenceAcceptance, PermissiveIsAccepted) {
  EXPECT_EQ(apply(shipped("commercial.toml"), lineage.add("a/b", "Apache-2.0")).decision, Decision::Accepted);
  EXPECT_EQ(apply(shipped("commercial.toml"), lineage.add("a/c", "MIT OR GPL-3.0-only")).decision, Decision::Accepted)
      << "one may choose";
}
TEST_F(LicenceAcceptance, APolicyThatRefusesNothingIsNone) {
  for (const char* text : {"", "[policy]\n", "[policy]\ndescription = \"cut by a full disk\"\n"}) {
    const auto read = parse_licence_policy(catalogue, text, "house.toml");
    ASSERT_FALSE(read) << text;
    EXPECT_EQ(read.error().code, Errc::BadInput);
    EXPECT_THAT(read.error().what, testing::HasSubstr("house.toml: it refuses nothing"));
  }
}
TEST_F(LicenceAcceptance, WhatIsRefusedIsSaid) {
  const Acceptance a = apply(shipped("commercial.toml"), lineage.add("a/b", "CC-BY-NC-SA-4.0"));
  EXPECT_EQ(a.decision, Decision::Refused);
  EXPECT_THAT(a.reasons, ElementsAre("non-commercial, share-alike: CC-BY-NC-SA-4.0 (its own)"));
  EXPECT_EQ(apply(shipped("research.toml"), lineage.add("a/c", "CC-BY-NC-SA-4.0")).decision, Decision::Accepted);
  EXPECT_EQ(apply(shipped("commercial.toml"), lineage.add("a/d", "SSPL-1.0")).decision, Decision::Refused);
}
TEST_F(LicenceAcceptance, WhatIsInheritedCountsToo) {
  const NodeId base = lineage.add("a/base", "CC-BY-NC-4.0"), child = lineage.add("a/child", "CC-BY-4.0");
  lineage.link(child, Relation::Finetune, Evidence::Declared, base);
  EXPECT_EQ(apply(shipped("commercial.toml"), child).decision, Decision::Refused);
  EXPECT_EQ(apply(shipped("research.toml"), child).decision, Decision::Accepted)
      << "possible conflicts are accepted there";
  lineage.link(child, Relation::Finetune, Evidence::Derived, base);
  EXPECT_EQ(apply(shipped("research.toml"), child).decision, Decision::Refused) << "shown ones are not";
}
TEST_F(LicenceAcceptance, TheUnknownCannotBeJudged) {
  const Acceptance a = apply(shipped("commercial.toml"), lineage.add("a/b", "NOASSERTION"));
  EXPECT_EQ(a.decision, Decision::Undecided);
  EXPECT_THAT(a.reasons, ElementsAre("no permission is known: NOASSERTION (its own)"));
}
TEST_F(LicenceAcceptance, APossibleConflictIsDecidedByThePolicy) {
  const NodeId base = lineage.add("a/base", "MPL-2.0"), child = lineage.add("a/child", "MIT");
  lineage.link(child, Relation::Finetune, Evidence::Declared, base);
  LicencePolicy policy;
  EXPECT_EQ(apply(policy, child).decision, Decision::Undecided);
  policy.possible_conflict = LicencePolicy::OnPossible::Accept;
  EXPECT_EQ(apply(policy, child).decision, Decision::Accepted);
  policy.possible_conflict = LicencePolicy::OnPossible::Refuse;
  EXPECT_EQ(apply(policy, child).decision, Decision::Refused);
}
TEST_F(LicenceAcceptance, TrainingDataCountWhenThePolicySaysSo) {
  const NodeId data = lineage.add("a/data", "CC-BY-NC-4.0", Material::Dataset), model = lineage.add("a/m", "MIT");
  lineage.link(model, Relation::TrainedOn, Evidence::Declared, data);
  LicencePolicy policy = shipped("commercial.toml");
  EXPECT_EQ(apply(policy, model).decision, Decision::Refused);
  policy.data_counts = false;
  EXPECT_EQ(apply(policy, model).decision, Decision::Accepted);
}
TEST_F(LicenceAcceptance, AContractAndDriftAreDecidedByThePolicy) {
  LicencePolicy policy = shipped("commercial.toml");
  const NodeId own = lineage.add("a/nc", "CC-BY-NC-4.0");
  policy.accept_licences = {"CC-BY-NC-4.0"};
  EXPECT_EQ(apply(policy, own).decision, Decision::Accepted);
  const NodeId base = lineage.add("a/base", "MIT"), child = lineage.add("a/child", "CC0-1.0");
  lineage.link(child, Relation::Finetune, Evidence::Declared, base);
  EXPECT_EQ(apply(policy, child).decision, Decision::Accepted);
  policy.refuse_drift = true;
  EXPECT_EQ(apply(policy, child).decision, Decision::Refused);
}
TEST_F(LicenceAcceptance, ABadPolicyIsAnErrorWithFileLineWhatAndWhy) {
  auto parse = [&](std::string text) { return parse_licence_policy(catalogue, text, "p.toml"); };
  EXPECT_THAT(
      parse("[policy]\nrefuse_restrictions = [\"noncommercial\"]\n"),
      FailsWith(Errc::BadInput,
                "p.toml:2:23: refuse_restrictions does not know \"noncommercial\"; did you mean \"non-commercial\"?"));
  EXPECT_THAT(parse("[policy]\naccept_licences = [\"mit\"]\n"),
              FailsWith(Errc::BadInput, "\"mit\" has no section in the catalogue; did you mean \"MIT\"?"));
  EXPECT_THAT(parse("[policy]\ndrift = \"maybe\"\n"), FailsWith(Errc::BadInput, "drift"));
  EXPECT_THAT(parse("[policy]\nrefuse = []\n"), FailsWith(Errc::BadInput, "unknown key \"refuse\""));
  EXPECT_THAT(parse("drift = \"accept\"\n"), FailsWith(Errc::BadInput, "it belongs into [policy]"));
}
}  // namespace
}  // namespace hm::provenance::licence
