// How long it takes to choose by policies over a crawled index:
//   hm_policy_bench DATA_DIR POLICY.toml...
// prints, for each policy, the first choice and the median of five others in milliseconds, and what was chosen.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "crawler/policy_choice.hpp"

namespace {
using namespace hm;
constexpr int kRuns = 5;

Result<double> milliseconds(const storage::Index& index, const config::MirrorPolicy& policy,
                            crawler::PolicyChoice& choice) {
  const auto begin = std::chrono::steady_clock::now();
  HM_TRY(choice, crawler::choose(index, policy, system_clock().unix_ms()));
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - begin).count();
}

Result<> measure(const std::string& data_dir, const std::string& path) {
  HM_TRY(const auto policy, config::load_mirror_policy(path));
  HM_TRY(const auto index, storage::open_index(data_dir + "/index", storage::Index::Mode::Read, {}));
  crawler::PolicyChoice choice;
  HM_TRY(const double first, milliseconds(*index, policy, choice));
  std::vector<double> times;
  for (int i = 0; i < kRuns; ++i) {
    HM_TRY(const double again, milliseconds(*index, policy, choice));
    times.push_back(again);
  }
  std::sort(times.begin(), times.end());
  std::printf("%-20s first %7.1f ms, then %7.1f ms (%.1f-%.1f), %zu chosen, %zu skipped, %zu notes\n",
              policy.name.c_str(), first, times[times.size() / 2], times.front(), times.back(), choice.chosen.size(),
              choice.skipped.size(), choice.notes.size());
  for (std::size_t i = 0; i < std::min<std::size_t>(3, choice.chosen.size()); ++i)
    std::printf("  %s: %s\n", choice.chosen[i].repo.text().c_str(), choice.chosen[i].why.front().c_str());
  for (const std::string& note : choice.notes) std::printf("  note: %s\n", note.c_str());
  return ok();
}
}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return std::fprintf(stderr, "usage: %s DATA_DIR POLICY.toml...\n", argv[0]), 2;
  for (int i = 2; i < argc; ++i)
    if (const auto measured = measure(argv[1], argv[i]); !measured)
      return std::fprintf(stderr, "%s: %s\n", argv[i], measured.error().what.c_str()), 1;
  return 0;
}
