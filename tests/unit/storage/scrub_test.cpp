#include "storage/scrub.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "storage/blob_store_local.hpp"
#include "tests/support/fault_file_system.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/unit/storage/storage_fixture.hpp"

namespace hm::storage {
namespace {
using test::FailsWith;
using test::Succeeds;

class Scrub : public ::testing::Test {
 protected:
  Scrub() {
    EXPECT_THAT(create_data_dir(real_file_system(), dir_), Succeeds());
    LocalBlobStoreOptions options;
    options.reserve_bytes = 1;
    options.reserve_percent = 0;
    store_ = make_local_blob_store(real_file_system(), dir_, options);
    for (unsigned i = 0; i < 40; ++i) {
      const auto bytes = test::bytes_of(i * 7001, i);
      EXPECT_THAT(store_->put(sha256(bytes), bytes), Succeeds());
      expected_.push_back({sha256(bytes), bytes.size()});
      total_bytes_ += bytes.size();
    }
  }
  Result<ScrubProgress> run(std::stop_token stop = {}) { return run(real_file_system(), stop); }
  Result<ScrubProgress> run(FileSystem& fs, std::stop_token stop = {}) {
    findings_.clear();
    return scrub(
        fs, *store_, expect_sorted(expected_), options_, clock_, [&](const BlobFinding& f) { findings_.push_back(f); },
        [&](const ScrubProgress& p) { progress_.push_back(p); }, stop);
  }
  void change(const BlobId& id, const std::function<void(File&)>& how) {
    const std::string path = store_->path(id).value();
    ASSERT_EQ(::chmod(path.c_str(), 0644), 0);
    how(*real_file_system().open_existing(path).value());
  }
  const BlobFinding* finding_of(const BlobId& id) const {
    const auto at = std::find_if(findings_.begin(), findings_.end(), [&](const BlobFinding& f) {
      return f.id == id && f.kind != BlobFindingKind::Foreign;
    });
    return at == findings_.end() ? nullptr : &*at;
  }

  test::TempDirectory temp_;
  const DataDir dir_{temp_.path()};
  std::unique_ptr<BlobStore> store_;
  std::vector<BlobInfo> expected_;
  std::uint64_t total_bytes_ = 0;
  ScrubOptions options_;
  test::StillClock clock_;
  std::vector<BlobFinding> findings_;
  std::vector<ScrubProgress> progress_;
};

TEST_F(Scrub, AHealthyStoreHasNoFindings) {
  const auto done = run();
  ASSERT_THAT(done, Succeeds());
  EXPECT_THAT(findings_, ::testing::IsEmpty());
  EXPECT_EQ(done.value().blobs, 40U);
  EXPECT_EQ(done.value().bytes, total_bytes_);
  EXPECT_EQ(progress_.back().bytes, total_bytes_);
  EXPECT_TRUE(std::is_sorted(progress_.begin(), progress_.end(),
                             [](const auto& a, const auto& b) { return a.bytes < b.bytes; }));
}

TEST_F(Scrub, FindsEverySortOfDamage) {
  const BlobInfo flipped = expected_[5], shorter = expected_[6], longer = expected_[7], removed = expected_[8],
                 first = *std::min_element(expected_.begin(), expected_.end(),
                                           [](auto& a, auto& b) { return a.id < b.id; });
  change(flipped.id, [](File& f) {
    std::byte b{};
    ASSERT_EQ(f.read_at(100, {&b, 1}).value(), 1U);
    b ^= std::byte{1};
    ASSERT_THAT(f.write_at(100, {&b, 1}), Succeeds());
  });
  change(shorter.id, [&](File& f) { ASSERT_THAT(f.truncate(shorter.size_bytes - 1), Succeeds()); });
  change(longer.id, [&](File& f) { ASSERT_THAT(f.write_at(longer.size_bytes, as_bytes("x")), Succeeds()); });
  ASSERT_THAT(store_->remove(removed.id), Succeeds());
  expected_.push_back({sha256("never there"), 11});
  ASSERT_THAT(real_file_system().create_new(dir_.blobs() + "/core.1234"), Succeeds());
  ASSERT_THAT(run(), Succeeds());
  ASSERT_NE(finding_of(flipped.id), nullptr);
  EXPECT_EQ(finding_of(flipped.id)->kind, BlobFindingKind::Flipped);
  EXPECT_EQ(finding_of(shorter.id)->kind, BlobFindingKind::WrongSize);
  EXPECT_EQ(finding_of(shorter.id)->expected_bytes, shorter.size_bytes);
  EXPECT_EQ(finding_of(shorter.id)->actual_bytes, shorter.size_bytes - 1);
  EXPECT_EQ(finding_of(longer.id)->kind, BlobFindingKind::WrongSize);
  EXPECT_EQ(finding_of(removed.id)->kind, BlobFindingKind::Missing);
  EXPECT_EQ(finding_of(sha256("never there"))->kind, BlobFindingKind::Missing);
  EXPECT_EQ(std::count_if(findings_.begin(), findings_.end(),
                          [](const BlobFinding& f) {
                            return f.kind == BlobFindingKind::Foreign && f.path == "blobs/sha256/core.1234";
                          }),
            1);
  EXPECT_EQ(findings_.size(), 6U);
  EXPECT_EQ(finding_of(first.id) == nullptr,
            first.id != flipped.id && first.id != shorter.id && first.id != longer.id && first.id != removed.id);
}

TEST_F(Scrub, EveryFlippedByteIsFound) {
  const auto bytes = test::bytes_of(5000, 999);
  ASSERT_THAT(store_->put(sha256(bytes), bytes), Succeeds());
  expected_ = {{sha256(bytes), bytes.size()}};
  options_.only_expected = true;
  for (std::uint64_t at = 0; at < bytes.size(); at += 49) {
    const std::byte bad = bytes[static_cast<std::size_t>(at)] ^ std::byte{1};
    change(sha256(bytes), [&](File& f) { ASSERT_THAT(f.write_at(at, {&bad, 1}), Succeeds()); });
    ASSERT_THAT(run(), Succeeds());
    ASSERT_EQ(findings_.size(), 1U) << at;
    EXPECT_EQ(findings_[0].kind, BlobFindingKind::Flipped);
    change(sha256(bytes),
           [&](File& f) { ASSERT_THAT(f.write_at(at, {&bytes[static_cast<std::size_t>(at)], 1}), Succeeds()); });
  }
  ASSERT_THAT(run(), Succeeds());
  EXPECT_THAT(findings_, ::testing::IsEmpty());
}

TEST_F(Scrub, WithoutAListATruncationIsStillADifferentDigest) {
  change(expected_[9].id, [&](File& f) { ASSERT_THAT(f.truncate(10), Succeeds()); });
  const BlobId bad = expected_[9].id;
  expected_.clear();
  ASSERT_THAT(run(), Succeeds());
  ASSERT_EQ(findings_.size(), 1U);
  EXPECT_EQ(findings_[0].kind, BlobFindingKind::Flipped);
  EXPECT_EQ(findings_[0].id, bad);
}

TEST_F(Scrub, LooksAtTheExpectedOnlyWhenAsked) {
  options_.only_expected = true;
  expected_ = {expected_[3], expected_[4], {sha256("absent"), 1}};
  const auto done = run();
  ASSERT_THAT(done, Succeeds());
  EXPECT_EQ(done.value().blobs, 2U);
  ASSERT_EQ(findings_.size(), 1U);
  EXPECT_EQ(findings_[0].kind, BlobFindingKind::Missing);
}

TEST_F(Scrub, SizesAloneNeedNoReading) {
  options_.hash = false;
  change(expected_[5].id, [](File& f) { ASSERT_THAT(f.write_at(0, as_bytes("flipped")), Succeeds()); });
  change(expected_[6].id, [](File& f) { ASSERT_THAT(f.truncate(1), Succeeds()); });
  const auto done = run();
  ASSERT_THAT(done, Succeeds());
  EXPECT_EQ(done.value().bytes, 0U);
  ASSERT_EQ(findings_.size(), 1U);
  EXPECT_EQ(findings_[0].id, expected_[6].id);
}

TEST_F(Scrub, ABadMediumIsAFindingAndNotTheEnd) {
  test::FaultFileSystem faulty(real_file_system());
  options_.threads = 1;
  faulty.arm(test::FaultFileSystem::Fault::Io, 20);
  const auto done = run(faulty);
  ASSERT_THAT(done, Succeeds());
  EXPECT_EQ(done.value().blobs, 40U);
  ASSERT_EQ(findings_.size(), 1U);
  EXPECT_EQ(findings_[0].kind, BlobFindingKind::Unreadable);
}

TEST_F(Scrub, KeepsToItsRate) {
  std::atomic<std::int64_t> waited_ms{0};
  options_.bytes_per_second_max = 1'000'000;
  options_.pause = [&](std::int64_t ms) {
    waited_ms = std::max(waited_ms.load(), ms);
  };  // the clock stands: debts add up
  ASSERT_THAT(run(), Succeeds());
  const auto whole_ms = static_cast<std::int64_t>(total_bytes_ / 1000);
  EXPECT_GE(waited_ms, whole_ms - 1);
  EXPECT_LE(waited_ms, whole_ms + 1);
}

TEST_F(Scrub, StopsWhenAsked) {
  std::stop_source stop;
  options_.threads = 2;
  options_.pause = [&](std::int64_t) { stop.request_stop(); };
  options_.bytes_per_second_max = 1;
  EXPECT_THAT(run(stop.get_token()), FailsWith(Errc::Cancelled, "stopped"));
  options_.pause = nullptr;  // the built-in wait ends early too, or this test would take days
  std::stop_source before;
  before.request_stop();
  EXPECT_THAT(run(before.get_token()), FailsWith(Errc::Cancelled, "stopped"));
}

TEST_F(Scrub, AnErrorOfTheListIsReported) {
  auto broken = []() -> Result<std::optional<BlobInfo>> { return Error{Errc::Corrupt, "the list is damaged"}; };
  for (bool only : {false, true}) {
    options_.only_expected = only;
    EXPECT_THAT(scrub(real_file_system(), *store_, broken, options_, clock_, nullptr, nullptr, {}),
                FailsWith(Errc::Corrupt, "the list is damaged"));
  }
}
}  // namespace
}  // namespace hm::storage
