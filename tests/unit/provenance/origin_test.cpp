// Who stands behind an owner: what the curated table and an operator's say, and what nobody says.
#include "provenance/origin.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/text.hpp"

namespace hm::provenance {
namespace {
namespace fs = std::filesystem;
const std::string kHead = "owner,entity,jurisdiction,sector,source,read,note\n";

class OriginTest : public testing::Test {
 protected:
  OriginTest()
      : dir_(fs::temp_directory_path() / ("hm-origin-" + std::to_string(::getpid()) +
                                          testing::UnitTest::GetInstance()->current_test_info()->name())) {
    fs::remove_all(dir_);
    fs::create_directories(dir_);
  }
  ~OriginTest() override { fs::remove_all(dir_); }
  void write(const std::string& name, const std::string& rows) { std::ofstream(dir_ / name) << kHead << rows; }
  std::string refusal(const std::string& row) {
    OriginTable table;
    const auto added = table.add(kHead + "first,,,,https://a.example,2026-11-28,\n" + row, "my.csv");
    EXPECT_EQ(table.size(), added ? 2U : 0U) << "all or nothing";
    return added ? "" : added.error().what;
  }
  const fs::path dir_;
};

TEST_F(OriginTest, TheBuiltInTableIsRightAndHasASourceForEveryRow) {
  const auto table = OriginTable::built_in();
  ASSERT_TRUE(table) << table.error().what;
  EXPECT_GT(table.value().size(), 100U);
  for (const Origin* row : table.value().all()) {
    EXPECT_THAT(row->source, testing::StartsWith("https://")) << row->owner;
    EXPECT_GE(row->read, "2026-01-01") << row->owner;
    EXPECT_EQ(row->list, "curated.csv");
  }
  const Origin* qwen = table.value().find("qwen");
  ASSERT_NE(qwen, nullptr);
  EXPECT_EQ(qwen->owner, "Qwen");
  EXPECT_EQ(qwen->jurisdiction, "CN");
  EXPECT_EQ(qwen->sector, Sector::Industry);
}

TEST_F(OriginTest, WhereSourcesContradictEachOtherTheFieldIsUnknownAndTheNoteSaysSo) {
  const auto table = OriginTable::built_in().value();
  for (const char* owner : {"laion", "black-forest-labs"}) {
    const Origin* row = table.find(owner);
    ASSERT_NE(row, nullptr) << owner;
    EXPECT_EQ(shown_jurisdiction(*row), "unknown") << owner;
    EXPECT_THAT(row->note, testing::HasSubstr("Contradiction")) << owner;
  }
  EXPECT_EQ(table.find("THUDM")->sector, Sector::Unknown);
}

TEST_F(OriginTest, NobodyIsKnownByTheLookOfAName) {
  const auto table = OriginTable::built_in().value();
  EXPECT_EQ(table.find("Qwen-community"), nullptr);
  EXPECT_EQ(table.find("google-fr"), nullptr);
  EXPECT_EQ(table.find(""), nullptr);
}

TEST_F(OriginTest, AnOperatorsRowTakesThePlaceOfTheBuiltInOneWhole) {
  write("a.csv", "QWEN,,,,https://mine.example/why,2026-11-01,we do not say\n");
  write("b.csv", "our-lab,Our Lab e.V.,DE,public,https://mine.example,2026-11-01,\n");
  write("ignored.txt", "nonsense");
  auto table = OriginTable::built_in().value();
  const std::size_t before = table.size();
  ASSERT_TRUE(table.add_folder(real_file_system(), dir_.string()));
  EXPECT_EQ(table.size(), before + 1);
  EXPECT_EQ(table.find("Qwen")->jurisdiction, "");
  EXPECT_EQ(table.find("Qwen")->sector, Sector::Unknown);
  EXPECT_EQ(table.find("Qwen")->list, (dir_ / "a.csv").string());
  EXPECT_EQ(table.find("Our-Lab")->sector, Sector::Public);
  EXPECT_EQ(table.find("tencent")->jurisdiction, "CN") << "the others stay";
}

TEST_F(OriginTest, ABadRowIsAnErrorThatNamesFileLineAndReason) {
  using testing::HasSubstr;
  EXPECT_EQ(refusal("org,,FR,industry,https://a.example https://b.example,2026-11-28,\n"), "");
  EXPECT_THAT(refusal("org/x,,,,https://a.example,2026-11-28,\n"), HasSubstr("my.csv:3: owner \"org/x\""));
  EXPECT_THAT(refusal("org,,UK,,https://a.example,2026-11-28,\n"),
              HasSubstr("my.csv:3: jurisdiction \"UK\" is no code"));
  EXPECT_THAT(refusal("org,,de,,https://a.example,2026-11-28,\n"), HasSubstr("two capitals"));
  EXPECT_THAT(refusal("org,,,big tech,https://a.example,2026-11-28,\n"), HasSubstr("sector \"big tech\" is none of"));
  EXPECT_THAT(refusal("org,,,,,2026-11-28,\n"), HasSubstr("source \"\" is no URL"));
  EXPECT_THAT(refusal("org,,,,https://a.example ,2026-11-28,\n"), HasSubstr("is no URL"));
  EXPECT_THAT(refusal("org,,,,https://a.example,2026-02-30,\n"), HasSubstr("read \"2026-02-30\" is no day"));
  EXPECT_THAT(refusal("org,,,,https://a.example,28.11.2026,\n"), HasSubstr("is no day"));
  EXPECT_THAT(refusal("FIRST,,,,https://a.example,2026-11-28,\n"),
              HasSubstr("my.csv:3: owner \"FIRST\" is there twice"));
  EXPECT_THAT(refusal("org,a\x1b[2Jb,,,https://a.example,2026-11-28,\n"), HasSubstr("entity holds bytes"));
  EXPECT_THAT(refusal("org,,,https://a.example,2026-11-28,\n"), HasSubstr("my.csv: line 3: 6 fields"));
  OriginTable table;
  EXPECT_THAT(table.add("owner,country\na,DE\n", "x.csv").error().what, HasSubstr("x.csv:1: the first row has to be"));
  EXPECT_THAT(table.add("", "x.csv").error().what, HasSubstr("x.csv:1"));
}

TEST_F(OriginTest, TwoFilesOfAFolderThatSpeakOfOneOwnerAreAnError) {
  write("a.csv", "org,,DE,,https://a.example,2026-11-28,\n");
  write("b.csv", "Org,,FR,,https://a.example,2026-11-28,\n");
  OriginTable table;
  EXPECT_THAT(table.add_folder(real_file_system(), dir_.string()).error().what,
              testing::AllOf(testing::HasSubstr("b.csv"), testing::HasSubstr("a.csv")));
  EXPECT_EQ(table.size(), 0U);
  EXPECT_EQ(table.add_folder(real_file_system(), (dir_ / "none").string()).error().code, Errc::NotFound);
}

TEST_F(OriginTest, AFamilyOfSeveralRootsHasSeveralOriginsWithTheirShares) {
  OriginTable table;
  ASSERT_TRUE(table.add(kHead + "alpha,,CN,industry,https://a.example,2026-11-28,\n"
                                "beta,,US,industry,https://a.example,2026-11-28,\n"
                                "gamma,,CN,industry,https://a.example,2026-11-28,\n",
                        "t.csv"));
  EXPECT_EQ(origin_of_family(table, {{"Alpha", 7}}).text(), "CN industry (Alpha)");
  EXPECT_EQ(origin_of_family(table, {}).text(), "unknown");
  const auto mixed = origin_of_family(table, {{"beta", 2}, {"alpha", 3}, {"somebody", 1}, {"gamma", 2}});
  EXPECT_EQ(mixed.weight, 8U);
  EXPECT_EQ(mixed.text(), "CN industry (alpha, gamma) 62.5 %, US industry (beta) 25.0 %, unknown (somebody) 12.5 %");
}
}  // namespace
}  // namespace hm::provenance
