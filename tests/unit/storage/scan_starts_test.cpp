// What was seen to be gone is passed over, and nothing that came since.
#include "storage/scan_starts.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace hm::storage {
namespace {
TEST(ScanStarts, BeginBehindWhatIsGone) {
  ScanStarts starts;
  EXPECT_EQ(starts.start("a"), "a");
  starts.nothing_between("a", "c");
  EXPECT_EQ(starts.start("a"), "c");
  EXPECT_EQ(starts.start("b"), "c");
  EXPECT_EQ(starts.start("c"), "c");
  starts.nothing_between("c", "f");
  EXPECT_EQ(starts.start("a"), "f") << "one range leads to the next";
  starts.added("d");
  EXPECT_EQ(starts.start("a"), "d");
  EXPECT_EQ(starts.start("e"), "e");
  starts.added("a");
  EXPECT_EQ(starts.start("a"), "a");
}

TEST(ScanStarts, NeverHideAKeyThatIsThere) {
  std::mt19937 random(1);
  ScanStarts starts;
  std::set<std::string> keys;
  const auto any_key = [&] {
    return std::string(1, static_cast<char>('a' + random() % 20)) + static_cast<char>('a' + random() % 20);
  };
  int passed_over = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = any_key();
    switch (random() % 3) {
      case 0:
        starts.added(key);
        keys.insert(key);
        break;
      case 1:
        if (!keys.empty()) keys.erase(keys.begin());  // as a queue does
        break;
      default:
        const std::string start = starts.start(key);
        ASSERT_GE(start, key);
        ASSERT_EQ(keys.lower_bound(key), keys.lower_bound(start)) << "a key between " << key << " and " << start;
        const auto first = keys.lower_bound(start);
        starts.nothing_between(key, first == keys.end() ? "~" : *first);
        passed_over += start != key ? 1 : 0;
    }
  }
  EXPECT_GT(passed_over, 1'000);
}
}  // namespace
}  // namespace hm::storage
