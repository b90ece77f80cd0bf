// hm_simulate: runs the crawler under virtual time against a Hub that changes, a network that fails and kills, seed by
// seed. docs/developing.md "Simulation".
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <ctime>

#include "tests/simulation/simulation.hpp"
#include "tests/simulation/virtual_time.hpp"

namespace {
using namespace hm::test::sim;

struct Options {
  std::uint64_t from = 1, seeds = 1;
  std::uint64_t mutating_hub = 0;
  std::string plant = "none";
  bool must_fail = false, verbose = false;
};

/// As many as HUBMIRROR_TEST_SCALE (0 to 1) leaves of them, as in every test with a number of rounds; ten at least.
std::uint64_t scaled(std::uint64_t seeds) {
  constexpr std::uint64_t kLeast = 10;
  const char* const scale = std::getenv("HUBMIRROR_TEST_SCALE");
  if (scale == nullptr) return seeds;
  const auto left = static_cast<std::uint64_t>(static_cast<double>(seeds) * std::clamp(std::atof(scale), 0.0, 1.0));
  return std::min(seeds, std::max(left, kLeast));
}

Plant plant_of(const std::string& name) {
  for (const Plant plant :
       {Plant::WatermarkTooHigh, Plant::WatermarkTooEarly, Plant::BudgetPerKind, Plant::ForeignFence})
    if (name == name_of(plant)) return plant;
  return Plant::None;
}

void print_figures(const Outcome& out) {
  std::printf("%.1f h of virtual time, %" PRIu64 " processes, %" PRIu64 " requests, %" PRIu64
              " answers 429, trace %016" PRIx64 "\n",
              static_cast<double>(out.took_ms) / static_cast<double>(kHourMs), out.processes, out.requests,
              out.hub.rate_limited, out.trace_hash);
  std::printf("changes %" PRIu64 ":", out.changes);
  for (const auto& [what, n] : out.changes_by_what) std::printf(" %s %" PRIu64, what.c_str(), n);
  std::printf("\njournal entries %" PRIu64 ":", out.entries);
  for (const auto& [type, n] : out.entries_by_type) std::printf(" %s %" PRIu64, type.c_str(), n);
  std::printf("\n");
}

void print_failure(const Plan& plan, const Outcome& out) {
  std::printf("seed %" PRIu64 " FAILED: %s\n", plan.seed, text_of(plan).c_str());
  for (const std::string& line : out.trace_tail) std::printf("  %s\n", line.c_str());
  for (const std::string& finding : out.findings) std::printf("  * %s\n", finding.c_str());
  const std::string planted = plan.plant == Plant::None ? "" : " --plant " + std::string(name_of(plan.plant));
  std::printf("again, with every event: hm_simulate --seed %" PRIu64 "%s --verbose\n", plan.seed, planted.c_str());
}

int run(const Options& options) {
  const std::clock_t began = std::clock();
  std::uint64_t failed = 0;
  for (std::uint64_t seed = options.from; seed < options.from + options.seeds; ++seed) {
    Plan plan = options.mutating_hub != 0 ? mutating_hub(seed, options.mutating_hub, options.mutating_hub / 10)
                                          : draw_plan(seed);
    plan.plant = plant_of(options.plant);
    const Outcome out = simulate(plan, options.verbose);
    if (options.verbose || options.mutating_hub != 0) print_figures(out);
    if (out.findings.empty()) continue;
    ++failed;
    print_failure(plan, out);
    if (options.must_fail) break;
  }
  const double seconds = static_cast<double>(std::clock() - began) / CLOCKS_PER_SEC;
  std::printf("seeds %" PRIu64 " to %" PRIu64 ": %" PRIu64 " failed; %.3f s of CPU for each\n", options.from,
              options.from + options.seeds - 1, failed, seconds / static_cast<double>(options.seeds));
  if (options.must_fail && failed == 0) std::printf("the planted mistake was not found\n");
  return (failed != 0) == options.must_fail ? 0 : 1;
}
}  // namespace

int main(int argc, char** argv) {
  Options options;
  std::uint64_t seed = 0;
  CLI::App app("Simulates days of the crawler's life against a Hub in memory; the same seed gives the same events.");
  app.add_option("--seed", seed, "this one only");
  app.add_option("--from", options.from, "the first seed")->capture_default_str();
  app.add_option("--seeds", options.seeds, "how many")->capture_default_str()->check(CLI::PositiveNumber);
  app.add_option("--plant", options.plant,
                 "a mistake: watermark-too-high, watermark-too-early, budget-per-kind, foreign-fence")
      ->check(CLI::IsMember({"none", "watermark-too-high", "watermark-too-early", "budget-per-kind", "foreign-fence"}));
  app.add_option("--mutating-hub", options.mutating_hub,
                 "so many repositories, of which a tenth change while sweeps go by; no faults");
  app.add_flag("--must-fail", options.must_fail, "succeed at the first seed that fails, and fail without one");
  app.add_flag("--verbose", options.verbose, "print every event");
  CLI11_PARSE(app, argc, argv);
  if (!options.must_fail) options.seeds = scaled(options.seeds);
  if (seed != 0) options.from = seed, options.seeds = 1;
  return run(options);
}
