// Many workers at once against a server that counts in fixed windows: whatever the order of requests and answers, no
// window is used to more than nine tenths, no request is refused, and little of the budget is left lying.
#include <gtest/gtest.h>
#include <array>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <optional>
#include <random>

#include "hub/rate_budget.hpp"
#include "tests/hub_at_scale/rate_windows.hpp"
#include "tests/support/virtual_time.hpp"

namespace hm::hub {
namespace {
using test::scale::RateBucket;
using test::scale::RateWindows;

constexpr std::array<const char*, 5> kUrls{
    "https://hub.example/api/models", "https://hub.example/a/b/resolve/main/x", "https://hub.example/a/b.git/info/refs",
    "https://hub.example/a/b.git/info/lfs/objects/batch", "https://hub.example/a/b"};

struct Load {
  std::uint64_t seed = 0;
  int workers = 1;
  std::array<std::uint64_t, 3> quotas{500, 3000, 100};
  std::array<RateBucket, 5> bucket_of_url{RateBucket::Api, RateBucket::Resolvers, RateBucket::Pages, RateBucket::Pages,
                                          RateBucket::Pages};
  std::int64_t latency_ms_max = 2'000;
  std::int64_t pause_ms_max = 0;  ///< between the requests of one worker
  int windows = 6;
};

class Server {
 public:
  explicit Server(const Load& load) : load_(load), random_(load.seed) {
    windows_.quotas = load.quotas;
    end_ms_ = time_.monotonic_ms() + load.windows * RateWindows::kWindowMs;
  }

  void run() {
    for (int i = 0; i < load_.workers; ++i) boost::asio::co_spawn(time_.context, worker(), boost::asio::detached);
    time_.run();
  }

  RateWindows windows_;
  std::uint64_t answered_ = 0, refused_ = 0;
  std::array<std::uint64_t, 3> answered_of_{};
  test::VirtualTime time_;
  RateBudget budget_{600'000, time_.sleeper(), time_};

 private:
  std::int64_t draw(std::int64_t max) {
    return max == 0 ? 0 : static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(max));
  }
  /// Mostly short, at times very long.
  std::int64_t latency() { return draw(draw(20) == 0 ? load_.latency_ms_max * 10 : load_.latency_ms_max); }

  awaitable<void> worker() {
    while (time_.monotonic_ms() < end_ms_) {
      const auto which = static_cast<std::size_t>(draw(static_cast<std::int64_t>(kUrls.size())));
      net::Url url = net::parse_url(kUrls[which]).value();
      const Bucket guess = bucket_of_path(url.path_query);
      auto admission = co_await budget_.admit(std::move(url), guess);
      if (!admission) {
        ADD_FAILURE() << admission.error().what;
        co_return;
      }
      static_cast<void>(co_await time_.sleep(latency()));
      const RateBucket bucket = load_.bucket_of_url[which];
      const bool granted = windows_.take(bucket, time_.monotonic_ms());
      ++(granted ? answered_ : refused_);
      ++answered_of_[static_cast<std::size_t>(bucket)];
      net::Headers headers;
      if (load_.quotas[static_cast<std::size_t>(bucket)] != 0) {
        headers.add("RateLimit", windows_.state(bucket, time_.monotonic_ms()));
        headers.add("RateLimit-Policy", windows_.policy(bucket));
      }
      static_cast<void>(co_await time_.sleep(latency()));
      budget_.answered(std::move(admission).value(), granted ? 200 : 429, headers);
      static_cast<void>(co_await time_.sleep(draw(load_.pause_ms_max)));
    }
  }

  const Load load_;
  std::mt19937_64 random_;
  std::int64_t end_ms_;
};

/// @param surprises requests that may be counted where nobody could know: one under way for each class of requests that
/// no answer has told about.
void expect_kept(const Load& load, std::uint64_t surprises = 0) {
  SCOPED_TRACE("seed " + std::to_string(load.seed) + ", workers " + std::to_string(load.workers));
  Server server(load);
  server.run();
  EXPECT_EQ(server.refused_, 0u);
  for (std::size_t i = 0; i < 3; ++i) {
    if (load.quotas[i] == 0) continue;
    EXPECT_LE(server.windows_.max_used(static_cast<RateBucket>(i)), load.quotas[i] * 9 / 10 + surprises) << i;
    EXPECT_EQ(server.budget_.admitted(static_cast<Bucket>(i)), server.answered_of_[i]) << i;
  }
}

TEST(RateLoad, NoWindowIsOverusedWhateverIsUnderWay) {
  std::mt19937_64 random(7);
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    Load load;
    load.seed = seed;
    load.workers = 1 + static_cast<int>(random() % 200);
    load.latency_ms_max = static_cast<std::int64_t>(1 + random() % 5'000);
    load.pause_ms_max = random() % 2 ? 0 : static_cast<std::int64_t>(random() % 120'000);
    expect_kept(load);
  }
}

TEST(RateLoad, NoWindowIsOverusedWhenBucketsAreOthersThanTheirPathsSay) {
  std::mt19937_64 random(8);
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Load load;
    load.seed = seed;
    load.workers = 1 + static_cast<int>(random() % 100);
    for (RateBucket& bucket : load.bucket_of_url) bucket = static_cast<RateBucket>(random() % 3);
    load.quotas = {500, 200, 100};
    expect_kept(load, kUrls.size());
  }
}

TEST(RateLoad, LittleOfTheBudgetIsLeftLying) {
  Load load;
  load.seed = 3;
  load.workers = 40;
  load.windows = 10;
  load.bucket_of_url.fill(RateBucket::Api);
  Server server(load);
  server.run();
  EXPECT_EQ(server.refused_, 0u);
  EXPECT_GE(server.answered_, 10u * 425) << "of 450 in each of ten windows";
}
}  // namespace
}  // namespace hm::hub
