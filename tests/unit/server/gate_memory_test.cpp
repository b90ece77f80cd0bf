#include "server/gate_memory.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/thread_pool.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <future>
#include <vector>

#include "tests/support/manual_clock.hpp"

namespace hm::server {
namespace {
namespace asio = boost::asio;

Sha256 subject(int n) { return sha256(std::to_string(n)); }

struct GateMemoryTest : testing::Test {
  asio::io_context context;
  test::ManualClock clock;
  int questions = 0;
  Result<bool> next = true;

  GateMemory::Question question() {
    return [this]() -> awaitable<Result<bool>> { return answer(); };
  }
  awaitable<Result<bool>> answer() {
    ++questions;
    co_return next;
  }
  GateAnswer ask(GateMemory& memory, int n) {
    GateAnswer out = GateAnswer::Unknown;
    asio::co_spawn(context, memory.ask(subject(n), question()),
                   [&](const std::exception_ptr&, GateAnswer a) { out = a; });
    context.restart();
    context.run();
    return out;
  }
};

TEST_F(GateMemoryTest, RemembersEachAnswerForItsTime) {
  GateMemory memory(context.get_executor(), clock);
  auto asks_again_after = [&](int n, Result<bool> reply, GateAnswer wanted, std::int64_t ms) {
    next = reply;
    questions = 0;
    EXPECT_EQ(ask(memory, n), wanted);
    clock.advance(ms - 1);
    EXPECT_EQ(ask(memory, n), wanted);
    EXPECT_EQ(questions, 1);
    clock.advance(1);
    EXPECT_EQ(ask(memory, n), wanted);
    EXPECT_EQ(questions, 2);
  };
  asks_again_after(1, true, GateAnswer::Yes, 600'000);
  asks_again_after(2, false, GateAnswer::No, 30'000);
  asks_again_after(3, Error(Errc::Unreachable, "down"), GateAnswer::Unknown, 5'000);
}

TEST_F(GateMemoryTest, ForgetsWhatWasNotAskedForTheLongestAndNoGrantForADenial) {
  GateLimits limits;
  limits.remembered_max = 2;
  GateMemory memory(context.get_executor(), clock, limits);
  ask(memory, 1);
  next = false;
  for (int n = 10; n < 20; ++n) ask(memory, n);
  questions = 0;
  EXPECT_EQ(ask(memory, 1), GateAnswer::Yes);
  EXPECT_EQ(ask(memory, 19), GateAnswer::No);
  EXPECT_EQ(ask(memory, 18), GateAnswer::No);
  EXPECT_EQ(questions, 0);
  EXPECT_EQ(ask(memory, 17), GateAnswer::No);
  EXPECT_EQ(questions, 1);
  EXPECT_EQ(ask(memory, 18), GateAnswer::No);
  EXPECT_EQ(questions, 1) << "19 was the older one";
}

TEST_F(GateMemoryTest, BeginsOnlySoManyQuestionsAMinute) {
  GateLimits limits;
  limits.per_minute_max = 2;
  GateMemory memory(context.get_executor(), clock, limits);
  EXPECT_EQ(ask(memory, 1), GateAnswer::Yes);
  EXPECT_EQ(ask(memory, 2), GateAnswer::Yes);
  EXPECT_EQ(ask(memory, 3), GateAnswer::Unknown);
  EXPECT_EQ(ask(memory, 1), GateAnswer::Yes);
  EXPECT_EQ(questions, 2);
  clock.advance(60'000);
  EXPECT_EQ(ask(memory, 3), GateAnswer::Yes) << "a question that was not asked is not remembered";
}

/// A question that waits until it is let go.
struct HeldGateTest : GateMemoryTest {
  asio::steady_timer held{context, asio::steady_timer::time_point::max()};
  GateMemory::Question held_question() {
    return [this]() -> awaitable<Result<bool>> { return wait(); };
  }
  awaitable<Result<bool>> wait() {
    ++questions;
    boost::system::error_code ended;
    co_await held.async_wait(asio::redirect_error(asio::use_awaitable, ended));
    co_return next;
  }
};

TEST_F(HeldGateTest, AsksOnceForManyAtOnce) {
  GateMemory memory(context.get_executor(), clock);
  std::vector<GateAnswer> answers;
  for (int i = 0; i < 50; ++i)
    asio::co_spawn(context, memory.ask(subject(1), held_question()),
                   [&](const std::exception_ptr&, GateAnswer a) { answers.push_back(a); });
  while (questions == 0) context.run_one();
  context.poll();
  EXPECT_EQ(questions, 1);
  EXPECT_TRUE(answers.empty());
  held.cancel();
  context.run();
  EXPECT_EQ(answers, std::vector<GateAnswer>(50, GateAnswer::Yes));
  EXPECT_EQ(questions, 1);
}

TEST_F(HeldGateTest, GoesOnAskingWhenTheFirstToWantItLeaves) {
  GateMemory memory(context.get_executor(), clock);
  asio::cancellation_signal leave;
  GateAnswer first = GateAnswer::Yes, second = GateAnswer::Unknown;
  asio::co_spawn(
      context, memory.ask(subject(1), held_question()),
      asio::bind_cancellation_slot(leave.slot(), [&](const std::exception_ptr&, GateAnswer a) { first = a; }));
  asio::co_spawn(context, memory.ask(subject(1), held_question()),
                 [&](const std::exception_ptr&, GateAnswer a) { second = a; });
  while (questions == 0) context.run_one();
  context.poll();
  leave.emit(asio::cancellation_type::terminal);
  context.poll();
  EXPECT_EQ(first, GateAnswer::Unknown);
  held.cancel();
  context.run();
  EXPECT_EQ(second, GateAnswer::Yes);
  EXPECT_EQ(questions, 1);
}

TEST_F(HeldGateTest, KeepsOnlySoManyQuestionsOpen) {
  GateLimits limits;
  limits.open_max = 1;
  GateMemory memory(context.get_executor(), clock, limits);
  GateAnswer first = GateAnswer::Unknown, second = GateAnswer::Yes;
  asio::co_spawn(context, memory.ask(subject(1), held_question()),
                 [&](const std::exception_ptr&, GateAnswer a) { first = a; });
  while (questions == 0) context.run_one();
  asio::co_spawn(context, memory.ask(subject(2), held_question()),
                 [&](const std::exception_ptr&, GateAnswer a) { second = a; });
  context.poll();
  EXPECT_EQ(second, GateAnswer::Unknown);
  EXPECT_EQ(questions, 1);
  held.cancel();
  context.run();
  EXPECT_EQ(first, GateAnswer::Yes);
}

TEST(GateMemory, AnswersCallersOnManyLoops) {
  asio::thread_pool network(1), loops(4);
  const test::ManualClock clock;
  GateMemory memory(network.get_executor(), clock);
  std::atomic<int> questions = 0;
  auto ask_once = [](std::atomic<int>& count) -> awaitable<Result<bool>> {
    ++count;
    co_return true;
  };
  std::atomic<int> yes = 0;
  std::vector<std::promise<void>> ended(200);
  for (std::size_t i = 0; i < ended.size(); ++i)
    asio::co_spawn(asio::make_strand(loops),
                   memory.ask(subject(static_cast<int>(i % 4)), [&] { return ask_once(questions); }),
                   [&, i](const std::exception_ptr&, GateAnswer a) {
                     yes += a == GateAnswer::Yes ? 1 : 0;
                     ended[i].set_value();
                   });
  for (auto& one : ended) one.get_future().wait();
  EXPECT_EQ(yes, 200);
  EXPECT_EQ(questions, 4);
  loops.join();
  network.join();
}
}  // namespace
}  // namespace hm::server
