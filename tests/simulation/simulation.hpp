// tests/simulation/simulation.hpp: one Hub, one process after the other on one disk, days of their time. The same plan
// gives the same events in the same order. Threads: none.
#pragma once
#include <cstdint>
#include <deque>
#include <string>
#include <vector>

#include "tests/hub_at_scale/world.hpp"
#include "tests/simulation/oracle.hpp"
#include "tests/simulation/plan.hpp"

namespace hm::test::sim {
struct Outcome {
  Findings findings;  ///< none: all is well
  std::uint64_t trace_hash = 0;
  std::deque<std::string> trace_tail;
  std::uint64_t processes = 0, requests = 0, changes = 0, entries = 0;
  std::map<std::string, std::uint64_t> changes_by_what, entries_by_type;
  scale::Stats hub;
  std::int64_t took_ms = 0;  ///< of virtual time
};
/// @param aloud every event to standard output
Outcome simulate(const Plan& plan, bool aloud);
}  // namespace hm::test::sim
