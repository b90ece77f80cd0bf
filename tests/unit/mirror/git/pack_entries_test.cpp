// Each entry of a pack is exactly as long as it says.
#include "mirror/git/pack_entries.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "git_fixture.hpp"
#include "pack_maker.hpp"
#include "support/fault_file_system.hpp"
#include "support/result_matchers.hpp"

namespace hm::mirror {
namespace {
using git_test::kBlob;
using git_test::kCommit;
using git_test::kOfsDelta;
using git_test::kRefDelta;
using git_test::kTag;
using git_test::kTree;
using git_test::PackMaker;
using test::FailsWith;
using test::Succeeds;

std::string noise(std::size_t size) {
  std::string out;
  for (std::uint32_t x = 1; out.size() < size; x = x * 1664525U + 1013904223U) out += static_cast<char>(x >> 24);
  return out;
}

class PackEntriesTest : public git_test::GitTest {
 protected:
  Result<std::unique_ptr<PackEntries>> open(std::string_view pack) {
    git_test::write_file(path("a.pack"), pack);
    HM_TRY(auto file, fs_.open_read(path("a.pack")));
    return PackEntries::open(std::move(file), stop_);
  }
  struct Seen {
    PackEntry entry;
    std::optional<std::string> data;
  };
  Result<std::vector<Seen>> walk(const PackMaker& pack) {
    HM_TRY(const auto entries, open(pack.bytes()));
    EXPECT_EQ(entries->end(), pack.size());
    std::vector<Seen> seen;
    for (std::size_t i = 0; i < pack.offsets().size(); ++i) {
      const std::uint64_t end = i + 1 < pack.offsets().size() ? pack.offsets()[i + 1] : entries->end();
      HM_TRY(const PackEntry entry, entries->go_to(pack.offsets()[i], end));
      HM_TRY(const auto data, entries->read_data());
      seen.push_back({entry, data ? std::optional<std::string>(*data) : std::nullopt});
    }
    return seen;
  }
  /// A pack whose second of three entries is the given one.
  Result<std::vector<Seen>> walk_with(unsigned type, std::string_view data, const git_test::OddEntry& odd) {
    PackMaker pack;
    pack.add(kBlob, "before");
    pack.add(type, data, odd);
    pack.add(kBlob, "behind");
    return walk(pack);
  }
  test::FaultFileSystem fs_{real_file_system()};
  std::atomic<bool> stop_{false};
};

/// Every type with what names its base.
const std::vector<std::pair<unsigned, std::string>> kTypes{{kCommit, ""},
                                                           {kTree, ""},
                                                           {kBlob, ""},
                                                           {kTag, ""},
                                                           {kOfsDelta, git_test::ofs_distance(15)},
                                                           {kOfsDelta, git_test::ofs_distance(1)},
                                                           {kRefDelta, std::string(20, '\xff')}};

TEST_F(PackEntriesTest, GivesKindSizeAndSmallData) {
  constexpr std::size_t kKept = PackEntries::kKeptBytesMax;
  PackMaker pack;
  std::vector<std::pair<unsigned, std::string>> all;
  for (const auto& [type, base] : kTypes) {
    for (const std::size_t size : {0UL, 1UL, 15UL, 16UL, 2047UL, 2048UL, kKept - 1, kKept, kKept + 1, 9 * kKept}) {
      for (const std::string& data : {noise(size), std::string(size, 'z')}) {
        pack.add(type, data, {{}, base});
        all.emplace_back(type, data);
      }
    }
  }
  const auto seen = walk(pack);
  ASSERT_THAT(seen, Succeeds());
  ASSERT_EQ(seen.value().size(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto& [type, data] = all[i];
    EXPECT_EQ(static_cast<unsigned>(seen.value()[i].entry.kind), type < kOfsDelta ? type : 0) << i;
    EXPECT_EQ(seen.value()[i].entry.data_bytes, data.size()) << i;
    EXPECT_EQ(seen.value()[i].entry.base_offset.has_value(), type == kOfsDelta) << i;
    EXPECT_EQ(seen.value()[i].data, data.size() < kKept ? std::optional(data) : std::nullopt) << i;
  }
}

TEST_F(PackEntriesTest, SaysWhereTheBaseBegins) {
  PackMaker pack;
  pack.add(kBlob, noise(3'000'000));
  const std::uint64_t at = pack.size();
  const std::vector<std::uint64_t> distances{1, 127, 128, 129, 16'511, 16'512, 70'000, 2'113'663, 2'113'664, at - 12};
  for (const std::uint64_t distance : distances) {
    PackMaker whole = pack;
    whole.add(kOfsDelta, "delta", {{}, git_test::ofs_distance(distance)});
    const auto seen = walk(whole);
    ASSERT_THAT(seen, Succeeds());
    EXPECT_EQ(seen.value()[1].entry.base_offset, at - distance);
  }
}

TEST_F(PackEntriesTest, RefusesDataThatGoesOnBehindItsStatedSize) {
  for (const auto& [type, base] : kTypes) {
    for (const std::size_t size : {1UL, 50UL, PackEntries::kKeptBytesMax, 9 * PackEntries::kKeptBytesMax}) {
      for (const std::size_t less : {std::size_t{1}, size}) {
        EXPECT_THAT(walk_with(type, noise(size), {size - less, base}), FailsWith(Errc::Corrupt, "goes on behind"))
            << type << " " << size << " " << less;
      }
    }
  }
}

TEST_F(PackEntriesTest, RefusesDataThatEndsBeforeItsStatedSize) {
  for (const auto& [type, base] : kTypes) {
    for (const std::size_t size : {0UL, 50UL, PackEntries::kKeptBytesMax, 9 * PackEntries::kKeptBytesMax}) {
      for (const std::uint64_t more : {std::uint64_t{1}, std::uint64_t{1} << 59}) {
        EXPECT_THAT(walk_with(type, noise(size), {size + more, base}), FailsWith(Errc::Corrupt, "ends before its"))
            << type << " " << size << " " << more;
      }
    }
  }
}

TEST_F(PackEntriesTest, RefusesBytesThatBelongToNoEntry) {
  for (const std::string& garbage : {std::string(1, '\0'), std::string("garbage"),
                                     git_test::deflated("a second stream"), std::string(300'000, 'x')}) {
    PackMaker between;
    between.add(kBlob, "one");
    between.add_garbage(garbage);
    between.add(kBlob, "two");
    EXPECT_THAT(walk(between), FailsWith(Errc::Corrupt, "belong to no entry"));
    PackMaker before_trailer;
    before_trailer.add(kBlob, "one");
    before_trailer.add_garbage(garbage);
    EXPECT_THAT(walk(before_trailer), FailsWith(Errc::Corrupt, "belong to no entry"));
  }
}

TEST_F(PackEntriesTest, RefusesDataThatReachesIntoWhatFollows) {
  PackMaker pack;
  pack.add(kBlob, noise(200));
  const std::string bytes = pack.bytes();
  for (std::uint64_t end = 13; end < pack.size(); ++end) {
    auto entries = open(bytes);
    ASSERT_THAT(entries, Succeeds());
    const auto entry = entries.value()->go_to(12, end);
    if (entry) {
      EXPECT_THAT(entries.value()->read_data(), FailsWith(Errc::Corrupt, "where the next entry begins")) << end;
    } else {
      EXPECT_THAT(entry, FailsWith(Errc::Corrupt, "cut off")) << end;
    }
  }
}

TEST_F(PackEntriesTest, RefusesWhatIsNotZlib) {
  const std::string good = git_test::entry_head(kBlob, 50) + git_test::deflated(noise(50));
  for (const std::string& data : {"not a zlib stream at all" + good, good}) {
    PackMaker pack;
    pack.add(kBlob, "one");
    std::string bytes = pack.bytes();
    bytes.replace(12, pack.size() - 12, git_test::entry_head(kBlob, 50) + data.substr(good == data ? 2 : 0));
    if (good == data) bytes[bytes.size() - 21] = static_cast<char>(bytes[bytes.size() - 21] ^ 1);  // of the check sum
    auto entries = open(bytes);
    ASSERT_THAT(entries.value()->go_to(12, entries.value()->end()), Succeeds());
    EXPECT_THAT(entries.value()->read_data(), FailsWith(Errc::Corrupt, "cannot be inflated"));
  }
}

TEST_F(PackEntriesTest, RefusesHeadsThatAreNone) {
  const auto head = [&](const std::string& bytes) -> Result<> {
    HM_TRY(const auto entries, open("PACK" + std::string(8, '\0') + bytes + std::string(20, 't')));
    HM_TRY(entries->go_to(12, entries->end()));
    return ok();
  };
  EXPECT_THAT(head(std::string("\x30")), Succeeds());
  for (const char type : {'\x00', '\x50'}) EXPECT_THAT(head(std::string(1, type)), FailsWith(Errc::Corrupt, "type"));
  EXPECT_THAT(head("\xb0"), FailsWith(Errc::Corrupt, "cut off"));
  EXPECT_THAT(head(git_test::entry_head(kBlob, ~std::uint64_t{0} >> 4)), Succeeds());
  EXPECT_THAT(head("\xb0" + std::string(9, '\x80') + "\x01"), FailsWith(Errc::Corrupt, "larger than any"));
  EXPECT_THAT(head("\x70" + std::string(20, 'b')), Succeeds());
  EXPECT_THAT(head("\x70" + std::string(19, 'b')), FailsWith(Errc::Corrupt, "cut off"));
  EXPECT_THAT(head("\x60\x0b"), Succeeds());
  EXPECT_THAT(head("\x60"), FailsWith(Errc::Corrupt, "cut off"));
  EXPECT_THAT(head("\x60\x80"), FailsWith(Errc::Corrupt, "cut off"));
  for (const std::string& base : {std::string(1, '\0'), git_test::ofs_distance(12), git_test::ofs_distance(1'000'000),
                                  git_test::ofs_distance(~std::uint64_t{0}), std::string(100, '\xff')})
    EXPECT_THAT(head("\x60" + base), FailsWith(Errc::Corrupt, "outside"));
}

TEST_F(PackEntriesTest, RefusesPlacesOutsideOfThePack) {
  EXPECT_THAT(open(std::string(31, 'x')), FailsWith(Errc::Corrupt, "too short"));
  PackMaker pack;
  pack.add(kBlob, "one");
  const auto entries = open(pack.bytes());
  ASSERT_THAT(entries, Succeeds());
  const std::uint64_t end = entries.value()->end();
  for (const auto& [from, to] : std::vector<std::pair<std::uint64_t, std::uint64_t>>{
           {11, end}, {12, end + 1}, {12, 12}, {13, 12}, {end, end + 5}, {~std::uint64_t{0}, 0}})
    EXPECT_THAT(entries.value()->go_to(from, to), FailsWith(Errc::Corrupt, "outside")) << from << " " << to;
}

TEST_F(PackEntriesTest, ReadsThePackOnce) {
  PackMaker pack;
  for (std::size_t i = 0; i < 3000; ++i) pack.add(kBlob, noise(i));
  const auto seen = walk(pack);
  ASSERT_THAT(seen, Succeeds());
  for (std::size_t i = 0; i < 3000; ++i) ASSERT_EQ(seen.value()[i].data, noise(i)) << "also across two readings";
  EXPECT_GE(fs_.bytes_read(), pack.size() - kPackHeaderBytes);
  EXPECT_LE(fs_.bytes_read(), pack.size() + pack.size() / 1000);
}

TEST_F(PackEntriesTest, DoesNotInflateWhatWasNotStated) {
  PackMaker pack;
  pack.add(kBlob, noise(2'000'000), {1000});
  EXPECT_THAT(walk(pack), FailsWith(Errc::Corrupt, "goes on behind"));
  EXPECT_LE(fs_.bytes_read(), pack.size() / 2);
}

TEST_F(PackEntriesTest, SaysWhenReadingFails) {
  PackMaker pack;
  pack.add(kBlob, noise(400'000));
  pack.add(kBlob, "two");
  ASSERT_THAT(walk(pack), Succeeds());
  const std::uint64_t operations = fs_.operations();
  EXPECT_GE(operations, 4U);
  for (std::uint64_t n = 0; n < operations; ++n) {
    fs_.arm(test::FaultFileSystem::Fault::Io, n);
    EXPECT_THAT(walk(pack), FailsWith(Errc::Io, "")) << n;
  }
}

TEST_F(PackEntriesTest, StopsWhenAsked) {
  PackMaker pack;
  pack.add(kBlob, "one");
  stop_ = true;
  EXPECT_THAT(walk(pack), FailsWith(Errc::Cancelled, "stopped"));
}
}  // namespace
}  // namespace hm::mirror
