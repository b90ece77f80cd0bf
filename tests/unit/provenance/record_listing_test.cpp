// What listings say becomes rows, columns and journal entries; what they do not say becomes nothing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "provenance/listing.hpp"
#include "provenance/record.hpp"
#include "storage/columns.hpp"
#include "storage/key_space.hpp"
#include "tests/support/manual_clock.hpp"

namespace hm::provenance {
namespace {
namespace fs = std::filesystem;
using storage::Column;
using storage::Family;
using testing::ElementsAre;
constexpr std::int64_t kDayMs = 24LL * 3'600'000;
const std::string kSrc = "huggingface.co";

class RecordListingTest : public testing::Test {
 protected:
  RecordListingTest()
      : dir_(fs::temp_directory_path() / ("hm-record-listing-" + std::to_string(::getpid()) +
                                          testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(dir_);
    index_ = storage::open_index(dir_.string(), storage::Index::Mode::Write, {}).value();
    journal_.emplace(*index_);
    recorder_.emplace(*index_, *journal_, clock_, "node-a");
  }
  ~RecordListingTest() override {
    index_.reset();
    fs::remove_all(dir_);
  }
  static Rid rid(char digit) { return *Rid::parse("0123456789abcdef0123456" + std::string(1, digit)); }
  static RepoKey key_of(char digit) { return {RepoKind::Model, rid(digit)}; }
  static Listing item(char digit, const std::string& name, const std::string& more = R"("sha":null)") {
    const auto parsed = parse_json(R"({"_id":")" + rid(digit).text() + R"(","id":")" + name + R"(",)" + more + "}");
    json::object object = parsed.value().as_object();
    return read_listing({RepoKind::Model, name}, rid(digit), object);
  }
  ListingOutcome list(const std::vector<Listing>& items, std::optional<std::uint32_t> sweep = std::nullopt) {
    auto outcome = recorder_->record_listing(kSrc, items, sweep, {});
    EXPECT_TRUE(outcome) << (outcome ? "" : outcome.error().what);
    return outcome ? outcome.value() : ListingOutcome{};
  }
  std::vector<RepoKey> end_sweep(std::uint32_t number, std::int64_t began_ms) {
    return recorder_->finish_sweep(kSrc, RepoKind::Model, number, began_ms, kDayMs, {}).value();
  }
  std::vector<std::string> types(std::uint64_t from = 0) const {
    std::vector<std::string> out;
    EXPECT_TRUE(journal_->each(from, [&](const storage::JournalEntry& e) -> Result<bool> {
      out.emplace_back(e.value.at("t").as_string());
      return true;
    }));
    return out;
  }
  std::map<std::string, std::string> derived() const {
    std::map<std::string, std::string> rows;
    for (const Family family : {Family::Names, Family::Repos, Family::Columns, Family::ColumnTexts})
      EXPECT_TRUE(index_->scan(family, {}, [&](std::string_view k, std::string_view v) {
        rows[std::string(storage::name_of(family)) + ":" + std::string(k)] = v;
        return true;
      }));
    return rows;
  }
  std::uint64_t column(Column column, std::uint32_t ordinal) const {
    return storage::ColumnReader(*index_).number(column, ordinal).value();
  }
  storage::ListingRow row(char digit) const { return storage::find_listing(*index_, key_of(digit)).value().value(); }

  const fs::path dir_;
  test::ManualClock clock_;
  std::unique_ptr<storage::Index> index_;
  std::optional<storage::Journal> journal_;
  std::optional<Recorder> recorder_;
};

TEST_F(RecordListingTest, JournalsWhatIsNewOnceAndKeepsPopularityOutOfTheFacts) {
  const auto first = list({item('1', "org/a", R"("downloads":5,"likes":2,"trendingScore":1.5)")});
  EXPECT_EQ(first.added, 1U);
  const auto second = list({item('1', "org/a", R"("downloads":6,"likes":2,"trendingScore":0)")});
  EXPECT_EQ(second.listed, 1U);
  EXPECT_EQ(second.added + second.changed, 0U);
  EXPECT_THAT(types(), ElementsAre("listed"));
  EXPECT_EQ(column(Column::Downloads, 0), 6U);
  EXPECT_EQ(column(Column::Likes, 0), 2U);
  EXPECT_EQ(column(Column::Trending, 0), 0U);
  EXPECT_EQ(row('1').facts, R"({"_id":"0123456789abcdef01234561","id":"org/a"})");
}

TEST_F(RecordListingTest, AnUnchangedRowIsNotWritten) {
  list({item('1', "org/a"), item('2', "org/b")}, 1);
  auto writes = [&](std::uint32_t sweep) {
    std::string before, after;
    EXPECT_TRUE(index_->scan(Family::Listings, {}, [&](std::string_view, std::string_view v) {
      before += v;
      return true;
    }));
    clock_.advance(1000);
    list({item('1', "org/a"), item('2', "org/b")}, sweep);
    EXPECT_TRUE(index_->scan(Family::Listings, {}, [&](std::string_view, std::string_view v) {
      after += v;
      return true;
    }));
    return before != after;
  };
  EXPECT_FALSE(writes(2));
  EXPECT_EQ(column(Column::Seen, 1), 2U);
}

TEST_F(RecordListingTest, JournalsHeadVisibilityAndLicenceButNotOtherFacts) {
  list({item('1', "org/a", R"("tags":["license:mit"],"gated":false)")});
  list({item('1', "org/a", R"("tags":["license:mit","x"],"gated":false)")});
  EXPECT_EQ(types().size(), 1U);
  EXPECT_NE(row('1').facts.find("\"x\""), std::string::npos);
  list({item('1', "org/a", R"("tags":["license:apache-2.0"],"gated":false)")});
  list({item('1', "org/a", R"("tags":["license:apache-2.0"],"gated":"manual")")});
  list({item('1', "org/a",
             R"("tags":["license:apache-2.0"],"gated":"manual","sha":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")")});
  EXPECT_THAT(types(), ElementsAre("listed", "listed", "listed", "listed"));
  const auto last = journal_->get(3).value().value();
  EXPECT_EQ(last.value.at("vis").as_string(), "gated-manual");
  EXPECT_EQ(last.value.at("lic").as_array().at(0).as_string(), "apache-2.0");
  EXPECT_EQ(last.value.at("prev").as_int64(), 2);
  EXPECT_EQ(column(Column::State, 0),
            storage::state_of(RepoKind::Model) | storage::kStateGated | storage::kStateGatedManual);
  EXPECT_EQ(column(Column::Licence, 0), storage::fold32("apache-2.0"));
}

TEST_F(RecordListingTest, ANewNameOfAKnownIdIsAMoveAndAKnownNameOfANewIdAReplacement) {
  list({item('1', "org/a"), item('2', "org/b")});
  const auto moved = list({item('1', "org/c")});
  EXPECT_EQ(moved.moved, 1U);
  EXPECT_EQ(moved.replaced, 0U);
  const auto replaced = list({item('3', "org/b")});
  EXPECT_EQ(replaced.moved, 0U);
  EXPECT_EQ(replaced.replaced, 1U);
  EXPECT_THAT(types(2), ElementsAre("moved", "replaced", "listed"));
  EXPECT_EQ(journal_->get(2).value()->value.at("to").as_string(), "org/c");
  EXPECT_EQ(journal_->get(3).value()->value.at("was").as_string(), rid('2').text());
}

TEST_F(RecordListingTest, MovesAndReplacementsWithinOnePage) {
  list({item('1', "org/a")});
  const auto outcome = list({item('1', "org/b"), item('2', "org/a"), item('2', "org/a")});
  EXPECT_EQ(outcome.moved, 1U);
  EXPECT_EQ(outcome.added, 1U);
  EXPECT_THAT(types(1), ElementsAre("moved", "replaced", "listed"));
}

TEST_F(RecordListingTest, MissingInTwoSweepsADayApartIsOverdueAndBackWhenListed) {
  list({item('1', "org/a"), item('2', "org/b"), item('3', "org/c")}, 1);
  clock_.advance(kDayMs);
  auto sweep_without_2 = [&](std::uint32_t number) {
    const std::int64_t began_ms = clock_.unix_ms();
    list({item('1', "org/a"), item('3', "org/c")}, number);
    return end_sweep(number, began_ms);
  };
  EXPECT_THAT(sweep_without_2(2), testing::IsEmpty());
  EXPECT_EQ(row('2').missing_since_ms, clock_.unix_ms());
  clock_.advance(kDayMs - 1);
  EXPECT_THAT(sweep_without_2(3), testing::IsEmpty()) << "less than a day";
  clock_.advance(1);
  EXPECT_THAT(sweep_without_2(4), ElementsAre(key_of('2')));
  EXPECT_EQ(types().size(), 3U) << "nothing is journalled before upstream was asked";

  ASSERT_TRUE(recorder_->record_listing_gone(key_of('2'), 404));
  ASSERT_TRUE(recorder_->record_listing_gone(key_of('2'), 404));
  EXPECT_THAT(types(3), ElementsAre("gone"));
  EXPECT_EQ(column(Column::State, 1), storage::state_of(RepoKind::Model) | storage::kStateGone);
  clock_.advance(2 * kDayMs);
  EXPECT_THAT(sweep_without_2(5), testing::IsEmpty()) << "gone is not missing";

  list({item('2', "org/b")});
  EXPECT_THAT(types(4), ElementsAre("listed"));
  EXPECT_EQ(row('2').gone_status, 0);
  EXPECT_EQ(row('2').missing_since_ms, 0);
  EXPECT_EQ(column(Column::State, 1), storage::state_of(RepoKind::Model));
}

TEST_F(RecordListingTest, ASweepThatMissesHalfOfALargeHubIsNotBelieved) {
  std::vector<Listing> many{item('1', "org/a"), item('2', "org/b")};
  for (int n = 1000; n < 2100; ++n) {
    many.push_back(item('1', "org/n" + std::to_string(n)));
    many.back().rid = *Rid::parse("00000000000000000000" + std::to_string(n));
  }
  list(many, 1);
  clock_.advance(kDayMs);
  list({item('1', "org/a")}, 2);
  EXPECT_THAT(end_sweep(2, clock_.unix_ms()), testing::IsEmpty());
  EXPECT_EQ(row('2').missing_since_ms, 0);
}

TEST_F(RecordListingTest, ASmallHubMayLoseMostOfWhatItHad) {
  list({item('1', "org/a"), item('2', "org/b"), item('3', "org/c")}, 1);
  clock_.advance(kDayMs);
  list({item('1', "org/a")}, 2);
  EXPECT_THAT(end_sweep(2, clock_.unix_ms()), testing::IsEmpty());
  EXPECT_EQ(row('2').missing_since_ms, clock_.unix_ms());
}

TEST_F(RecordListingTest, WhatWasFirstSeenDuringASweepIsNotMissingInIt) {
  list({item('1', "org/a"), item('2', "org/b")}, 1);
  const std::int64_t began_ms = clock_.unix_ms();
  clock_.advance(1000);
  list({item('1', "org/a"), item('2', "org/b")}, 2);
  list({item('3', "org/c")});  // by the tail
  EXPECT_THAT(end_sweep(2, began_ms), testing::IsEmpty());
  EXPECT_EQ(row('3').missing_since_ms, 0);
}

TEST_F(RecordListingTest, ARebuildGivesTheSameNamesAndColumns) {
  list({item('1', "org/a",
             R"("tags":["license:mit","license:other","t"],"pipeline_tag":"text-generation","library_name":"l",)"
             R"("createdAt":"2025-01-01T00:00:00.000Z","lastModified":"2025-01-02T00:00:00.000Z",)"
             R"("safetensors":{"total":7000000000},"usedStorage":5,"baseModels":{"relation":"adapter",)"
             R"("models":[{"_id":"0123456789abcdef01234563","id":"org/base"}]})"),
        item('2', "org/b", R"("private":true)")});
  list({item('1', "org/z")});
  ASSERT_TRUE(recorder_->record_listing_gone(key_of('2'), 401));
  const auto before = derived();
  EXPECT_GT(before.size(), 10U);
  ASSERT_TRUE(rebuild_index(*index_, *journal_));
  EXPECT_EQ(derived(), before);
}

TEST_F(RecordListingTest, ALicenceIsFoundBehindAnyNumberOfTagsAndStopsNobody) {
  std::string tags, licences;
  for (int i = 0; i < 300; ++i) tags += "\"t" + std::to_string(i) + "\",";
  for (int i = 0; i < 40; ++i) licences += "\"license:" + std::string(64 << 10, '\x7f') + std::to_string(i) + "\",";
  list({item('1', "org/a", R"("tags":[)" + tags + R"("license:cc-by-nc-4.0"])"),
        item('2', "org/b", R"("tags":[)" + licences + R"("x"])")});
  EXPECT_EQ(column(Column::Licence, 0), storage::fold32("cc-by-nc-4.0"));
  const auto first = journal_->get(0).value().value(), second = journal_->get(1).value().value();
  EXPECT_EQ(first.value.at("lic"), json::value({"cc-by-nc-4.0"}));
  const auto& many = second.value.at("lic").as_array();
  EXPECT_EQ(many.size(), 33U) << "one more than are looked at: that there are others shows";
  EXPECT_TRUE(std::string_view(many[0].as_string()).ends_with(" (cut)"));
}

TEST_F(RecordListingTest, FieldsOfTheWrongTypeAreUnknown) {
  list({item('1', "org/a",
             R"("tags":{"a":1},"gated":7,"lastModified":12,"safetensors":[],"baseModels":["x"],"downloads":"9")")});
  EXPECT_EQ(column(Column::Downloads, 0), 0U);
  EXPECT_EQ(column(Column::Modified, 0), 0U);
  EXPECT_EQ(column(Column::State, 0), storage::state_of(RepoKind::Model));
}

TEST_F(RecordListingTest, AVisitedRepositoryFollowsItsListing) {
  Observation seen;
  seen.src = kSrc;
  seen.repo = {RepoKind::Model, "org/a"};
  seen.rid = rid('1');
  seen.head = "refs/heads/main";
  ASSERT_TRUE(recorder_->record_visit(seen));
  list({item('1', "org/b", R"("gated":"auto")")});
  EXPECT_THAT(types(), ElementsAre("refs", "moved", "listed"));
  const auto stored = index_->get(Family::Repos, storage::key::repo(key_of('1'))).value().value();
  const auto repo = storage::unpack_repo(stored).value();
  EXPECT_EQ(repo.repo.name, "org/b");
  EXPECT_EQ(repo.visibility, "gated-auto");
}
}  // namespace
}  // namespace hm::provenance
