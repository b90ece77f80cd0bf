#include "storage/generation_rows.hpp"

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

RepoKey repo(char digit) { return {RepoKind::Model, *Rid::parse(std::string(24, digit))}; }
Commit commit(char digit) { return *Commit::parse(std::string(40, digit)); }

TargetRow target(char digit) {
  TargetRow row;
  row.repo = {RepoKind::Model, std::string("org/") + digit};
  row.key = repo(digit);
  row.commit = commit(digit);
  row.revision = "main";
  row.selection = "formats=gguf|formats=safetensors";
  row.all_history = true;
  row.policies = {"a", "b"};
  row.place = 7;
  row.files = 3;
  row.bytes = 1ULL << 50;
  row.bytes_to_fetch = 5;
  return row;
}

TEST(Surveys, GoThereAndBack) {
  SurveyRow row{"org/name", commit('a'), 1'800'000'000'000, {}};
  row.files = {{"README.md", 12, std::nullopt}, {"dir/ü \"x\".bin", 1ULL << 45, sha256("x")}};
  EXPECT_EQ(unpack_survey(pack_survey(row)).value(), row);
  for (const char* bad : {"", "[]", "{}", R"({"commit":"ab","files":[]})",
                          R"({"commit":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","files":[["x"]]})",
                          R"({"commit":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa","files":[["x",1,"zz"]]})"})
    EXPECT_THAT(unpack_survey(bad), FailsWith(Errc::Corrupt, "nobody writes")) << bad;
}

TEST(Surveys, OfTwoRevisionsStandSideBySide) {
  const auto owned = test::open_memory_index(test::make_memory_disk());
  storage::Index& index = *owned;
  Batch batch;
  const SurveyRow head{"org/a", commit('1'), 1, {}}, tag{"org/a", commit('2'), 2, {}};
  batch.put(Family::Surveys, survey_key(repo('a'), ""), pack_survey(head));
  batch.put(Family::Surveys, survey_key(repo('a'), "v1"), pack_survey(tag));
  ASSERT_THAT(index.commit(batch), Succeeds());
  EXPECT_EQ(find_survey(index, repo('a'), "").value(), head);
  EXPECT_EQ(find_survey(index, repo('a'), "v1").value(), tag);
  EXPECT_EQ(find_survey(index, repo('b'), "").value(), std::nullopt);
}

TEST(Generations, TargetsGoThereAndBack) {
  TargetRow row = target('a');
  EXPECT_EQ(unpack_target(pack_target(row)).value(), row);
  row.state = TargetState::Failed;
  row.failure = "gated";
  row.reason = "401 for org/a";
  row.settled_ms = 9;
  row.bytes_fetched = 11;
  row.git_bytes = 12;
  EXPECT_EQ(unpack_target(pack_target(row)).value(), row);
  for (const char* bad : {"", "{}", R"({"repo":"org/a","commit":"x","rid":"y","state":"pending"})"})
    EXPECT_THAT(unpack_target(bad), FailsWith(Errc::Corrupt, "nobody writes")) << bad;
}

TEST(Generations, AreFoundByTheirNumbersNewestFirst) {
  const auto owned = test::open_memory_index(test::make_memory_disk());
  storage::Index& index = *owned;
  Batch batch;
  for (std::uint32_t number : {1U, 2U, 300U}) {
    GenerationRow row;
    row.number = number;
    row.src = "hub.example";
    row.policies = {"p"};
    row.targets = number * 10;
    batch.put(Family::Generations, generation_key(number), pack_generation(row));
    batch.put(Family::Generations, target_key(number, repo('a'), commit('a')), pack_target(target('a')));
    batch.put(Family::Generations, target_key(number, repo('b'), commit('b')), pack_target(target('b')));
    const SkippedRow skipped{{RepoKind::Dataset, "org/data"}, "p", "gone upstream (404)"};
    batch.put(Family::Generations, skipped_key(number, skipped), pack_skipped(skipped));
  }
  ASSERT_THAT(index.commit(batch), Succeeds());
  std::vector<std::uint32_t> numbers;
  ASSERT_THAT(each_generation(index, [&](const GenerationRow& row) { return numbers.push_back(row.number), true; }),
              Succeeds());
  EXPECT_EQ(numbers, (std::vector<std::uint32_t>{300, 2, 1}));
  EXPECT_EQ(find_generation(index, 2).value()->targets, 20U);
  EXPECT_EQ(find_generation(index, 3).value(), std::nullopt);
  std::vector<std::string> names;
  ASSERT_THAT(each_target(index, 2, [&](const TargetRow& row) { return names.push_back(row.repo.name), true; }),
              Succeeds());
  EXPECT_EQ(names, (std::vector<std::string>{"org/a", "org/b"}));
  EXPECT_EQ(find_target(index, 2, repo('b'), commit('b')).value(), target('b'));
  EXPECT_EQ(find_target(index, 2, repo('b'), commit('a')).value(), std::nullopt);
  int skipped = 0;
  ASSERT_THAT(each_skipped(index, 300, [&](const SkippedRow& row) { return ++skipped, row.policy == "p"; }),
              Succeeds());
  EXPECT_EQ(skipped, 1);
}
}  // namespace
}  // namespace hm::storage
