// Who has a file: published revisions, and what the Hub told.
#include "storage/file_holders.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "storage/key_space.hpp"
#include "storage/survey_row.hpp"
#include "tests/support/memory_index.hpp"
#include "tests/support/result_matchers.hpp"

namespace hm::storage {
namespace {
using test::FailsWith;
using test::Succeeds;
using testing::ElementsAre;
using testing::IsEmpty;

class FileHolders : public testing::Test {
 protected:
  static RepoKey repo(char digit) { return {RepoKind::Model, *Rid::parse(std::string(24, digit))}; }
  static SurveyRow survey(std::vector<SurveyedFile> files) {
    return {"org/name", *Commit::parse(std::string(40, 'c')), 1, std::move(files)};
  }
  void tell(char digit, std::string_view revision, std::vector<SurveyedFile> files) {
    Batch batch;
    ASSERT_THAT(put_survey(*index_, batch, repo(digit), revision, survey(std::move(files))), Succeeds());
    ASSERT_THAT(index_->commit(batch), Succeeds());
  }
  std::vector<std::string> holders(const Sha256& file) const {
    std::vector<std::string> out;
    EXPECT_THAT(each_holder(*index_, file,
                            [&](const FileHolder& h) {
                              out.push_back(h.repo.rid.text().substr(0, 1) + (h.published ? " published " : " told ") +
                                            h.path + "@" + h.revision + " " + std::to_string(h.size_bytes));
                              return true;
                            }),
                Succeeds());
    return out;
  }
  std::unique_ptr<Index> index_ = test::open_memory_index(test::make_memory_disk());
  const Sha256 one_ = sha256("one"), two_ = sha256("two");
};

TEST_F(FileHolders, PublishedOnesComeFirst) {
  tell('a', "", {{"w.safetensors", 3, one_}, {"README.md", 5, std::nullopt}});
  tell('b', "v1", {{"x.bin", 3, one_}});
  Batch batch;
  batch.put(Family::BlobRefs, key::blob_ref(one_, repo('d'), *Commit::parse(std::string(40, 'e'))), key::u64(3));
  ASSERT_THAT(index_->commit(batch), Succeeds());
  EXPECT_THAT(holders(one_), ElementsAre("d published @ 3", "a told w.safetensors@ 3", "b told x.bin@v1 3"));
  EXPECT_THAT(holders(two_), IsEmpty());
}

TEST_F(FileHolders, ANewAnswerOfTheHubTakesThePlaceOfTheOldOne) {
  tell('a', "", {{"w.safetensors", 3, one_}});
  tell('a', "", {{"w.safetensors", 4, two_}});
  EXPECT_THAT(holders(one_), IsEmpty());
  EXPECT_THAT(holders(two_), ElementsAre("a told w.safetensors@ 4"));
}

TEST_F(FileHolders, ARebuildGivesTheSameRows) {
  tell('a', "", {{"w.safetensors", 3, one_}, {"same.safetensors", 3, one_}});
  tell('b', "v1", {{"x.bin", 4, two_}});
  const auto before = std::pair(holders(one_), holders(two_));
  ASSERT_THAT(index_->clear(Family::SurveyFiles), Succeeds());
  ASSERT_THAT(holders(one_), IsEmpty());
  ASSERT_THAT(derive_survey_files(*index_), Succeeds());
  EXPECT_EQ(std::pair(holders(one_), holders(two_)), before);
}

TEST_F(FileHolders, AnAnswerThatCannotBeReadCountsAsNone) {
  tell('a', "", {{"w.safetensors", 3, one_}});
  for (const char* wrong : {"no JSON", R"({"asked":1,"commit":"cccccccccccccccccccccccccccccccccccccccc",)"
                                       R"("files":[["w.safetensors",-1.5]],"name":"org/name"})"}) {
    Batch damage;
    damage.put(Family::Surveys, survey_key(repo('b'), "v1"), wrong);
    ASSERT_THAT(index_->commit(damage), Succeeds());
    EXPECT_THAT(find_survey(*index_, repo('b'), "v1"), FailsWith(Errc::Corrupt, "nobody writes"));
    EXPECT_THAT(derive_survey_files(*index_), Succeeds());
    EXPECT_THAT(holders(one_), ElementsAre("a told w.safetensors@ 3"));
    tell('b', "v1", {{"x.bin", 4, two_}});
    EXPECT_THAT(holders(two_), ElementsAre("b told x.bin@v1 4"));
  }
}

TEST_F(FileHolders, AMalformedRowIsCorrupt) {
  Batch batch;
  batch.put(Family::SurveyFiles, std::string(one_.view()) + "x", "y");
  ASSERT_THAT(index_->commit(batch), Succeeds());
  EXPECT_THAT(each_holder(*index_, one_, [](const FileHolder&) { return true; }),
              FailsWith(Errc::Corrupt, "index rebuild"));
}
}  // namespace
}  // namespace hm::storage
