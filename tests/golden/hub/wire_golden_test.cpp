// Each <what>.<case>.json beside this file is an answer of a Hub; <what>.<case>.expected holds what we read of it, or
// the error.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <map>

#include "base/file.hpp"
#include "tests/golden/hub/render.hpp"

namespace hm::hub {
namespace {
constexpr std::int64_t kNow = 1'800'000'000'000;  // for expires_in

template <class T>
std::string shown(const Result<T>& result) {
  if (result) return pretty_json(render(result.assume_value()));
  return std::string(name_of(result.assume_error().code)) + ": " + result.assume_error().what + "\n";
}

const std::map<std::string, std::function<std::string(const std::string&)>, std::less<>> kReaders = {
    {"repo_info", [](const std::string& text) { return shown(parse_repo_info(text)); }},
    {"tree", [](const std::string& text) { return shown(parse_tree(text)); }},
    {"refs", [](const std::string& text) { return shown(parse_refs(text)); }},
    {"commits", [](const std::string& text) { return shown(parse_commits(text)); }},
    {"list", [](const std::string& text) { return shown(parse_list(text)); }},
    {"whoami", [](const std::string& text) { return shown(parse_whoami(text)); }},
    {"lfs_batch", [](const std::string& text) { return shown(parse_lfs_batch(text, kNow)); }},
};

std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(HM_GOLDEN_DIR))
    if (entry.path().extension() == ".json") names.push_back(entry.path().stem());
  std::sort(names.begin(), names.end());
  return names;
}

class WireGolden : public testing::TestWithParam<std::string> {};

TEST_P(WireGolden, ReadsAsBefore) {
  const std::string base = std::string(HM_GOLDEN_DIR) + "/" + GetParam();
  const auto reader = kReaders.find(GetParam().substr(0, GetParam().find('.')));
  ASSERT_NE(reader, kReaders.end()) << "no reader for " << GetParam();
  FileSystem& fs = real_file_system();
  const std::string got = reader->second(read_small_file(fs, base + ".json").value());
  if (std::getenv("HUBMIRROR_UPDATE_GOLDEN")) {
    ASSERT_TRUE(replace_file(fs, base + ".expected", got));
    GTEST_SKIP() << "written: " << base << ".expected";
  }
  const auto expected = read_small_file(fs, base + ".expected");
  ASSERT_TRUE(expected) << "run once with HUBMIRROR_UPDATE_GOLDEN=1 and read what it wrote";
  EXPECT_EQ(got, expected.value());
}

INSTANTIATE_TEST_SUITE_P(Hub, WireGolden, testing::ValuesIn(cases()), [](const testing::TestParamInfo<std::string>& p) {
  std::string name = p.param;
  std::replace_if(name.begin(), name.end(), [](char c) { return c == '.' || c == '-'; }, '_');
  return name;
});

TEST(WireGoldenFiles, CoverEveryReader) {
  for (const auto& [what, reader] : kReaders) {
    const auto names = cases();
    EXPECT_TRUE(std::any_of(names.begin(), names.end(), [&](const std::string& n) {
      return n.starts_with(what + ".");
    })) << what;
  }
}
}  // namespace
}  // namespace hm::hub
