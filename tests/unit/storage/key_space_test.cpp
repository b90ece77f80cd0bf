#include "storage/key_space.hpp"

#include <gtest/gtest.h>

#include <set>

namespace hm::storage {
namespace {
const RepoKey kModel{RepoKind::Model, *Rid::parse("0123456789abcdef01234567")};
const RepoKey kDataset{RepoKind::Dataset, *Rid::parse("0123456789abcdef01234567")};
const std::string kModelBytes("\x01\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67", 13);

TEST(KeySpace, FamiliesHaveNamesOfTheirOwn) {
  std::set<std::string_view> names;
  for (int i = 0; i < kFamilyCount; ++i) names.insert(name_of(static_cast<Family>(i)));
  EXPECT_EQ(names.size(), static_cast<std::size_t>(kFamilyCount));
  EXPECT_FALSE(names.contains("unknown"));
  EXPECT_FALSE(names.contains("default"));  // RocksDB's own
}

TEST(KeySpace, FactsAreNotDerived) {
  for (Family f : {Family::Meta, Family::Journal, Family::Documents, Family::Manifests, Family::Tasks, Family::Listings,
                   Family::Popularity, Family::Surveys, Family::Generations})
    EXPECT_FALSE(is_derived(f)) << name_of(f);
  for (Family f : {Family::Names, Family::Repos, Family::Refs, Family::Snapshots, Family::BlobRefs, Family::Columns,
                   Family::ColumnTexts, Family::Edges, Family::Tensors})
    EXPECT_TRUE(is_derived(f)) << name_of(f);
}

TEST(KeySpace, NumbersSortAsBytes) {
  EXPECT_EQ(key::u64(0x0102030405060708), "\x01\x02\x03\x04\x05\x06\x07\x08");
  EXPECT_LT(key::u64(255), key::u64(256));
  EXPECT_LT(key::u64(1), key::u64(~std::uint64_t{0}));
  for (std::uint64_t v : {std::uint64_t{0}, std::uint64_t{1} << 63, ~std::uint64_t{0}})
    EXPECT_EQ(key::parse_u64(key::u64(v)), v);
  EXPECT_EQ(key::parse_u64("1234567"), std::nullopt);
  EXPECT_EQ(key::parse_u64("123456789"), std::nullopt);
}

TEST(KeySpace, ARepositoryIsKindAndRid) {
  EXPECT_EQ(key::repo(kModel), kModelBytes);
  EXPECT_EQ(key::parse_repo(kModelBytes + "more"), kModel);
  EXPECT_EQ(key::parse_repo(key::repo(kDataset)), kDataset);
  EXPECT_EQ(key::parse_repo(kModelBytes.substr(0, 12)), std::nullopt);
  EXPECT_EQ(key::parse_repo(std::string(13, '\0')), std::nullopt);
  EXPECT_EQ(key::parse_repo("\x04" + kModelBytes.substr(1)), std::nullopt);
}

TEST(KeySpace, KeysAreComposedAsTheFormatPageSays) {
  const Commit commit = *Commit::parse("00112233445566778899aabbccddeeff00112233");
  const Sha256 blob = sha256("weights");
  EXPECT_EQ(key::name({RepoKind::Space, "Org/Name"}), "\x03org/name");
  EXPECT_EQ(key::ref(kModel, "refs/heads/main"), kModelBytes + "refs/heads/main");
  EXPECT_EQ(key::snapshot(kModel, commit), kModelBytes + std::string(commit.view()));
  EXPECT_EQ(key::blob_ref(blob, kModel, commit), std::string(blob.view()) + kModelBytes + std::string(commit.view()));
  EXPECT_EQ(key::blob_ref(blob, kModel, commit).size(), 32U + 13U + 20U);
  EXPECT_EQ(key::task(kModel, "visit"), kModelBytes + "visit");
}
}  // namespace
}  // namespace hm::storage
