// Who comes in beside whom, in which order, and who makes way.
#include "app/daemon/gate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <thread>

namespace hm::app {
namespace {
using testing::ElementsAre;

/// Somebody who wants to come in, on a thread of its own.
class Comer {
 public:
  Comer(Gate& gate, Claim claim, const std::string& who, bool makes_way = false) {
    Gate::Wish wish{claim, who, {}};
    if (makes_way) wish.makes_way = way_;
    thread_ = std::thread([this, &gate, wish = std::move(wish)]() mutable {
      auto ticket = gate.enter(std::move(wish), stop_.get_token(), [this](const std::string& whom) {
        waits_for_ = whom;
        waiting_.set_value();
      });
      const std::lock_guard lock(mutex_);
      ticket_ = std::move(ticket);
      if (ticket_->has_value() && waits_for_.empty()) waiting_.set_value();
      entered_.set_value();
    });
  }
  ~Comer() {
    give_up();
    thread_.join();
  }
  /// Returns when it is inside, or waits.
  std::string waits_for() {
    waiting_.get_future().wait();
    return waits_for_;
  }
  bool enters() {
    entered_.get_future().wait();
    const std::lock_guard lock(mutex_);
    return ticket_->has_value();
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    ticket_.reset();
  }
  void give_up() { stop_.request_stop(); }
  bool is_asked_to_make_way() const { return way_.stop_requested(); }

 private:
  std::stop_source stop_, way_;
  std::promise<void> waiting_, entered_;
  std::string waits_for_;
  std::mutex mutex_;
  std::optional<Result<Gate::Ticket>> ticket_;
  std::thread thread_;
};

std::vector<std::string> inside(const Gate& gate) {
  std::vector<std::string> names;
  for (const auto& one : gate.standing())
    if (one.inside) names.push_back(one.who);
  return names;
}

TEST(Gate, ClaimsThatExcludeEachOther) {
  EXPECT_FALSE(exclude_each_other(Claim::Share, Claim::Share));
  EXPECT_FALSE(exclude_each_other(Claim::Share, Claim::Sync));
  EXPECT_FALSE(exclude_each_other(Claim::Crawl, Claim::Sync));
  EXPECT_TRUE(exclude_each_other(Claim::Sync, Claim::Sync));
  EXPECT_TRUE(exclude_each_other(Claim::Crawl, Claim::Crawl));
  for (const Claim claim : {Claim::Share, Claim::Sync, Claim::Crawl, Claim::Alone})
    EXPECT_TRUE(exclude_each_other(claim, Claim::Alone));
}

TEST(Gate, WhoeverWantsToBeAloneWaitsForAllAndAllWaitForIt) {
  Gate gate;
  Comer mirror(gate, Claim::Share, "mirror"), sync(gate, Claim::Sync, "sync");
  EXPECT_EQ(mirror.waits_for() + sync.waits_for(), "");
  Comer gc(gate, Claim::Alone, "gc");
  EXPECT_EQ(gc.waits_for().size(), std::string("mirror, sync").size());
  Comer pin(gate, Claim::Share, "pin");
  EXPECT_EQ(pin.waits_for(), "gc") << "who comes later does not overtake";
  mirror.leave();
  EXPECT_EQ(gate.standing().size(), 3U);
  sync.leave();
  EXPECT_TRUE(gc.enters());
  EXPECT_THAT(inside(gate), ElementsAre("gc"));
  gc.leave();
  EXPECT_TRUE(pin.enters());
}

TEST(Gate, WhoeverGivesUpHoldsUpNobody) {
  Gate gate;
  Comer mirror(gate, Claim::Share, "mirror");
  EXPECT_EQ(mirror.waits_for(), "");
  Comer gc(gate, Claim::Alone, "gc");
  EXPECT_EQ(gc.waits_for(), "mirror");
  Comer pin(gate, Claim::Share, "pin");
  EXPECT_EQ(pin.waits_for(), "gc");
  gc.give_up();
  EXPECT_FALSE(gc.enters());
  EXPECT_TRUE(pin.enters());
}

TEST(Gate, WorkInTheBackgroundMakesWayAndComesBackLast) {
  Gate gate;
  Comer schedule(gate, Claim::Sync, "schedule", true);
  EXPECT_EQ(schedule.waits_for(), "");
  Comer pin(gate, Claim::Share, "pin");
  EXPECT_EQ(pin.waits_for(), "");
  EXPECT_FALSE(schedule.is_asked_to_make_way()) << "a pin is in nobody's way";
  Comer sync(gate, Claim::Sync, "sync");
  EXPECT_EQ(sync.waits_for(), "schedule");
  EXPECT_TRUE(schedule.is_asked_to_make_way());
  schedule.leave();
  EXPECT_TRUE(sync.enters());
  EXPECT_THAT(inside(gate), ElementsAre("pin", "sync"));
}

TEST(Gate, ThoseWhoWaitByHandGoBeforeTheBackgroundWhoeverCameFirst) {
  for (int round = 0; round < 100; ++round) {  // a wrong order is a matter of who wakes first
    Gate gate;
    auto sync = std::make_optional(gate.enter({Claim::Sync, "sync", {}}, {}).value());
    std::mutex mutex;
    std::vector<std::string> order;
    auto come = [&](const std::string& who, std::optional<std::stop_source> makes_way, std::promise<void>& waits) {
      const auto ticket =
          gate.enter({Claim::Sync, who, std::move(makes_way)}, {}, [&](const std::string&) { waits.set_value(); });
      const std::lock_guard lock(mutex);
      order.push_back(who);
    };
    std::promise<void> first_waits, second_waits;
    std::thread first([&] { come("schedule", std::stop_source(), first_waits); });
    first_waits.get_future().wait();
    std::thread second([&] { come("by hand", {}, second_waits); });
    second_waits.get_future().wait();
    sync.reset();
    first.join();
    second.join();
    ASSERT_THAT(order, ElementsAre("by hand", "schedule"));
  }
}
}  // namespace
}  // namespace hm::app
