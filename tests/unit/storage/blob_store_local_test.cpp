// What only the local backend promises: files, logs, boots, space. The rest is in tests/contract/.
#include "storage/blob_store_local.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "storage/partial_state.hpp"
#include "tests/support/fault_file_system.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/unit/storage/storage_fixture.hpp"

namespace hm::storage {
namespace {
using test::FailsWith;
using test::FaultFileSystem;
using test::Succeeds;
using Bytes = std::vector<std::byte>;
constexpr std::uint32_t kSegmentBytes = 64 * 1024;

class LocalStore : public ::testing::Test {
 protected:
  LocalStore() {
    EXPECT_THAT(create_data_dir(real_file_system(), dir_), Succeeds());
    options_.reserve_bytes = 1;
    options_.reserve_percent = 0;
    options_.segment_bytes = kSegmentBytes;
    options_.sync_every_bytes = 1ULL << 40;  // tests say when
    options_.boot_id = std::string(kBootIdBytes, 'a');
    reopen();
  }
  void reopen() { store_ = make_local_blob_store(fs_, dir_, options_); }
  void reboot() {
    options_.boot_id[0] = static_cast<char>(options_.boot_id[0] + 1);
    reopen();
  }
  std::unique_ptr<PartialBlob> open(const Bytes& bytes) { return store_->partial(sha256(bytes), bytes.size()).value(); }
  static void write(PartialBlob& partial, const Bytes& bytes, std::uint64_t segment) {
    const std::size_t begin = static_cast<std::size_t>(segment) * partial.segment_bytes(),
                      end = std::min<std::size_t>(bytes.size(), begin + partial.segment_bytes());
    ASSERT_THAT(partial.write(begin, std::span(bytes).subspan(begin, end - begin)), Succeeds());
    ASSERT_THAT(partial.complete_segment(segment), Succeeds());
  }
  Result<> publish(std::unique_ptr<PartialBlob> one) {
    std::vector<std::unique_ptr<PartialBlob>> group;
    group.push_back(std::move(one));
    return store_->publish(std::move(group)).at(0);
  }
  std::string data(const Bytes& bytes) const { return dir_.partials() + "/" + sha256(bytes).hex() + ".data"; }
  std::string state(const Bytes& bytes) const { return dir_.partials() + "/" + sha256(bytes).hex() + ".state"; }
  static void overwrite(const std::string& path, std::uint64_t at, std::string_view with) {
    ASSERT_THAT(real_file_system().open_existing(path).value()->write_at(at, as_bytes(with)), Succeeds());
  }

  test::TempDirectory temp_;
  const DataDir dir_{temp_.path()};
  FaultFileSystem fs_{real_file_system()};
  LocalBlobStoreOptions options_;
  std::unique_ptr<BlobStore> store_;
};

TEST_F(LocalStore, LiesWhereTheFormatPageSays) {
  const Bytes bytes = test::bytes_of(10, 1);
  ASSERT_THAT(store_->put(sha256(bytes), bytes), Succeeds());
  const std::string hex = sha256(bytes).hex(),
                    path = temp_.path() + "/blobs/sha256/" + hex.substr(0, 2) + "/" + hex.substr(2, 2) + "/" + hex;
  EXPECT_EQ(store_->path(sha256(bytes)).value(), path);
  struct stat st{};
  ASSERT_EQ(::stat(path.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 07777, 0444U);
}

TEST_F(LocalStore, SmallBlobsHaveNoLog) {
  const Bytes bytes = test::bytes_of(kSegmentBytes, 1);
  auto partial = open(bytes);
  EXPECT_TRUE(fs_.exists(data(bytes)));
  EXPECT_FALSE(fs_.exists(state(bytes)));
  write(*partial, bytes, 0);
  EXPECT_FALSE(fs_.exists(state(bytes)));
  partial.reset();
  EXPECT_FALSE(open(bytes)->has_segment(0));
}

TEST_F(LocalStore, AResumedDownloadReadsNoByteTwice) {
  const Bytes bytes = test::bytes_of(8 * kSegmentBytes, 2);
  {
    auto partial = open(bytes);
    for (std::uint64_t i = 0; i < 5; ++i) write(*partial, bytes, i);
  }
  const std::uint64_t log_bytes = real_file_system().file_size(state(bytes)).value();
  reopen();
  auto partial = open(bytes);
  for (std::uint64_t i = 5; i < 8; ++i) write(*partial, bytes, i);
  ASSERT_THAT(publish(std::move(partial)), Succeeds());
  EXPECT_LE(fs_.bytes_read(), log_bytes);
}

TEST_F(LocalStore, TheHashFollowsWritesThatComeInOrder) {
  const Bytes bytes = test::bytes_of(4 * kSegmentBytes, 3);
  auto partial = open(bytes);
  for (std::uint64_t i = 0; i < 4; ++i) write(*partial, bytes, i);
  ASSERT_THAT(publish(std::move(partial)), Succeeds());
  EXPECT_EQ(fs_.bytes_read(), 0U);
}

TEST_F(LocalStore, SegmentsOutOfOrderAreReadBackOnce) {
  const Bytes bytes = test::bytes_of(4 * kSegmentBytes, 4);
  auto partial = open(bytes);
  for (std::uint64_t i : {1U, 2U, 0U, 3U}) write(*partial, bytes, i);
  ASSERT_THAT(publish(std::move(partial)), Succeeds());
  EXPECT_EQ(fs_.bytes_read(), 2U * kSegmentBytes);
}

TEST_F(LocalStore, AnotherBootTrustsWhatWasSyncedOnly) {
  const Bytes bytes = test::bytes_of(6 * kSegmentBytes, 5);
  options_.sync_every_bytes = 2 * kSegmentBytes;
  reopen();
  {
    auto partial = open(bytes);
    for (std::uint64_t i : {0U, 1U, 4U}) write(*partial, bytes, i);  // synced after the second
  }
  reboot();
  auto partial = open(bytes);
  EXPECT_TRUE(partial->has_segment(0));
  EXPECT_TRUE(partial->has_segment(1));
  EXPECT_FALSE(partial->has_segment(4));
  partial.reset();
  reboot();  // and what was taken over stays trusted in the boot after
  partial = open(bytes);
  EXPECT_TRUE(partial->has_segment(0));
  EXPECT_TRUE(partial->has_segment(1));
  for (std::uint64_t i = 2; i < 6; ++i) write(*partial, bytes, i);
  ASSERT_THAT(publish(std::move(partial)), Succeeds());
}

TEST_F(LocalStore, AnotherBootWithoutASyncTrustsNothing) {
  const Bytes bytes = test::bytes_of(3 * kSegmentBytes, 6);
  {
    auto partial = open(bytes);
    write(*partial, bytes, 0);
  }
  overwrite(data(bytes), 0, "lost in the page cache");
  reboot();
  auto partial = open(bytes);
  EXPECT_FALSE(partial->has_segment(0));
  for (std::uint64_t i = 0; i < 3; ++i) write(*partial, bytes, i);
  ASSERT_THAT(publish(std::move(partial)), Succeeds());
}

TEST_F(LocalStore, ATornLogIsReadUpToTheTear) {
  const Bytes bytes = test::bytes_of(5 * kSegmentBytes, 7);
  {
    auto partial = open(bytes);
    for (std::uint64_t i : {1U, 2U, 3U}) write(*partial, bytes, i);  // no midstates: one record each
  }
  const std::uint64_t size = real_file_system().file_size(state(bytes)).value();
  ASSERT_EQ(size, kPartialHeaderBytes + 3 * kPartialRecordBytes);
  ASSERT_THAT(real_file_system().open_existing(state(bytes)).value()->truncate(size - 1), Succeeds());
  {
    auto partial = open(bytes);
    EXPECT_TRUE(partial->has_segment(1));
    EXPECT_TRUE(partial->has_segment(2));
    EXPECT_FALSE(partial->has_segment(3));
    write(*partial, bytes, 0);
  }
  auto partial = open(bytes);  // the log was mended before it was appended to
  EXPECT_TRUE(partial->has_segment(0));
  EXPECT_TRUE(partial->has_segment(2));
  for (std::uint64_t i : {3U, 4U}) write(*partial, bytes, i);
  ASSERT_THAT(publish(std::move(partial)), Succeeds());
}

TEST_F(LocalStore, ADamagedLogStartsOver) {
  const Bytes bytes = test::bytes_of(2 * kSegmentBytes, 8);
  {
    auto partial = open(bytes);
    write(*partial, bytes, 0);
  }
  overwrite(state(bytes), 20, "xxxx");
  auto partial = open(bytes);
  EXPECT_FALSE(partial->has_segment(0));
  for (std::uint64_t i = 0; i < 2; ++i) write(*partial, bytes, i);
  ASSERT_THAT(publish(std::move(partial)), Succeeds());
}

TEST_F(LocalStore, ALogOfANewerFormatIsRefused) {
  const Bytes bytes = test::bytes_of(2 * kSegmentBytes, 9);
  {
    auto partial = open(bytes);
    write(*partial, bytes, 0);
  }
  overwrite(state(bytes), 8, std::string_view("\0\0\0\2", 4));
  EXPECT_THAT(store_->partial(sha256(bytes), bytes.size()), FailsWith(Errc::Refused, "version 2"));
  EXPECT_THAT(store_->partial(sha256(bytes), bytes.size()), FailsWith(Errc::Refused, state(bytes)));
}

TEST_F(LocalStore, ALogPromisesNoMoreThanTheDataHolds) {
  const Bytes bytes = test::bytes_of(3 * kSegmentBytes, 10);
  {
    auto partial = open(bytes);
    for (std::uint64_t i = 0; i < 2; ++i) write(*partial, bytes, i);
  }
  ASSERT_THAT(real_file_system().open_existing(data(bytes)).value()->truncate(2 * kSegmentBytes - 1), Succeeds());
  {
    auto partial = open(bytes);
    EXPECT_TRUE(partial->has_segment(0));
    EXPECT_FALSE(partial->has_segment(1));
  }
  ASSERT_THAT(real_file_system().remove(data(bytes)), Succeeds());
  EXPECT_FALSE(open(bytes)->has_segment(0));
}

TEST_F(LocalStore, AnUnfinishedDownloadKeepsItsSegmentLength) {
  const Bytes bytes = test::bytes_of(4 * kSegmentBytes, 11);
  {
    auto partial = open(bytes);
    write(*partial, bytes, 1);
  }
  options_.segment_bytes = 2 * kSegmentBytes;
  reopen();
  auto partial = open(bytes);
  EXPECT_EQ(partial->segment_bytes(), kSegmentBytes);
  EXPECT_TRUE(partial->has_segment(1));
}

TEST_F(LocalStore, BadBytesGoToQuarantineWithTheReason) {
  const Bytes bytes = test::bytes_of(2 * kSegmentBytes, 12);
  Bytes flipped = bytes;
  flipped[77] ^= std::byte{4};
  auto partial = open(bytes);
  for (std::uint64_t i = 0; i < 2; ++i) write(*partial, flipped, i);
  const auto result = publish(std::move(partial));
  EXPECT_THAT(result, FailsWith(Errc::Corrupt, "kept as quarantine/" + sha256(bytes).hex()));
  const auto kept = real_file_system().list(dir_.quarantine()).value();
  ASSERT_EQ(kept.size(), 2U);
  for (const DirectoryEntry& entry : kept) {
    const std::string path = dir_.quarantine() + "/" + entry.name;
    if (entry.name.ends_with(".txt")) {
      EXPECT_THAT(read_small_file(real_file_system(), path).value(), ::testing::HasSubstr(sha256(flipped).hex()));
    } else {
      EXPECT_EQ(sha256(read_small_file(real_file_system(), path).value()), sha256(flipped));
    }
  }
  EXPECT_TRUE(real_file_system().list(dir_.partials()).value().empty());
}

TEST_F(LocalStore, NamesThatAreNoBlobsAreForeign) {
  const Bytes bytes = test::bytes_of(10, 13);
  ASSERT_THAT(store_->put(sha256(bytes), bytes), Succeeds());
  const std::string hex = sha256(bytes).hex(), folder = dir_.blobs() + "/" + hex.substr(0, 2) + "/" + hex.substr(2, 2);
  auto touch = [&](const std::string& path) { ASSERT_THAT(real_file_system().create_new(path), Succeeds()); };
  touch(dir_.blobs() + "/README");
  touch(folder + "/" + hex + ".new");
  touch(folder + "/" + std::string(64, hex[0] == 'f' ? '0' : 'f'));  // a blob's name in another blob's folder
  ASSERT_THAT(real_file_system().make_directories(dir_.blobs() + "/AB/cd"), Succeeds());
  ASSERT_EQ(::symlink("/etc/passwd", (folder + "/link").c_str()), 0);
  std::vector<std::string> foreign;
  std::vector<BlobId> seen;
  ASSERT_THAT(store_->each([&](const BlobInfo& b) { return seen.push_back(b.id), true; },
                           [&](const std::string& path) { foreign.push_back(path); }),
              Succeeds());
  EXPECT_THAT(seen, ::testing::ElementsAre(sha256(bytes)));
  const std::string below = "blobs/sha256/" + hex.substr(0, 2) + "/" + hex.substr(2, 2) + "/";
  EXPECT_THAT(foreign,
              ::testing::UnorderedElementsAre("blobs/sha256/README", "blobs/sha256/AB", below + hex + ".new",
                                              below + std::string(64, hex[0] == 'f' ? '0' : 'f'), below + "link"));
}

TEST_F(LocalStore, DownloadsStopBeforeTheReserveIsTouched) {
  options_.reserve_bytes = 1000 * kSegmentBytes;
  reopen();
  const Bytes bytes = test::bytes_of(4 * kSegmentBytes, 14), stored = test::bytes_of(10, 15);
  fs_.set_space(DiskSpace{1004 * kSegmentBytes, 1ULL << 40});
  ASSERT_THAT(store_->put(sha256(stored), stored), Succeeds());
  auto partial = open(bytes);                                                     // fits exactly
  EXPECT_THAT(store_->check_space(1), FailsWith(Errc::NoSpace, "hubmirror gc"));  // the space is promised
  EXPECT_THAT(store_->partial(sha256("x"), 1), FailsWith(Errc::NoSpace, temp_.path()));
  write(*partial, bytes, 0);
  fs_.set_space(DiskSpace{499 * kSegmentBytes, 1ULL << 40});  // somebody else fills the disk
  EXPECT_THAT(partial->write(kSegmentBytes, std::span(bytes).first(1)), FailsWith(Errc::NoSpace, "reserved"));
  Bytes back(10);
  EXPECT_EQ(store_->read(sha256(stored), 0, back).value(), 10U);  // reading never stops
  fs_.set_space(DiskSpace{1000 * kSegmentBytes, 1ULL << 40});
  for (std::uint64_t i = 1; i < 4; ++i) write(*partial, bytes, i);
  ASSERT_THAT(publish(std::move(partial)), Succeeds());
}

TEST_F(LocalStore, TheReserveGrowsWithTheDiskUpToABound) {
  options_.reserve_percent = 1;
  options_.reserve_percent_bytes_max = 5 << 20;
  reopen();
  fs_.set_space(DiskSpace{2 << 20, 100 << 20});
  EXPECT_THAT(store_->check_space(1 << 20), Succeeds());
  EXPECT_THAT(store_->check_space((1 << 20) + 1), FailsWith(Errc::NoSpace, "1.0 MiB stay reserved"));
  fs_.set_space(DiskSpace{6 << 20, 1ULL << 40});
  EXPECT_THAT(store_->check_space(1 << 20), Succeeds());
  EXPECT_FALSE(store_->check_space((1 << 20) + 1));
}

TEST_F(LocalStore, AFailedSyncDistrustsTheWholeDownload) {
  const Bytes bytes = test::bytes_of(4 * kSegmentBytes, 16);
  bool seen = false;
  for (std::uint64_t n = 0; n < 100 && !seen; ++n) {
    FaultFileSystem faulty(real_file_system());
    options_.sync_every_bytes = 2 * kSegmentBytes;
    const auto store = make_local_blob_store(faulty, dir_, options_);
    faulty.arm(FaultFileSystem::Fault::Io, n);
    auto opened = store->partial(sha256(bytes), bytes.size());
    if (!opened) continue;
    auto partial = std::move(opened).assume_value();
    for (std::uint64_t i = 0; i < 4 && !seen; ++i) {
      const std::size_t at = static_cast<std::size_t>(i) * kSegmentBytes;
      if (!partial->write(at, std::span(bytes).subspan(at, kSegmentBytes))) break;
      const auto completed = partial->complete_segment(i);
      if (completed) continue;
      if (completed.error().what.find("fdatasync " + data(bytes)) == std::string::npos) break;
      seen = true;
      EXPECT_THAT(partial->write(3 * kSegmentBytes, std::span(bytes).first(1)), FailsWith(Errc::Io, "start over"));
      EXPECT_FALSE(real_file_system().exists(state(bytes)));
    }
    partial.reset();
    ASSERT_THAT(store_->remove_unfinished(sha256(bytes)), Succeeds());
  }
  EXPECT_TRUE(seen);
}

TEST_F(LocalStore, LeftoversOfAKilledPutAreListedAndRemoved) {
  const Bytes bytes = test::bytes_of(500, 17);
  ASSERT_THAT(
      real_file_system().create_new(dir_.partials() + "/" + sha256(bytes).hex() + ".0.put").value()->write_at(0, bytes),
      Succeeds());
  ASSERT_EQ(store_->unfinished().value().size(), 1U);
  EXPECT_EQ(store_->unfinished().value()[0].complete_bytes, 0U);
  ASSERT_THAT(store_->put(sha256(bytes), bytes), Succeeds());
  ASSERT_THAT(store_->remove_unfinished(sha256(bytes)), Succeeds());
  EXPECT_TRUE(real_file_system().list(dir_.partials()).value().empty());
}

TEST_F(LocalStore, AStaleLogOfAPublishedBlobIsDropped) {
  const Bytes bytes = test::bytes_of(2 * kSegmentBytes, 18);
  auto partial = open(bytes);
  for (std::uint64_t i = 0; i < 2; ++i) write(*partial, bytes, i);
  const std::string log = read_small_file(real_file_system(), state(bytes)).value();
  ASSERT_THAT(publish(std::move(partial)), Succeeds());
  ASSERT_THAT(real_file_system().create_new(state(bytes)).value()->write_at(0, as_bytes(log)),
              Succeeds());  // killed before the last step
  ASSERT_THAT(store_->remove(sha256(bytes)), Succeeds());
  EXPECT_FALSE(open(bytes)->has_segment(0));  // its data is gone: the log would lie
}

TEST_F(LocalStore, OpeningChangesNothing) {
  const auto before = real_file_system().list(dir_.partials()).value().size();
  fs_.arm(FaultFileSystem::Fault::Death, 0);
  reopen();
  EXPECT_EQ(fs_.operations(), 0U);
  EXPECT_EQ(real_file_system().list(dir_.partials()).value().size(), before);
}
}  // namespace
}  // namespace hm::storage
