// Every way in which a download host or a Hub can fail, and what comes of it: the right bytes, or one clear error and
// nothing stored.
#include <gmock/gmock.h>

#include "mirror/lfs/blob_transfer.hpp"
#include "mirror/lfs/download.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/unit/mirror/lfs/fake_host.hpp"

namespace hm::test {
namespace {
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::size_t kSize = 1'000'000;  // 16 segments

class DownloadFaultsTest : public testing::Test, public DownloadFixture {
 protected:
  DownloadFaultsTest()
      : bytes(random_text(kSize, 7)),
        blob(host.add("model.bin", bytes)),
        other(host.add("other.bin", random_text(2'000, 8))) {
    options.ranges_per_file = 1;  // so that requests can be counted
    restart();
  }
  /// Fetches `blob`; another file beside it must arrive whatever happens.
  Result<> fetch_blob() {
    auto outcomes = fetch({blob, other});
    if (!outcomes) return std::move(outcomes).assume_error();
    EXPECT_THAT(outcomes.assume_value()[1].result, Succeeds());
    fetched_bytes = outcomes.assume_value()[0].fetched_bytes;
    return outcomes.assume_value()[0].result;
  }
  /// Bends the downloads of `blob` whose number among them is in [first, last].
  void bend(std::size_t first, std::size_t last, std::function<void(Download&)> how) {
    host.bend = [this, first, last, how = std::move(how), n = std::size_t{0}](Download& d) mutable {
      if (d.oid != blob.id.hex()) return;
      ++n;
      if (n >= first && n <= last) how(d);
    };
  }
  std::vector<Download> downloads() const {
    std::vector<Download> mine;
    for (const auto& d : host.downloads) {
      if (d.oid == blob.id.hex()) mine.push_back(d);
    }
    return mine;
  }
  void expect_stored() { EXPECT_TRUE(stored(blob) == bytes) << "the stored bytes differ"; }
  void expect_nothing_stored() { EXPECT_EQ(stored(blob), "(none)"); }
  static constexpr std::size_t kAlways = SIZE_MAX;
  const std::string bytes;
  const mirror::WantedBlob blob, other;
  std::uint64_t fetched_bytes = 0;
};

TEST_F(DownloadFaultsTest, ABrokenTransferGoesOnAtItsFirstMissingByte) {
  bend(1, 1, [](Download& d) {
    d.body.resize(333'333);  // in the middle of a segment
    d.breaks = Error(Errc::Unreachable, "reset");
  });
  ASSERT_THAT(fetch_blob(), Succeeds());
  expect_stored();
  EXPECT_EQ(downloads().at(1).range->first, 333'333u);
  EXPECT_EQ(fetched_bytes, kSize);
  EXPECT_EQ(clock.waits_ms.size(), 1u);
}

TEST_F(DownloadFaultsTest, ABodyThatEndsEarlyIsTakenUp) {
  bend(1, 3, [](Download& d) {
    d.body.resize(d.body.size() / 2);
    d.content_length.reset();
  });
  ASSERT_THAT(fetch_blob(), Succeeds());
  expect_stored();
  EXPECT_EQ(downloads().size(), 4u);
}

TEST_F(DownloadFaultsTest, ManyBreaksWithProgressAreSurvived) {
  bend(1, 12, [](Download& d) {
    d.body.resize(70'000);
    d.breaks = Error(Errc::Unreachable, "reset");
  });
  ASSERT_THAT(fetch_blob(), Succeeds());
  expect_stored();
}

TEST_F(DownloadFaultsTest, BreaksWithoutProgressEndInOneError) {
  bend(1, kAlways, [](Download& d) {
    d.body.resize(1);  // a byte each is no progress
    d.breaks = Error(Errc::Unreachable, "reset by peer");
  });
  EXPECT_THAT(fetch_blob(),
              FailsWith(Errc::Unreachable, "reset by peer; after 5 attempts; while fetching org/name:model.bin"));
  EXPECT_EQ(downloads().size(), 5u);
  expect_nothing_stored();
}

TEST_F(DownloadFaultsTest, NoAnswerIsAskedForAgain) {
  bend(1, 2, [](Download& d) { d.fails = Error(Errc::Unreachable, "cannot connect"); });
  ASSERT_THAT(fetch_blob(), Succeeds());
  EXPECT_THAT(clock.waits_ms, ElementsAre(1'000, 2'000));
}

TEST_F(DownloadFaultsTest, ARefusalOfOurOwnIsFinal) {
  bend(1, kAlways, [](Download& d) { d.fails = Error(Errc::Refused, "private address"); });
  EXPECT_THAT(fetch_blob(), FailsWith(Errc::Refused, "private address"));
  EXPECT_EQ(downloads().size(), 1u);
}

TEST_F(DownloadFaultsTest, WaitsAsLongAsItIsAskedTo) {
  bend(1, 1, [](Download& d) {
    d.status = 503;
    d.headers.add("Retry-After", "17");
  });
  ASSERT_THAT(fetch_blob(), Succeeds());
  ASSERT_EQ(clock.waits_ms.size(), 1u);
  EXPECT_GE(clock.waits_ms[0], 17'000);
}

TEST_F(DownloadFaultsTest, AnExpiredLocationIsReplacedAndTheRestFetched) {
  bend(1, 2, [](Download& d) {
    if (d.number > 2 || d.range->first > 0) {
      d.status = 403;
    } else {
      d.body.resize(500'000);
      d.breaks = Error(Errc::Unreachable, "reset");
    }
  });
  ASSERT_THAT(fetch_blob(), Succeeds());
  expect_stored();
  const auto all = downloads();
  ASSERT_EQ(all.size(), 3u);
  EXPECT_EQ(all[2].range->first, 500'000u);
  EXPECT_EQ(all[0].signature, all[1].signature);
  EXPECT_NE(all[1].signature, all[2].signature);
  EXPECT_THAT(host.batches, ElementsAre(2, 1));
}

TEST_F(DownloadFaultsTest, ALocationThatIsNeverGoodIsGivenUp) {
  bend(1, kAlways, [](Download& d) { d.status = 403; });
  EXPECT_THAT(fetch_blob(), FailsWith(Errc::Gated, "403, also after 3 new locations"));
  EXPECT_EQ(downloads().size(), 4u);
}

TEST_F(DownloadFaultsTest, ALocationIsNotUsedBeyondItsAnnouncedLife) {
  host.extra_action = R"(,"expires_in":60)";
  bend(1, 1, [this](Download& d) {
    d.body.resize(500'000);
    d.breaks = Error(Errc::Unreachable, "reset");
    clock.advance(61'000);
  });
  ASSERT_THAT(fetch_blob(), Succeeds());
  EXPECT_NE(downloads().at(0).signature, downloads().at(1).signature);
}

TEST_F(DownloadFaultsTest, AClockThatIsWrongDoesNotStopDownloads) {
  host.extra_action = R"(,"expires_at":"2001-01-01T00:00:00Z")";
  ASSERT_THAT(fetch_blob(), Succeeds());
  EXPECT_EQ(downloads().size(), 1u);
}

TEST_F(DownloadFaultsTest, AServerWithoutRangesSendsTheWholeFileOnce) {
  bend(1, kAlways, [this](Download& d) {
    d.status = 200;
    d.body = bytes;
    d.content_length = bytes.size();
    d.set_header("Content-Range", "");
  });
  ASSERT_THAT(fetch_blob(), Succeeds());
  expect_stored();
  EXPECT_EQ(downloads().size(), 1u);
}

TEST_F(DownloadFaultsTest, AResumeFromAServerWithoutRangesSkipsWhatIsStored) {
  bend(1, kAlways, [this](Download& d) {
    d.status = 200;
    d.body = bytes;
    d.content_length = bytes.size();
    d.set_header("Content-Range", "");
    if (d.number <= 1) {
      d.body.resize(400'000);
      d.breaks = Error(Errc::Unreachable, "reset");
    }
  });
  ASSERT_THAT(fetch_blob(), Succeeds());
  expect_stored();
}

TEST_F(DownloadFaultsTest, OneIgnoredRangeIsAskedForAgain) {
  bend(1, 2, [this, n = 0](Download& d) mutable {
    if (++n == 1) {
      d.body.resize(400'000);
      d.breaks = Error(Errc::Unreachable, "reset");
    } else {
      d.status = 200;
      d.body = bytes;
      d.content_length = bytes.size();
      d.set_header("Content-Range", "");
    }
  });
  ASSERT_THAT(fetch_blob(), Succeeds());
  expect_stored();
  EXPECT_EQ(downloads().at(2).range->first, 400'000u);
  EXPECT_EQ(fetched_bytes, kSize);  // the whole file was not read a second time
}

TEST_F(DownloadFaultsTest, SeveralConnectionsFallBackToOneStream) {
  const auto big_bytes = random_text(20'000'000, 3);
  const auto big = host.add("big", big_bytes);
  options.ranges_per_file = 4;
  disk.reset();
  disk.emplace(1);
  restart();
  host.chunk_bytes = 64 << 10;
  host.slower_than = &*disk;  // lets further connections join
  host.on_chunk = [&](std::uint64_t) { clock.advance(1'000); };
  host.bend = [&](Download& d) {
    if (d.number == 1) return;  // the first connection gets its range, the second learns that there are none
    d.status = 200;
    d.body = big_bytes;
    d.content_length = big_bytes.size();
    d.set_header("Content-Range", "");
  };
  const auto outcomes = fetch({big});
  ASSERT_THAT(outcomes, Succeeds());
  EXPECT_THAT(outcomes.assume_value()[0].result, Succeeds());
  EXPECT_GT(host.downloads.size(), 1u);
  EXPECT_TRUE(stored(big) == big_bytes);
}

TEST_F(DownloadFaultsTest, BytesOfAnotherRangeAreNotUsed) {
  bend(1, 1, [this](Download& d) {
    d.set_header("Content-Range", "bytes 100-999999/1000000");
    d.body = bytes.substr(100);
    d.content_length = d.body.size();
  });
  ASSERT_THAT(fetch_blob(), Succeeds());
  expect_stored();
  EXPECT_EQ(fetched_bytes, kSize);
}

TEST_F(DownloadFaultsTest, AServerThatAlwaysSendsAnotherRangeIsGivenUp) {
  bend(1, kAlways, [](Download& d) { d.set_header("Content-Range", "bytes 1-999999/1000000"); });
  EXPECT_THAT(fetch_blob(), FailsWith(Errc::BadInput, "asked for bytes=0-999999"));
  expect_nothing_stored();
}

TEST_F(DownloadFaultsTest, AWrongTotalIsTriedOverTheOtherRouteOnce) {
  bend(1, kAlways, [](Download& d) { d.set_header("Content-Range", "bytes 0-999999/1000001"); });
  EXPECT_THAT(fetch_blob(), FailsWith(Errc::Corrupt, "announced 1000000 bytes, the server has 1000001"));
  EXPECT_EQ(downloads().size(), 2u);
  EXPECT_TRUE(downloads().at(1).by_resolve);
  expect_nothing_stored();
}

TEST_F(DownloadFaultsTest, AFlippedByteIsFetchedAgainOverTheOtherRoute) {
  bend(1, 1, [](Download& d) { d.body[777'777] ^= 1; });
  ASSERT_THAT(fetch_blob(), Succeeds());
  expect_stored();
  ASSERT_EQ(downloads().size(), 2u);
  EXPECT_FALSE(downloads()[0].by_resolve);
  EXPECT_TRUE(downloads()[1].by_resolve);
}

TEST_F(DownloadFaultsTest, ASecondFlippedByteIsCorruptForGoodWithBothDigests) {
  std::string flipped = bytes;
  flipped[777'777] ^= 1;
  bend(1, kAlways, [](Download& d) { d.body[777'777] ^= 1; });
  const auto result = fetch_blob();
  EXPECT_THAT(result, FailsWith(Errc::Corrupt, blob.id.hex()));
  EXPECT_THAT(result, FailsWith(Errc::Corrupt, sha256(flipped).hex()));
  EXPECT_EQ(downloads().size(), 2u);
  expect_nothing_stored();
}

TEST_F(DownloadFaultsTest, CorruptStaysCorruptWhenTheOtherRouteIsClosed) {
  host.resolve_works = false;
  bend(1, kAlways, [](Download& d) { d.body[5] ^= 1; });
  EXPECT_THAT(fetch_blob(), FailsWith(Errc::Corrupt, "fetched again over the other route"));
  expect_nothing_stored();
}

TEST_F(DownloadFaultsTest, AFileThatChangesInTheMiddleIsBegunAnew) {
  const std::string before = random_text(kSize, 99);
  bend(1, 1, [&](Download& d) {
    d.body = before.substr(0, 500'000);
    d.breaks = Error(Errc::Unreachable, "reset");
    d.set_header("ETag", "\"before\"");
  });
  ASSERT_THAT(fetch_blob(), Succeeds());
  expect_stored();
  EXPECT_EQ(downloads().back().range->first, 0u);
}

TEST_F(DownloadFaultsTest, AFileThatKeepsChangingIsGivenUp) {
  bend(1, kAlways, [n = 0](Download& d) mutable {
    d.set_header("ETag", "\"" + std::to_string(n++) + "\"");
    d.body.resize(d.body.size() / 2);
    d.breaks = Error(Errc::Unreachable, "reset");
  });
  EXPECT_THAT(fetch_blob(), FailsWith(Errc::Unreachable, "changed twice"));
  expect_nothing_stored();
}

TEST_F(DownloadFaultsTest, ACompressedBlobIsRefused) {
  bend(1, kAlways, [](Download& d) { d.headers.add("Content-Encoding", "gzip"); });
  EXPECT_THAT(fetch_blob(), FailsWith(Errc::Refused, "Content-Encoding gzip"));
  EXPECT_EQ(downloads().size(), 1u);
}

TEST_F(DownloadFaultsTest, AnEndlessBodyIsReadToTheAnnouncedSizeOnly) {
  bend(1, kAlways, [](Download& d) {
    d.endless = true;
    d.content_length.reset();
  });
  ASSERT_THAT(fetch_blob(), Succeeds());  // the bytes up to there are right: their digest says so
  expect_stored();
  EXPECT_EQ(fetched_bytes, kSize);
}

TEST_F(DownloadFaultsTest, ABatchApiThatDoesNotExistIsReplacedByResolve) {
  host.batch_status = 404;
  ASSERT_THAT(fetch_blob(), Succeeds());
  EXPECT_EQ(host.resolves, 2);
  EXPECT_TRUE(downloads().at(0).by_resolve);
}

TEST_F(DownloadFaultsTest, ABatchApiThatIsNotImplementedIsReplacedByResolve) {
  host.batch_status = 501;
  ASSERT_THAT(fetch_blob(), Succeeds());
  EXPECT_EQ(host.resolves, 2);
}

TEST_F(DownloadFaultsTest, AnObjectThatTheHubDoesNotHaveFailsAlone) {
  host.object_errors[blob.id.hex()] = 404;
  EXPECT_THAT(fetch_blob(), FailsWith(Errc::NotFound, "404 not for you"));
  EXPECT_TRUE(downloads().empty());
}

TEST_F(DownloadFaultsTest, APassingErrorOfOneObjectIsResolved) {
  host.object_errors[blob.id.hex()] = 503;
  ASSERT_THAT(fetch_blob(), Succeeds());
  EXPECT_EQ(host.resolves, 1);
}

TEST_F(DownloadFaultsTest, AFullDiskEndsTheWholeFetch) {
  std::vector<mirror::WantedBlob> wanted;
  for (std::uint64_t i = 0; i < 30; ++i) wanted.push_back(host.add("f" + std::to_string(i), random_text(300'000, i)));
  host.on_chunk = [this](std::uint64_t sent) {
    DiskSpace full;
    full.free_bytes = 1;
    full.total_bytes = 1 << 30;
    if (sent > 1'000'000) fs.set_space(full);
  };
  EXPECT_THAT(fetch(wanted), FailsWith(Errc::NoSpace, ""));
  EXPECT_LT(host.downloads.size(), wanted.size());
  EXPECT_EQ(host.open_now, 0);
  // With room again the rest arrives.
  fs.set_space(std::nullopt);
  host.on_chunk = nullptr;
  const auto outcomes = fetch(wanted);
  ASSERT_THAT(outcomes, Succeeds());
  for (const auto& outcome : outcomes.assume_value()) EXPECT_THAT(outcome.result, Succeeds());
}

TEST_F(DownloadFaultsTest, AWriteThatFailsIsAnErrorOfThatBlob) {
  for (std::uint64_t operation = 0; operation < 60; ++operation) {
    SCOPED_TRACE(operation);
    fs.arm(FaultFileSystem::Fault::Io, operation);
    const auto outcomes = fetch({blob});
    fs.arm(FaultFileSystem::Fault::Io, FaultFileSystem::kNever);
    const bool arrived = outcomes && outcomes.assume_value()[0].result;
    if (arrived) {
      expect_stored();
    } else {
      expect_nothing_stored();
    }
    restart();
    const auto again = fetch({blob});
    ASSERT_THAT(again, Succeeds());
    ASSERT_THAT(again.assume_value()[0].result, Succeeds());
    expect_stored();
    ASSERT_THAT(store->remove(blob.id), Succeeds());
  }
}
}  // namespace
}  // namespace hm::test
