// Every operation of a download may fail, the process may die and the power may go: a blob is right or absent, and the
// next attempt finishes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "storage/blob_store_local.hpp"
#include "storage/partial_state.hpp"
#include "tests/support/fault_file_system.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/unit/storage/storage_fixture.hpp"

namespace hm::storage {
namespace {
using test::FailsWith;
using test::FaultFileSystem;
using test::PowerLossFileSystem;
using test::Succeeds;
using test::TempDirectory;
using Bytes = std::vector<std::byte>;
using Fault = FaultFileSystem::Fault;

constexpr std::uint32_t kFaultSegmentBytes = 4096;
std::string boot(unsigned number) {
  std::string id = std::to_string(number);
  return id.append(kBootIdBytes - id.size(), '-');
}
LocalBlobStoreOptions options(unsigned boot_number = 0) {
  LocalBlobStoreOptions out;
  out.reserve_bytes = 1;
  out.reserve_percent = 0;
  out.segment_bytes = kFaultSegmentBytes;
  out.sync_every_bytes = 2 * kFaultSegmentBytes;
  out.boot_id = boot(boot_number);
  return out;
}

/// Downloads what is missing of `bytes`, segments in the order of the seed, and publishes it.
Result<> download(BlobStore& store, const Bytes& bytes, std::uint64_t seed = 0) {
  const BlobId id = sha256(bytes);
  HM_TRY(const auto there, store.find(id));
  if (there) return ok();
  HM_TRY(auto partial, store.partial(id, bytes.size()));
  std::vector<std::uint64_t> order(static_cast<std::size_t>(partial->segment_count()));
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::mt19937_64 random(seed);
  if (seed != 0) std::shuffle(order.begin(), order.end(), random);
  for (std::uint64_t segment : order) {
    if (partial->has_segment(segment)) continue;
    const std::size_t begin = static_cast<std::size_t>(segment) * partial->segment_bytes(),
                      end = std::min<std::size_t>(bytes.size(), begin + partial->segment_bytes());
    for (std::size_t at = begin; at < end; at += 1500) {
      HM_TRY(partial->write(at, std::span(bytes).subspan(at, std::min<std::size_t>(1500, end - at))));
    }
    HM_TRY(partial->complete_segment(segment));
  }
  std::vector<std::unique_ptr<PartialBlob>> group;
  group.push_back(std::move(partial));
  return store.publish(std::move(group)).at(0);
}

/// True when the blob is visible; then its bytes are right.
bool visible_and_right(BlobStore& store, const Bytes& bytes) {
  const BlobId id = sha256(bytes);
  const auto size = store.find(id);
  EXPECT_THAT(size, Succeeds());
  if (!size || !size.assume_value()) return false;
  EXPECT_EQ(*size.assume_value(), bytes.size());
  Bytes back(bytes.size() + 1);
  const auto n = store.read(id, 0, back);
  EXPECT_THAT(n, Succeeds());
  if (!n) return true;
  back.resize(n.assume_value());
  EXPECT_EQ(sha256(back), id) << "wrong bytes are visible";
  return true;
}

void expect_only(BlobStore& store, const Bytes& bytes) {
  std::vector<BlobId> seen;
  std::vector<std::string> foreign;
  EXPECT_THAT(store.each([&](const BlobInfo& b) { return seen.push_back(b.id), true; },
                         [&](const std::string& path) { foreign.push_back(path); }),
              Succeeds());
  EXPECT_THAT(seen, ::testing::ElementsAre(sha256(bytes)));
  EXPECT_THAT(foreign, ::testing::IsEmpty());
}

struct Case {
  const char* name;
  std::size_t size_bytes;
  bool put;   ///< put() instead of a download in segments
  bool real;  ///< on the disk instead of in memory: the same, but every fsync counts
};
/// A data directory of one test step, on the disk or in memory.
class Place {
 public:
  explicit Place(bool real) : real_(real), dir_(real ? temp_.path() : "/mirror") {
    EXPECT_THAT(create_data_dir(fs(), dir_), Succeeds());
  }
  FileSystem& fs() { return real_ ? real_file_system() : memory_; }
  const DataDir& dir() const { return dir_; }

 private:
  const bool real_;
  const TempDirectory temp_;
  PowerLossFileSystem memory_;
  const DataDir dir_;
};

class EveryOperation : public ::testing::TestWithParam<std::tuple<Case, Fault>> {};

TEST_P(EveryOperation, MayFail) {
  const auto [what, fault] = GetParam();
  const Bytes bytes = test::bytes_of(what.size_bytes, 42);
  std::uint64_t failed_operations = 0;
  for (std::uint64_t n = 0;; ++n) {
    Place place(what.real);
    FaultFileSystem faulty(place.fs());
    bool acknowledged = false;
    {
      const auto store = make_local_blob_store(faulty, place.dir(), options());
      faulty.arm(fault, n);
      const auto outcome = what.put ? store->put(sha256(bytes), bytes) : download(*store, bytes);
      acknowledged = outcome.has_value();
      EXPECT_TRUE(acknowledged || faulty.fired());
    }
    const auto store = make_local_blob_store(place.fs(), place.dir(), options());
    const bool visible = visible_and_right(*store, bytes);
    EXPECT_TRUE(visible || !acknowledged) << "operation " << n;
    EXPECT_THAT(what.put ? store->put(sha256(bytes), bytes) : download(*store, bytes), Succeeds())
        << "after operation " << n;
    EXPECT_TRUE(visible_and_right(*store, bytes)) << "operation " << n;
    expect_only(*store, bytes);
    if (HasFailure()) FAIL() << "with operation " << n << " failing";
    if (!faulty.fired()) break;
    ++failed_operations;
  }
  EXPECT_GE(failed_operations, 5U);  // the loop did meet the operations
}

INSTANTIATE_TEST_SUITE_P(
    Storing, EveryOperation,
    ::testing::Combine(::testing::Values(Case{"put", 700, true, true}, Case{"one_segment", 3000, false, true},
                                         Case{"segments", 4 * kFaultSegmentBytes + 100, false, false}),
                       ::testing::Values(Fault::Io, Fault::NoSpace, Fault::Death)),
    [](const auto& instance) {
      const Fault fault = std::get<1>(instance.param);
      return std::string(std::get<0>(instance.param).name) + (fault == Fault::Io        ? "_io"
                                                              : fault == Fault::NoSpace ? "_no_space"
                                                                                        : "_death");
    });

TEST(BlobStoreFault, ADownloadTakenUpAfterAnyFailureFinishes) {
  const Bytes bytes = test::bytes_of(4 * kFaultSegmentBytes + 100, 43);
  for (std::uint64_t n = 0;; ++n) {
    Place place(false);
    {
      const auto store = make_local_blob_store(place.fs(), place.dir(), options());
      auto partial = store->partial(sha256(bytes), bytes.size()).value();
      for (std::uint64_t i : {0U, 3U}) {
        ASSERT_THAT(partial->write(
                        i * kFaultSegmentBytes,
                        std::span(bytes).subspan(static_cast<std::size_t>(i) * kFaultSegmentBytes, kFaultSegmentBytes)),
                    Succeeds());
        ASSERT_THAT(partial->complete_segment(i), Succeeds());
      }
    }
    FaultFileSystem faulty(place.fs());
    {
      const auto store = make_local_blob_store(faulty, place.dir(), options());
      faulty.arm(Fault::Death, n);
      (void)download(*store, bytes).has_value();
    }
    const auto store = make_local_blob_store(place.fs(), place.dir(), options());
    visible_and_right(*store, bytes);
    EXPECT_THAT(download(*store, bytes), Succeeds());
    EXPECT_TRUE(visible_and_right(*store, bytes));
    if (HasFailure()) FAIL() << "with a death before operation " << n;
    if (!faulty.fired()) break;
  }
}

TEST(BlobStoreFault, AGroupWithOneFailureKeepsTheRest) {
  std::vector<Bytes> blobs;
  for (unsigned i = 0; i < 4; ++i) blobs.push_back(test::bytes_of(2000, 100 + i));
  std::size_t single_failures = 0;
  for (std::uint64_t n = 0;; ++n) {
    Place place(false);
    FaultFileSystem faulty(place.fs());
    const auto store = make_local_blob_store(faulty, place.dir(), options());
    std::vector<std::unique_ptr<PartialBlob>> group;
    for (const Bytes& b : blobs) {
      group.push_back(store->partial(sha256(b), b.size()).value());
      ASSERT_THAT(group.back()->write(0, b), Succeeds());
      ASSERT_THAT(group.back()->complete_segment(0), Succeeds());
    }
    faulty.arm(Fault::Io, n);
    const auto results = store->publish(std::move(group));
    const bool fired = faulty.fired();
    faulty.arm(Fault::Io, FaultFileSystem::kNever);
    std::size_t failures = 0;
    bool shared_directory = false;
    for (std::size_t i = 0; i < blobs.size(); ++i) {
      EXPECT_EQ(visible_and_right(*store, blobs[i]), results[i].has_value())
          << i;  // what failed is not visible: nobody may count on it
      EXPECT_THAT(download(*store, blobs[i]), Succeeds());
      if (results[i]) continue;
      ++failures;
      shared_directory = results[i].error().what.starts_with("fsync directory " + place.dir().blobs() + ":");
    }
    EXPECT_EQ(failures, !fired ? 0U : shared_directory ? blobs.size() : 1U);
    single_failures += failures == 1 ? 1 : 0;
    if (HasFailure()) FAIL() << "with operation " << n << " failing";
    if (!fired) break;
  }
  EXPECT_GE(single_failures, 4 * blobs.size());  // fdatasync, chmod, rename and a directory of each
}

/// The story of one blob: deaths and power losses at random moments, then an attempt that nothing disturbs, then one
/// more power loss.
void tell_story(std::uint64_t seed) {
  constexpr int kAttempts = 5;
  constexpr double kKeep[] = {0.0, 0.3, 0.9, 1.0};
  std::mt19937_64 random(seed);
  const Bytes bytes =
      test::bytes_of(random() % 4 == 0 ? random() % kFaultSegmentBytes : random() % (8 * kFaultSegmentBytes), seed);
  PowerLossFileSystem disk;
  FaultFileSystem faulty(disk);
  const DataDir dir("/mirror");
  ASSERT_THAT(create_data_dir(disk, dir), Succeeds());
  unsigned boots = 0;
  bool promised = false;
  for (int attempt = 1; attempt <= kAttempts; ++attempt) {
    const bool last = attempt == kAttempts;
    disk.sync_all();  // as WriterLock does for a holder that follows a killed one
    {
      const auto store = make_local_blob_store(faulty, dir, options(boots));
      faulty.arm(Fault::Death, last ? FaultFileSystem::kNever : random() % 60);
      const auto outcome = download(*store, bytes, random() % 3);
      promised = promised || outcome.has_value();
      if (last) {
        EXPECT_THAT(outcome, Succeeds());
      }
    }
    if (last || random() % 2 == 0) {
      disk.power_loss(random(), last ? 0.0 : kKeep[random() % std::size(kKeep)]);
      ++boots;
    }
    const auto store = make_local_blob_store(disk, dir, options(boots));
    const bool visible = visible_and_right(*store, bytes);
    if (promised) {
      EXPECT_TRUE(visible) << "an acknowledged blob is gone after attempt " << attempt;
    }
    if (::testing::Test::HasFailure()) return;
  }
}

TEST(BlobStoreFault, DeathsAndPowerLossesShowNoWrongBytes) {
  for (std::uint64_t seed = 1; seed <= 1500; ++seed) {
    tell_story(seed);
    if (HasFailure()) FAIL() << "seed " << seed;
  }
}

TEST(BlobStoreFault, WhatWasAcknowledgedSurvivesPowerLoss) {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    const Bytes small = test::bytes_of(100, seed), large = test::bytes_of(3 * kFaultSegmentBytes + seed, seed),
                direct = test::bytes_of(50, seed + 1000);
    PowerLossFileSystem disk;
    const DataDir dir("/mirror");
    ASSERT_THAT(create_data_dir(disk, dir), Succeeds());
    {
      const auto store = make_local_blob_store(disk, dir, options());
      ASSERT_THAT(download(*store, small), Succeeds());
      ASSERT_THAT(download(*store, large, seed), Succeeds());
      ASSERT_THAT(store->put(sha256(direct), direct), Succeeds());
    }
    disk.power_loss(seed, 0.0);
    const auto store = make_local_blob_store(disk, dir, options(1));
    EXPECT_TRUE(visible_and_right(*store, small));
    EXPECT_TRUE(visible_and_right(*store, large));
    EXPECT_TRUE(visible_and_right(*store, direct));
    if (HasFailure()) FAIL() << "seed " << seed;
  }
}

TEST(BlobStoreFault, TheModelOfPowerLossLosesThings) {  // or the tests above would prove nothing
  PowerLossFileSystem disk;
  ASSERT_THAT(disk.make_directories("/d"), Succeeds());
  {
    auto file = disk.create_new("/d/a").value();
    ASSERT_THAT(file->write_at(0, as_bytes("synced")), Succeeds());
    ASSERT_THAT(file->sync_data(), Succeeds());
    ASSERT_THAT(disk.sync_directory("/d"), Succeeds());
    ASSERT_THAT(file->write_at(0, as_bytes("unsync")), Succeeds());
    auto other = disk.create_new("/d/b").value();
    ASSERT_THAT(other->sync_data(), Succeeds());
  }
  disk.power_loss(1, 0.0);
  EXPECT_EQ(read_small_file(disk, "/d/a").value(), "synced");
  EXPECT_FALSE(disk.exists("/d/b"));
  ASSERT_THAT(disk.rename("/d/a", "/d/c"), Succeeds());
  disk.power_loss(1, 0.0);
  EXPECT_TRUE(disk.exists("/d/a"));
  EXPECT_FALSE(disk.exists("/d/c"));
}
}  // namespace
}  // namespace hm::storage
