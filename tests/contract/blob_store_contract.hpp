// tests/contract/blob_store_contract.hpp: what every BlobStore owes its callers, whatever it is built on.
// A backend instantiates the suite with a harness: INSTANTIATE_TEST_SUITE_P(Local, BlobStoreContract,
// ::testing::Values(&make_local_harness)).
#pragma once
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "storage/blob_store.hpp"
#include "tests/support/result_matchers.hpp"

namespace hm::test {
/// One store with segments of kContractSegmentBytes.
class BlobStoreHarness {
 public:
  virtual ~BlobStoreHarness() = default;
  virtual storage::BlobStore& store() = 0;
  virtual void reopen() = 0;  ///< as after a kill of the process: no store and no partial is left in memory
};
inline constexpr std::uint32_t kContractSegmentBytes = 4096;
using BlobStoreMaker = std::unique_ptr<BlobStoreHarness> (*)();

class BlobStoreContract : public ::testing::TestWithParam<BlobStoreMaker> {
 protected:
  using Bytes = std::vector<std::byte>;
  using Partial = std::unique_ptr<storage::PartialBlob>;
  BlobStoreContract() : harness_(GetParam()()) {}
  storage::BlobStore& store() { return harness_->store(); }
  void reopen() { harness_->reopen(); }

  static Bytes bytes(std::size_t size, unsigned seed = 1) {
    Bytes out(size);
    for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<std::byte>((i * 2654435761U + seed * 40503U) >> 13);
    return out;
  }
  Partial partial(const Bytes& of) {
    auto opened = store().partial(sha256(of), of.size());
    EXPECT_THAT(opened, Succeeds());
    return opened ? std::move(opened).assume_value() : nullptr;
  }
  static void write_segment(storage::PartialBlob& into, const Bytes& from, std::uint64_t index,
                            std::size_t piece = 1000) {
    const std::size_t begin = static_cast<std::size_t>(index) * into.segment_bytes(),
                      end = std::min<std::size_t>(from.size(), begin + into.segment_bytes());
    for (std::size_t at = begin; at < end; at += piece) {
      ASSERT_THAT(into.write(at, std::span(from).subspan(at, std::min(piece, end - at))), Succeeds());
    }
    ASSERT_THAT(into.complete_segment(index), Succeeds());
  }
  Result<> publish(Partial one) {
    std::vector<Partial> group;
    group.push_back(std::move(one));
    auto results = store().publish(std::move(group));
    EXPECT_EQ(results.size(), 1U);
    return results.at(0);
  }
  void expect_stored(const Bytes& of) {
    const auto id = sha256(of);
    ASSERT_THAT(store().find(id), Succeeds());
    ASSERT_EQ(store().find(id).value(), std::optional<std::uint64_t>(of.size()));
    Bytes back(of.size() + 1);
    ASSERT_EQ(store().read(id, 0, back).value(), of.size());
    back.resize(of.size());
    EXPECT_EQ(back, of);
  }
  void expect_absent(const Bytes& of) {
    ASSERT_THAT(store().find(sha256(of)), Succeeds());
    EXPECT_EQ(store().find(sha256(of)).value(), std::nullopt);
    Bytes back(1);
    EXPECT_THAT(store().read(sha256(of), 0, back), FailsWith(Errc::NotFound, sha256(of).hex()));
  }

 private:
  std::unique_ptr<BlobStoreHarness> harness_;
};

TEST_P(BlobStoreContract, KeepsBytesUnderTheirDigest) {
  const Bytes weights = bytes(10'000);
  ASSERT_THAT(store().put(sha256(weights), weights), Succeeds());
  expect_stored(weights);
  reopen();
  expect_stored(weights);
}

TEST_P(BlobStoreContract, PutOfOtherBytesNamesBothDigestsAndLeavesNothing) {
  const Bytes wanted = bytes(100, 1), other = bytes(100, 2);
  EXPECT_THAT(store().put(sha256(wanted), other), FailsWith(Errc::Corrupt, sha256(wanted).hex()));
  EXPECT_THAT(store().put(sha256(wanted), other), FailsWith(Errc::Corrupt, sha256(other).hex()));
  expect_absent(wanted);
  expect_absent(other);
}

TEST_P(BlobStoreContract, PutOfWhatIsThereSucceeds) {
  const Bytes weights = bytes(5000);
  ASSERT_THAT(store().put(sha256(weights), weights), Succeeds());
  ASSERT_THAT(store().put(sha256(weights), weights), Succeeds());
  expect_stored(weights);
}

TEST_P(BlobStoreContract, KnowsTheEmptyBlob) {
  const Bytes nothing;
  auto partial_blob = partial(nothing);
  EXPECT_EQ(partial_blob->segment_count(), 0U);
  ASSERT_THAT(publish(std::move(partial_blob)), Succeeds());
  expect_stored(nothing);
}

TEST_P(BlobStoreContract, ReadsFromAnyOffset) {
  const Bytes weights = bytes(9000);
  ASSERT_THAT(store().put(sha256(weights), weights), Succeeds());
  Bytes some(100);
  ASSERT_EQ(store().read(sha256(weights), 8950, some).value(), 50U);
  EXPECT_TRUE(std::equal(some.begin(), some.begin() + 50, weights.begin() + 8950));
  EXPECT_EQ(store().read(sha256(weights), 9000, some).value(), 0U);
  EXPECT_EQ(store().read(sha256(weights), 1ULL << 60, some).value(), 0U);
}

TEST_P(BlobStoreContract, ADownloadIsInvisibleUntilPublished) {
  const Bytes weights = bytes(kContractSegmentBytes * 2 + 17);
  auto p = partial(weights);
  ASSERT_EQ(p->segment_count(), 3U);
  for (std::uint64_t i = 0; i < 3; ++i) write_segment(*p, weights, i);
  expect_absent(weights);
  ASSERT_THAT(publish(std::move(p)), Succeeds());
  expect_stored(weights);
  EXPECT_TRUE(store().unfinished().value().empty());
}

TEST_P(BlobStoreContract, SegmentsArriveInAnyOrder) {
  const Bytes weights = bytes(kContractSegmentBytes * 5 + 1);
  auto p = partial(weights);
  for (std::uint64_t i : {4U, 1U, 5U, 0U, 3U, 2U}) write_segment(*p, weights, i, 777);
  ASSERT_THAT(publish(std::move(p)), Succeeds());
  expect_stored(weights);
}

TEST_P(BlobStoreContract, SegmentsAreWrittenByManyThreads) {
  const Bytes weights = bytes(kContractSegmentBytes * 64 + 99);
  auto p = partial(weights);
  std::atomic<std::uint64_t> next{0};
  std::atomic<int> failures{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (std::uint64_t i = next++; i < p->segment_count(); i = next++) {
          const std::size_t begin = static_cast<std::size_t>(i) * p->segment_bytes(),
                            end = std::min<std::size_t>(weights.size(), begin + p->segment_bytes());
          for (std::size_t at = begin; at < end; at += 512) {
            if (!p->write(at, std::span(weights).subspan(at, std::min<std::size_t>(512, end - at)))) ++failures;
          }
          if (!p->complete_segment(i)) ++failures;
        }
      });
    }
  }
  EXPECT_EQ(failures, 0);
  ASSERT_THAT(publish(std::move(p)), Succeeds());
  expect_stored(weights);
}

TEST_P(BlobStoreContract, AMissingSegmentIsNotPublished) {
  const Bytes weights = bytes(kContractSegmentBytes * 3);
  auto p = partial(weights);
  write_segment(*p, weights, 0);
  write_segment(*p, weights, 2);
  EXPECT_THAT(publish(std::move(p)), FailsWith(Errc::BadInput, "segment 1"));
  expect_absent(weights);
}

TEST_P(BlobStoreContract, OneBadBlobOfAGroupDoesNotHarmTheOthers) {
  const Bytes first = bytes(6000, 1), second = bytes(6000, 2), third = bytes(6000, 3);
  Bytes flipped = second;
  flipped[5999] ^= std::byte{1};
  std::vector<Partial> group;
  for (const Bytes* b : {&first, &second, &third}) group.push_back(partial(*b));
  for (std::uint64_t i = 0; i < 2; ++i)
    write_segment(*group[0], first, i), write_segment(*group[1], flipped, i), write_segment(*group[2], third, i);
  const auto results = store().publish(std::move(group));
  ASSERT_EQ(results.size(), 3U);
  EXPECT_THAT(results[0], Succeeds());
  EXPECT_THAT(results[1], FailsWith(Errc::Corrupt, sha256(flipped).hex()));
  EXPECT_THAT(results[1], FailsWith(Errc::Corrupt, sha256(second).hex()));
  EXPECT_THAT(results[2], Succeeds());
  expect_stored(first);
  expect_absent(second);
  expect_stored(third);
  auto again = partial(second);  // nothing of the bad bytes is taken up
  EXPECT_FALSE(again->has_segment(0));
  EXPECT_FALSE(again->has_segment(1));
}

TEST_P(BlobStoreContract, EveryFlippedBitIsNoticed) {
  const Bytes weights = bytes(kContractSegmentBytes + 100);
  for (std::size_t at :
       {std::size_t{0}, std::size_t{63}, std::size_t{64}, std::size_t{4095}, std::size_t{4096}, weights.size() - 1}) {
    Bytes flipped = weights;
    flipped[at] ^= std::byte{0x80};
    auto p = partial(weights);
    write_segment(*p, flipped, 1);  // backwards: the first segment is hashed on its way, the second read back
    write_segment(*p, flipped, 0);
    EXPECT_THAT(publish(std::move(p)), FailsWith(Errc::Corrupt, "sha256 differs")) << at;
    expect_absent(weights);
  }
}

TEST_P(BlobStoreContract, OnlyOneDownloadOfABlobAtATime) {
  const Bytes weights = bytes(5000);
  auto p = partial(weights);
  EXPECT_THAT(store().partial(sha256(weights), weights.size()), FailsWith(Errc::Busy, sha256(weights).hex()));
  p.reset();
  EXPECT_THAT(store().partial(sha256(weights), weights.size()), Succeeds());
}

TEST_P(BlobStoreContract, ADownloadIsTakenUpAfterAKill) {
  const Bytes weights = bytes(kContractSegmentBytes * 4 + 5);
  auto p = partial(weights);
  write_segment(*p, weights, 0);
  write_segment(*p, weights, 2);
  ASSERT_THAT(p->write(3 * kContractSegmentBytes, std::span(weights).first(100)), Succeeds());  // never completed
  p.reset();
  reopen();
  const auto unfinished = store().unfinished().value();
  ASSERT_EQ(unfinished.size(), 1U);
  EXPECT_EQ(unfinished[0].id, sha256(weights));
  EXPECT_EQ(unfinished[0].size_bytes, weights.size());
  EXPECT_EQ(unfinished[0].complete_bytes, 2U * kContractSegmentBytes);
  p = partial(weights);
  EXPECT_TRUE(p->has_segment(0));
  EXPECT_FALSE(p->has_segment(1));
  EXPECT_TRUE(p->has_segment(2));
  EXPECT_FALSE(p->has_segment(3));
  EXPECT_FALSE(p->has_segment(4));
  for (std::uint64_t i : {1U, 3U, 4U}) write_segment(*p, weights, i);
  ASSERT_THAT(publish(std::move(p)), Succeeds());
  expect_stored(weights);
}

TEST_P(BlobStoreContract, AnotherAnnouncedSizeIsAnErrorOnce) {
  const Bytes weights = bytes(kContractSegmentBytes * 3);
  {
    auto p = partial(weights);
    write_segment(*p, weights, 0);
  }
  EXPECT_THAT(store().partial(sha256(weights), weights.size() + 1),
              FailsWith(Errc::BadInput, std::to_string(weights.size())));
  auto p = partial(weights);
  EXPECT_FALSE(p->has_segment(0));
}

TEST_P(BlobStoreContract, BytesThatAreWrittenAgainReplaceTheFirst) {
  const Bytes weights = bytes(kContractSegmentBytes * 2), wrong = bytes(kContractSegmentBytes * 2, 7);
  auto p = partial(weights);
  ASSERT_THAT(p->write(0, std::span(wrong).first(kContractSegmentBytes)),
              Succeeds());  // hashed already, and all of the segment
  ASSERT_THAT(p->write(0, std::span(weights).first(1000)), Succeeds());
  EXPECT_THAT(p->complete_segment(0), FailsWith(Errc::BadInput, "not written to its end"));
  ASSERT_THAT(p->write(1000, std::span(wrong).subspan(1000, 500)), Succeeds());
  ASSERT_THAT(p->write(1200, std::span(weights).subspan(1200, kContractSegmentBytes - 1200)), Succeeds());
  ASSERT_THAT(p->write(1000, std::span(weights).subspan(1000, kContractSegmentBytes - 1000)), Succeeds());
  ASSERT_THAT(p->complete_segment(0), Succeeds());
  write_segment(*p, weights, 1);
  ASSERT_THAT(publish(std::move(p)), Succeeds());
  expect_stored(weights);
}

TEST_P(BlobStoreContract, WritesOutsideOfTheRulesAreRefused) {
  const Bytes weights = bytes(kContractSegmentBytes * 2);
  auto p = partial(weights);
  const std::span<const std::byte> all(weights);
  EXPECT_THAT(p->write(kContractSegmentBytes - 1, all.first(2)), FailsWith(Errc::BadInput, "leaves segment 0"));
  EXPECT_THAT(p->write(weights.size(), all.first(1)), FailsWith(Errc::BadInput, "leaves segment"));
  EXPECT_THAT(p->write(~std::uint64_t{0}, all.first(2)), FailsWith(Errc::BadInput, "leaves segment"));
  EXPECT_THAT(p->write(10, all.first(2)), FailsWith(Errc::BadInput, "gap of 10 bytes"));
  EXPECT_THAT(p->complete_segment(0), FailsWith(Errc::BadInput, "not written"));
  EXPECT_THAT(p->complete_segment(2), FailsWith(Errc::BadInput, "no segment 2"));
  write_segment(*p, weights, 0);
  EXPECT_THAT(p->write(0, all.first(1)), FailsWith(Errc::BadInput, "complete already"));
  EXPECT_THAT(p->complete_segment(0), Succeeds());  // saying it twice is harmless
  write_segment(*p, weights, 1);
  ASSERT_THAT(publish(std::move(p)), Succeeds());
}

TEST_P(BlobStoreContract, RestartForgetsAllSegments) {
  const Bytes weights = bytes(kContractSegmentBytes * 3), wrong = bytes(kContractSegmentBytes * 3, 9);
  auto p = partial(weights);
  write_segment(*p, wrong, 0);
  write_segment(*p, wrong, 1);
  ASSERT_THAT(p->restart(), Succeeds());
  EXPECT_FALSE(p->has_segment(0));
  p.reset();
  reopen();
  p = partial(weights);
  EXPECT_FALSE(p->has_segment(0));
  EXPECT_FALSE(p->has_segment(1));
  for (std::uint64_t i = 0; i < 3; ++i) write_segment(*p, weights, i);
  ASSERT_THAT(publish(std::move(p)), Succeeds());
  expect_stored(weights);
}

TEST_P(BlobStoreContract, WhatIsNotThereIsNotFound) {
  const auto id = sha256("never stored");
  EXPECT_EQ(store().find(id).value(), std::nullopt);
  EXPECT_THAT(store().path(id), FailsWith(Errc::NotFound, id.hex()));
  EXPECT_THAT(store().remove(id), FailsWith(Errc::NotFound, id.hex()));
  EXPECT_THAT(store().quarantine(id, "test"), FailsWith(Errc::NotFound, id.hex()));
  EXPECT_THAT(store().remove_unfinished(id), Succeeds());
}

TEST_P(BlobStoreContract, QuarantineTakesTheNameAway) {
  const Bytes weights = bytes(300);
  ASSERT_THAT(store().put(sha256(weights), weights), Succeeds());
  ASSERT_THAT(store().quarantine(sha256(weights), "a test"), Succeeds());
  expect_absent(weights);
  ASSERT_THAT(store().put(sha256(weights), weights), Succeeds());
  expect_stored(weights);
}

TEST_P(BlobStoreContract, RemoveRemoves) {
  const Bytes weights = bytes(300);
  ASSERT_THAT(store().put(sha256(weights), weights), Succeeds());
  ASSERT_THAT(store().remove(sha256(weights)), Succeeds());
  expect_absent(weights);
}

TEST_P(BlobStoreContract, ListsBlobsInOrderOfTheirDigests) {
  std::vector<storage::BlobId> expected;
  for (unsigned seed = 0; seed < 40; ++seed) {
    const Bytes one = bytes(seed, seed);
    ASSERT_THAT(store().put(sha256(one), one), Succeeds());
    expected.push_back(sha256(one));
  }
  std::sort(expected.begin(), expected.end());
  std::vector<storage::BlobId> seen;
  std::vector<std::string> foreign;
  ASSERT_THAT(store().each([&](const storage::BlobInfo& b) { return seen.push_back(b.id), true; },
                           [&](const std::string& path) { foreign.push_back(path); }),
              Succeeds());
  EXPECT_EQ(seen, expected);
  EXPECT_THAT(foreign, ::testing::IsEmpty());
  int count = 0;
  ASSERT_THAT(store().each([&](const storage::BlobInfo&) { return ++count < 5; }, [](const std::string&) {}),
              Succeeds());
  EXPECT_EQ(count, 5);
}

TEST_P(BlobStoreContract, AbandonedDownloadsAreListedAndRemoved) {
  const Bytes weights = bytes(kContractSegmentBytes * 2);
  auto p = partial(weights);
  write_segment(*p, weights, 0);
  EXPECT_THAT(store().remove_unfinished(sha256(weights)), FailsWith(Errc::Busy, sha256(weights).hex()));
  p.reset();
  ASSERT_THAT(store().remove_unfinished(sha256(weights)), Succeeds());
  EXPECT_TRUE(store().unfinished().value().empty());
  EXPECT_FALSE(partial(weights)->has_segment(0));
}

TEST_P(BlobStoreContract, NobodyReservesMoreThanThereIs) {
  EXPECT_THAT(store().check_space(0), Succeeds());
  EXPECT_THAT(store().check_space(~std::uint64_t{0}), FailsWith(Errc::NoSpace, "free"));
  EXPECT_FALSE(store().partial(sha256("huge"), ~std::uint64_t{0}));
  EXPECT_TRUE(store().unfinished().value().empty());
}

TEST_P(BlobStoreContract, TheSameBytesFromManyThreadsAreStoredOnce) {
  const Bytes weights = bytes(3000);
  std::atomic<int> failures{0};
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 5; ++i) failures += store().put(sha256(weights), weights) ? 0 : 1;
      });
    }
  }
  EXPECT_EQ(failures, 0);
  expect_stored(weights);
  EXPECT_TRUE(store().unfinished().value().empty());
}
}  // namespace hm::test
