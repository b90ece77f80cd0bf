#include "tests/simulation/plan.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "tests/hub_at_scale/draws.hpp"
#include "tests/simulation/virtual_time.hpp"

namespace hm::test::sim {
namespace {
class Dice {
 public:
  explicit Dice(std::uint64_t seed) : stream_(seed) {}
  std::int64_t between(std::int64_t least, std::int64_t most) {  // both may come
    return least + stream_.below(static_cast<std::uint32_t>(most - least + 1));
  }
  std::uint32_t upto(std::uint32_t most) { return stream_.below(most + 1); }
  bool one_in(std::uint32_t n) { return stream_.below(n) == 0; }

 private:
  scale::Stream stream_;
};

Faults draw_faults(Dice& dice) {
  Faults f;
  if (dice.one_in(4)) return f;  // a quiet network: then the Hub must never answer 429
  for (std::uint32_t* rate : {&f.lost, &f.unanswered, &f.broken_body, &f.server_error, &f.throttled, &f.truncated,
                              &f.garbage, &f.empty, &f.expired})
    *rate = dice.one_in(3) ? 0 : dice.upto(200);
  return f;
}

scale::Mix draw_mix(Dice& dice) {
  scale::Mix mix;
  for (std::uint32_t* weight : {&mix.create, &mix.touch, &mix.rename, &mix.replace, &mix.gate, &mix.show, &mix.licence})
    *weight = dice.one_in(6) ? 0 : 1 + dice.upto(30);
  mix.remove = dice.upto(12);
  mix.hide = dice.upto(6);
  return mix;
}
}  // namespace

std::string_view name_of(Plant plant) {
  switch (plant) {
    case Plant::WatermarkTooHigh:
      return "watermark-too-high";
    case Plant::WatermarkTooEarly:
      return "watermark-too-early";
    case Plant::BudgetPerKind:
      return "budget-per-kind";
    case Plant::ForeignFence:
      return "foreign-fence";
    case Plant::None:
      break;
  }
  return "none";
}

Plan draw_plan(std::uint64_t seed) {
  Dice dice(seed * 0x9e3779b97f4a7c15U + 1);
  Plan p;
  p.seed = seed;
  const std::int64_t repositories = dice.between(100, 600);
  p.scale.models = static_cast<std::uint64_t>(dice.between(10, repositories - 20));
  p.scale.datasets = static_cast<std::uint64_t>(dice.between(5, repositories - static_cast<int>(p.scale.models) - 10));
  p.scale.spaces = static_cast<std::uint64_t>(repositories) - p.scale.models - p.scale.datasets;
  p.scale.seed = seed;
  p.page_cap = static_cast<std::size_t>(dice.one_in(2) ? dice.between(3, 8) : dice.between(9, 40));
  p.quota = static_cast<std::uint64_t>(dice.between(20, 90));  // many starts in one window may not empty it
  p.duration_ms = dice.between(6 * 60, 72 * 60) * kMinuteMs;
  p.crawl.tail_every_ms = std::max<std::int64_t>(kMinuteMs, p.duration_ms / dice.between(30, 70));
  p.crawl.sweep_every_ms = p.duration_ms / dice.between(1, 4);
  p.crawl.hot_every_ms = p.duration_ms / dice.between(1, 4);
  p.change_every_ms = p.duration_ms / dice.between(15, 60);
  p.burst_max = dice.upto(60);
  p.kill_every_ms = dice.one_in(4) ? 0 : p.duration_ms / dice.between(2, 12);
  p.clock_every_ms = p.duration_ms / dice.between(1, 20);
  p.latency_ms_max = dice.one_in(3) ? 0 : dice.between(1, 5'000);
  p.crawl_per_kind = dice.one_in(2);
  p.workers = dice.one_in(4) ? 0 : static_cast<int>(dice.between(1, 6));
  p.lease_ms = dice.between(30, 180) * kSecondMs;
  p.heartbeat_every_ms = dice.one_in(2) ? p.lease_ms / 3 : p.lease_ms * dice.between(1, 10);  // late: leases are lost
  p.work_ms_max = dice.between(1, 600) * kSecondMs;
  p.mix = draw_mix(dice);
  p.faults = draw_faults(dice);
  return p;
}

Plan mutating_hub(std::uint64_t seed, std::uint64_t repositories, std::uint64_t changed) {
  Plan p;
  p.seed = seed;
  p.scale.models = repositories * 6 / 10;
  p.scale.datasets = repositories * 13 / 100;
  p.scale.spaces = repositories - p.scale.models - p.scale.datasets;
  p.scale.seed = seed;
  p.page_cap = 1000;
  p.quota = 500;
  p.duration_ms = 2 * kDayMs;
  p.change_every_ms =
      std::max<std::int64_t>(1, p.duration_ms / static_cast<std::int64_t>(std::max<std::uint64_t>(changed, 1)));
  p.burst_max = 1;
  p.latency_ms_max = 1'000;
  p.crawl.tail_every_ms = 20 * kMinuteMs;
  return p;
}

std::string text_of(const Plan& p) {
  const auto minutes = [](std::int64_t ms) { return std::to_string(ms / kMinuteMs) + " min"; };
  return std::to_string(p.scale.models) + " models, " + std::to_string(p.scale.datasets) + " datasets, " +
         std::to_string(p.scale.spaces) + " spaces; pages of " + std::to_string(p.page_cap) + "; " +
         std::to_string(p.quota) + " calls in 300 s; changes for " + minutes(p.duration_ms) + " every " +
         minutes(p.change_every_ms) + ", up to " + std::to_string(p.burst_max) + " at once; tails every " +
         minutes(p.crawl.tail_every_ms) + "; killed every " + minutes(p.kill_every_ms) + "; " +
         (p.crawl_per_kind ? "three crawls" : "one crawl") + "; " + std::to_string(p.workers) +
         " workers; planted: " + std::string(name_of(p.plant));
}
}  // namespace hm::test::sim
