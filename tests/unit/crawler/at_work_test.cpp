// One repository is worked on by one visit at a time.
#include "crawler/at_work.hpp"

#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <optional>
#include <string>
#include <vector>

namespace hm::crawler {
namespace {
namespace asio = boost::asio;

RepoKey key_of(char digit) { return {RepoKind::Model, *Rid::parse(std::string(24, digit))}; }

class AtWorkTest : public testing::Test {
 protected:
  /// Works until `release` is notified.
  awaitable<Result<>> visit(RepoKey key, std::string name, mirror::Signal& release) {
    HM_CO_TRY(const auto hold, co_await at_work_.hold(key));
    said_.push_back(name + (hold.waited() ? " waited" : ""));
    co_await release.wait();
    said_.push_back(name + " ends");
    co_return ok();
  }
  void begin(RepoKey key, const std::string& name, mirror::Signal& release,
             asio::cancellation_signal* cancel = nullptr) {
    auto ended = [this, name](const std::exception_ptr& thrown, const Result<>& result) {
      if (thrown || !result) said_.push_back(name + " failed");
    };
    if (cancel != nullptr)
      asio::co_spawn(context_, visit(key, name, release), asio::bind_cancellation_slot(cancel->slot(), ended));
    else
      asio::co_spawn(context_, visit(key, name, release), ended);
    poll();
  }
  void poll() {
    context_.restart();
    context_.poll();
  }
  asio::io_context context_;
  AtWork at_work_;
  mirror::Signal first_{context_.get_executor()}, second_{context_.get_executor()};
  std::vector<std::string> said_;
};

TEST_F(AtWorkTest, ASecondVisitWaitsForTheFirstAndIsToldSo) {
  begin(key_of('a'), "one", first_);
  begin(key_of('a'), "two", second_);
  begin(key_of('b'), "other", second_);
  EXPECT_EQ(said_, (std::vector<std::string>{"one", "other"}));
  first_.notify_all();
  poll();
  EXPECT_EQ(said_, (std::vector<std::string>{"one", "other", "one ends", "two waited"}));
  second_.notify_all();
  poll();
}

TEST_F(AtWorkTest, WhoeverIsCancelledWhileWaitingLeavesNothingBehind) {
  asio::cancellation_signal cancel;
  begin(key_of('a'), "one", first_);
  begin(key_of('a'), "two", second_, &cancel);
  cancel.emit(asio::cancellation_type::terminal);
  poll();
  EXPECT_EQ(said_, (std::vector<std::string>{"one", "two failed"}));
  first_.notify_all();
  poll();
  begin(key_of('a'), "three", second_);
  EXPECT_EQ(said_.back(), "three");
  second_.notify_all();
  poll();
}
}  // namespace
}  // namespace hm::crawler
