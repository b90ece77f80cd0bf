// Licences that were declared on the Hub, and what human auditors found. Not part of this repository: HUBMIRROR_CORPUS
// names the folder that has licences/. The figures are what was found when the test was written; docs/licences.md says
// why auditors and cards disagree.
#include <gtest/gtest.h>

#include <algorithm>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>

#include "base/json_fields.hpp"
#include "base/text.hpp"
#include "provenance/licence/engine.hpp"
#include "provenance/licence/normalise.hpp"
#include "provenance/licence/spdx.hpp"
#include "tests/unit/provenance/corpus.hpp"
#include "tests/unit/provenance/licence_graph.hpp"

namespace hm::provenance::licence {
namespace {
namespace json = boost::json;

std::string read_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
}
struct LicenceCorpus : testing::Test {
  const Catalogue catalogue = Catalogue::built_in().value();
  void SetUp() override {
    if (test::corpus_path("").empty()) GTEST_SKIP() << "skipped: no corpus";
  }
  /// What a card with that value means. The audit writes "Unspecified" where there is none.
  std::string expression_of(const std::string& name) const {
    Declared declared;
    if (!name.empty() && name != "Unspecified" && name != "No License") declared.ids.push_back(name);
    return normalise(catalogue, declared).expression;
  }
  const Licence* known(const std::string& name) const { return catalogue.find(expression_of(name)); }
  static std::vector<json::object> rows() { return test::json_lines("licences/dataset-licence-audit.jsonl.zst"); }
};

constexpr Flags kNonCommercial = 1U << 0, kResearchOnly = 1U << 1;

TEST_F(LicenceCorpus, ClassesOfTheCatalogueAgainstThoseOfTheAuditors) {
  const json::object classes = json::parse(read_file(test::corpus_path("licences/licence-classes.json"))).as_object();
  std::size_t not_here = 0, use_agrees = 0, use_differs = 0, share_agrees = 0, share_differs = 0;
  for (const auto& [name, triple] : classes) {
    const Licence* l = known(name);
    const std::string use(triple.as_array()[0].as_string()), share(triple.as_array()[2].as_string());
    if (l == nullptr) {
      ++not_here;
      std::printf("no entry: %s (%s)\n", std::string(name).c_str(), use.c_str());
      continue;
    }
    const bool limited = (l->restricts & (kNonCommercial | kResearchOnly)) != 0;
    if (use != "?" && use != "Unspecified") {
      (limited == (use != "All") ? use_agrees : use_differs)++;
      if (limited != (use != "All"))
        std::printf("use: %s: auditors %s, here %s\n", std::string(name).c_str(), use.c_str(),
                    words_of(l->restricts, kRestrictionNames).c_str());
    }
    if (share != "?") {
      const bool here = (l->demands & demand::kShareAlike) != 0;
      (here == (share == "1") ? share_agrees : share_differs)++;
      if (here != (share == "1"))
        std::printf("share-alike: %s: auditors %s, here %s\n", std::string(name).c_str(), share.c_str(),
                    here ? "yes" : "no");
    }
  }
  std::printf("no entry %zu; use agrees %zu differs %zu; share-alike agrees %zu differs %zu\n", not_here, use_agrees,
              use_differs, share_agrees, share_differs);
  EXPECT_EQ(std::vector<std::size_t>({not_here, use_agrees, use_differs, share_agrees, share_differs}),
            (std::vector<std::size_t>{20, 45, 1, 36, 9}));
}

TEST_F(LicenceCorpus, EveryDeclaredLicenceIsReadAndComparedWithTheAudit) {
  std::map<std::string, std::size_t> count;
  std::set<std::string> unread;
  for (const json::object& row : rows()) {
    const std::string card = text_of(row, "hf_yaml_license");
    if (card.empty() || card == "None") {
      ++count["no card"];
      continue;
    }
    const std::string declared = expression_of(card);
    ASSERT_TRUE(parse_expression(declared)) << declared;
    if (declared != kNoAssertion && catalogue.find(declared) == nullptr) unread.insert(card);
    std::vector<std::string> audited;
    bool stricter = false, named = false;
    for (const json::value& one : row.at("licenses").as_array()) {
      const std::string name = text_of(one.as_object(), "name");
      audited.push_back(name == "Custom" || name == "Various" || name == "Request Form"
                            ? std::string("a text of its own")
                            : expression_of(name));
      if (name == "OpenAI") continue;  // terms of a generating model, not a licence of the data
      named = named || audited.back() != kNoAssertion;
      const Licence *a = catalogue.find(audited.back()), *d = catalogue.find(declared);
      if (a != nullptr && d != nullptr)
        stricter =
            stricter || (a->restricts & ~d->restricts) != 0 || (a->demands & ~d->demands & demand::kShareAlike) != 0;
    }
    if (std::find(audited.begin(), audited.end(), declared) != audited.end())
      ++count["agree"];
    else if (declared == kNoAssertion)
      ++count["card is silent, auditors found something"];
    else if (!named)
      ++count["auditors found nothing"];
    else if (std::find(audited.begin(), audited.end(), "a text of its own") != audited.end())
      ++count["auditors found a text of its own"];
    else if (stricter)
      ++count["auditors found something stricter"];
    else
      ++count["auditors found something else"];
  }
  for (const std::string& card : unread) std::printf("not in the catalogue: %s\n", card.c_str());
  for (const auto& [what, n] : count) std::printf("%5zu %s\n", n, what.c_str());
  EXPECT_TRUE(unread.empty());
  const std::map<std::string, std::size_t> expected{{"agree", 645},
                                                    {"no card", 324},
                                                    {"auditors found nothing", 73},
                                                    {"card is silent, auditors found something", 41},
                                                    {"auditors found something stricter", 29},
                                                    {"auditors found something else", 18},
                                                    {"auditors found a text of its own", 13}};
  EXPECT_EQ(count, expected);
}

/// What each place says of a dataset's licence, against what the auditors found; all 1,143 rows.
TEST_F(LicenceCorpus, EveryRowIsComparedPlaceByPlace) {
  std::map<std::string, std::size_t> count;
  for (const json::object& row : rows()) {
    std::set<std::string> audited;
    for (const json::value& one : row.at("licenses").as_array()) {
      const std::string name = text_of(one.as_object(), "name");
      if (name != "OpenAI") audited.insert(expression_of(name));
    }
    audited.erase(std::string(kNoAssertion));
    for (const char* place : {"hf_yaml_license", "hf_config_license", "github_license", "pwc_license"}) {
      const std::string said = text_of(row, place);
      const std::string declared = said.empty() || said == "None" ? std::string(kNoAssertion) : expression_of(said);
      const bool silent = declared == kNoAssertion;
      ++count[std::string(place) + (silent            ? audited.empty() ? " silent, as the auditors are" : " silent"
                                    : audited.empty() ? " alone"
                                    : audited.contains(declared) ? " agrees"
                                                                 : " differs")];
    }
  }
  for (const auto& [what, n] : count) std::printf("%5zu %s\n", n, what.c_str());
  const std::map<std::string, std::size_t> expected{{"hf_yaml_license agrees", 567},
                                                    {"hf_yaml_license alone", 73},
                                                    {"hf_yaml_license differs", 60},
                                                    {"hf_yaml_license silent", 264},
                                                    {"hf_yaml_license silent, as the auditors are", 179},
                                                    {"hf_config_license agrees", 2},
                                                    {"hf_config_license silent", 889},
                                                    {"hf_config_license silent, as the auditors are", 252},
                                                    {"github_license agrees", 354},
                                                    {"github_license alone", 37},
                                                    {"github_license differs", 55},
                                                    {"github_license silent", 482},
                                                    {"github_license silent, as the auditors are", 215},
                                                    {"pwc_license agrees", 81},
                                                    {"pwc_license alone", 32},
                                                    {"pwc_license differs", 37},
                                                    {"pwc_license silent", 773},
                                                    {"pwc_license silent, as the auditors are", 220}};
  EXPECT_EQ(count, expected);
}

/// A dataset under its card's licence, made from a source under what the auditors found there, and from outputs where
/// they say so: what the engine makes of each row.
TEST_F(LicenceCorpus, EveryRowIsJudgedAgainstItsSource) {
  std::map<std::string, std::size_t> count;
  std::map<std::string, std::size_t> rules;
  for (const json::object& row : rows()) {
    MemoryLineage lineage;
    const std::string card = text_of(row, "hf_yaml_license");
    const NodeId child = lineage.add("hub/dataset", expression_of(card == "None" ? "" : card), Material::Dataset);
    for (const json::value& one : row.at("licenses").as_array()) {
      const std::string name = text_of(one.as_object(), "name");
      const bool outputs = name == "OpenAI";
      lineage.link(child, outputs ? Relation::DistilledFrom : Relation::FromDataset, Evidence::Derived,
                   lineage.add("source/" + name, expression_of(name), Material::Dataset));
    }
    Judge judge(catalogue);
    const auto verdict = explain(judge, lineage, child);
    ASSERT_TRUE(verdict);
    const Summary& s = verdict.value().summary;
    const bool silent = verdict.value().expression == kNoAssertion;
    ++count[std::string(silent ? "card is silent: " : "card says one: ") +
            std::string(kOutcomeNames[static_cast<std::size_t>(s.outcome)])];
    if (!silent)
      for (std::size_t rule = 0; rule < kRuleNames.size(); ++rule)
        if ((s.rules >> rule & 1U) != 0) ++rules[std::string(kRuleNames[rule])];
  }
  for (const auto& [what, n] : count) std::printf("%5zu %s\n", n, what.c_str());
  for (const auto& [what, n] : rules) std::printf("%5zu of those that say one: %s\n", n, what.c_str());
  const std::map<std::string, std::size_t> expected{
      {"card is silent: conflict", 102}, {"card is silent: unknown", 341}, {"card says one: compatible", 326},
      {"card says one: restricted", 20}, {"card says one: unknown", 85},   {"card says one: conflict", 269}};
  EXPECT_EQ(count, expected);
  const std::map<std::string, std::size_t> expected_rules{
      {"attribution-dropped", 2},     {"base-licence-unknown", 202},
      {"community-terms-dropped", 1}, {"non-commercial-dropped", 24},
      {"outputs-forbidden", 82},      {"parents-exclude", 70},
      {"share-alike-lost", 190},      {"user-ceiling", 1}};
  EXPECT_EQ(rules, expected_rules);
}

/// Those read as another name another licence than the auditors' ("agpl-3.0" for GPL, "cc-by-2.0" for CC BY 3.0), or no
/// version ("gpl", "cc", "bsd"), where a guess would be a permission that nobody gave.
TEST_F(LicenceCorpus, SpellingsSeenInTheWildMeanWhatTheAuditorsTookThemFor) {
  const json::object all = json::parse(read_file(test::corpus_path("licences/licence-paraphrases.json"))).as_object();
  std::size_t same = 0, unknown = 0, other = 0;
  for (const auto& [canonical, spellings] : all) {
    const std::string meant = expression_of(std::string(canonical));
    if (catalogue.find(meant) == nullptr) continue;
    for (const json::value& spelling : spellings.as_array()) {
      const std::string read = expression_of(std::string(spelling.as_string()));
      const Licence* licence = catalogue.find(read);
      (read == meant ? same : licence == nullptr ? unknown : other)++;
      if (read != meant && licence != nullptr)
        std::printf("%s: auditors %s, here %s\n", std::string(spelling.as_string()).c_str(), meant.c_str(),
                    read.c_str());
    }
  }
  std::printf("spellings: %zu the same, %zu not known here, %zu read as another\n", same, unknown, other);
  EXPECT_EQ(std::vector<std::size_t>({same, unknown, other}), (std::vector<std::size_t>{47, 56, 8}));
}

TEST_F(LicenceCorpus, ACardAndATextThatDisagreeAreFound) {
  std::size_t compared = 0, inconsistent = 0;
  for (const json::object& row : rows()) {
    const std::string card = text_of(row, "hf_yaml_license"), text = text_of(row, "github_license");
    if (card.empty() || card == "None" || card == "Unspecified" || text.empty() || text == "None") continue;
    Declared declared;
    declared.ids = {card};
    TextFinding file{"LICENSE", {}};
    file.recognised.id = expression_of(text);
    file.recognised.method = Method::Digest;
    declared.texts = {file};
    const Normalised n = normalise(catalogue, declared);
    ++compared;
    inconsistent += static_cast<std::size_t>(std::count_if(
        n.findings.begin(), n.findings.end(), [](const auto& f) { return f.id == "licence-inconsistent"; }));
  }
  std::printf("%zu cards with a text, %zu inconsistent\n", compared, inconsistent);
  EXPECT_EQ(inconsistent, 38U);
}

TEST_F(LicenceCorpus, ModelsUnderOtherAreNamed) {
  std::map<std::string, std::size_t> count;
  for (const char* file : {"/models-licence-other.csv", "/models-no-licence.csv"}) {
    std::istringstream lines(read_file(test::corpus_path("licences" + std::string(file))));
    std::string line;
    std::getline(lines, line);
    while (std::getline(lines, line)) {
      const auto cells = split(line, ',');
      ASSERT_GE(cells.size(), 7U) << line;
      Declared declared;
      declared.ids = {"other"};
      declared.name = cells[5];
      declared.link = cells[6];
      ++count[normalise(catalogue, declared).expression];
    }
  }
  for (const auto& [what, n] : count) std::printf("%5zu %s\n", n, what.c_str());
  EXPECT_EQ(count, (std::map<std::string, std::size_t>{
                       {"LicenseRef-hub-llama2", 212}, {"LicenseRef-llama-1", 94}, {"LicenseRef-hub-other", 113}}));
}
}  // namespace
}  // namespace hm::provenance::licence
