// audit origins, audit history, audit hashes: over an index that was recorded, and the same after a rebuild.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "base/text.hpp"
#include "provenance/audit/hashes.hpp"
#include "provenance/audit/history.hpp"
#include "provenance/audit/origins.hpp"
#include "provenance/listing.hpp"
#include "provenance/record.hpp"
#include "storage/survey_row.hpp"
#include "tests/support/manual_clock.hpp"

namespace hm::provenance::audit {
namespace {
namespace fs = std::filesystem;
using report::Finding;
using report::Report;
using report::Share;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;
using testing::UnorderedElementsAre;
const std::string kSrc = "huggingface.co";
constexpr std::int64_t kHour = 3'600'000;

class AuditsTest : public testing::Test {
 protected:
  AuditsTest()
      : dir_(fs::temp_directory_path() / ("hm-audits-" + std::to_string(::getpid()) +
                                          testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(dir_);
    index_ = storage::open_index(dir_.string(), storage::Index::Mode::Write, {}).value();
    journal_.emplace(*index_);
    recorder_.emplace(*index_, *journal_, clock_, "node-a");
    EXPECT_TRUE(
        origins_.add("owner,entity,jurisdiction,sector,source,read,note\n"
                     "Qwen,Alibaba Cloud,CN,industry,https://a.example,2026-11-28,\n"
                     "mistralai,Mistral AI,FR,industry,https://a.example,2026-11-28,\n"
                     "tuni,A University,DE,academic,https://a.example,2026-11-28,\n",
                     "test.csv"));
  }
  ~AuditsTest() override {
    index_.reset();
    fs::remove_all(dir_);
  }
  static RepoKey repo(int number) {
    const std::string hex = std::to_string(number);
    return {RepoKind::Model, *Rid::parse(std::string(24 - hex.size(), '0') + hex)};
  }
  /// A model as listed; `bases` by name; `more` fields.
  void list(int number, const std::string& name, const std::vector<std::string>& bases = {},
            const std::string& more = "") {
    std::string models;
    for (const std::string& base : bases) models += (models.empty() ? "" : ",") + ("{\"id\":\"" + base + "\"}");
    const std::string text =
        "{\"id\":\"" + name + "\"" +
        (bases.empty() ? "" : ",\"baseModels\":{\"relation\":\"finetune\",\"models\":[" + models + "]}") + more + "}";
    const auto parsed = parse_json(text);
    ASSERT_TRUE(parsed) << text;
    const std::vector<Listing> page{
        read_listing({RepoKind::Model, name}, repo(number).rid, parsed.value().as_object())};
    ASSERT_TRUE(recorder_->record_listing(kSrc, page, std::nullopt, {}));
    clock_.advance(kHour);
  }
  void list_dataset(int number, const std::string& name) {
    const auto parsed = parse_json("{\"id\":\"" + name + "\"}");
    const std::vector<Listing> page{
        read_listing({RepoKind::Dataset, name}, repo(number).rid, parsed.value().as_object())};
    ASSERT_TRUE(recorder_->record_listing(kSrc, page, std::nullopt, {}));
  }
  /// Files as "path=content"; those that end in .md are in git, the others are large.
  void publish(int number, const std::string& name, char commit, const std::string& card,
               const std::vector<std::pair<std::string, std::string>>& files = {},
               const std::string& ref = "refs/heads/main") {
    Observation seen;
    seen.src = kSrc, seen.repo = {RepoKind::Model, name}, seen.rid = repo(number).rid, seen.head = "refs/heads/main";
    PublishedRevision revision;
    revision.commit = *Commit::parse(std::string(40, commit));
    revision.tree = *GitOid::parse(std::string(40, 'b'));
    seen.refs[ref] = revision.commit;
    revision.refs[ref] = revision.commit;
    revision.card_front_matter = card;
    for (const auto& [path, content] : files) {
      storage::ManifestFile file;
      file.path = path, file.sha256 = sha256(content), file.size_bytes = content.size();
      file.git_oid = git_object_id("blob", as_bytes(content));
      file.is_lfs = !path.ends_with(".md");
      revision.manifest.files.push_back(std::move(file));
    }
    ASSERT_TRUE(recorder_->record_visit(seen));
    const auto done = recorder_->publish(kSrc, repo(number), {revision});
    ASSERT_TRUE(done) << done.error().what;
    clock_.advance(kHour);
  }
  void survey(int number, const std::string& name, const std::vector<std::pair<std::string, std::string>>& files) {
    storage::SurveyRow row;
    row.name = name, row.commit = *Commit::parse(std::string(40, 'e')), row.asked_ms = clock_.unix_ms();
    for (const auto& [path, content] : files) row.files.push_back({path, content.size(), sha256(content)});
    storage::Batch batch;
    ASSERT_TRUE(storage::put_survey(*index_, batch, repo(number), "", row));
    ASSERT_TRUE(index_->commit(batch));
  }
  static Subjects asked(const std::vector<int>& numbers) {
    Subjects out;
    for (const int number : numbers) out.keys.push_back(repo(number));
    out.words = "what the test asks about";
    return out;
  }
  Report origins(const std::vector<int>& numbers, std::set<std::string> refused = {}) const {
    auto out = audit::origins(*index_, {origins_, std::move(refused)}, asked(numbers));
    EXPECT_TRUE(out) << (out ? "" : out.error().what);
    return std::move(out.value());
  }
  Report history(const std::vector<int>& numbers, std::int64_t since_ms = 0, Descends descends = {}) const {
    auto out = audit::history(*index_, {catalogue_, since_ms, std::move(descends)}, asked(numbers));
    EXPECT_TRUE(out) << (out ? "" : out.error().what);
    return std::move(out.value());
  }
  Report hashes(const std::vector<int>& numbers) const {
    auto out = audit::hashes(*index_, asked(numbers));
    EXPECT_TRUE(out) << (out ? "" : out.error().what);
    return std::move(out.value());
  }
  /// "problem root-refused org/name".
  static std::vector<std::string> found(const Report& report) {
    std::vector<std::string> out;
    for (const Finding& f : report.findings)
      out.push_back(std::string(name_of(f.severity)) + " " + f.rule + " " + f.subject);
    return out;
  }

  const fs::path dir_;
  test::ManualClock clock_;
  std::unique_ptr<storage::Index> index_;
  std::optional<storage::Journal> journal_;
  std::optional<Recorder> recorder_;
  OriginTable origins_;
  const licence::Catalogue catalogue_ = licence::Catalogue::built_in().value();
};

TEST_F(AuditsTest, OriginsAreThePublishersAndThoseOfTheRoots) {
  list(1, "Qwen/base");
  list(2, "mistralai/base");
  list(3, "somebody/merge", {"Qwen/base", "mistralai/base"});
  list(4, "tuni/finetune", {"somebody/merge"});
  list(5, "nobody/own");
  const Report report = origins({3, 4, 5});
  const auto* publishers = report.table("publishers_by_jurisdiction");
  EXPECT_EQ(*publishers->find({"unknown"}, "share"), report::Figure(Share{2, 3}));
  EXPECT_EQ(*publishers->find({"DE"}, "repositories"), report::Figure(std::uint64_t{1}));
  EXPECT_EQ(publishers->judged, (Share{1, 3}));
  const auto* roots = report.table("roots_by_jurisdiction");
  EXPECT_EQ(*roots->find({"CN"}, "repositories"), report::Figure(std::uint64_t{2}));
  EXPECT_EQ(*roots->find({"CN"}, "alone"), report::Figure(std::uint64_t{0})) << "they have a root in France too";
  EXPECT_EQ(*roots->find({"unknown"}, "alone"), report::Figure(std::uint64_t{1}));
  EXPECT_EQ(*report.table("repositories")->find({"tuni/finetune"}, "family_origin"),
            report::Figure(std::string("CN industry (Qwen) 50.0 %, FR industry (mistralai) 50.0 %")));
  EXPECT_THAT(report.findings, IsEmpty()) << "nothing was refused";
}

TEST_F(AuditsTest, ARefusedOriginIsFoundWithItsPath) {
  list(1, "Qwen/base");
  list(2, "somebody/finetune", {"Qwen/base"});
  list(3, "tuni/more", {"somebody/finetune"});
  const Report report = origins({1, 3}, {"CN"});
  EXPECT_THAT(found(report), ElementsAre("problem publisher-refused Qwen/base", "problem root-refused tuni/more"));
  ASSERT_EQ(report.findings[1].path.size(), 3U);
  EXPECT_THAT(report.findings[1].path[0], HasSubstr("tuni/more <-finetune declared- somebody/finetune"));
  EXPECT_THAT(report.findings[1].path[1], HasSubstr("somebody/finetune <-finetune declared- Qwen/base"));
  EXPECT_THAT(report.findings[1].path[2], HasSubstr("Alibaba Cloud, CN (test.csv, read 2026-11-28)"));
  EXPECT_THAT(report.answer[0], HasSubstr("2 of 2 repositories have a publisher or a root base from CN"));
  EXPECT_THAT(found(origins({3}, {"FR"})), IsEmpty());
  EXPECT_THAT(found(origins({3}, {"DE"})), ElementsAre("problem publisher-refused tuni/more"));
}

TEST_F(AuditsTest, UnknownCanBeRefusedAndABaseOnTheWayIsAWarning) {
  list(1, "mistralai/base");
  list(2, "Qwen/between", {"mistralai/base"});
  list(3, "tuni/end", {"Qwen/between"});
  list(4, "who/own");
  EXPECT_THAT(found(origins({3, 4}, {"CN", "unknown"})),
              ElementsAre("problem publisher-refused who/own", "warning base-refused tuni/end"));
}

TEST_F(AuditsTest, ABaseThatIsNotHereIsNotedAndCountsByItsName) {
  list(3, "tuni/end", {"Qwen/never-listed"});
  const Report report = origins({3}, {"CN"});
  EXPECT_THAT(found(report), ElementsAre("problem root-refused tuni/end", "note base-not-found tuni/end"));
  EXPECT_EQ(report.table("roots_by_jurisdiction")->gaps[1].count, 1U);
}

TEST_F(AuditsTest, ABaseOfWhichOnlyTheIdIsKnownIsNotHereEither) {
  list(3, "tuni/end", {},
       R"(,"baseModels":{"relation":"finetune","models":[{"_id":"0123456789abcdef01234567","id":"Qwen/hidden"}]})");
  const Report report = origins({3});
  EXPECT_THAT(found(report), ElementsAre("note base-not-found tuni/end"));
  EXPECT_EQ(report.table("roots_by_jurisdiction")->gaps[1].count, 1U);
}

TEST_F(AuditsTest, EachFactHasACoverageOfItsOwn) {
  ASSERT_TRUE(
      origins_.add("owner,entity,jurisdiction,sector,source,read,note\n"
                   "hidden,Somebody,,academic,https://x.example,2026-11-28,\n",
                   "more.csv"));
  list(1, "hidden/own");
  const Report report = origins({1});
  EXPECT_EQ(report.table("publishers_by_jurisdiction")->judged, (Share{0, 1}));
  EXPECT_EQ(report.table("publishers_by_sector")->judged, (Share{1, 1}));
  EXPECT_EQ(report.table("roots_by_jurisdiction")->judged, (Share{0, 1}));
  EXPECT_EQ(report.table("roots_by_sector")->judged, (Share{1, 1}));
}

TEST_F(AuditsTest, ALongWayHidesNoRoot) {
  list(1, "Qwen/base");
  list(2, "chain/n2", {"Qwen/base"});
  for (int i = 3; i <= 90; ++i) list(i, "chain/n" + std::to_string(i), {"chain/n" + std::to_string(i - 1)});
  EXPECT_THAT(found(origins({90}, {"CN"})), ElementsAre("problem root-refused chain/n90"));
}

TEST_F(AuditsTest, MoreBasesThanAreReadHideNoneSilently) {
  std::string card = "base_model:\n";
  for (int i = 0; i < 1'100; ++i) card += "- hide/m" + std::to_string(i) + "\n";
  publish(1, "hide/many", '1', card + "- Qwen/base\n");
  const Report report = origins({1}, {"CN"});
  EXPECT_THAT(found(report), Contains("problem lineage-truncated hide/many"));
  EXPECT_EQ(report.table("roots_by_jurisdiction")->judged, (Share{0, 1}));
  EXPECT_EQ(report.table("roots_by_jurisdiction")->gaps[3].count, 1U);
  EXPECT_THAT(found(origins({1})), Contains("warning lineage-truncated hide/many"));
}

TEST_F(AuditsTest, WhatGoesInACircleHasNoRoot) {
  list(1, "tuni/a", {"tuni/b"});
  list(2, "tuni/b", {"tuni/a"});
  const Report report = origins({1}, {"unknown"});
  EXPECT_THAT(found(report), ElementsAre("problem root-refused tuni/a"));
  EXPECT_EQ(report.table("roots_by_jurisdiction")->gaps[2].count, 1U);
}

TEST_F(AuditsTest, OriginsOfAllAreCountedFromColumns) {
  list(1, "Qwen/base", {}, ",\"_id\":\"000000000000000000000001\"");
  list(2, "who/own");
  const auto report = origins_of_all(*index_, {origins_, {"CN"}});
  ASSERT_TRUE(report);
  EXPECT_EQ(*report.value().table("publishers_by_jurisdiction")->find({"model", "CN"}, "share"),
            report::Figure(Share{1, 2}));
}

TEST(Refused, AreCodesAndTheWordUnknown) {
  EXPECT_THAT(parse_refused({"cn,US", "unknown"}).value(), UnorderedElementsAre("CN", "US", "unknown"));
  const auto wrong = parse_refused({"UK"});
  ASSERT_FALSE(wrong);
  EXPECT_THAT(wrong.error().what, HasSubstr("\"UK\" is no jurisdiction"));
}

TEST_F(AuditsTest, ARenameAndATakenNameAreTold) {
  list(1, "org/old");
  list(1, "org/new");
  list(2, "org/new");  // the name means another repository now
  const Report report = history({1, 2});
  EXPECT_THAT(found(report), UnorderedElementsAre("problem name-replaced org/new", "problem name-replaced org/new",
                                                  "note renamed org/new"));
  for (const Finding& f : report.findings) EXPECT_THAT(f.what, HasSubstr("2027-01-15"));
  EXPECT_THAT(report.findings.back().path, ElementsAre("before: org/old", "after: org/new"));
}

TEST_F(AuditsTest, ATakenNameIsToldThoughAVisitSawIt) {
  list(1, "org/name");
  publish(2, "Org/name", '1', "");
  const Report report = history({1});
  ASSERT_THAT(found(report), ElementsAre("problem name-replaced org/name"));
  EXPECT_THAT(report.findings[0].what, HasSubstr("entry 1: the name means " + repo(2).text() + " now"));
  EXPECT_THAT(found(history({1}, clock_.unix_ms())), IsEmpty());
  publish(1, "org/name", '2', "");  // it has it again
  EXPECT_THAT(found(history({1})), Not(Contains("problem name-replaced org/name")));
}

TEST_F(AuditsTest, VisibilityLicenceAndPresenceOfListingsAreTold) {
  list(1, "org/a", {}, R"(,"gated":false,"tags":["license:apache-2.0"])");
  list(1, "org/a", {}, R"(,"gated":"manual","tags":["license:cc-by-nc-4.0"])");
  ASSERT_TRUE(recorder_->record_listing_gone(repo(1), 404));
  clock_.advance(kHour);
  list(1, "org/a", {}, R"(,"gated":"manual","tags":["license:cc-by-nc-4.0"])");
  EXPECT_THAT(found(history({1})), ElementsAre("problem listed-licence-changed org/a", "warning gone org/a",
                                               "warning visibility-changed org/a", "note returned org/a"));
}

TEST_F(AuditsTest, LicencesAndBasesOfPublishedRevisionsAreCompared) {
  publish(1, "org/a", '1', "license: apache-2.0\nbase_model: org/x\n");
  publish(1, "org/a", '2', "license: apache-2.0\nbase_model: org/x\n");
  publish(1, "org/a", '3', "license: cc-by-nc-4.0\nbase_model: org/y\n");
  publish(1, "org/a", '4', "base_model: [org/y, org/z]\n");
  const Report report = history({1});
  EXPECT_THAT(found(report), ElementsAre("problem licence-changed org/a", "problem licence-changed org/a",
                                         "warning bases-changed org/a", "note bases-changed org/a"));
  EXPECT_THAT(report.findings[0].what, HasSubstr("is now cc-by-nc-4.0, and was apache-2.0 (stricter)"));
  EXPECT_THAT(report.findings[0].path[0], HasSubstr(std::string(40, '2')));
  EXPECT_THAT(report.findings[1].what, HasSubstr("(withdrawn)"));
}

TEST_F(AuditsTest, BasesOfACardThatIsBrokenAreNeitherLostNorInvented) {
  publish(1, "org/a", '1', "license: mit\nbase_model: org/x\n");
  publish(1, "org/a", '2', "license: mit\nbase_model: [org/x\n");
  publish(1, "org/a", '3', "license: mit\nbase_model: org/x\n");
  EXPECT_THAT(found(history({1})), Not(Contains("warning bases-changed org/a"))) << "the licence could be read";
  publish(1, "org/a", '4', "license: mit\nbase_model: [org/x\n");
  publish(1, "org/a", '5', "license: mit\nbase_model: org/y\n");
  const Report report = history({1});
  ASSERT_THAT(found(report), ElementsAre("warning bases-changed org/a"));
  EXPECT_THAT(report.findings[0].path, ElementsAre("before: org/x", "after: org/y"));
}

TEST_F(AuditsTest, AChangeOfBasesThatABranchAndATagMadeIsToldOnce) {
  for (const char* ref : {"refs/heads/main", "refs/tags/v1"}) {
    publish(1, "org/a", '1', "base_model: org/x\n", {}, ref);
    publish(1, "org/a", '2', "base_model: org/y\n", {}, ref);
  }
  const auto all = found(history({1}));
  EXPECT_EQ(std::count(all.begin(), all.end(), "warning bases-changed org/a"), 1);
}

TEST_F(AuditsTest, SinceLeavesOutWhatWasBefore) {
  list(1, "org/a", {}, R"(,"tags":["license:mit"])");
  list(1, "org/b", {}, R"(,"tags":["license:mit"])");
  const std::int64_t since_ms = clock_.unix_ms();
  list(1, "org/b", {}, R"(,"tags":["license:cc-by-nc-4.0"])");
  list(2, "org/new");
  EXPECT_THAT(found(history({1}, since_ms)), ElementsAre("problem listed-licence-changed org/b"));
  EXPECT_EQ(history({2}, since_ms).tables[0].gaps[1].count, 1U) << "it was first seen later";
  EXPECT_THAT(changed_since(*index_, since_ms).value(), ElementsAre(repo(1)));
  EXPECT_THAT(changed_since(*index_, clock_.unix_ms()).value(), IsEmpty());
}

TEST_F(AuditsTest, ARewriteIsToldWhenGitSaysSoAndNeverGuessed) {
  publish(1, "org/a", '1', "");
  publish(1, "org/a", '2', "");
  publish(1, "org/a", '3', "");
  const Report unknown = history({1});
  EXPECT_THAT(found(unknown), IsEmpty());
  EXPECT_EQ(unknown.tables[0].gaps[3].count, 2U);
  EXPECT_EQ(unknown.answer[0],
            "Nothing that matters is known to have changed since it was first seen in 1 repository; whether 2 moves of "
            "branches rewrote history could not be told.");
  const Report known = history(
      {1}, 0, [](const RepoKey&, const GitOid&, const GitOid& newer) { return std::optional(newer.hex()[0] != '3'); });
  ASSERT_THAT(found(known), ElementsAre("warning history-rewritten org/a"));
  EXPECT_THAT(known.findings[0].path, ElementsAre("before: " + std::string(40, '2'), "after: " + std::string(40, '3')));
  EXPECT_EQ(known.tables[0].gaps[3].count, 0U);
}

TEST_F(AuditsTest, DeletedRefsAndMovedTagsAreTold) {
  publish(1, "org/a", '1', "", {}, "refs/tags/v1");
  publish(1, "org/a", '2', "", {}, "refs/tags/v1");
  publish(1, "org/a", '3', "", {}, "refs/heads/main");
  EXPECT_THAT(found(history({1})), ElementsAre("warning ref-deleted org/a", "warning tag-moved org/a"));
}

TEST_F(AuditsTest, RequestsThatNobodyAskedForAreNotDeleted) {
  const auto visit = [&](const std::vector<std::string>& refs) {
    Observation seen;
    seen.src = kSrc, seen.repo = {RepoKind::Model, "org/a"}, seen.rid = repo(1).rid, seen.head = "refs/heads/main";
    for (const std::string& ref : refs) seen.refs[ref] = *GitOid::parse(std::string(40, '1'));
    ASSERT_TRUE(recorder_->record_visit(seen));
    clock_.advance(kHour);
  };
  visit({"refs/heads/main", "refs/pr/1", "refs/pr/2"});
  visit({"refs/heads/main"});
  EXPECT_THAT(found(history({1})), IsEmpty());
  visit({"refs/heads/main", "refs/pr/2"});
  EXPECT_THAT(found(history({1})), ElementsAre("note ref-deleted org/a"));
}

TEST_F(AuditsTest, SharedWeightsOfStrangersAreAWarning) {
  publish(1, "a/base", '1', "", {{"model.safetensors", "weights"}, {"tokenizer.model", "words"}});
  publish(2, "b/copy", '2', "", {{"other.safetensors", "weights"}, {"tokenizer.model", "words"}});
  publish(3, "c/declared", '3', "base_model: a/base\n", {{"model.safetensors", "weights"}});
  const Report report = hashes({2});
  EXPECT_THAT(found(report), UnorderedElementsAre("warning undeclared-copy b/copy", "warning undeclared-copy b/copy",
                                                  "note same-file b/copy"));
  EXPECT_THAT(found(hashes({3})), ElementsAre("warning undeclared-copy c/declared")) << "of b alone; a is its base";
  EXPECT_EQ(*report.table("others")->find({"b/copy", "a/base"}, "weights"), report::Figure(std::uint64_t{1}));
  EXPECT_EQ(*hashes({3}).table("others")->find({"c/declared", "a/base"}, "relation"),
            report::Figure(std::string("base")));
}

TEST_F(AuditsTest, APairIsToldOnce) {
  publish(1, "a/base", '1', "", {{"model.safetensors", "weights"}});
  publish(2, "b/copy", '2', "", {{"other.safetensors", "weights"}});
  const Report report = hashes({1, 2});
  EXPECT_THAT(found(report), ElementsAre("warning undeclared-copy a/base"));
  EXPECT_EQ(report.table("others")->rows.size(), 2U) << "each with the other";
  EXPECT_THAT(report.answer[0], HasSubstr("in 1 pair of repositories; in 1 of these"));
}

TEST_F(AuditsTest, WhoTrainedOnTheSameDataIsNoRelative) {
  publish(1, "a/m", '1', "datasets: [lab/data]\n", {{"model.safetensors", "weights"}});
  publish(2, "b/m", '2', "datasets: [lab/data]\n", {{"model.safetensors", "weights"}});
  list_dataset(9, "lab/data");
  const Report report = hashes({1});
  EXPECT_THAT(found(report), ElementsAre("warning undeclared-copy a/m"));
  EXPECT_EQ(*report.table("others")->find({"a/m", "b/m"}, "relation"), report::Figure(std::string("not declared")));
  list(5, "c/root");
  publish(3, "c/x", '3', "base_model: c/root\n", {{"model.safetensors", "others"}});
  publish(4, "d/y", '4', "base_model: c/root\n", {{"model.safetensors", "others"}});
  EXPECT_EQ(*hashes({3}).table("others")->find({"c/x", "d/y"}, "relation"), report::Figure(std::string("same family")));
}

TEST_F(AuditsTest, WhatIsPublishedHereAndWasToldOfTooIsVerified) {
  publish(1, "a/m", '1', "", {{"model.safetensors", "weights"}});
  publish(2, "b/m", '2', "", {{"model.safetensors", "weights"}});
  survey(2, "b/m", {{"model.safetensors", "weights"}});
  EXPECT_EQ(*hashes({1}).table("others")->find({"a/m", "b/m"}, "known_from"),
            report::Figure(std::string("published here")));
}

TEST_F(AuditsTest, OfMoreThanAHundredOthersThoseWithMostInCommonAreListed) {
  publish(1, "a/m", '1', "", {{"model.safetensors", "weights"}, {"tokenizer.model", "words"}});
  for (int i = 2; i <= 151; ++i)
    publish(i, "b/m" + std::to_string(i), '2', "", {{"tokenizer.model", "words"}, {"training_args.bin", "args"}});
  publish(200, "z/copy", '3', "", {{"model.safetensors", "weights"}});
  const Report report = hashes({1});
  const auto* others = report.table("others");
  EXPECT_EQ(others->rows.size(), 100U);
  EXPECT_EQ(others->judged, (Share{100, 151}));
  EXPECT_EQ(others->gaps[0].count, 51U);
  EXPECT_NE(others->find({"a/m", "z/copy"}, "weights"), nullptr) << "weights come first";
  EXPECT_THAT(report.answer[0], HasSubstr("2 of 2 large files are also elsewhere, in 151 pairs of repositories"));
}

TEST_F(AuditsTest, FilesThatTheHubToldOfCountToo) {
  list(1, "a/mirrored");
  list(2, "b/only-listed");
  publish(1, "a/mirrored", '1', "", {{"model.safetensors", "weights"}});
  survey(2, "b/only-listed", {{"x.safetensors", "weights"}});
  EXPECT_THAT(found(hashes({1})), ElementsAre("warning undeclared-copy a/mirrored"));
  EXPECT_THAT(found(hashes({2})), ElementsAre("warning undeclared-copy b/only-listed"));
  EXPECT_THAT(with_known_files(*index_).value(), ElementsAre(repo(1), repo(2)));
}

TEST_F(AuditsTest, NamesThatChangedBytesAreTold) {
  publish(1, "a/m", '1', "", {{"README.md", "1"}, {"model.safetensors", "old"}, {"same.safetensors", "same"}});
  publish(1, "a/m", '2', "", {{"README.md", "2"}, {"model.safetensors", "new"}, {"same.safetensors", "same"}});
  const Report report = hashes({1});
  EXPECT_THAT(found(report), ElementsAre("warning weights-changed a/m"));
  EXPECT_THAT(report.findings[0].path[0], HasSubstr(sha256("old").hex()));
}

TEST_F(AuditsTest, ARebuiltIndexGivesTheSameBytes) {
  list(1, "Qwen/base", {}, R"(,"tags":["license:mit"])");
  list(1, "Qwen/base", {}, R"(,"tags":["license:gpl-3.0"])");
  list(2, "tuni/finetune", {"Qwen/base", "nobody/has-it"});
  publish(1, "Qwen/base", '1', "license: mit\n", {{"model.safetensors", "a"}});
  publish(1, "Qwen/base", '2', "license: gpl-3.0\n", {{"model.safetensors", "b"}});
  publish(2, "tuni/finetune", '3', "base_model: Qwen/base\n", {{"model.safetensors", "b"}});
  const auto all = [&] {
    return canonical_json(to_json(origins({1, 2}, {"CN"}))).value() + canonical_json(to_json(history({1, 2}))).value() +
           canonical_json(to_json(hashes({1, 2}))).value();
  };
  const std::string before = all();
  ASSERT_TRUE(rebuild_index(*index_, *journal_));
  EXPECT_EQ(all(), before);
}
}  // namespace
}  // namespace hm::provenance::audit
