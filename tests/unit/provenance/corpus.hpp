// tests/unit/provenance/corpus.hpp: real data that is not part of this repository: HUBMIRROR_CORPUS names the folder
// that has it. Tests skip without. Values; reading starts zstd, tar and git.
#pragma once
#include <gtest/gtest.h>
#include <unistd.h>

#include <boost/json/object.hpp>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/canonical_json.hpp"
#include "base/text.hpp"

namespace hm::test {
inline std::string corpus_path(std::string_view path) {
  const char* folder = std::getenv("HUBMIRROR_CORPUS");
  return folder == nullptr || *folder == '\0' ? "" : std::string(folder) + "/" + std::string(path);
}

/// What a command writes to its output; the test fails when the command does.
inline std::string output_of(const std::string& command) {
  std::string out;
  std::FILE* pipe = ::popen(command.c_str(), "r");
  if (pipe != nullptr) {
    char buffer[1 << 16];
    for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, pipe)) > 0;) out.append(buffer, n);
  }
  EXPECT_TRUE(pipe != nullptr && ::pclose(pipe) == 0) << command;
  return out;
}
inline std::string unpacked(std::string_view path) { return output_of("zstd -dcq " + shell_quoted(corpus_path(path))); }
inline void each_line(std::string_view text, const std::function<void(std::string_view)>& visit) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    visit(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}
inline std::vector<boost::json::object> json_lines(std::string_view path) {
  std::vector<boost::json::object> out;
  each_line(unpacked(path), [&](std::string_view line) { out.push_back(parse_json(line).value().as_object()); });
  return out;
}

/// A test over real data, with a folder of its own to unpack archives into.
class CorpusTest : public testing::Test {
 protected:
  CorpusTest()
      : dir_(std::filesystem::temp_directory_path() / ("hm-corpus-" + std::to_string(::getpid()) +
                                                       testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
  }
  ~CorpusTest() override { std::filesystem::remove_all(dir_); }
  void SetUp() override {
    if (corpus_path("").empty()) GTEST_SKIP() << "skipped: no corpus";
  }
  void unpack_archive(std::string_view path) const {
    output_of("zstd -dcq " + shell_quoted(corpus_path(path)) + " | tar -x -C " + shell_quoted(dir_.string()));
  }

  const std::filesystem::path dir_;
};
}  // namespace hm::test
