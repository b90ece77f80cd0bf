// Stopping a fetch at any moment, and taking it up again: nothing dangles, nothing is lost, nothing is fetched twice.
#include <gmock/gmock.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>

#include "mirror/lfs/download.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/unit/mirror/lfs/fake_host.hpp"

namespace hm::test {
namespace {
class DownloadCancelTest : public testing::Test, public DownloadFixture {};

TEST_F(DownloadCancelTest, ANewDownloaderFetchesOnlyTheMissingSegments) {
  const auto bytes = random_text(2'000'000, 1);
  const auto blob = host.add("a", bytes);
  EXPECT_THAT(fetch_until({blob}, [&] { return host.bytes_sent > 1'000'000; }), FailsWith(Errc::Cancelled, ""));
  EXPECT_EQ(host.open_now, 0);
  EXPECT_EQ(stored(blob), "(none)");
  restart();
  const std::uint64_t missing = missing_segments(blob);
  EXPECT_LT(missing, 31u);
  EXPECT_GT(missing, 10u);
  host.downloads.clear();
  const auto outcomes = fetch({blob});
  ASSERT_THAT(outcomes, Succeeds());
  EXPECT_THAT(outcomes.assume_value()[0].result, Succeeds());
  EXPECT_EQ(stored(blob), bytes);
  ASSERT_EQ(host.downloads.size(), 1u);
  EXPECT_EQ(host.downloads[0].range->first, (31 - missing) * (64 << 10));
  EXPECT_EQ(outcomes.assume_value()[0].fetched_bytes, bytes.size() - (31 - missing) * (64 << 10));
}

TEST_F(DownloadCancelTest, AHoleInTheMiddleIsFilledByOneRequest) {
  const auto bytes = random_text(10 * (64 << 10), 1);
  const auto blob = host.add("a", bytes);
  {
    const auto partial = store->partial(blob.id, blob.size_bytes);
    ASSERT_TRUE(partial);
    for (std::uint64_t i = 0; i < 10; ++i) {
      if (i == 4 || i == 5) continue;
      ASSERT_THAT(partial.assume_value()->write(i << 16, std::as_bytes(std::span(bytes).subspan(i << 16, 1 << 16))),
                  Succeeds());
      ASSERT_THAT(partial.assume_value()->complete_segment(i), Succeeds());
    }
  }
  ASSERT_THAT(fetch({blob}), Succeeds());
  EXPECT_EQ(stored(blob), bytes);
  ASSERT_EQ(host.downloads.size(), 1u);
  EXPECT_EQ(host.downloads[0].range, std::pair(std::uint64_t{4} << 16, (std::uint64_t{6} << 16) - 1));
}

TEST_F(DownloadCancelTest, ACompleteButUnpublishedDownloadNeedsNoRequestForItsBytes) {
  const auto bytes = random_text(2 * (64 << 10), 1);
  const auto blob = host.add("a", bytes);
  {
    const auto partial = store->partial(blob.id, blob.size_bytes);
    ASSERT_TRUE(partial);
    for (std::uint64_t i = 0; i < 2; ++i) {
      ASSERT_THAT(partial.assume_value()->write(i << 16, std::as_bytes(std::span(bytes).subspan(i << 16, 1 << 16))),
                  Succeeds());
      ASSERT_THAT(partial.assume_value()->complete_segment(i), Succeeds());
    }
  }
  ASSERT_THAT(fetch({blob}), Succeeds());
  EXPECT_EQ(stored(blob), bytes);
  EXPECT_TRUE(host.downloads.empty());
}

// The same fetch is stopped at every piece of every body in turn, each time followed by one that finishes.
TEST_F(DownloadCancelTest, CanBeStoppedAnywhere) {
  host.chunk_bytes = 30'000;
  options.files_parallel = 3;
  restart();
  for (std::uint64_t stop_at = 0; stop_at < 900'000; stop_at += 30'000) {
    SCOPED_TRACE(stop_at);
    std::vector<mirror::WantedBlob> wanted;
    for (std::uint64_t i = 0; i < 12; ++i)
      wanted.push_back(host.add("f" + std::to_string(i), random_text(i % 4 == 0 ? 200'000 : 5'000, stop_at * 100 + i)));
    host.bytes_sent = 0;
    const auto stopped = fetch_until(wanted, [&] { return host.bytes_sent >= stop_at; });
    if (!stopped) {
      EXPECT_THAT(stopped, FailsWith(Errc::Cancelled, ""));
    }
    EXPECT_EQ(host.open_now, 0);
    const auto outcomes = fetch(wanted);
    ASSERT_THAT(outcomes, Succeeds());
    for (const auto& outcome : outcomes.assume_value()) EXPECT_THAT(outcome.result, Succeeds());
  }
}

TEST_F(DownloadCancelTest, AHostThatHangsDoesNotDelayStopping) {
  const auto blob = host.add("a", random_text(500'000, 1));
  host.bend = [](Download& d) {
    d.body.resize(100'000);
    d.hangs = true;
  };
  EXPECT_THAT(fetch_until({blob}, [&] { return host.bytes_sent >= 100'000; }), FailsWith(Errc::Cancelled, ""));
  EXPECT_EQ(host.open_now, 0);
}

TEST_F(DownloadCancelTest, WhoWaitsForAStoppedFetchTakesItsBlobOver) {
  const auto bytes = random_text(2'000'000, 1);
  const auto blob = host.add("a", bytes);
  boost::asio::cancellation_signal signal;
  std::optional<Result<std::vector<mirror::BlobOutcome>>> first, second;
  host.on_chunk = [&](std::uint64_t sent) {
    if (sent > 1'000'000) boost::asio::post(context, [&] { signal.emit(boost::asio::cancellation_type::terminal); });
  };
  auto keep = [](auto& into) {
    return [&into](std::exception_ptr, Result<std::vector<mirror::BlobOutcome>> r) { into = std::move(r); };
  };
  boost::asio::co_spawn(context, downloader->fetch(kRepo, {blob}, {}),
                        boost::asio::bind_cancellation_slot(signal.slot(), keep(first)));
  boost::asio::co_spawn(context, downloader->fetch(kRepo, {blob}, {}), keep(second));
  context.run();
  ASSERT_TRUE(first && second);
  EXPECT_THAT(*first, FailsWith(Errc::Cancelled, ""));
  ASSERT_THAT(*second, Succeeds());
  EXPECT_THAT(second->assume_value()[0].result, Succeeds());
  EXPECT_EQ(stored(blob), bytes);
}

TEST_F(DownloadCancelTest, AFetchStoppedBeforeItBeganDoesNothing) {
  const auto blob = host.add("a", random_text(5'000, 1));
  boost::asio::cancellation_signal signal;
  std::optional<Result<std::vector<mirror::BlobOutcome>>> result;
  auto keep = [&](std::exception_ptr, Result<std::vector<mirror::BlobOutcome>> r) { result = std::move(r); };
  boost::asio::co_spawn(context, downloader->fetch(kRepo, {blob}, {}),
                        boost::asio::bind_cancellation_slot(signal.slot(), keep));
  context.poll_one();
  signal.emit(boost::asio::cancellation_type::terminal);
  context.run();
  ASSERT_TRUE(result);
  EXPECT_THAT(*result, FailsWith(Errc::Cancelled, ""));
  EXPECT_TRUE(host.downloads.empty());
}
}  // namespace
}  // namespace hm::test
