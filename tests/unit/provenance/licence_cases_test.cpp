// Runs every case of licence_cases/*.toml: HM_LICENCE_CASES is that folder. Prints case, expected and got.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "config/toml_reading.hpp"
#include "provenance/licence/bulk.hpp"
#include "provenance/licence/engine.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/unit/provenance/licence_graph.hpp"

namespace hm::provenance::licence {
namespace {
struct Case {
  std::string id, expect, why;
  std::vector<std::string> nodes, edges, findings;
};

std::vector<Case> read_cases() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(HM_LICENCE_CASES))
    paths.push_back(entry.path().string());
  std::sort(paths.begin(), paths.end());
  std::vector<Case> cases;
  for (const std::string& path : paths) {
    const auto text = config::read_operators_file(path, config::kTomlBytesMax);
    if (!text) return ADD_FAILURE() << text.error().what, cases;
    const auto file = config::read_toml(text.value(), path);
    if (!file) return ADD_FAILURE() << file.error().what, cases;
    for (const config::TomlSection& section : file.value().sections) {
      Case one;
      one.id = section.name;
      const config::Rule any;
      auto each = [&](Case& into, auto&& visit) {
        visit(section.name, "why", into.why, any);
        visit(section.name, "nodes", into.nodes, any);
        visit(section.name, "edges", into.edges, any);
        visit(section.name, "expect", into.expect, any);
        visit(section.name, "findings", into.findings, any);
      };
      const auto read = config::TomlReader(one, each).read({section});
      if (!read) return ADD_FAILURE() << read.error().what, cases;
      cases.push_back(std::move(one));
    }
  }
  return cases;
}

template <class Enum>
Enum known(const std::optional<Enum>& word, const std::string& text) {
  EXPECT_TRUE(word) << "unknown word in " << text;
  return word.value_or(Enum{});
}

void set(Claim& claim, std::string_view attribute) {
  if (attribute == "dataset")
    claim.material = Material::Dataset;
  else if (attribute == "adapter")
    claim.material = Material::Adapter;
  else if (attribute == "code")
    claim.material = Material::Code;
  else if (attribute == "text")
    claim.has_text = Known::Yes;
  else if (attribute == "no text")
    claim.has_text = Known::No;
  else if (attribute == "notice")
    claim.has_notice = Known::Yes;
  else if (attribute == "no notice")
    claim.has_notice = Known::No;
  else if (attribute.starts_with("or "))
    claim.offered = attribute.substr(3);
  else if (attribute.starts_with("earlier "))
    claim.earlier = attribute.substr(8);
  else
    ADD_FAILURE() << "unknown attribute " << attribute;
}

MemoryLineage lineage_of(const Case& one) {
  MemoryLineage lineage;
  std::map<std::string, NodeId, std::less<>> ids;
  for (const std::string& text : one.nodes) {
    const auto parts = split(text, '|');
    const auto colon = parts[0].find(": ");
    Claim claim;
    claim.name = parts[0].substr(0, colon);
    claim.expression = trim(parts[0].substr(colon + 2));
    for (std::size_t i = 1; i < parts.size(); ++i) set(claim, trim(parts[i]));
    ids[claim.name] = lineage.add(claim);
  }
  for (const std::string& text : one.edges) {
    const auto words = split(text, ' ');  // child <-relation evidence- parent
    EXPECT_EQ(words.size(), 4U) << text;
    const std::string_view parent = words[3];
    const bool missing = parent.starts_with('?');
    EXPECT_TRUE(missing || ids.contains(parent)) << text;
    lineage.link(ids.find(words[0])->second, known(storage::parse_relation(words[1].substr(2)), text),
                 known(storage::parse_evidence(words[2].substr(0, words[2].size() - 1)), text),
                 missing ? kNoNode : ids.find(parent)->second, std::string(missing ? parent.substr(1) : parent));
  }
  return lineage;
}

std::string path_of(std::string_view from, const Path& path) {
  std::string out(from);
  for (const Step& step : path)
    out += " <-" + std::string(storage::name_of(step.relation)) + " " + std::string(storage::name_of(step.evidence)) +
           "- " + step.name;
  return out;
}
std::vector<std::string> findings_of(const Verdict& verdict) {
  std::vector<std::string> out;
  for (const Finding& f : verdict.findings) {
    std::string text = (f.possible ? "possible " : "") + std::string(name_of(f.severity)) + ": " +
                       std::string(name_of(f.rule)) + ": " + path_of(verdict.name, f.path);
    if (!f.other_path.empty()) text += "; " + path_of(verdict.name, f.other_path);
    out.push_back(text);
  }
  return out;
}
std::string outcome_of(const Summary& s) {
  return (s.possible ? "possible " : "") + std::string(kOutcomeNames[static_cast<std::size_t>(s.outcome)]);
}

TEST(LicenceCases, EveryCaseIsDecidedAsWritten) {
  const auto catalogue = Catalogue::built_in();
  ASSERT_TRUE(catalogue) << catalogue.error().what;
  const std::vector<Case> cases = read_cases();
  EXPECT_GE(cases.size(), 100U);
  for (const Case& one : cases) {
    SCOPED_TRACE(one.id + ": " + one.why);
    const MemoryLineage lineage = lineage_of(one);
    Judge judge(catalogue.value());
    const auto asked = static_cast<NodeId>(lineage.claims.size() - 1);
    const auto verdict = explain(judge, lineage, asked);
    ASSERT_TRUE(verdict);
    const std::string got = outcome_of(verdict.value().summary);
    std::printf("%-50s expected %-18s got %s\n", one.id.c_str(), one.expect.c_str(), got.c_str());
    EXPECT_EQ(got, one.expect);
    EXPECT_THAT(findings_of(verdict.value()), testing::UnorderedElementsAreArray(one.findings));
    const auto bulk = judge_all(judge, lineage, asked + 1);
    ASSERT_TRUE(bulk);
    EXPECT_EQ(bulk.value().summaries[asked], verdict.value().summary) << "the pass over all nodes says something else";
  }
}
}  // namespace
}  // namespace hm::provenance::licence
