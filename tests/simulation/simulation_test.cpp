// The same seed gives the same events, another gives others.
#include "tests/simulation/simulation.hpp"

#include <gtest/gtest.h>

namespace hm::test::sim {
namespace {
TEST(SimulationTest, TheSameSeedGivesTheSameEvents) {
  for (std::uint64_t seed = 1; seed <= 6; ++seed) {
    const Outcome once = simulate(draw_plan(seed), false), again = simulate(draw_plan(seed), false);
    EXPECT_EQ(once.trace_hash, again.trace_hash) << "seed " << seed;
    EXPECT_EQ(once.trace_tail, again.trace_tail) << "seed " << seed;
    EXPECT_GT(once.requests, 100U);
  }
  EXPECT_NE(simulate(draw_plan(1), false).trace_hash, simulate(draw_plan(2), false).trace_hash);
}
}  // namespace
}  // namespace hm::test::sim
