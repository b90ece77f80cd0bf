#include "crawler/frontier.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/thread_pool.hpp>

#include <filesystem>
#include <map>

#include "crawler/workers.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/support/run.hpp"

namespace hm::crawler {
namespace {
using storage::Task;
using storage::TaskState;
using test::FailsWith;
using test::Succeeds;
constexpr std::int64_t kMinute = 60'000, kHour = 60 * kMinute, kDay = 24 * kHour;

storage::TaskKey key(unsigned number, std::string what = "survey") {
  const std::string rid = std::to_string(number);
  return {{RepoKind::Model, *Rid::parse(std::string(24 - rid.size(), '0') + rid)}, std::move(what)};
}
Error unreachable() { return {Errc::Unreachable, "connection refused"}; }

class FrontierTest : public ::testing::Test {
 protected:
  FrontierTest()
      : dir_(std::filesystem::temp_directory_path() / ("hm-frontier-" + std::to_string(::getpid()) +
                                                       testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(dir_);
    index_ = storage::open_index(dir_.string(), storage::Index::Mode::Write, {}).value();
    queue_.emplace(*index_, clock_);
    frontier_.emplace(*queue_, clock_, FrontierOptions{}, [] { return 0.5; });
  }
  ~FrontierTest() override {
    index_.reset();
    std::filesystem::remove_all(dir_);
  }
  void add(unsigned number, Lane lane, std::uint8_t priority = 128) {
    ASSERT_THAT(queue_->enqueue({{key(number), priority, 0, static_cast<std::uint8_t>(lane)}}), Succeeds());
  }
  std::optional<Task> next() { return frontier_->next("me").value(); }
  Task state(unsigned number) { return *queue_->get(key(number)).value(); }
  /// Takes the next task and fails it.
  FailureClass fail_next(const Error& error) {
    const auto task = next();
    if (!task) {
      ADD_FAILURE() << "nothing is due";
      return FailureClass::Local;
    }
    return frontier_->failed(*task, error).value();
  }

  const std::filesystem::path dir_;
  test::ManualClock clock_;
  std::unique_ptr<storage::Index> index_;
  std::optional<storage::TaskQueue> queue_;
  std::optional<Frontier> frontier_;
};

TEST_F(FrontierTest, LanesShareTheTurnsByTheirWeights) {
  for (unsigned n = 0; n < 400; ++n) add(n, static_cast<Lane>(n % 4));
  std::map<Lane, int> turns;
  for (int n = 0; n < 100; ++n) ++turns[static_cast<Lane>(next()->lane)];
  EXPECT_EQ(turns[Lane::Interactive], 90);
  EXPECT_EQ(turns[Lane::Changed] + turns[Lane::Unvisited] + turns[Lane::Rest], 10);
  EXPECT_NEAR(turns[Lane::Changed], turns[Lane::Unvisited], 1);
}

TEST_F(FrontierTest, WhatAnIdleLaneLeavesGoesToTheOthers) {
  for (unsigned n = 0; n < 300; ++n) add(n, n % 2 == 0 ? Lane::Changed : Lane::Unvisited);
  for (unsigned n = 300; n < 310; ++n) add(n, Lane::Rest);
  std::map<Lane, int> turns;
  for (int n = 0; n < 100; ++n) ++turns[static_cast<Lane>(next()->lane)];
  EXPECT_EQ(turns[Lane::Changed], 49);
  EXPECT_EQ(turns[Lane::Unvisited], 49);
  EXPECT_EQ(turns[Lane::Rest], 2);
}

TEST_F(FrontierTest, TasksKeptByACommandAreNotGivenOut) {
  add(1, Lane::ByHand);
  EXPECT_EQ(next(), std::nullopt);
  EXPECT_EQ(frontier_->wait_ms().value(), std::nullopt);
}

TEST_F(FrontierTest, ATransientFailureIsTriedAgainLaterAndLater) {
  add(1, Lane::Changed);
  std::vector<std::int64_t> waits;
  for (int n = 0; n < 9; ++n) {
    EXPECT_EQ(fail_next(unreachable()), FailureClass::Transient);
    waits.push_back(state(1).not_before_ms - clock_.unix_ms());
    EXPECT_EQ(frontier_->wait_ms().value(), waits.back());
    clock_.advance(waits.back());
  }
  EXPECT_EQ(waits, (std::vector<std::int64_t>{kMinute, 4 * kMinute, 16 * kMinute, 64 * kMinute, 256 * kMinute,
                                              1024 * kMinute, kDay, kDay, kDay}));
  EXPECT_EQ(state(1).attempts, 9U);  // one repository alone never opens the breaker
}

TEST_F(FrontierTest, AnUpstreamThatIsDownCostsNobodyAnAttempt) {
  for (unsigned n = 0; n < 6; ++n) add(n, Lane::Changed);
  EXPECT_EQ(fail_next(unreachable()), FailureClass::Transient);
  EXPECT_EQ(fail_next(unreachable()), FailureClass::Transient);
  const auto under_way = next();
  EXPECT_EQ(fail_next(unreachable()), FailureClass::UpstreamDown);
  EXPECT_EQ(state(3).attempts, 0U);
  EXPECT_EQ(next(), std::nullopt);  // open
  EXPECT_EQ(frontier_->failed(*under_way, unreachable()).value(), FailureClass::UpstreamDown);
  clock_.advance(kMinute);
  const auto probe = next();  // one tries
  ASSERT_TRUE(probe);
  EXPECT_EQ(next(), std::nullopt);  // and nobody else meanwhile
  EXPECT_EQ(frontier_->failed(*probe, unreachable()).value(), FailureClass::UpstreamDown);
  clock_.advance(kMinute);
  EXPECT_EQ(next(), std::nullopt);  // the pause has doubled
  clock_.advance(kMinute);
  const auto second = next();
  ASSERT_TRUE(second);
  ASSERT_THAT(frontier_->done(*second), Succeeds());
  EXPECT_TRUE(next());
  EXPECT_TRUE(next());
}

TEST_F(FrontierTest, EachKindOfFailureHasItsOwnTreatment) {
  struct Case {
    Errc code;
    FailureClass kind;
    TaskState state;
  };
  unsigned n = 0;
  for (const Case& c : {Case{Errc::Gated, FailureClass::Gated, TaskState::Parked},
                        Case{Errc::NotFound, FailureClass::Gone, TaskState::Failed},
                        Case{Errc::Refused, FailureClass::Refused, TaskState::Failed},
                        Case{Errc::BadInput, FailureClass::Refused, TaskState::Failed},
                        Case{Errc::Internal, FailureClass::Crashed, TaskState::Queued},
                        Case{Errc::Corrupt, FailureClass::Corrupt, TaskState::Queued},
                        Case{Errc::NoSpace, FailureClass::Local, TaskState::Queued}}) {
    add(++n, Lane::Changed);
    EXPECT_EQ(fail_next({c.code, "why"}), c.kind) << n;
    EXPECT_EQ(state(n).state, c.state) << n;
    EXPECT_EQ(state(n).failure, name_of(c.kind)) << n;
    ASSERT_THAT(queue_->enqueue({{key(n), 0, clock_.unix_ms() + kDay}}), Succeeds());
    if (state(n).state == TaskState::Queued && state(n).not_before_ms <= clock_.unix_ms()) {
      ASSERT_THAT(frontier_->done(*next()), Succeeds());
    }
  }
}

TEST_F(FrontierTest, CorruptBytesAreTriedOnceMoreAndThenLeft) {
  add(1, Lane::Changed);
  EXPECT_EQ(fail_next({Errc::Corrupt, "sha256 differs"}), FailureClass::Corrupt);
  clock_.advance(kMinute);
  const auto again = next();
  ASSERT_TRUE(again);
  EXPECT_EQ(again->failure, "corrupt");  // so the worker knows to take the other way
  ASSERT_THAT(frontier_->failed(*again, {Errc::Corrupt, "sha256 differs"}), Succeeds());
  EXPECT_EQ(state(1).state, TaskState::Failed);
}

TEST_F(FrontierTest, AWorkerThatLostItsLeaseCommitsNothing) {
  add(1, Lane::Changed);
  const auto slow = next();
  clock_.advance(2 * kMinute);
  const auto quick = next();
  ASSERT_TRUE(quick);
  storage::Batch facts;
  facts.put(storage::Family::Meta, "fact", "of the slow one");
  EXPECT_THAT(frontier_->done(*slow, facts), FailsWith(Errc::Busy, "lease"));
  EXPECT_THAT(frontier_->failed(*slow, unreachable(), facts), FailsWith(Errc::Busy, "lease"));
  EXPECT_THAT(frontier_->heartbeat(*slow), FailsWith(Errc::Busy, "lease"));
  EXPECT_EQ(index_->get(storage::Family::Meta, "fact").value(), std::nullopt);
  EXPECT_THAT(frontier_->done(*quick), Succeeds());
}

TEST_F(FrontierTest, WhatMattersToManyGoesFirst) {
  const Importance nobodys{};
  Importance popular = nobodys, root = nobodys, fresh = nobodys, pinned = nobodys;
  popular.downloads = 100'000'000;
  root.derivatives = 113'000;
  pinned.pinned = true;
  Importance stale = nobodys;
  stale.changed_ago_ms = 2 * kAttentionMs;
  EXPECT_EQ(priority_of(pinned), 255);
  EXPECT_GT(priority_of(popular), priority_of(root));
  EXPECT_GT(priority_of(root), priority_of(fresh));
  EXPECT_GT(priority_of(fresh), priority_of(stale));
  EXPECT_EQ(priority_of(stale), 0);
  Importance all{false, UINT64_MAX, UINT64_MAX, -5};
  EXPECT_EQ(priority_of(all), 252);
}

class WorkersTest : public FrontierTest {
 protected:
  Result<> work(Work work, int count = 3) {
    Workers workers(*frontier_, pool_.get_executor(), hub::sleep_on_timer, {count, "me"});
    return test::run(workers.run(
        std::move(work), [] { return true; },
        [&](const Task& task, auto failure, auto&) {
          told_.emplace_back(task.key.repo.rid.text().substr(22), failure ? std::string(name_of(*failure)) : "done");
        }));
  }
  boost::asio::thread_pool pool_{2};
  std::vector<std::pair<std::string, std::string>> told_;
};

TEST_F(WorkersTest, DoEveryTaskOnce) {
  for (unsigned n = 0; n < 30; ++n) add(n, n % 2 == 0 ? Lane::Interactive : Lane::Unvisited);
  std::map<std::string, int> done;
  ASSERT_THAT(work([&](const Task& task) -> awaitable<WorkOutcome> {
                ++done[task.key.repo.rid.text()];
                WorkOutcome outcome;
                outcome.batch.put(storage::Family::Meta, "done/" + task.key.repo.rid.text(), "");
                co_return std::move(outcome);
              }),
              Succeeds());
  EXPECT_EQ(done.size(), 30U);
  EXPECT_THAT(done, testing::Each(testing::Pair(testing::_, 1)));
  EXPECT_EQ(told_.size(), 30U);
  EXPECT_NE(index_->get(storage::Family::Meta, "done/" + key(7).repo.rid.text()).value(), std::nullopt);
}

TEST_F(WorkersTest, AFailureOfOneIsNoFailureOfOthers) {
  for (unsigned n = 0; n < 5; ++n) add(n, Lane::Changed);
  ASSERT_THAT(work(
                  [&](const Task& task) -> awaitable<WorkOutcome> {
                    if (task.key == key(2)) throw std::runtime_error("a bug");
                    WorkOutcome outcome;
                    if (task.key == key(3)) outcome.error = Error(Errc::NotFound, "gone");
                    co_return std::move(outcome);
                  },
                  1),
              Succeeds());
  EXPECT_EQ(state(2).state, TaskState::Queued);
  EXPECT_EQ(state(2).crashes, 1U);
  EXPECT_EQ(state(3).state, TaskState::Failed);
  EXPECT_EQ(state(4).state, TaskState::Done);
}

TEST_F(WorkersTest, AFullDiskStopsAllAndLosesNothing) {
  for (unsigned n = 0; n < 5; ++n) add(n, Lane::Changed);
  EXPECT_THAT(work(
                  [&](const Task&) -> awaitable<WorkOutcome> {
                    WorkOutcome outcome;
                    outcome.error = Error(Errc::NoSpace, "the disk is full");
                    co_return std::move(outcome);
                  },
                  2),
              FailsWith(Errc::NoSpace, "full"));
  for (unsigned n = 0; n < 5; ++n) {
    EXPECT_EQ(state(n).state, TaskState::Queued) << n;
    EXPECT_EQ(state(n).attempts, 0U) << n;
  }
}
}  // namespace
}  // namespace hm::crawler
