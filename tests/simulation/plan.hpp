// tests/simulation/plan.hpp: everything that a seed decides before the simulation begins. Values.
#pragma once
#include <cstdint>
#include <string>

#include "crawler/crawl.hpp"
#include "tests/hub_at_scale/world.hpp"

namespace hm::test::sim {
/// Of 10,000 requests, how many the network spoils, and how.
struct Faults {
  std::uint32_t lost = 0;         ///< no answer; the Hub never saw it
  std::uint32_t unanswered = 0;   ///< no answer, and the Hub counted it
  std::uint32_t broken_body = 0;  ///< the answer ends in the middle
  std::uint32_t server_error = 0;
  std::uint32_t throttled = 0;  ///< 429 with Retry-After
  std::uint32_t truncated = 0;  ///< half a JSON text that claims to be whole
  std::uint32_t garbage = 0;    ///< a web page
  std::uint32_t empty = 0;      ///< a sweep's page without rows and without a next one
  std::uint32_t expired = 0;    ///< a cursor that is not known any more: 400
};

/// A part of the product that is put together wrongly on purpose, to see the simulation fail.
enum class Plant : std::uint8_t {
  None,
  WatermarkTooHigh,   ///< the index stores an hour more than the tail says
  WatermarkTooEarly,  ///< the index stores it with the tail's first page
  BudgetPerKind,      ///< each lister has its own idea of what is left
  ForeignFence,       ///< a worker reports under the lease that its task has now, not under its own
};
std::string_view name_of(Plant plant);

struct Plan {
  std::uint64_t seed = 0;
  scale::Scale scale;
  std::size_t page_cap = 0;
  std::uint64_t quota = 0;           ///< api requests in 300 s
  std::int64_t duration_ms = 0;      ///< of the part in which things change and break
  std::int64_t change_every_ms = 0;  ///< mean pause between changes; some come in bursts
  std::uint32_t burst_max = 0;       ///< changes at one instant
  std::int64_t kill_every_ms = 0;    ///< mean life of a process; 0: never killed
  std::int64_t clock_every_ms = 0;   ///< mean pause between two settings of the wall clock
  std::int64_t latency_ms_max = 0;   ///< of an answer
  bool crawl_per_kind = false;       ///< three crawls with one budget beside each other, else one for all kinds
  int workers = 0;                   ///< that visit what the journal tells of; 0: none
  std::uint64_t visits_per_day = 0;  ///< by the product's own deep visits; 0: none
  std::int64_t lease_ms = 0, heartbeat_every_ms = 0, work_ms_max = 0;
  scale::Mix mix;
  Faults faults;
  crawler::CrawlOptions crawl;  ///< while things change; afterwards two quiet sweeps, a day apart
  Plant plant = Plant::None;
};
Plan draw_plan(std::uint64_t seed);
/// No faults and no kills: repositories of all kinds of which `changed` change while sweeps go by.
Plan mutating_hub(std::uint64_t seed, std::uint64_t repositories, std::uint64_t changed);
std::string text_of(const Plan& plan);  ///< one line
}  // namespace hm::test::sim
