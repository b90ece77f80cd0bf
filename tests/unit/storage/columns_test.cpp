// Columns keep every value at its ordinal, in chunks, whatever is changed in which order.
#include "storage/columns.hpp"

#include <gtest/gtest.h>

#include <array>
#include <filesystem>
#include <functional>

#include "storage/key_space.hpp"
#include "storage/listing_row.hpp"
#include "tests/support/result_matchers.hpp"

namespace hm::storage {
namespace {
namespace fs = std::filesystem;
using test::FailsWith;

class ColumnsTest : public testing::Test {
 protected:
  ColumnsTest()
      : dir_(fs::temp_directory_path() / ("hm-columns-" + std::to_string(::getpid()) +
                                          testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(dir_);
    index_ = open_index(dir_.string(), Index::Mode::Write, {}).value();
  }
  ~ColumnsTest() override {
    index_.reset();
    fs::remove_all(dir_);
  }
  void commit(ColumnEditor& editor) {
    Batch batch;
    editor.flush(batch);
    ASSERT_TRUE(index_->commit(batch));
  }
  const fs::path dir_;
  std::unique_ptr<Index> index_;
};

TEST_F(ColumnsTest, KeepsNumbersAndTextsAcrossChunks) {
  ColumnEditor editor(*index_);
  for (const std::uint32_t ordinal : {0U, 5U, kColumnChunk - 1, kColumnChunk, 3 * kColumnChunk + 7}) {
    ASSERT_TRUE(editor.set(Column::Parameters, ordinal, 7'000'000'000ULL + ordinal));
    ASSERT_TRUE(editor.set(Column::Name, ordinal, "org/name-" + std::to_string(ordinal)));
  }
  commit(editor);
  ColumnReader reader(*index_);
  for (const std::uint32_t ordinal : {0U, 5U, kColumnChunk - 1, kColumnChunk, 3 * kColumnChunk + 7}) {
    EXPECT_EQ(reader.number(Column::Parameters, ordinal).value(), 7'000'000'000ULL + ordinal);
    EXPECT_EQ(reader.bytes(Column::Name, ordinal).value(), "org/name-" + std::to_string(ordinal));
  }
  EXPECT_EQ(reader.number(Column::Parameters, 1).value(), 0U);
  EXPECT_EQ(reader.bytes(Column::Name, 4).value(), "");
  EXPECT_EQ(reader.number(Column::Parameters, 9 * kColumnChunk).value(), 0U);

  std::vector<std::uint32_t> firsts;
  ASSERT_TRUE(scan_column(*index_, Column::Name, [&](std::uint32_t first, const ColumnChunk& chunk) {
    firsts.push_back(first);
    EXPECT_EQ(chunk.size(), first == 3 * kColumnChunk ? 8U : first == 0 ? kColumnChunk : 1U);
    return true;
  }));
  EXPECT_EQ(firsts, (std::vector<std::uint32_t>{0, kColumnChunk, 3 * kColumnChunk}));
}

TEST_F(ColumnsTest, NumbersOfEveryWidthAreKeptAndFilteredAsTheyAre) {
  const std::vector<std::function<std::uint64_t(std::uint32_t)>> columns{
      [](std::uint32_t) { return 0; },
      [](std::uint32_t) { return ~std::uint64_t{0}; },
      [](std::uint32_t i) { return 5 + i % 3; },
      [](std::uint32_t i) { return 7'000'000'000 + i; },
      [](std::uint32_t i) { return std::uint64_t{i} * 4'000'037 % 4'294'967'291; },
      [](std::uint32_t i) { return i * (~std::uint64_t{0} / kColumnChunk); },
      [](std::uint32_t i) { return i % 7 * 3'000'000'019; },  // seven of eight bytes
      [](std::uint32_t i) { return i % 255 * 3'000'003; },    // as many as a byte tells apart, less one
      [](std::uint32_t i) { return i % 256 * 3'000'003; },
      [](std::uint32_t i) { return i % 257 * 3'000'003; }};
  for (const auto& value_of : columns) {
    for (const std::uint32_t count : {1U, 2U, 300U, kColumnChunk}) {
      ASSERT_TRUE(index_->clear(Family::Columns));
      ColumnEditor editor(*index_);
      for (std::uint32_t i = 0; i < count; ++i) ASSERT_TRUE(editor.set(Column::Storage, i, value_of(i)));
      commit(editor);
      ASSERT_TRUE(scan_column(*index_, Column::Storage, [&](std::uint32_t, const ColumnChunk& chunk) {
        std::array<std::uint64_t, kColumnChunk> numbers{};
        chunk.numbers(numbers);
        std::array<char, kColumnChunk> hits{};
        hits.fill(1);
        hits[0] = 0;
        const std::uint64_t bound = value_of(count / 2);
        chunk.narrow([&](std::uint64_t value) { return value >= bound; }, hits);
        for (std::uint32_t i = 0; i < kColumnChunk; ++i) {
          const std::uint64_t expected = i < count ? value_of(i) : 0;
          EXPECT_EQ(chunk.number(i), expected);
          EXPECT_EQ(numbers[i], expected);
          EXPECT_EQ(hits[i], i != 0 && expected >= bound ? 1 : 0) << i;
        }
        return !HasFailure();
      }));
    }
  }
}

TEST_F(ColumnsTest, AChunkOfNumbersIsAsNarrowAsTheyAllow) {
  auto bytes_of = [&](const std::function<std::uint64_t(std::uint32_t)>& value_of) {
    ColumnEditor editor(*index_);
    for (std::uint32_t i = 0; i < kColumnChunk; ++i) EXPECT_TRUE(editor.set(Column::Trending, i, value_of(i) + 1));
    Batch batch;
    editor.flush(batch);
    return batch.changes().at(0).value.size();
  };
  EXPECT_EQ(bytes_of([](std::uint32_t) { return 1'000'000; }), 11U);
  EXPECT_EQ(bytes_of([](std::uint32_t i) { return 1'000'000 + i % 200; }), 11U + kColumnChunk);
  EXPECT_EQ(bytes_of([](std::uint32_t i) { return 1'000'000 + i; }), 11U + 2 * kColumnChunk);
  EXPECT_EQ(bytes_of([](std::uint32_t i) { return 1'000'000 * (i % 10); }), 4U + 10 * 4 + kColumnChunk);
}

TEST_F(ColumnsTest, TextsChangeInTheMiddleOfAChunk) {
  ColumnEditor editor(*index_);
  for (std::uint32_t i = 0; i < 5; ++i) ASSERT_TRUE(editor.set(Column::Tags, i, std::string(i, 'a')));
  commit(editor);
  ASSERT_TRUE(editor.set(Column::Tags, 2, "longer than before"));
  ASSERT_TRUE(editor.set(Column::Tags, 4, ""));
  ASSERT_TRUE(editor.set(Column::Tags, 7, "behind a gap"));
  commit(editor);
  ColumnReader reader(*index_);
  std::vector<std::string> texts;
  for (std::uint32_t i = 0; i < 9; ++i) texts.push_back(reader.bytes(Column::Tags, i).value());
  EXPECT_EQ(texts, (std::vector<std::string>{"", "a", "longer than before", "aaa", "", "", "", "behind a gap", ""}));
}

TEST_F(ColumnsTest, AScanReadsTheGroupsThatAreWanted) {
  ColumnEditor editor(*index_);
  for (const std::uint32_t ordinal : {3U, kColumnGroup - 1, kColumnGroup, 3 * kColumnGroup + kColumnChunk})
    ASSERT_TRUE(editor.set(Column::Likes, ordinal, 1));
  ASSERT_TRUE(editor.keep_last_week(3, 2900));
  commit(editor);
  std::vector<std::uint32_t> firsts;
  const auto visit = [&](std::uint32_t first, const ColumnChunk&) {
    firsts.push_back(first);
    return true;
  };
  ASSERT_TRUE(scan_column(*index_, Column::Likes, visit));
  EXPECT_EQ(firsts, (std::vector<std::uint32_t>{0, kColumnGroup - kColumnChunk, kColumnGroup,
                                                3 * kColumnGroup + kColumnChunk}));
  firsts.clear();
  ASSERT_TRUE(scan_column(*index_, Column::Likes, visit, [](std::uint32_t first, std::uint32_t end) {
    return first <= kColumnGroup && kColumnGroup < end;
  }));
  EXPECT_EQ(firsts, (std::vector<std::uint32_t>{kColumnGroup}));
  EXPECT_EQ(column_size(*index_, Column::Likes).value(), 3 * kColumnGroup + kColumnChunk + 1);
  EXPECT_EQ(column_size(*index_, Column::Downloads).value(), 0U);
}

TEST_F(ColumnsTest, WritesOnlyTheChunksThatChange) {
  ColumnEditor editor(*index_);
  ASSERT_TRUE(editor.set(Column::Likes, 3, 9));
  ASSERT_TRUE(editor.set(Column::Likes, 5000, 9));
  commit(editor);
  ASSERT_TRUE(editor.set(Column::Likes, 3, 9));
  ASSERT_TRUE(editor.set(Column::Likes, 5000, 10));
  Batch batch;
  editor.flush(batch);
  ASSERT_EQ(batch.changes().size(), 1U);
  EXPECT_EQ(batch.changes()[0].family, Family::Popularity);
}

TEST_F(ColumnsTest, TellsWhichNameHoldsAByteOfTheWholeText) {
  ColumnEditor editor(*index_);
  const std::vector<std::string> names{"a/b", "", "longer/name", "z"};
  for (std::uint32_t i = 0; i < names.size(); ++i) ASSERT_TRUE(editor.set(Column::Name, i, names[i]));
  commit(editor);
  ASSERT_TRUE(scan_column(*index_, Column::Name, [&](std::uint32_t, const ColumnChunk& chunk) {
    EXPECT_EQ(chunk.all(), "a/blonger/namez");
    EXPECT_EQ(chunk.at_offset(0), 0U);
    EXPECT_EQ(chunk.at_offset(2), 0U);
    EXPECT_EQ(chunk.at_offset(3), 2U);
    EXPECT_EQ(chunk.at_offset(14), 3U);
    return true;
  }));
}

TEST_F(ColumnsTest, KeepsWhatAWeekEndedWith) {
  auto list = [&](std::uint32_t week, std::uint64_t downloads) {
    ColumnEditor editor(*index_);
    ASSERT_TRUE(editor.keep_last_week(7, week));
    ASSERT_TRUE(editor.set(Column::Downloads, 7, downloads));
    ASSERT_TRUE(editor.set(Column::Likes, 7, downloads / 10));
    commit(editor);
  };
  list(2900, 100);
  list(2900, 150);
  list(2901, 300);
  list(2901, 400);
  list(2904, 500);
  const auto weeks = popularity_history(*index_, 7).value();
  ASSERT_EQ(weeks.size(), 2U);
  EXPECT_EQ(weeks[0].week, 2900U);
  EXPECT_EQ(weeks[0].downloads, 150U);
  EXPECT_EQ(weeks[0].likes, 15U);
  EXPECT_EQ(weeks[1].week, 2903U);
  EXPECT_EQ(weeks[1].downloads, 400U);
  EXPECT_TRUE(popularity_history(*index_, 8).value().empty());
}

TEST_F(ColumnsTest, AChunkOfTheWrongFormIsCorrupt) {
  Batch batch;
  batch.put(Family::ColumnTexts, key::u32(0) + static_cast<char>(Column::Name) + '\0', "abc");
  batch.put(Family::Popularity, key::u32(0) + static_cast<char>(Column::Likes) + '\0', "abc");
  ASSERT_TRUE(index_->commit(batch));
  auto any = [](std::uint32_t, const ColumnChunk&) { return true; };
  EXPECT_THAT(scan_column(*index_, Column::Name, any), FailsWith(Errc::Corrupt, "column 64"));
  EXPECT_THAT(scan_column(*index_, Column::Likes, any), FailsWith(Errc::Corrupt, "malformed chunk"));
  ColumnEditor editor(*index_);
  EXPECT_THAT(editor.set(Column::Name, 1, "x"), FailsWith(Errc::Corrupt, "index rebuild"));
}

TEST(Fold, FoldsCaseAndKeepsTheReservedValuesFree) {
  EXPECT_EQ(fold32("Apache-2.0"), fold32("apache-2.0"));
  EXPECT_NE(fold32("mit"), fold32("mti"));
  EXPECT_EQ(fold32("mit"), 0xd38f5515U);  // on disk: may not change
  EXPECT_GT(fold32(""), kFoldSeveral);
}

TEST(ListingRow, ReadsWhatItWrote) {
  ListingRow row;
  row.ordinal = 4'000'000'000U;
  row.first_seen_ms = 1'800'000'000'000;
  row.changed_ms = 1'800'000'000'001;
  row.missing_since_ms = 5;
  row.gone_status = 404;
  row.src = "huggingface.co";
  row.name = "org/name";
  row.facts = R"({"id":"org/name"})";
  EXPECT_EQ(unpack_listing(pack_listing(row)).value(), row);
  const std::string bytes = pack_listing(row);
  for (std::size_t cut = 0; cut < bytes.size() - row.facts.size(); ++cut)
    EXPECT_THAT(unpack_listing(bytes.substr(0, cut)), FailsWith(Errc::Corrupt, "malformed listing row")) << cut;
  EXPECT_THAT(unpack_listing("\x02" + bytes.substr(1)), FailsWith(Errc::Corrupt, "malformed listing row"));
}
}  // namespace
}  // namespace hm::storage
