#include "base/secret.hpp"

#include <gtest/gtest.h>

#include <array>
#include <map>
#include <set>

namespace hm {
namespace {
TEST(Secret, DrawsEveryCharacterAboutEquallyOften) {
  std::map<char, int> seen;
  const std::string text = random_alphanumerics(62'000);
  ASSERT_EQ(text.size(), 62'000U);
  for (const char c : text) ++seen[c];
  EXPECT_EQ(seen.size(), 62U);
  for (const auto& [c, count] : seen) {
    EXPECT_GT(count, 700) << c;  // mean 1000, deviation 31; bytes modulo 62 would give the first eight 1210
    EXPECT_LT(count, 1'180) << c;
  }
}

TEST(Secret, NeverDrawsTheSameTwice) {
  std::set<std::string> drawn;
  for (int i = 0; i < 1'000; ++i) drawn.insert(random_alphanumerics(43));
  EXPECT_EQ(drawn.size(), 1'000U);
}

TEST(Secret, NamesATextByAKeyAsRfc4231Says) {
  std::array<std::uint8_t, 20> key;
  key.fill(0x0b);
  EXPECT_EQ(hmac_sha256(key, "Hi There").hex(), "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
}

TEST(Secret, ComparesWholeDigests) {
  const Sha256 a = sha256("a");
  Sha256 b = a;
  EXPECT_TRUE(same_secret(a, b));
  b.bytes[31] ^= 1;
  EXPECT_FALSE(same_secret(a, b));
}
}  // namespace
}  // namespace hm
