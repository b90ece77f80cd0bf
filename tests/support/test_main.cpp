// tests/support/test_main.cpp: main() of every program of tests. `--of=rows_test.cpp` runs the tests that were written
// in that file, which may be named with its folder; a file without tests is a failure, so that an entry of ctest cannot
// be an empty one. gtest's own filter counts for more: a death test begins the program anew with one.
#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <string_view>

namespace {
bool is_file(std::string_view path, std::string_view named) {
  return path.ends_with(named) && (path.size() == named.size() || path[path.size() - named.size() - 1] == '/');
}

/// A filter for gtest; only "" when the file has no tests.
std::string tests_of(std::string_view file) {
  const testing::UnitTest& all = *testing::UnitTest::GetInstance();
  std::string filter;
  for (int i = 0; i < all.total_test_suite_count(); ++i) {
    const testing::TestSuite& suite = *all.GetTestSuite(i);
    for (int k = 0; k < suite.total_test_count(); ++k) {
      const testing::TestInfo& test = *suite.GetTestInfo(k);
      if (!is_file(test.file(), file)) continue;
      if (!filter.empty()) filter += ':';
      filter += std::string(suite.name()) + "." + test.name();
    }
  }
  return filter;
}
}  // namespace

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);  // takes out its own arguments
  constexpr std::string_view kOf = "--of=";
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (!argument.starts_with(kOf)) continue;
    const std::string filter = tests_of(argument.substr(kOf.size()));
    if (filter.empty()) {
      std::fprintf(stderr, "%s: no test was written in a file of that name\n", argv[i]);
      return 2;
    }
    if (GTEST_FLAG_GET(filter) == "*") GTEST_FLAG_SET(filter, filter);
  }
  return RUN_ALL_TESTS();
}
