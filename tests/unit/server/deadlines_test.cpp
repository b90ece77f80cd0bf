// Deadlines of one loop. Each test ends by the event that it waits for.
#include "server/http/deadlines.hpp"

#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <memory>
#include <string>
#include <vector>

namespace hm::server {
namespace {
namespace asio = boost::asio;

struct Loop {
  asio::io_context context;
  Deadlines deadlines;
  Loop() { asio::co_spawn(context, deadlines.run(), asio::detached); }
  /// `last` ends it.
  void run() { context.run(); }
};

TEST(DeadlinesTest, OneThatPassedIsToldOfAtEachTickUntilItIsCleared) {
  Loop loop;
  int told = 0;
  Deadline* self = nullptr;
  Deadline once([&] {
    ++told;
    if (told == 2) self->clear();
  });
  self = &once;
  Deadline end([&] { loop.context.stop(); });
  loop.deadlines.add(once);
  loop.deadlines.add(end);
  once.set(1);
  end.set(5 * Deadlines::kTickMs);
  loop.run();
  EXPECT_EQ(told, 2);
}

TEST(DeadlinesTest, OneThatWasClearedOrDestroyedIsNotToldOf) {
  Loop loop;
  bool told = false;
  Deadline cleared([&] { told = true; });
  auto destroyed = std::make_unique<Deadline>([&] { told = true; });
  Deadline never_set([&] { told = true; });
  Deadline end([&] { loop.context.stop(); });
  for (Deadline* one : {&cleared, destroyed.get(), &never_set, &end}) loop.deadlines.add(*one);
  cleared.set(1);
  destroyed->set(1);
  cleared.clear();
  destroyed.reset();
  end.set(2 * Deadlines::kTickMs);
  loop.run();
  EXPECT_FALSE(told);
}

TEST(DeadlinesTest, OneThatIsSetAnewMoves) {
  Loop loop;
  std::string order;
  Deadline first([&] { order += "first "; });
  Deadline second([&] {
    order += "second ";
    loop.context.stop();
  });
  loop.deadlines.add(first);
  loop.deadlines.add(second);
  first.set(1);
  first.set(3'600'000);
  second.set(1);
  loop.run();
  EXPECT_EQ(order, "second ");
}

TEST(DeadlinesTest, TheyMayGoInAnyOrder) {
  Loop loop;
  std::vector<std::unique_ptr<Deadline>> many;
  std::size_t told = 0;
  for (int i = 0; i < 100; ++i) {
    many.push_back(std::make_unique<Deadline>([&] { ++told; }));
    loop.deadlines.add(*many.back());
    many.back()->set(1);
  }
  for (std::size_t i = 0; i < many.size(); i += 3) many[i].reset();
  many.front().reset(), many.back().reset();
  Deadline end([&] { loop.context.stop(); });
  loop.deadlines.add(end);
  end.set(1);
  loop.run();
  EXPECT_EQ(told, 66U);
}

TEST(DeadlinesTest, TheListMayGoBeforeItsDeadlines) {
  auto gone = std::make_unique<Deadlines>();
  Loop loop;
  int told = 0;
  Deadline one([&] {
    ++told;
    loop.context.stop();
  });
  Deadline two([&] { ++told; });
  gone->add(one);
  gone->add(two);
  gone.reset();
  loop.deadlines.add(one);  // of another list now
  one.set(1);
  two.set(1);
  loop.run();
  EXPECT_EQ(told, 1);
}
}  // namespace
}  // namespace hm::server
