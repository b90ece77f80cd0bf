// The licence audit over a crawled Hub finds what was planted there; over the whole index it says of each repository
// what it says of that one alone.
#include "provenance/audit/licences.hpp"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>
#include <map>

#include "base/text.hpp"
#include "provenance/audit/licence_tally.hpp"
#include "provenance/licence/bulk.hpp"
#include "provenance/licence/engine.hpp"
#include "provenance/licence/hub_lineage.hpp"
#include "provenance/licence/index_lineage.hpp"
#include "provenance/report/population.hpp"
#include "tests/hub_at_scale/plant_licences.hpp"
#include "tests/unit/crawler/crawl_fixture.hpp"

namespace hm::crawler {
namespace {
namespace audit = provenance::audit;
namespace licence = provenance::licence;
using provenance::report::Figure;
using provenance::report::FigureTable;
using provenance::report::Finding;
using provenance::report::Report;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Field;
using testing::HasSubstr;
using testing::Not;
using Counts = std::map<std::string, std::uint64_t>;

class LicenceAuditTest : public CrawlTest {
 protected:
  void crawl(std::uint64_t models, bool planted) {
    make_hub(models, {}, false, planted);
    for (const RepoKind kind : {RepoKind::Model, RepoKind::Dataset, RepoKind::Space}) {
      auto each = lister(kind);
      sweep(each);
    }
  }
  audit::LicenceQuestion question(bool with_policy = false) {
    if (with_policy) return {catalogue_, &policy_, "commercial.toml"};
    return {catalogue_, nullptr, {}};
  }
  Report of_all(bool with_policy = false) {
    auto report = audit::licences_of_all(*index_, question(with_policy));
    EXPECT_TRUE(report) << report.error().what;
    return std::move(report).value();
  }
  Report of(std::vector<RepoKey> keys, bool with_policy = false) {
    auto report = audit::licences(*index_, question(with_policy), {std::move(keys), false, "these", {}});
    EXPECT_TRUE(report) << report.error().what;
    return std::move(report).value();
  }
  /// Rows of a table whose first key is `kind`, by the second.
  static Counts of_kind(const Report& report, const char* table, const std::string& kind) {
    Counts out;
    for (const auto& row : report.table(table)->rows)
      if (text_of(row[0]) == kind && std::get<std::uint64_t>(row[2]) != 0)
        out[text_of(row[1])] = std::get<std::uint64_t>(row[2]);
    return out;
  }
  static Counts by_rule(const Report& report) {
    Counts out;
    for (const auto& row : report.table("findings_by_rule")->rows)
      out[text_of(row[0])] = std::get<std::uint64_t>(row[2]);
    return out;
  }
  std::vector<RepoKey> keys_of(RepoKind kind) const {
    std::vector<RepoKey> keys;
    EXPECT_TRUE(storage::each_listing(*index_, [&](const RepoKey& key, const storage::ListingRow&) {
      if (key.kind == kind) keys.push_back(key);
      return true;
    }));
    return keys;
  }
  static Rid rid(int number) {
    const std::string digits = std::to_string(number);
    return *Rid::parse(std::string(24 - digits.size(), '0') + digits);
  }
  static RepoKey key(int number) { return {RepoKind::Model, rid(number)}; }
  void list(int number, const std::string& name, const std::string& licence, int base = 0,
            const std::string& relation = "finetune", char head = 'a', std::uint64_t downloads = 0) {
    std::string text = R"({"_id":")" + rid(number).text() + R"(","id":")" + name + R"(","sha":")" +
                       std::string(40, head) + R"(","tags":[)" +
                       (licence.empty() ? "" : "\"license:" + licence + "\"") +
                       "],\"downloads\":" + std::to_string(downloads);
    if (base != 0)
      text += R"(,"baseModels":{"relation":")" + relation + R"(","models":[{"_id":")" + rid(base).text() +
              R"(","id":"x/)" + std::to_string(base) + "\"}]}";
    const std::vector<provenance::Listing> page{
        provenance::read_listing({RepoKind::Model, name}, rid(number), parse_json(text + "}").value().as_object())};
    ASSERT_TRUE(recorder_->record_listing("hub.example", page, std::nullopt, {}));
  }
  void publish(int number, const std::string& name, const std::string& card, char commit = 'a',
               provenance::FileFacts said = {}) {
    provenance::Observation seen;
    seen.src = "hub.example", seen.repo = {RepoKind::Model, name}, seen.rid = rid(number),
    seen.head = "refs/heads/main";
    provenance::PublishedRevision revision;
    revision.commit = *Commit::parse(std::string(40, commit));
    revision.tree = *GitOid::parse(std::string(40, 'b'));
    seen.refs["refs/heads/main"] = revision.commit;
    revision.refs["refs/heads/main"] = revision.commit;
    revision.card_front_matter = card;
    revision.said = std::move(said);
    ASSERT_TRUE(recorder_->record_visit(seen));
    const auto done = recorder_->publish("hub.example", key(number), {revision});
    ASSERT_TRUE(done) << done.error().what;
  }
  static std::vector<std::string> rules_of(const Report& report, const std::string& subject) {
    std::vector<std::string> out;
    for (const Finding& f : report.findings)
      if (f.subject == subject) out.push_back(f.rule);
    return out;
  }

  const licence::Catalogue catalogue_ = licence::Catalogue::built_in().value();
  const licence::LicencePolicy policy_ =
      licence::load_licence_policy(catalogue_, std::string(HM_LICENCE_POLICIES) + "/commercial.toml").value();
};

TEST_F(LicenceAuditTest, RecoversThePlantedLicencesAndConflicts) {
  crawl(5'000, true);
  const scale::PlantedLicences truth = scale::planted_licences(scale_);
  ASSERT_EQ(truth.outcomes.at("possible conflict"), 1'500U);  // 6 of each 20
  ASSERT_EQ(truth.rules.at("non-commercial-dropped"), 750U);
  const Report all = of_all(true);
  EXPECT_EQ(of_kind(all, "outcomes", "model"), truth.outcomes);
  EXPECT_EQ(of_kind(all, "acceptance", "model"), truth.decisions);
  // Datasets and Spaces have licences and no bases: what they add to the rules is known from them alone.
  Counts rules = by_rule(all);
  std::vector<RepoKey> others = keys_of(RepoKind::Dataset);
  for (const RepoKey& key : keys_of(RepoKind::Space)) others.push_back(key);
  std::sort(others.begin(), others.end());
  for (const auto& [rule, count] : by_rule(of(others, true)))
    if (const auto it = rules.find(rule); it != rules.end() && (it->second -= count) == 0) rules.erase(it);
  rules.erase("refused-by-policy");
  rules.erase("undecided-by-policy");
  EXPECT_EQ(rules, truth.rules);
  for (const Finding& finding : all.findings)
    if (finding.rule == "non-commercial-dropped") {
      EXPECT_EQ(finding.severity, provenance::report::Severity::Warning) << "a listing is a claim";
      EXPECT_THAT(finding.path, Contains(HasSubstr("CC-BY-NC-4.0")));
    }
}

TEST_F(LicenceAuditTest, SaysOfEachModelAloneWhatItSaysOfAll) {
  crawl(3'000, false);
  publish(7, "org/mirrored", "license: mit\nbase_model: org/none\n");  // nobody listed it
  // A card names a base and not in which way, the listing says both; the base is known, or only its id is.
  list(8, "org/restricted", "cc-by-nc-4.0");
  list(9, "org/adapter", "mit", 8, "adapter");
  publish(9, "org/adapter", "license: mit\nbase_model: org/restricted\n");
  list(10, "org/other-adapter", "mit", 404, "adapter");
  publish(10, "org/other-adapter", "license: mit\nbase_model: X/404\n");
  licence::Judge judge(catalogue_);
  const auto hub = licence::HubLineage::read(*index_, catalogue_).value();
  const auto bulk = licence::judge_all(judge, hub, hub.size()).value();
  const licence::IndexLineage lineage(*index_, catalogue_);
  std::uint64_t with_findings = 0;
  for (licence::NodeId node = 0; node < hub.size(); ++node) {
    const RepoKey key = hub.key_of(*index_, node).value();
    const auto alone = lineage.node_of(key, licence::History::Read).value();
    ASSERT_TRUE(alone);
    const auto verdict = licence::explain(judge, lineage, *alone).value();
    ASSERT_EQ(verdict.summary, bulk.summaries[node]) << verdict.name;
    EXPECT_EQ(verdict.expression, hub.expression(node)) << verdict.name;
    with_findings += verdict.findings.empty() ? 0 : 1;
  }
  EXPECT_GT(with_findings, 1'000U);
}

TEST_F(LicenceAuditTest, AConflictIsToldWithItsPath) {
  list(1, "org/base", "cc-by-nc-4.0");
  list(2, "org/middle", "", 1);
  list(3, "org/leaf", "mit", 2, "quantized");
  const Report r = of({key(3)});
  EXPECT_THAT(r.answer[0], HasSubstr("org/leaf: possible conflict. Its own licence: MIT"));
  EXPECT_EQ(r.worst(), provenance::report::Severity::Warning);
  ASSERT_EQ(r.findings.size(), 2U);
  EXPECT_EQ(r.findings[1].rule, "non-commercial-dropped");
  EXPECT_THAT(r.findings[1].path,
              ElementsAre("org/leaf <-quantized declared- org/middle (listing baseModels: x/2), NOASSERTION",
                          "org/middle <-finetune declared- org/base (listing baseModels: x/1), CC-BY-NC-4.0"));
  ASSERT_EQ(r.graphs.size(), 1U);
  EXPECT_EQ(r.graphs[0].nodes.size(), 3U);
  EXPECT_EQ(r.graphs[0].nodes[2].group, "non-commercial");
  EXPECT_TRUE(r.graphs[0].edges[0].weak);
  EXPECT_EQ(text_of(r.table("verdicts")->rows[0][3]), "CC-BY-NC-4.0, NOASSERTION");
}

TEST_F(LicenceAuditTest, DownloadsAreThoseOfTheListings) {
  list(1, "org/one", "mit", 0, "", 'a', 77);
  list(2, "org/two", "mit", 0, "", 'a', 3);
  const Report report = of({key(1), key(2)});
  const auto* figure = report.table("licences")->find({"MIT"}, "downloads");
  ASSERT_NE(figure, nullptr);
  EXPECT_EQ(text_of(*figure), "80");
}

TEST_F(LicenceAuditTest, APolicyRefusesAndLeavesUndecided) {
  list(1, "org/base", "cc-by-nc-4.0");
  list(2, "org/child", "mit", 1);
  list(3, "org/free", "apache-2.0");
  list(4, "org/silent", "");
  const Report r = of({key(1), key(2), key(3), key(4)}, true);
  EXPECT_THAT(rules_of(r, "org/child"), Contains("refused-by-policy"));
  EXPECT_THAT(rules_of(r, "org/free"), ElementsAre());
  EXPECT_THAT(rules_of(r, "org/silent"), Contains("undecided-by-policy"));
  EXPECT_EQ(r.worst(), provenance::report::Severity::Problem);
  EXPECT_EQ(of_kind(r, "acceptance", "model"), (Counts{{"accepted", 1}, {"refused", 2}, {"undecided", 1}}));
  EXPECT_EQ(of({key(3)}, true).worst(), std::nullopt);
}

TEST_F(LicenceAuditTest, ChangesOfALicenceAreFound) {
  list(1, "org/name", "mit");
  clock_.advance(kDayMs);
  list(1, "org/name", "cc-by-nc-4.0", 0, "", 'b');
  clock_.advance(kDayMs);
  list(1, "org/name", "", 0, "", 'c');
  Report r = of({key(1)});
  EXPECT_THAT(rules_of(r, "org/name"),
              AllOf(Contains("licence-changed"), Contains("licence-vanished"), Contains("licence-unknown")));
  for (const Finding& f : r.findings)
    if (f.rule == "licence-changed") {
      EXPECT_THAT(f.what, HasSubstr("from CC-BY-NC-4.0 to NOASSERTION"));
      EXPECT_EQ(f.path.size(), 3U);
      EXPECT_THAT(f.path[0], HasSubstr("listing of aaaaaaaaaaaa: MIT"));
    }
  EXPECT_EQ(by_rule(of_all()).at("licence-vanished"), 1U) << "over all too";

  list(2, "org/kept", "apache-2.0");
  publish(2, "org/kept", "license: apache-2.0\n");
  EXPECT_THAT(rules_of(of({key(2)}), "org/kept"), ElementsAre());
  list(2, "org/kept", "", 0, "", 'b');
  EXPECT_THAT(rules_of(of({key(2)}), "org/kept"),
              AllOf(Contains("licence-gone-upstream"), Contains("licence-changed")));
  list(2, "org/kept", "gpl-3.0", 0, "", 'c');
  r = of({key(2)});
  EXPECT_THAT(rules_of(r, "org/kept"), Contains("licence-changed-upstream"));
  EXPECT_EQ(text_of(r.table("verdicts")->rows[0][2]), "Apache-2.0") << "of the copy that is here";
  publish(2, "org/kept", "license: gpl-3.0\n", 'c');
  r = of({key(2)});
  EXPECT_THAT(rules_of(r, "org/kept"), AllOf(Contains("licence-changed"), Not(Contains("licence-changed-upstream"))));
  EXPECT_EQ(text_of(r.table("verdicts")->rows[0][2]), "GPL-3.0-only");
}

TEST_F(LicenceAuditTest, AListingOlderThanTheCopyTellsNothingOfUpstream) {
  list(1, "org/name", "mit");
  clock_.advance(1000);
  publish(1, "org/name", "license: apache-2.0\n", 'b');  // a visit saw it before any listing did
  EXPECT_THAT(rules_of(of({key(1)}), "org/name"), Not(Contains("licence-changed-upstream")));
  clock_.advance(1000);
  list(1, "org/name", "gpl-3.0", 0, "", 'c');
  EXPECT_THAT(rules_of(of({key(1)}), "org/name"), Contains("licence-changed-upstream"));
}

TEST_F(LicenceAuditTest, ALicenceTextThatWasNotReadIsNotMissing) {
  list(1, "org/base", "apache-2.0");
  provenance::FileFacts said;
  said.files.push_back({"model.gguf", true, {}, {}});
  said.files[0].add(provenance::formats::ClaimKind::ConvertedFrom, "general.base_model.0.repo_url",
                    "https://huggingface.co/org/base");
  said.notices = {"NOTICE"};
  publish(2, "org/unread", "license: apache-2.0\n", 'a', said);
  EXPECT_THAT(rules_of(of({key(2)}), "org/unread"), Contains("licence-text-missing"));
  said.licences.push_back({"USE_POLICY.md", {}});
  publish(2, "org/unread", "license: apache-2.0\n", 'b', said);
  EXPECT_THAT(rules_of(of({key(2)}), "org/unread"), Contains("licence-text-missing")) << "a policy is no licence";
  said.unread = 1;
  publish(2, "org/unread", "license: apache-2.0\n", 'c', said);
  EXPECT_THAT(rules_of(of({key(2)}), "org/unread"), Not(Contains("licence-text-missing"))) << "it may be that one";
}

TEST_F(LicenceAuditTest, AllLicencesThatOneFileNamesHold) {
  provenance::FileFacts said;
  said.files.push_back({"model.safetensors", true, {}, {}});
  for (const char* id : {"cc-by-nc-4.0", "apache-2.0"})
    said.files[0].add(provenance::formats::ClaimKind::Licence, "license", id);
  publish(1, "org/name", "", 'a', said);
  EXPECT_EQ(text_of(of({key(1)}).table("verdicts")->rows[0][2]), "CC-BY-NC-4.0 AND Apache-2.0");
}

TEST_F(LicenceAuditTest, FilesShowAConflictThatIsAProblem) {
  list(1, "org/base", "cc-by-nc-4.0");
  list(2, "org/lora", "mit");
  provenance::FileFacts said;
  said.files.push_back({"adapter_config.json", true, {}, {}});
  said.files[0].add(provenance::formats::ClaimKind::AdapterBase, "/base_model_name_or_path", "org/base");
  publish(2, "org/lora", "license: mit\n", 'a', said);
  EXPECT_THAT(rules_of(of({key(2)}), "org/lora"), Contains("applies-in-use")) << "an adapter holds nothing of its base";

  list(3, "org/copy", "mit");
  said.files[0] = {"model.gguf", true, {}, {}};
  said.files[0].add(provenance::formats::ClaimKind::ConvertedFrom, "general.base_model.0.repo_url",
                    "https://huggingface.co/org/base");
  said.files[0].add(provenance::formats::ClaimKind::Licence, "general.license", "cc-by-nc-4.0");
  publish(3, "org/copy", "license: mit\n", 'a', said);
  const Report r = of({key(3)});
  EXPECT_THAT(rules_of(r, "org/copy"), AllOf(Contains("licence-inconsistent"), Contains("non-commercial-dropped")));
  EXPECT_EQ(text_of(r.table("verdicts")->rows[0][2]), "MIT AND CC-BY-NC-4.0");
  EXPECT_EQ(text_of(r.table("verdicts")->rows[0][1]), "possible conflict") << "as a choice it would be one";

  said.files[0].claims.pop_back();
  said.licences.push_back({"LICENSE", {"MIT", licence::Method::Digest, 1, {}, {}}});
  publish(3, "org/copy", "license: mit\n", 'b', said);
  const Report shown = of({key(3)});
  EXPECT_EQ(text_of(shown.table("verdicts")->rows[0][1]), "conflict");
  EXPECT_EQ(shown.worst(), provenance::report::Severity::Problem);
  EXPECT_EQ(of_kind(of_all(), "outcomes", "model").at("conflict"), 1U);
}

TEST_F(LicenceAuditTest, ACardSaysMoreThanAListing) {
  list(1, "org/name", "other");
  EXPECT_EQ(text_of(of({key(1)}).table("verdicts")->rows[0][2]), "LicenseRef-hub-other");
  publish(1, "org/name", "license: other\nlicense_name: llama3\nlicense_link: LICENSE\n");
  const Report r = of({key(1)});
  EXPECT_EQ(text_of(r.table("verdicts")->rows[0][2]), "LicenseRef-hub-llama3");
  EXPECT_EQ(r.table("outcomes")->gaps.back().count, 0U) << "nothing is known by its listing alone";
}

TEST_F(LicenceAuditTest, EveryRuleHasAMeaningAndARowInTheDocument) {
  std::ifstream in(HM_LICENCES_DOCUMENT);
  const std::string document{std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>()};
  std::vector<std::string_view> rules(licence::kRuleNames.begin(), licence::kRuleNames.end());
  rules.insert(rules.end(),
               {audit::kChanged, audit::kChangedUpstream, audit::kGoneUpstream, audit::kRefused, audit::kUndecided});
  for (const std::string_view rule : rules) {
    EXPECT_NE(audit::meaning_of(rule), "") << rule;
    EXPECT_THAT(document, HasSubstr("\n| `" + std::string(rule) + "` | "));
  }
}

TEST_F(LicenceAuditTest, TheSameStateGivesTheSameBytes) {
  crawl(1'000, true);
  const auto bytes = [&] {
    return canonical_json(to_json(of_all(true))).value() +
           canonical_json(to_json(of(keys_of(RepoKind::Model), true))).value();
  };
  const std::string before = bytes();
  reopen();
  EXPECT_EQ(bytes(), before);
  EXPECT_THAT(of({{RepoKind::Model, rid(999)}}).tables[0].gaps,
              Contains(Field(&provenance::report::Gap::what, "not known")));
}
}  // namespace
}  // namespace hm::crawler
