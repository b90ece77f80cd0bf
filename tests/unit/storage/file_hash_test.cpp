#include "storage/file_hash.hpp"

#include <gtest/gtest.h>

#include "tests/support/fault_file_system.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/unit/storage/storage_fixture.hpp"

namespace hm::storage {
namespace {
using test::FailsWith;
using test::Succeeds;

/// The same through a mapping (real files) and through reads (files without a descriptor).
class HashRange : public ::testing::TestWithParam<bool> {
 protected:
  HashRange() {
    EXPECT_THAT(real_file_system().create_new(path_).value()->write_at(0, bytes_), Succeeds());
    file_ = (GetParam() ? real_file_system().open_read(path_) : faulty_.open_read(path_)).value();
  }
  test::TempDirectory temp_;
  const std::string path_ = temp_.path() + "/file";
  const std::vector<std::byte> bytes_ = test::bytes_of((9U << 20) + 12345, 5);  // three windows and a bit
  test::FaultFileSystem faulty_{real_file_system()};
  std::unique_ptr<File> file_;
};

TEST_P(HashRange, HashesAnyRange) {
  for (const auto& [from, to] : {std::pair<std::size_t, std::size_t>{0, bytes_.size()},
                                 {0, 0},
                                 {1, 2},
                                 {4095, 4097},
                                 {100, 200'000},
                                 {(4U << 20) - 1, (4U << 20) + 1},
                                 {5'000'001, bytes_.size()}}) {
    Sha256Hasher hasher;
    ASSERT_THAT(hash_range(*file_, from, to, hasher), Succeeds());
    EXPECT_EQ(hasher.hashed_bytes(), to - from);
    EXPECT_EQ(hasher.finish(), sha256(std::span(bytes_).subspan(from, to - from))) << from << " " << to;
  }
}

TEST_P(HashRange, GoesOnWithAHashThatWasBegun) {
  Sha256Hasher hasher;
  ASSERT_THAT(hash_range(*file_, 0, 70'001, hasher), Succeeds());
  ASSERT_THAT(hash_range(*file_, 70'001, bytes_.size(), hasher), Succeeds());
  EXPECT_EQ(hasher.finish(), sha256(bytes_));
}

TEST_P(HashRange, AFileThatEndsEarlyIsAnError) {
  Sha256Hasher hasher;
  EXPECT_THAT(hash_range(*file_, 0, bytes_.size() + 1, hasher), FailsWith(Errc::Io, "1 bytes early"));
}

TEST_P(HashRange, TellsItsProgressAndStops) {
  Sha256Hasher hasher;
  std::uint64_t seen = 0;
  ASSERT_THAT(hash_range(*file_, 0, bytes_.size(), hasher, [&](std::uint64_t n) { return seen += n, true; }),
              Succeeds());
  EXPECT_EQ(seen, bytes_.size());
  int calls = 0;
  EXPECT_THAT(hash_range(*file_, 0, bytes_.size(), hasher, [&](std::uint64_t) { return ++calls < 2; }),
              FailsWith(Errc::Cancelled, "stopped"));
  EXPECT_EQ(calls, 2);
}
INSTANTIATE_TEST_SUITE_P(Ways, HashRange, ::testing::Bool(),
                         [](const auto& instance) { return instance.param ? "mapped" : "read"; });

TEST(HashRangeFault, ABadMediumIsAnError) {
  const test::TempDirectory temp;
  const std::string path = temp.path() + "/file";
  ASSERT_THAT(real_file_system().create_new(path).value()->write_at(0, test::bytes_of(300'000, 1)), Succeeds());
  test::FaultFileSystem faulty(real_file_system());
  const auto file = faulty.open_read(path).value();
  faulty.arm(test::FaultFileSystem::Fault::Io, 1);
  Sha256Hasher hasher;
  EXPECT_THAT(hash_range(*file, 0, 300'000, hasher), FailsWith(Errc::Io, path));
}
}  // namespace
}  // namespace hm::storage
