// What is recorded is journalled, visible at once, and the same after a rebuild.
#include "provenance/record.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/file.hpp"
#include "storage/blob_store.hpp"
#include "storage/edge_lists_format.hpp"
#include "storage/edge_row.hpp"
#include "storage/key_space.hpp"
#include "storage/survey_row.hpp"

namespace hm::provenance {
namespace {
namespace fs = std::filesystem;
using storage::Family;

class ManualClock final : public Clock {
 public:
  std::int64_t unix_ms() const override { return now; }
  std::int64_t monotonic_ms() const override { return now; }
  std::int64_t now = 1'700'000'000'000;
};

GitOid oid(char digit) { return *GitOid::parse(std::string(40, digit)); }

class RecordTest : public testing::Test {
 protected:
  RecordTest()
      : dir_(fs::temp_directory_path() / ("hm-record-" + std::to_string(::getpid()) +
                                          testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(dir_);
    index_ = storage::open_index(dir_.string(), storage::Index::Mode::Write, {}).value();
    journal_.emplace(*index_);
    recorder_.emplace(*index_, *journal_, clock_, "node-a");
  }
  ~RecordTest() override {
    index_.reset();
    fs::remove_all(dir_);
  }
  static Observation seen(std::string name = "org/model", char head = '1') {
    Observation o;
    o.src = "huggingface.co";
    o.repo = {RepoKind::Model, std::move(name)};
    o.rid = *Rid::parse("0123456789abcdef01234567");
    o.head = "refs/heads/main";
    o.refs = {{"refs/heads/main", oid(head)}};
    o.info_json = R"({"id":"org/model","downloads":1.5})";
    return o;
  }
  static PublishedRevision revision(char commit = '1') {
    PublishedRevision r;
    r.commit = oid(commit);
    r.tree = oid('a');
    storage::ManifestFile big;
    big.git_oid = oid('b');
    big.sha256 = sha256("weights");
    big.size_bytes = 7;
    big.path = "model.safetensors";
    big.is_lfs = true;
    r.manifest.files = {big};
    r.refs = {{"refs/heads/main", oid(commit)}};
    r.card_front_matter = "license: mit\nbase_model: a/b\n";
    return r;
  }
  const RepoKey key_{RepoKind::Model, *Rid::parse("0123456789abcdef01234567")};
  std::map<std::string, std::string> derived() const {
    std::map<std::string, std::string> rows;
    for (int f = 0; f < storage::kFamilyCount; ++f) {
      const auto family = static_cast<Family>(f);
      if (!storage::is_derived(family)) continue;
      EXPECT_TRUE(index_->scan(family, {}, [&](std::string_view k, std::string_view v) {
        const bool is_of_lists = family == Family::Edges && storage::edge_lists::is_of_lists(k);  // of some moment
        if (!is_of_lists) rows[std::string(storage::name_of(family)) + ":" + std::string(k)] = v;
        return true;
      }));
    }
    return rows;
  }
  void expect_rebuild_changes_nothing() {
    const auto before = derived();
    ASSERT_FALSE(before.empty());
    ASSERT_TRUE(rebuild_index(*index_, *journal_));
    EXPECT_EQ(derived(), before);
    EXPECT_TRUE(check_index_whole(*index_));
  }
  std::uint64_t entries() const { return journal_->size().value(); }
  bool has_blob_ref(char commit) const {
    return index_->get(Family::BlobRefs, storage::key::blob_ref(sha256("weights"), key_, oid(commit)))
        .value()
        .has_value();
  }

  fs::path dir_;
  ManualClock clock_;
  std::unique_ptr<storage::Index> index_;
  std::optional<storage::Journal> journal_;
  std::optional<Recorder> recorder_;
};

TEST_F(RecordTest, AnUnchangedVisitWritesNoEntryButTheTimeOfTheVisit) {
  ASSERT_TRUE(recorder_->record_visit(seen()));
  EXPECT_EQ(entries(), 1U);
  clock_.now += 5'000;
  Observation again = seen();
  again.info_json = R"({"id":"org/model","downloads":99})";  // popularity is no fact worth an entry
  ASSERT_TRUE(recorder_->record_visit(again));
  EXPECT_EQ(entries(), 1U);
  EXPECT_EQ(last_visit_ms(*index_, key_).value(), clock_.now);
}

TEST_F(RecordTest, PublishingMakesRevisionRefAndBlobReferenceVisibleTogether) {
  ASSERT_TRUE(recorder_->record_visit(seen()));
  ASSERT_TRUE(recorder_->publish("huggingface.co", key_, {revision()}));
  const auto snapshot =
      storage::unpack_snapshot(*index_->get(Family::Snapshots, storage::key::snapshot(key_, oid('1'))).value()).value();
  EXPECT_EQ(snapshot.files, 1U);
  EXPECT_EQ(snapshot.bytes, 7U);
  EXPECT_THAT(snapshot.card.licences, testing::ElementsAre("mit"));
  EXPECT_THAT(snapshot.card.base_models, testing::ElementsAre("a/b"));
  EXPECT_TRUE(index_->get(Family::Refs, storage::key::ref(key_, "refs/heads/main")).value());
  EXPECT_TRUE(has_blob_ref('1'));
  expect_rebuild_changes_nothing();
}

TEST_F(RecordTest, PublishingTheSameAgainWritesNothing) {
  ASSERT_TRUE(recorder_->record_visit(seen()));
  ASSERT_TRUE(recorder_->publish("huggingface.co", key_, {revision()}));
  const auto count = entries();
  ASSERT_TRUE(recorder_->publish("huggingface.co", key_, {revision()}));
  EXPECT_EQ(entries(), count);
}

TEST_F(RecordTest, AFurtherRefOfAKnownRevisionKeepsItsCard) {
  ASSERT_TRUE(recorder_->record_visit(seen()));
  ASSERT_TRUE(recorder_->publish("huggingface.co", key_, {revision()}));
  PublishedRevision tagged = revision();
  tagged.card_front_matter.clear();
  tagged.refs["refs/tags/v1"] = oid('e');
  ASSERT_TRUE(recorder_->publish("huggingface.co", key_, {tagged}));
  const auto snapshot =
      storage::unpack_snapshot(*index_->get(Family::Snapshots, storage::key::snapshot(key_, oid('1'))).value()).value();
  EXPECT_THAT(snapshot.card.licences, testing::ElementsAre("mit"));
  EXPECT_TRUE(index_->get(Family::Refs, storage::key::ref(key_, "refs/tags/v1")).value());
  expect_rebuild_changes_nothing();
}

TEST_F(RecordTest, AMoveKeepsBothNamesPointingHere) {
  ASSERT_TRUE(recorder_->record_visit(seen()));
  ASSERT_TRUE(recorder_->publish("huggingface.co", key_, {revision()}));
  const auto row = recorder_->record_visit(seen("new-org/model")).value();
  EXPECT_EQ(row.repo.name, "new-org/model");
  EXPECT_THAT(row.former_names, testing::ElementsAre("org/model"));
  for (const char* name : {"org/model", "NEW-org/Model"})
    EXPECT_TRUE(index_->get(Family::Names, storage::key::name({RepoKind::Model, name})).value()) << name;
  expect_rebuild_changes_nothing();
}

TEST_F(RecordTest, AnotherRepositoryUnderAnOldNameIsAReplacementThatIsRemembered) {
  ASSERT_TRUE(recorder_->record_visit(seen()));
  Observation other = seen();
  other.rid = *Rid::parse("ffffffffffffffffffffffff");
  ASSERT_TRUE(recorder_->record_visit(other));
  const auto name =
      storage::unpack_name(*index_->get(Family::Names, storage::key::name({RepoKind::Model, "org/model"})).value())
          .value();
  EXPECT_EQ(name.key.rid, other.rid);
  EXPECT_THAT(name.former, testing::ElementsAre("0123456789abcdef01234567"));
  expect_rebuild_changes_nothing();
}

TEST_F(RecordTest, TwoThatTakeANameFromEachOtherStayTwo) {
  Observation other = seen();
  other.rid = *Rid::parse("ffffffffffffffffffffffff");
  std::optional<storage::RepoRow> row;
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(recorder_->record_visit(seen()));
    row = recorder_->record_visit(other).value();
  }
  const auto name = [&] {
    return storage::unpack_name(*index_->get(Family::Names, storage::key::name({RepoKind::Model, "org/model"})).value())
        .value();
  };
  EXPECT_EQ(name().key.rid, other.rid);
  EXPECT_THAT(name().former, testing::ElementsAre("0123456789abcdef01234567"));
  ASSERT_TRUE(recorder_->remove(*row, "no longer needed"));
  EXPECT_EQ(name().key, key_) << "it leaves the name to the other one, not to itself";
  expect_rebuild_changes_nothing();
}

TEST_F(RecordTest, ASizeThatNoRowCanHoldMakesNoRowUnreadable) {
  ASSERT_TRUE(recorder_->record_visit(seen()));
  PublishedRevision huge = revision();
  huge.left_out_files = 1;
  huge.left_out_bytes = ~std::uint64_t{0} - 1;
  huge.selection = "*.safetensors";
  ASSERT_TRUE(recorder_->publish("huggingface.co", key_, {huge}));
  const auto snapshot =
      storage::unpack_snapshot(*index_->get(Family::Snapshots, storage::key::snapshot(key_, oid('1'))).value());
  ASSERT_TRUE(snapshot) << snapshot.error().what;
  EXPECT_EQ(snapshot.value().left_out_bytes, 0U);
  expect_rebuild_changes_nothing();
}

TEST_F(RecordTest, OfWhatRevisionsSayTheBestFoundedCountsWhateverTheirOrder) {
  const auto evidence = [&] {
    std::optional<storage::Evidence> out;
    EXPECT_TRUE(storage::each_edge(*index_, [&](const storage::EdgeTarget&, const storage::EdgeView& edge) {
      EXPECT_FALSE(out) << "one row";
      out = edge.evidence;
      return true;
    }));
    return out;
  };
  PublishedRevision told = revision('1'), shown = revision('2');
  shown.said.files.push_back({"model.gguf", true, {}, {}});
  shown.said.files[0].add(formats::ClaimKind::Base, "base", "a/b");
  told.card_front_matter = shown.card_front_matter = "base_model: a/b\n";
  shown.manifest.files[0].path = "model.gguf";
  const auto row = recorder_->record_visit(seen()).value();
  ASSERT_TRUE(recorder_->publish("huggingface.co", key_, {shown}));
  ASSERT_TRUE(recorder_->publish("huggingface.co", key_, {told}));
  EXPECT_EQ(evidence(), storage::Evidence::Derived);
  expect_rebuild_changes_nothing();
  ASSERT_TRUE(recorder_->retire(row, oid('1'), "superseded"));
  EXPECT_EQ(evidence(), storage::Evidence::Derived);
  ASSERT_TRUE(recorder_->publish("huggingface.co", key_, {told}));
  ASSERT_TRUE(recorder_->retire(row, oid('2'), "superseded"));
  EXPECT_EQ(evidence(), storage::Evidence::Declared);
  expect_rebuild_changes_nothing();
  ASSERT_TRUE(recorder_->publish("huggingface.co", key_, {shown}));
  ASSERT_TRUE(recorder_->remove(row, "no longer needed"));
  EXPECT_EQ(evidence(), std::nullopt);
  EXPECT_FALSE(has_blob_ref('1') || has_blob_ref('2'));
  expect_rebuild_changes_nothing();
}

TEST_F(RecordTest, ARefThatVanishedUpstreamNamesNothingButItsRevisionStays) {
  ASSERT_TRUE(recorder_->record_visit(seen()));
  ASSERT_TRUE(recorder_->publish("huggingface.co", key_, {revision()}));
  Observation later = seen();
  later.refs = {{"refs/heads/other", oid('2')}};
  ASSERT_TRUE(recorder_->record_visit(later));
  EXPECT_FALSE(index_->get(Family::Refs, storage::key::ref(key_, "refs/heads/main")).value());
  EXPECT_TRUE(index_->get(Family::Snapshots, storage::key::snapshot(key_, oid('1'))).value());
  EXPECT_TRUE(has_blob_ref('1'));
  expect_rebuild_changes_nothing();
}

TEST_F(RecordTest, AMovedRefKeepsItsMeaningUntilTheNewRevisionIsPublished) {
  ASSERT_TRUE(recorder_->record_visit(seen()));
  ASSERT_TRUE(recorder_->publish("huggingface.co", key_, {revision()}));
  ASSERT_TRUE(recorder_->record_visit(seen("org/model", '2')));
  const auto ref =
      storage::unpack_ref(*index_->get(Family::Refs, storage::key::ref(key_, "refs/heads/main")).value()).value();
  EXPECT_EQ(ref.commit, oid('1'));
}

TEST_F(RecordTest, DecisionsAreEntriesAndSurviveARebuild) {
  const auto row = recorder_->record_visit(seen()).value();
  ASSERT_TRUE(recorder_->publish("huggingface.co", key_, {revision()}));
  ASSERT_TRUE(recorder_->pin(row, "*", "needed for audit 7"));
  EXPECT_THAT(storage::unpack_repo(*index_->get(Family::Repos, storage::key::repo(key_)).value()).value().pins,
              testing::ElementsAre("*"));
  expect_rebuild_changes_nothing();
  ASSERT_TRUE(recorder_->unpin(row, "*"));
  ASSERT_TRUE(recorder_->record_gone(row, 404));
  EXPECT_EQ(storage::unpack_repo(*index_->get(Family::Repos, storage::key::repo(key_)).value()).value().gone_status,
            404);
  ASSERT_TRUE(recorder_->retire(row, oid('1'), "superseded"));
  EXPECT_FALSE(has_blob_ref('1'));
  expect_rebuild_changes_nothing();
}

TEST_F(RecordTest, RemovingDropsWhatIsServedAndKeepsTheFacts) {
  const auto row = recorder_->record_visit(seen()).value();
  ASSERT_TRUE(recorder_->publish("huggingface.co", key_, {revision()}));
  ASSERT_TRUE(recorder_->remove(row, "no longer needed"));
  EXPECT_FALSE(has_blob_ref('1'));
  EXPECT_FALSE(index_->get(Family::Refs, storage::key::ref(key_, "refs/heads/main")).value());
  EXPECT_TRUE(storage::unpack_repo(*index_->get(Family::Repos, storage::key::repo(key_)).value()).value().removed);
  expect_rebuild_changes_nothing();
  ASSERT_TRUE(recorder_->record_visit(seen()));  // wanted again
  EXPECT_FALSE(storage::unpack_repo(*index_->get(Family::Repos, storage::key::repo(key_)).value()).value().removed);
  expect_rebuild_changes_nothing();
}

TEST_F(RecordTest, AnInterruptedRebuildIsNoticed) {
  ASSERT_TRUE(recorder_->record_visit(seen()));
  storage::Batch mark;
  mark.put(Family::Meta, "rebuild", "running");
  ASSERT_TRUE(index_->commit(mark));
  const auto whole = check_index_whole(*index_);
  ASSERT_FALSE(whole);
  EXPECT_THAT(whole.error().what, testing::HasSubstr("index rebuild"));
  ASSERT_TRUE(rebuild_index(*index_, *journal_));
  EXPECT_TRUE(check_index_whole(*index_));
}

TEST_F(RecordTest, AnInterruptedRebuildIsFinishedByTheNextWriter) {
  ASSERT_TRUE(recorder_->record_visit(seen()));
  const auto before = index_->get(Family::Repos, storage::key::repo(key_)).value();
  ASSERT_TRUE(before);
  storage::Batch mark;
  mark.put(Family::Meta, "rebuild", "running");
  ASSERT_TRUE(index_->commit(mark));
  ASSERT_TRUE(index_->clear(Family::Repos));
  ASSERT_TRUE(finish_rebuild(*index_));
  EXPECT_TRUE(check_index_whole(*index_));
  EXPECT_EQ(index_->get(Family::Repos, storage::key::repo(key_)).value(), before);
  ASSERT_TRUE(index_->clear(Family::Repos));
  ASSERT_TRUE(finish_rebuild(*index_));
  EXPECT_FALSE(index_->get(Family::Repos, storage::key::repo(key_)).value())
      << "without a mark there is none to finish";
}

TEST_F(RecordTest, ARebuildThatCannotBeDoneIsNotBegun) {
  ASSERT_TRUE(recorder_->record_visit(seen()));
  ASSERT_TRUE(recorder_->record_visit(seen("org/model", '2')));
  const auto before = index_->get(Family::Repos, storage::key::repo(key_)).value();
  storage::Batch damage;
  damage.put(Family::Journal, storage::key::u64(0), "no entry");
  ASSERT_TRUE(index_->commit(damage));
  const auto rebuilt = rebuild_index(*index_, *journal_);
  ASSERT_FALSE(rebuilt);
  EXPECT_THAT(rebuilt.error().what, testing::HasSubstr("left as it is"));
  EXPECT_TRUE(check_index_whole(*index_));
  EXPECT_EQ(index_->get(Family::Repos, storage::key::repo(key_)).value(), before);
}

TEST_F(RecordTest, ASurveyThatCannotBeReadDoesNotStopARebuild) {
  ASSERT_TRUE(recorder_->record_visit(seen()));
  storage::Batch batch;
  ASSERT_TRUE(storage::put_survey(*index_, batch, key_, "",
                                  {"org/model", oid('1'), 1, {{"w.safetensors", 3, sha256("weights")}}}));
  batch.put(Family::Surveys, storage::survey_key(key_, "v1"), R"({"commit":"x"})");
  ASSERT_TRUE(index_->commit(batch));
  expect_rebuild_changes_nothing();
}

TEST_F(RecordTest, EntriesChainPerRepository) {
  ASSERT_TRUE(recorder_->record_visit(seen()));
  Observation other = seen("org/second");
  other.rid = *Rid::parse("ffffffffffffffffffffffff");
  ASSERT_TRUE(recorder_->record_visit(other));
  ASSERT_TRUE(recorder_->record_visit(seen("org/model", '2')));
  std::vector<std::int64_t> previous;
  ASSERT_TRUE(journal_->each(0, [&](const storage::JournalEntry& e) -> Result<bool> {
    previous.push_back(e.value.at("prev").as_int64());
    return true;
  }));
  EXPECT_THAT(previous, testing::ElementsAre(-1, -1, 0));
}

TEST_F(RecordTest, JournalsWhoWasGrantedWhatAndWhoTookItBack) {
  storage::TokenRow row;
  row.hash = sha256("a token");
  row.name = "ci";
  row.expires_ms = clock_.now + 1'000;
  row.gated = {"org/*"};
  row = recorder_->grant(row, "alice").value();
  EXPECT_EQ(row.created_ms, clock_.now);
  EXPECT_THAT(storage::list_tokens(*index_).value(), testing::ElementsAre(row));
  clock_.now += 5;
  const auto taken_back = recorder_->revoke(row, "bob").value();
  EXPECT_EQ(taken_back.revoked_ms, clock_.now);
  EXPECT_THAT(storage::list_tokens(*index_).value(), testing::ElementsAre(taken_back));

  const auto granted = journal_->get(0).value()->value, revoked = journal_->get(1).value()->value;
  EXPECT_EQ(granted.at("act").as_string(), "grant");
  EXPECT_EQ(granted.at("by").as_string(), "alice");
  EXPECT_EQ(granted.at("id").as_string(), json::string(row.id()));
  EXPECT_EQ(granted.at("gated"), json::value({"org/*"}));
  EXPECT_FALSE(granted.contains("private"));
  EXPECT_EQ(revoked.at("act").as_string(), "revoke");
  EXPECT_EQ(revoked.at("by").as_string(), "bob");
  EXPECT_EQ(revoked.at("prev").as_int64(), 0);
  EXPECT_THAT(journal_->get(0).value()->bytes, testing::Not(testing::HasSubstr(row.hash.hex())));
}

TEST_F(RecordTest, TokensOutliveARebuild) {
  ASSERT_TRUE(recorder_->record_visit(seen()));
  storage::TokenRow row;
  row.hash = sha256("a token");
  row.name = "ci";
  row = recorder_->grant(row, "alice").value();
  const auto before = derived();
  EXPECT_EQ(rebuild_index(*index_, *journal_).value(), 2U);
  EXPECT_EQ(derived(), before);
  EXPECT_THAT(storage::list_tokens(*index_).value(), testing::ElementsAre(row));
}
}  // namespace
}  // namespace hm::provenance
