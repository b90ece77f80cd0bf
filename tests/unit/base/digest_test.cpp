// Digests are what every stored byte is judged by: known answers, every cut, every way to take up a stored state.
#include "base/digest.hpp"

#include <gtest/gtest.h>

#include <random>
#include <unordered_set>
#include <vector>

namespace hm {
namespace {
struct Vector {
  std::string text;
  const char* sha256;
};
// FIPS 180-4 examples (NIST CSRC) and the empty message.
const std::vector<Vector>& nist_vectors() {
  static const std::vector<Vector> vectors{
      {"", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
      {"abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
      {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
       "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
      {"abcdefghbcdefghicdefghijdefghijkefghijklfghijklmghijklmnhijklmnoijklmnopjklmnopqklmnopqrlmnopqrsmnopqrstnopqrst"
       "u",
       "cf5b16a778af8380036ce59e7b0492370b249b11e8f07a51afac45037afee9d1"},
      {std::string(1'000'000, 'a'), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"},
  };
  return vectors;
}

std::vector<std::byte> random_bytes(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::vector<std::byte> bytes(count);
  for (std::byte& b : bytes) b = static_cast<std::byte>(random() & 0xff);
  return bytes;
}

TEST(Sha256, KnowsTheNistVectors) {
  for (const Vector& v : nist_vectors()) EXPECT_EQ(sha256(v.text).hex(), v.sha256) << v.text.size() << " bytes";
}

TEST(Sha256, DoesNotDependOnHowTheBytesAreCut) {
  const auto bytes = random_bytes(1'000, 1);
  const Sha256 whole = sha256(std::span<const std::byte>(bytes));
  for (std::size_t piece = 1; piece <= 130; ++piece) {
    Sha256Hasher hasher;
    for (std::size_t at = 0; at < bytes.size(); at += piece)
      hasher.update(std::span(bytes).subspan(at, std::min(piece, bytes.size() - at)));
    EXPECT_EQ(hasher.hashed_bytes(), bytes.size());
    EXPECT_EQ(hasher.finish(), whole) << "pieces of " << piece;
  }
}

TEST(Sha256, GoesOnFromAStoredStateAtEveryBlock) {
  const auto bytes = random_bytes(64 * 40 + 17, 2);
  const Sha256 whole = sha256(std::span<const std::byte>(bytes));
  for (std::size_t blocks = 0; blocks <= 40; ++blocks) {
    Sha256Hasher first;
    first.update(std::span(bytes).first(blocks * 64));
    const auto state = first.midstate();
    ASSERT_TRUE(state);
    EXPECT_EQ(state->hashed_bytes, blocks * 64);
    Sha256Hasher second(*state);
    EXPECT_EQ(second.hashed_bytes(), blocks * 64);
    second.update(std::span(bytes).subspan(blocks * 64));
    EXPECT_EQ(second.finish(), whole) << blocks << " blocks";
  }
}

TEST(Sha256, GivesNoStateInTheMiddleOfABlock) {
  const auto bytes = random_bytes(64, 3);
  Sha256Hasher hasher;
  for (std::size_t i = 0; i < 63; ++i) {
    hasher.update(std::span(bytes).subspan(i, 1));
    EXPECT_FALSE(hasher.midstate()) << i + 1 << " bytes";
  }
  hasher.update(std::span(bytes).last(1));
  EXPECT_TRUE(hasher.midstate());
}

TEST(Sha256, AStateKeepsItsPlaceBehindFourGibibytes) {
  // The bit count fills both words of the context from 512 MiB on: a state that lost the upper one would give another
  // digest.
  Sha256Hasher::Midstate state;
  state.h = {1, 2, 3, 4, 5, 6, 7, 8};
  state.hashed_bytes = 5ULL << 30;
  Sha256Hasher high(state);
  state.hashed_bytes = 1ULL << 30;
  Sha256Hasher low(state);
  ASSERT_EQ(high.midstate()->hashed_bytes, 5ULL << 30);
  EXPECT_EQ(high.midstate()->h, low.midstate()->h);
  EXPECT_NE(high.finish(), low.finish());
}

TEST(Sha256, AStateWithinABlockIsABrokenInvariant) {
  Sha256Hasher::Midstate state;
  state.hashed_bytes = 65;
  EXPECT_DEATH(Sha256Hasher{state}, "hashed_bytes");
}

TEST(GitObjectId, EqualsWhatGitPrints) {
  EXPECT_EQ(git_object_id("blob", {}).hex(), "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
  EXPECT_EQ(git_object_id("tree", {}).hex(), "4b825dc642cb6eb9a060e54bf8d69288fbee4904");
  EXPECT_EQ(git_object_id("blob", as_bytes("hello\n")).hex(), "ce013625030ba8dba906f756967f9e9ca394464a");
}

TEST(Digest, ReadsOnlyItsOwnForm) {
  const std::string hex = sha256("x").hex();
  ASSERT_EQ(hex.size(), 64U);
  EXPECT_EQ(Sha256::parse(hex)->hex(), hex);
  std::string upper = hex;
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  EXPECT_FALSE(Sha256::parse(upper));
  EXPECT_FALSE(Sha256::parse(hex.substr(1)));
  EXPECT_FALSE(Sha256::parse(hex + "0"));
  EXPECT_FALSE(Sha256::parse(""));
  EXPECT_FALSE(Sha256::parse("g" + hex.substr(1)));
  EXPECT_FALSE(GitOid::parse(hex));
}

TEST(Digest, OrdersLikeItsHexAndHashesApart) {
  std::unordered_set<Sha256> seen;
  Sha256 before = *Sha256::parse(std::string(64, '0'));
  for (int i = 0; i < 1'000; ++i) {
    const Sha256 d = sha256(std::to_string(i));
    EXPECT_EQ(before < d, before.hex() < d.hex());
    EXPECT_TRUE(seen.insert(d).second);
    before = d;
  }
}
}  // namespace
}  // namespace hm
