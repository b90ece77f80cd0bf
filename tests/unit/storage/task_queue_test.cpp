#include "storage/task_queue.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "tests/support/result_matchers.hpp"
#include "tests/unit/storage/storage_fixture.hpp"

namespace hm::storage {
namespace {
using test::FailsWith;
using test::Succeeds;
constexpr std::int64_t kNow = 1'800'000'000'000, kMinute = 60'000;

TaskKey task(unsigned number, std::string what = "visit", RepoKind kind = RepoKind::Model) {
  std::string rid = std::to_string(number);
  return {{kind, *Rid::parse(std::string(24 - rid.size(), '0') + rid)}, std::move(what)};
}

class Tasks : public ::testing::Test {
 protected:
  void reopen() {
    queue_.reset();
    index_.reset();
    index_ = open_index(temp_.path() + "/index", Index::Mode::Write, {}).value();
    queue_.emplace(*index_, clock_);
  }
  Tasks() { reopen(); }
  void enqueue(const TaskKey& key, std::uint8_t priority = 128, std::int64_t not_before = 0) {
    ASSERT_THAT(queue_->enqueue({{key, priority, not_before}}), Succeeds());
  }
  std::vector<Task> lease(std::size_t count, std::string_view owner = "me") {
    return queue_->lease(count, owner, kMinute).value();
  }
  std::vector<std::string> order(std::size_t count) {
    std::vector<std::string> out;
    for (const Task& t : lease(count)) out.push_back(t.key.repo.rid.text().substr(22) + t.key.what);
    return out;
  }
  TaskState state(const TaskKey& key) { return queue_->get(key).value()->state; }
  std::size_t rows() {
    std::size_t n = 0;
    EXPECT_THAT(index_->scan(Family::Tasks, {}, [&](auto, auto) { return ++n, true; }), Succeeds());
    return n;
  }
  test::TempDirectory temp_;
  test::StillClock clock_;
  std::unique_ptr<Index> index_;
  std::optional<TaskQueue> queue_;
};

TEST_F(Tasks, GoByPriorityThenByTheirTime) {
  enqueue(task(1), 10, 100);
  enqueue(task(2), 200, 300);
  enqueue(task(3), 200, 200);
  enqueue(task(4), 10, 50);
  enqueue(task(5), 255, kNow + 1);  // not yet
  enqueue(task(6), 0, kNow);
  EXPECT_EQ(order(3), (std::vector<std::string>{"03visit", "02visit", "04visit"}));
  EXPECT_EQ(order(10), (std::vector<std::string>{"01visit", "06visit"}));
  EXPECT_TRUE(lease(10).empty());
  clock_.now_ms += 1;
  EXPECT_EQ(order(10), (std::vector<std::string>{"05visit"}));
}

TEST_F(Tasks, MergeByKey) {
  enqueue(task(1), 10, kNow + 500);
  enqueue(task(1), 5, kNow + 300);
  enqueue(task(1), 20, kNow + 900);
  const Task merged = *queue_->get(task(1)).value();
  EXPECT_EQ(merged.priority, 20);
  EXPECT_EQ(merged.not_before_ms, kNow + 300);
  enqueue(task(1, "mirror"), 1, 0);
  ASSERT_THAT(queue_->enqueue({{task(2), 1, 7}, {task(2), 9, 3}}), Succeeds());
  EXPECT_EQ(queue_->get(task(2)).value()->priority, 9);
  EXPECT_EQ(queue_->get(task(2)).value()->not_before_ms, 3);
  EXPECT_EQ(rows(), 6U);  // each task and its place in the order, and no place twice
}

TEST_F(Tasks, ALeaseExcludesOthersUntilItEnds) {
  enqueue(task(1));
  const auto first = lease(1, "alpha");
  ASSERT_EQ(first.size(), 1U);
  EXPECT_EQ(first[0].lease->owner, "alpha");
  EXPECT_EQ(first[0].lease->until_ms, kNow + kMinute);
  EXPECT_EQ(first[0].attempts, 1U);
  clock_.now_ms += kMinute - 1;
  EXPECT_TRUE(lease(1, "beta").empty());
  clock_.now_ms += 1;
  const auto second = lease(1, "beta");
  ASSERT_EQ(second.size(), 1U);
  EXPECT_GT(second[0].lease->fence, first[0].lease->fence);
  EXPECT_EQ(second[0].attempts, 2U);
  // The first worker comes back late: nothing it says counts.
  EXPECT_THAT(queue_->complete(task(1), first[0].lease->fence), FailsWith(Errc::Busy, "beta"));
  EXPECT_THAT(queue_->fail(task(1), first[0].lease->fence, {"transient", "x"}), FailsWith(Errc::Busy, "beta"));
  EXPECT_THAT(queue_->heartbeat(task(1), first[0].lease->fence, kMinute), FailsWith(Errc::Busy, "beta"));
  EXPECT_EQ(state(task(1)), TaskState::Leased);
  ASSERT_THAT(queue_->complete(task(1), second[0].lease->fence), Succeeds());
  EXPECT_EQ(state(task(1)), TaskState::Done);
  EXPECT_THAT(queue_->complete(task(1), second[0].lease->fence), FailsWith(Errc::Busy, "done"));
}

TEST_F(Tasks, ARefusedReportWritesNothingOfItsBatch) {
  enqueue(task(1));
  const auto mine = lease(1);
  Batch facts;
  facts.put(Family::Repos, "row", "fact");
  EXPECT_THAT(queue_->complete(task(1), mine[0].lease->fence + 1, facts), FailsWith(Errc::Busy, "lease"));
  EXPECT_EQ(index_->get(Family::Repos, "row").value(), std::nullopt);
  ASSERT_THAT(queue_->complete(task(1), mine[0].lease->fence, facts), Succeeds());
  EXPECT_EQ(index_->get(Family::Repos, "row").value(), "fact");
}

TEST_F(Tasks, AHeartbeatProlongs) {
  enqueue(task(1));
  const auto mine = lease(1);
  clock_.now_ms += kMinute - 1;
  ASSERT_THAT(queue_->heartbeat(task(1), mine[0].lease->fence, kMinute), Succeeds());
  clock_.now_ms += kMinute - 1;
  EXPECT_TRUE(lease(1, "other").empty());
  ASSERT_THAT(queue_->complete(task(1), mine[0].lease->fence), Succeeds());
}

TEST_F(Tasks, AFailureIsTriedAgainOrKept) {
  enqueue(task(1));
  auto mine = lease(1);
  ASSERT_THAT(queue_->fail(task(1), mine[0].lease->fence,
                           {"transient", "connection reset\n", TaskFailure::Then::Retry, kNow + 5000}),
              Succeeds());
  EXPECT_EQ(state(task(1)), TaskState::Queued);
  EXPECT_EQ(queue_->get(task(1)).value()->last_error, "connection reset\\x0a");
  EXPECT_TRUE(lease(1).empty());
  EXPECT_EQ(queue_->next_due_ms().value(), kNow + 5000);
  clock_.now_ms += 5000;
  mine = lease(1);
  ASSERT_EQ(mine.size(), 1U);
  EXPECT_EQ(mine[0].attempts, 2U);
  ASSERT_THAT(queue_->fail(task(1), mine[0].lease->fence, {"gone", std::string(5000, 'e')}), Succeeds());
  EXPECT_EQ(state(task(1)), TaskState::Failed);
  EXPECT_EQ(queue_->get(task(1)).value()->last_error.size(), kTaskErrorBytesMax);
  EXPECT_TRUE(lease(1).empty());
  enqueue(task(1));  // asked for again
  EXPECT_EQ(lease(1)[0].attempts, 1U);
}

TEST_F(Tasks, AWishDuringTheWorkIsNotLost) {
  enqueue(task(1));
  const auto mine = lease(1);
  enqueue(task(1), 77, kNow + 10);
  EXPECT_EQ(state(task(1)), TaskState::Leased);
  ASSERT_THAT(queue_->complete(task(1), mine[0].lease->fence), Succeeds());
  EXPECT_EQ(state(task(1)), TaskState::Queued);
  EXPECT_EQ(queue_->get(task(1)).value()->priority, 77);
  clock_.now_ms += 10;
  const auto again = lease(1);
  ASSERT_EQ(again.size(), 1U);
  ASSERT_THAT(queue_->complete(task(1), again[0].lease->fence), Succeeds());
  EXPECT_EQ(state(task(1)), TaskState::Done);
  EXPECT_EQ(rows(), 1U);
}

TEST_F(Tasks, LeasesOfADeadProcessComeBackAtOnce) {
  for (unsigned i = 0; i < 5; ++i) enqueue(task(i));
  ASSERT_EQ(lease(2, "dead:1").size(), 2U);
  const auto alive = lease(1, "alive:1");
  reopen();
  EXPECT_EQ(queue_->recover([](const std::string& owner) { return owner.starts_with("alive"); }).value(), 2U);
  EXPECT_EQ(lease(10).size(), 4U);
  EXPECT_THAT(queue_->heartbeat(alive[0].key, alive[0].lease->fence, kMinute), Succeeds());
  EXPECT_EQ(queue_->recover([](const std::string&) { return false; }).value(), 5U);
  EXPECT_EQ(queue_->recover([](const std::string&) { return false; }).value(), 0U);
}

TEST_F(Tasks, ALaneIsLeasedFromAlone) {
  ASSERT_THAT(queue_->enqueue({{task(1), 10, 0, 2}, {task(2), 200, 0, 5}, {task(3), 20, kNow + 5, 2}}), Succeeds());
  EXPECT_FALSE(queue_->is_due(0).value());
  EXPECT_TRUE(queue_->is_due(2).value());
  EXPECT_TRUE(queue_->lease(5, "me", kMinute, 1).value().empty());
  EXPECT_EQ(queue_->next_due_ms({0, 2}).value(), std::nullopt);
  EXPECT_EQ(queue_->next_due_ms({0, 3}).value(), 0);
  const auto leased = queue_->lease(5, "me", kMinute, 2).value();
  ASSERT_EQ(leased.size(), 1U);
  EXPECT_EQ(leased[0].key, task(1));
  EXPECT_EQ(order(5), (std::vector<std::string>{"02visit"}));  // no lane named: any
  ASSERT_THAT(queue_->enqueue({{task(3), 1, kNow, 1}}), Succeeds());
  EXPECT_EQ(queue_->get(task(3)).value()->lane, 1);  // the more urgent one
  EXPECT_THAT(queue_->enqueue({{task(4), 1, 0, kTaskLanes}}), FailsWith(Errc::BadInput, "lane"));
}

TEST_F(Tasks, ALeaseThatRanOutIsForThoseWhoWorkInItsLane) {
  ASSERT_THAT(queue_->enqueue({{task(1), 10, 0, 7}, {task(2), 10, 0, 1}}), Succeeds());
  ASSERT_EQ(lease(5).size(), 2U);
  clock_.now_ms += kMinute;
  EXPECT_EQ(queue_->next_due_ms({2, 4}).value(), std::nullopt);
  EXPECT_EQ(queue_->next_due_ms({0, 4}).value(), kNow + kMinute);
  EXPECT_TRUE(queue_->lease(5, "other", kMinute, 2, {2, 4}).value().empty());
  const auto leased = queue_->lease(5, "other", kMinute, 2, {0, 4}).value();
  ASSERT_EQ(leased.size(), 1U);
  EXPECT_EQ(leased[0].key, task(2));
}

TEST_F(Tasks, AreLeasedByNameWhenTheyWaitAndElseLeftAlone) {
  ASSERT_THAT(queue_->enqueue({{task(1), 10, kNow + kMinute}, {task(2)}, {task(3)}}), Succeeds());
  ASSERT_THAT(queue_->lease_these({task(2)}, "other", kMinute), Succeeds());
  const auto leased = queue_->lease_these({task(1), task(2), task(4)}, "me", kMinute).value();
  ASSERT_EQ(leased.size(), 1U);
  EXPECT_EQ(leased[0].key, task(1));
  EXPECT_EQ(queue_->get(task(2)).value()->lease->owner, "other");
  EXPECT_EQ(state(task(3)), TaskState::Queued);
}

TEST_F(Tasks, AParkedTaskWaitsForSomebodyToWakeIt) {
  enqueue(task(1));
  const auto mine = lease(1);
  ASSERT_THAT(queue_->fail(task(1), mine[0].lease->fence, {"gated", "ask for access", TaskFailure::Then::Park}),
              Succeeds());
  EXPECT_EQ(queue_->get(task(1)).value()->failure, "gated");
  enqueue(task(1), 200);  // a wish alone does not open the gate
  EXPECT_TRUE(lease(1).empty());
  ASSERT_THAT(queue_->wake({task(1), task(2)}), Succeeds());
  const auto again = lease(1);
  ASSERT_EQ(again.size(), 1U);
  EXPECT_EQ(again[0].priority, 200);
  EXPECT_EQ(again[0].attempts, 1U);
}

TEST_F(Tasks, AnAttemptThatDoesNotCountIsGivenBack) {
  enqueue(task(1));
  const auto mine = lease(1);
  ASSERT_THAT(
      queue_->fail(task(1), mine[0].lease->fence, {"upstream-down", "no route", TaskFailure::Then::Retry, kNow, false}),
      Succeeds());
  EXPECT_EQ(lease(1)[0].attempts, 1U);
}

TEST_F(Tasks, ATaskThatTookTwoWorkersWithItIsSetAside) {
  enqueue(task(1));
  enqueue(task(2));
  ASSERT_EQ(lease(2, "a:1").size(), 2U);
  // The process crashed: its tasks are suspects. It was killed: they are not.
  ASSERT_EQ(queue_->recover([](auto&) { return false; }, [](auto& owner) { return owner == "a:1"; }).value(), 2U);
  EXPECT_EQ(queue_->get(task(1)).value()->crashes, 1U);
  auto second = lease(1, "b:1");
  ASSERT_EQ(queue_->recover([](auto&) { return false; }).value(), 1U);
  EXPECT_EQ(queue_->get(task(1)).value()->crashes, 1U);
  second = lease(2, "c:1");
  clock_.now_ms += kMinute;  // two leases run out without a word
  Batch nothing;
  EXPECT_TRUE(lease(2, "d:1").empty());
  const Task aside = *queue_->get(task(1)).value();
  EXPECT_EQ(aside.state, TaskState::Parked);
  EXPECT_EQ(aside.failure, kPoison);
  EXPECT_THAT(aside.last_error, testing::HasSubstr("c:1"));
  EXPECT_THAT(queue_->complete(task(1), second[0].lease->fence, nothing), FailsWith(Errc::Busy, "parked"));
  EXPECT_EQ(rows(), 2U);  // and in no order
  ASSERT_THAT(queue_->wake({task(1)}), Succeeds());
  EXPECT_EQ(lease(1)[0].crashes, 0U);
}

TEST_F(Tasks, ARefusedFailureWritesNothingOfItsBatch) {
  enqueue(task(1));
  const auto mine = lease(1);
  Batch facts;
  facts.put(Family::Repos, "row", "fact");
  EXPECT_THAT(queue_->fail(task(1), mine[0].lease->fence + 1, {"gone", "x"}, facts), FailsWith(Errc::Busy, "lease"));
  EXPECT_EQ(index_->get(Family::Repos, "row").value(), std::nullopt);
  ASSERT_THAT(queue_->fail(task(1), mine[0].lease->fence, {"gone", "x"}, facts), Succeeds());
  EXPECT_EQ(index_->get(Family::Repos, "row").value(), "fact");
}

TEST_F(Tasks, FencesRiseAcrossRestarts) {
  enqueue(task(1));
  const auto first = lease(1)[0].lease->fence;
  reopen();
  ASSERT_THAT(queue_->recover([](const std::string&) { return false; }), Succeeds());
  EXPECT_GT(lease(1)[0].lease->fence, first);
}

TEST_F(Tasks, MalformedNamesAreRefusedAndNothingIsWritten) {
  for (const std::string& what : {std::string(), std::string("Visit"), std::string("a b"), std::string("a\0", 2),
                                  std::string(129, 'a'), std::string("é")}) {
    EXPECT_THAT(queue_->enqueue({{task(1)}, {task(2, what)}}), FailsWith(Errc::BadInput, "name of a task")) << what;
  }
  EXPECT_THAT(queue_->enqueue({{task(1), 1, -1}}), FailsWith(Errc::BadInput, "1970"));
  EXPECT_EQ(rows(), 0U);
  EXPECT_THAT(queue_->complete(task(1), 1), FailsWith(Errc::NotFound, "visit"));
}

TEST_F(Tasks, AreListedInOrderOfTheirKeys) {
  enqueue(task(2));
  enqueue(task(1, "b"));
  enqueue(task(1, "a"));
  enqueue(task(1, "a", RepoKind::Space));
  enqueue(task(9, "a", RepoKind::Dataset));
  std::vector<TaskKey> keys;
  ASSERT_THAT(queue_->each([&](const Task& t) { return keys.push_back(t.key), true; }), Succeeds());
  EXPECT_EQ(keys, (std::vector<TaskKey>{task(1, "a"), task(1, "b"), task(2), task(9, "a", RepoKind::Dataset),
                                        task(1, "a", RepoKind::Space)}));
  int n = 0;
  ASSERT_THAT(queue_->each([&](const Task&) { return ++n < 2; }), Succeeds());
  EXPECT_EQ(n, 2);
}

TEST_F(Tasks, TheNextMomentIsKnown) {
  EXPECT_EQ(queue_->next_due_ms().value(), std::nullopt);
  enqueue(task(1), 200, kNow + 900);
  enqueue(task(2), 10, kNow + 400);
  EXPECT_EQ(queue_->next_due_ms().value(), kNow + 400);
  enqueue(task(3), 1, kNow);
  ASSERT_EQ(lease(1).size(), 1U);
  EXPECT_EQ(queue_->next_due_ms().value(), kNow + 400);
  ASSERT_THAT(queue_->heartbeat(task(3), queue_->get(task(3)).value()->lease->fence, 100), Succeeds());
  EXPECT_EQ(queue_->next_due_ms().value(), kNow + 100);
}

TEST_F(Tasks, RowsGoThereAndBack) {
  Task t{task(1)};
  t.state = TaskState::Leased;
  t.priority = 255;
  t.not_before_ms = 12345;
  t.attempts = 7;
  t.lane = 3;
  t.crashes = 1;
  t.failure = "transient";
  t.last_error = "why";
  t.again = true;
  t.lease = Lease{"host:1:2", 99, 6789};
  const auto back = unpack_task(t.key, pack_task(t)).value();
  EXPECT_EQ(pack_task(back), pack_task(t));
  EXPECT_EQ(back.lease->fence, 99U);
  EXPECT_EQ(
      pack_task(t),
      R"({"again":true,"attempts":7,"crashes":1,"error":"why","failure":"transient","lane":3,)"
      R"("lease":{"fence":99,"owner":"host:1:2","until":6789},"not_before":12345,"priority":255,"state":"leased"})");
  for (const char* bad : {"", "{}", "[]", R"({"attempts":0,"not_before":0,"priority":1,"state":"leased"})",
                          R"({"attempts":0,"not_before":0,"priority":256,"state":"queued"})",
                          R"({"attempts":0,"not_before":-1,"priority":1,"state":"queued"})",
                          R"({"attempts":0,"not_before":0,"priority":1,"state":"asleep"})"}) {
    EXPECT_THAT(unpack_task(t.key, bad), FailsWith(Errc::Corrupt, "visit")) << bad;
  }
}

TEST_F(Tasks, ManyWorkersShareTheWorkWithoutDoingAnyTwice) {
  std::vector<NewTask> many;
  for (unsigned i = 0; i < 60; ++i) many.push_back({task(i), static_cast<std::uint8_t>(i % 5), 0});
  ASSERT_THAT(queue_->enqueue(many), Succeeds());
  std::mutex mutex;
  std::multiset<TaskKey> done;
  {
    std::vector<std::jthread> workers;
    for (int w = 0; w < 4; ++w) {
      workers.emplace_back([&, w] {
        for (;;) {
          const auto mine = queue_->lease(3, "worker" + std::to_string(w), kMinute).value();
          if (mine.empty()) return;
          for (const Task& t : mine) {
            EXPECT_THAT(queue_->complete(t.key, t.lease->fence), Succeeds());
            const std::lock_guard lock(mutex);
            done.insert(t.key);
          }
        }
      });
    }
  }
  EXPECT_EQ(done.size(), 60U);
  EXPECT_EQ(std::set<TaskKey>(done.begin(), done.end()).size(), 60U);
}
}  // namespace
}  // namespace hm::storage
