// What the downloader does when nothing goes wrong: each blob once, in how many requests, what is skipped, how much
// runs at once.
#include "mirror/lfs/download.hpp"

#include <gmock/gmock.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <future>

#include "mirror/lfs/write_queue.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/unit/mirror/lfs/fake_host.hpp"

namespace hm::test {
namespace {
using testing::ElementsAre;

class DownloadTest : public testing::Test, public DownloadFixture {};

TEST_F(DownloadTest, FetchesSmallAndLargeFilesWithTheirBytes) {
  const auto small_bytes = random_text(1000, 1), large_bytes = random_text(1'000'000, 2);
  const auto small = host.add("small.bin", small_bytes), large = host.add("large.bin", large_bytes);
  const auto outcomes = fetch({small, large});
  ASSERT_THAT(outcomes, Succeeds());
  ASSERT_EQ(outcomes.assume_value().size(), 2u);
  EXPECT_THAT(outcomes.assume_value()[0].result, Succeeds());
  EXPECT_THAT(outcomes.assume_value()[1].result, Succeeds());
  EXPECT_EQ(outcomes.assume_value()[0].id, small.id);
  EXPECT_EQ(outcomes.assume_value()[0].fetched_bytes, 1000u);
  EXPECT_EQ(outcomes.assume_value()[1].fetched_bytes, 1'000'000u);
  EXPECT_EQ(stored(small), small_bytes);
  EXPECT_EQ(stored(large), large_bytes);
  ASSERT_EQ(host.downloads.size(), 2u);
  const std::size_t whole = host.downloads[0].oid == small.id.hex() ? 0 : 1;  // which of the two came first is open
  EXPECT_FALSE(host.downloads[whole].range);                                  // a small file is asked for whole
  EXPECT_EQ(host.downloads[1 - whole].range, std::pair(std::uint64_t{0}, std::uint64_t{999'999}));
  EXPECT_EQ(host.downloads[whole].sent.get("Accept-Encoding"), "identity");
}

TEST_F(DownloadTest, StoresAnEmptyFileWithoutADownload) {
  const auto empty = host.add("empty", "");
  ASSERT_THAT(fetch({empty}), Succeeds());
  EXPECT_EQ(stored(empty), "");
  EXPECT_TRUE(host.downloads.empty());
}

TEST_F(DownloadTest, WhatIsStoredIsNotAskedFor) {
  const auto a = host.add("a", random_text(300'000, 1)), b = host.add("b", random_text(5'000, 2));
  ASSERT_THAT(fetch({a}), Succeeds());
  const auto outcomes = fetch({a, b});
  ASSERT_THAT(outcomes, Succeeds());
  EXPECT_THAT(outcomes.assume_value()[0].result, Succeeds());
  EXPECT_EQ(outcomes.assume_value()[0].fetched_bytes, 0u);
  EXPECT_THAT(host.batches, ElementsAre(1, 1));
  EXPECT_EQ(host.downloads.size(), 2u);
}

TEST_F(DownloadTest, NothingMissingMakesNoRequest) {
  const auto a = host.add("a", random_text(5'000, 1));
  ASSERT_THAT(fetch({a}), Succeeds());
  host.batches.clear();
  ASSERT_THAT(fetch({a, a}), Succeeds());
  ASSERT_THAT(fetch({}), Succeeds());
  EXPECT_TRUE(host.batches.empty());
  EXPECT_EQ(host.downloads.size(), 1u);
}

TEST_F(DownloadTest, OneBlobUnderTwoPathsIsFetchedOnce) {
  const auto bytes = random_text(200'000, 1);
  const auto a = host.add("a", bytes), b = host.add("b", bytes);
  const auto outcomes = fetch({a, b});
  ASSERT_THAT(outcomes, Succeeds());
  EXPECT_THAT(outcomes.assume_value()[1].result, Succeeds());
  EXPECT_EQ(outcomes.assume_value()[1].fetched_bytes, 0u);
  EXPECT_EQ(host.downloads.size(), 1u);
}

TEST_F(DownloadTest, TwoFetchesAtTheSameTimeShareABlob) {
  options.ranges_per_file = 1;  // a second connection that joins would be a download too
  restart();
  const auto shared = host.add("shared", random_text(700'000, 1)), own = host.add("own", random_text(1'000, 2));
  int ended = 0;
  auto check = [&](std::exception_ptr e, Result<std::vector<mirror::BlobOutcome>> r) {
    EXPECT_FALSE(e);
    ASSERT_THAT(r, Succeeds());
    for (const auto& outcome : r.assume_value()) EXPECT_THAT(outcome.result, Succeeds());
    ++ended;
  };
  boost::asio::co_spawn(context, downloader->fetch(kRepo, {shared}, {}), check);
  boost::asio::co_spawn(context, downloader->fetch(kRepo, {own, shared}, {}), check);
  context.run();
  EXPECT_EQ(ended, 2);
  EXPECT_EQ(host.downloads.size(), 2u);
}

TEST_F(DownloadTest, LocationsComeAHundredAtATime) {
  std::vector<mirror::WantedBlob> wanted;
  for (std::uint64_t i = 0; i < 250; ++i) wanted.push_back(host.add("f" + std::to_string(i), random_text(100 + i, i)));
  const auto outcomes = fetch(wanted);
  ASSERT_THAT(outcomes, Succeeds());
  for (const auto& outcome : outcomes.assume_value()) EXPECT_THAT(outcome.result, Succeeds());
  EXPECT_THAT(host.batches, ElementsAre(100, 100, 50));
  EXPECT_EQ(host.downloads.size(), 250u);
  EXPECT_EQ(host.resolves, 0);
}

TEST_F(DownloadTest, AsManyFilesAtOnceAsAllowed) {
  options.files_parallel = 3;
  restart();
  std::vector<mirror::WantedBlob> wanted;
  for (std::uint64_t i = 0; i < 20; ++i) wanted.push_back(host.add("f" + std::to_string(i), random_text(60'000, i)));
  host.gate = [&] { return host.open_most >= 3; };  // the first three wait for each other
  ASSERT_THAT(fetch(wanted), Succeeds());
  EXPECT_EQ(host.open_most, 3);
}

TEST_F(DownloadTest, AnotherConnectionJoinsWhileTheDiskWaits) {
  const auto bytes = random_text(20'000'000, 1);
  const auto large = host.add("large", bytes);
  // Every piece takes a second of the clock and comes when the disk has finished all it had: the network is what
  // everybody waits for.
  disk.reset();
  disk.emplace(1);
  restart();
  host.slower_than = &*disk;
  host.chunk_bytes = 64 << 10;
  host.on_chunk = [&](std::uint64_t) { clock.advance(1'000); };
  ASSERT_THAT(fetch({large}), Succeeds());
  EXPECT_EQ(stored(large), bytes);
  EXPECT_EQ(host.open_most, options.ranges_per_file);
  std::uint64_t asked = 0;
  for (const auto& d : host.downloads) asked += d.range->second - d.range->first + 1;
  EXPECT_GE(asked, bytes.size());
}

TEST_F(DownloadTest, OneRangePerFileMeansOne) {
  options.ranges_per_file = 1;
  disk.reset();
  disk.emplace(1);
  restart();
  host.slower_than = &*disk;
  host.on_chunk = [&](std::uint64_t) { clock.advance(1'000); };
  const auto large = host.add("large", random_text(5'000'000, 1));
  ASSERT_THAT(fetch({large}), Succeeds());
  EXPECT_EQ(host.downloads.size(), 1u);
}

TEST_F(DownloadTest, TellsEachByteAndEachBlobOnce) {
  const auto a = host.add("a", random_text(300'000, 1)), b = host.add("b", random_text(5'000, 2));
  std::map<std::string, std::uint64_t> bytes;
  std::vector<std::string> done;
  events.on_bytes = [&](const mirror::WantedBlob& blob, std::uint64_t more) { bytes[blob.path] += more; };
  events.on_done = [&](const mirror::WantedBlob& blob, const mirror::BlobOutcome& outcome) {
    EXPECT_THAT(outcome.result, Succeeds());
    EXPECT_EQ(stored(blob).size(), blob.size_bytes);  // it is there when it is said to be
    done.push_back(blob.path);
  };
  ASSERT_THAT(fetch({a, b, a}), Succeeds());
  EXPECT_THAT(bytes, ElementsAre(std::pair("a", 300'000u), std::pair("b", 5'000u)));
  EXPECT_THAT(done, testing::UnorderedElementsAre("a", "b"));
}

// Bytes that were received and not written stay bounded, whatever the disk does: here it does nothing until told.
TEST_F(DownloadTest, ASlowDiskStopsTheReading) {
  options.bytes_in_flight_max = 2 << 20;
  disk.reset();
  disk.emplace(1);
  restart();
  const auto bytes = random_text(12'000'000, 1);
  const auto large = host.add("large", bytes);
  std::promise<void> release;
  std::shared_future<void> released(release.get_future());
  std::uint64_t sent_when_blocked = 0;
  bool blocked = false;
  host.on_chunk = [&](std::uint64_t sent) {
    if (sent == 0 && !std::exchange(blocked, true))
      boost::asio::post(*disk, [released] { released.wait(); });  // the disk's only thread
    sent_when_blocked = sent;
  };
  // The network thread runs until it has nothing to do any more; then only the disk can go on.
  std::optional<Result<std::vector<mirror::BlobOutcome>>> result;
  boost::asio::co_spawn(context, downloader->fetch(kRepo, {large}, {}),
                        [&](std::exception_ptr, Result<std::vector<mirror::BlobOutcome>> r) { result = std::move(r); });
  while (!blocked) context.run_one();
  while (context.poll() > 0) {
  }
  EXPECT_FALSE(result);
  EXPECT_GT(sent_when_blocked, 0u);
  EXPECT_LE(sent_when_blocked, (2u << 20) + 2 * mirror::kBatchBytes);
  release.set_value();
  context.run();
  ASSERT_TRUE(result);
  ASSERT_THAT(*result, Succeeds());
  EXPECT_EQ(stored(large), bytes);
}

/// How much it was told of.
class CountingWatcher final : public mirror::BlobWatcher {
 public:
  void begun(const storage::PartialBlob&, std::shared_ptr<const File>) override {}
  void written(std::uint64_t, std::uint64_t bytes) override { bytes_ += bytes; }
  std::uint64_t bytes() const { return bytes_; }

 private:
  std::uint64_t bytes_ = 0;
};

// The last piece comes while the disk is busy with those before it, and then the host is silent: whoever waits for the
// file is given that piece too.
TEST_F(DownloadTest, AllThatCameIsTold) {
  disk.reset();
  disk.emplace(1);
  restart();
  constexpr std::uint64_t kComes = 300'000;  // less than makes the reading wait for the disk
  const auto large = host.add("large", random_text(500'000, 1));
  const auto watcher = std::make_shared<CountingWatcher>();
  events.watcher = watcher;
  std::promise<void> release;
  std::shared_future<void> released(release.get_future());
  bool blocked = false;
  host.bend = [](Download& d) {
    d.body.resize(kComes);
    d.hangs = true;
  };
  host.on_chunk = [&](std::uint64_t sent) {
    if (sent >= kComes / 3 && !std::exchange(blocked, true)) boost::asio::post(*disk, [released] { released.wait(); });
  };
  boost::asio::cancellation_signal signal;
  std::optional<Result<std::vector<mirror::BlobOutcome>>> result;
  boost::asio::co_spawn(context, downloader->fetch(kRepo, {large}, events),
                        boost::asio::bind_cancellation_slot(
                            signal.slot(), [&](std::exception_ptr, Result<std::vector<mirror::BlobOutcome>> r) {
                              result = std::move(r);
                            }));
  auto run_all = [&] {
    while (context.poll() > 0) {
    }
  };
  while (!blocked) context.run_one();
  run_all();
  ASSERT_LT(watcher->bytes(), kComes) << "the disk was to be busy until now";
  release.set_value();
  for (int i = 0; i < 8; ++i) {  // the disk works, the network thread hears of it
    std::promise<void> passed;
    boost::asio::post(*disk, [&passed] { passed.set_value(); });
    passed.get_future().wait();
    run_all();
  }
  EXPECT_EQ(watcher->bytes(), kComes);
  signal.emit(boost::asio::cancellation_type::terminal);
  context.run();
  ASSERT_TRUE(result);
  EXPECT_THAT(*result, FailsWith(Errc::Cancelled, ""));
}
}  // namespace
}  // namespace hm::test
