#include "storage/journal_mark.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/journal.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/unit/storage/storage_fixture.hpp"

namespace hm::storage {
namespace {
using test::Succeeds;
using ::testing::HasSubstr;
using ::testing::Optional;

class JournalMarkTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_THAT(create_data_dir(fs_, dir_), Succeeds()); }
  std::unique_ptr<Index> new_index(const std::string& name) {
    return open_index(temp_.path() + "/" + name, Index::Mode::Write, {}).value();
  }
  void append(Index& index, const char* id, std::size_t count, bool marked = true) {
    std::vector<json::object> entries(count, json::object{{"t", "snapshot"},
                                                          {"src", "huggingface.co"},
                                                          {"kind", "model"},
                                                          {"rid", "0123456789abcdef01234567"},
                                                          {"obs", 1'800'000'000'000},
                                                          {"id", id}});
    ASSERT_THAT(Journal(index, marked ? &mark_ : nullptr).append(std::move(entries), {}, nullptr), Succeeds());
  }
  std::string line() { return read_small_file(fs_, dir_.journal_mark_file()).value(); }

  test::TempDirectory temp_;
  FileSystem& fs_ = real_file_system();
  DataDir dir_{temp_.path() + "/data"};
  JournalMark mark_{fs_, dir_};
  std::unique_ptr<Index> index_ = new_index("index");
};

TEST_F(JournalMarkTest, FollowsWhatIsAppended) {
  EXPECT_EQ(mark_.mismatch(*index_).value(), std::nullopt);  // no mark, no complaint
  append(*index_, "org/a", 1);
  EXPECT_THAT(line(), HasSubstr("hubmirror-journal 00000000000000000001 "));
  append(*index_, "org/a", 11);
  const auto newest = Journal(*index_).get(11).value();
  EXPECT_EQ(line(), "hubmirror-journal 00000000000000000012 " + sha256(newest->bytes).hex() + "\n");
  EXPECT_EQ(mark_.mismatch(*index_).value(), std::nullopt);
}
TEST_F(JournalMarkTest, MayLagBehind) {
  append(*index_, "org/a", 2);
  append(*index_, "org/a", 3, false);
  EXPECT_EQ(mark_.mismatch(*index_).value(), std::nullopt);
}
TEST_F(JournalMarkTest, TellsAShorterJournalAndAnotherOne) {
  append(*index_, "org/a", 2);
  const auto other = new_index("other");
  append(*other, "org/a", 1, false);
  EXPECT_THAT(mark_.mismatch(*other).value(), Optional(HasSubstr("has 1 entries, and this store has seen 2")));
  append(*other, "org/b", 5, false);
  EXPECT_THAT(mark_.mismatch(*other).value(), Optional(HasSubstr("entry 1 is not the one")));
  EXPECT_EQ(mark_.mismatch(*index_).value(), std::nullopt);

  ASSERT_THAT(mark_.accept(*other), Succeeds());
  EXPECT_EQ(mark_.mismatch(*other).value(), std::nullopt);
  EXPECT_NE(mark_.mismatch(*index_).value(), std::nullopt);
}
TEST_F(JournalMarkTest, AcceptingAnEmptyJournalLeavesNoMark) {
  ASSERT_THAT(mark_.accept(*index_), Succeeds());
  append(*index_, "org/a", 1);
  ASSERT_THAT(mark_.accept(*new_index("empty")), Succeeds());
  EXPECT_FALSE(fs_.exists(dir_.journal_mark_file()));
}
TEST_F(JournalMarkTest, ATornMarkCountsAsNone) {
  append(*index_, "org/a", 1);
  const std::string good = line();
  const auto empty = new_index("empty");
  ASSERT_NE(mark_.mismatch(*empty).value(), std::nullopt);
  for (const std::string& torn : {std::string(), std::string(good.size(), '\0'), good.substr(0, 40),
                                  "hubmirror-journal 00000000000000000000" + good.substr(38), "x" + good.substr(1)}) {
    ASSERT_THAT(replace_file(fs_, dir_.journal_mark_file(), torn), Succeeds());
    EXPECT_EQ(mark_.mismatch(*empty).value(), std::nullopt) << torn;
  }
  append(*index_, "org/a", 1);  // and is written over
  EXPECT_NE(mark_.mismatch(*empty).value(), std::nullopt);
}
TEST_F(JournalMarkTest, AReaderLooksAgainBeforeItComplains) {
  append(*index_, "org/a", 1);
  const auto reader = open_index(temp_.path() + "/index", Index::Mode::Read, {}).value();
  append(*index_, "org/a", 1);
  EXPECT_EQ(Journal(*reader).size().value(), 1U);
  EXPECT_EQ(mark_.mismatch(*reader).value(), std::nullopt);
}
}  // namespace
}  // namespace hm::storage
