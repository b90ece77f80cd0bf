#include "config/suggest.hpp"

#include <algorithm>
#include <cstddef>

namespace hm::config {
namespace {
constexpr std::size_t kWordBytesMax = 64;  // the table below is quadratic; nobody's key is longer

/// Insertions, deletions, replacements, and swaps of neighbours, each at cost 1.
std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::vector<std::size_t>> d(a.size() + 1, std::vector<std::size_t>(b.size() + 1));
  for (std::size_t i = 0; i <= a.size(); ++i) d[i][0] = i;
  for (std::size_t j = 0; j <= b.size(); ++j) d[0][j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    for (std::size_t j = 1; j <= b.size(); ++j) {
      d[i][j] = std::min({d[i - 1][j] + 1, d[i][j - 1] + 1, d[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0U : 1U)});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
        d[i][j] = std::min(d[i][j], d[i - 2][j - 2] + 1);
    }
  }
  return d[a.size()][b.size()];
}
}  // namespace

std::string nearest(std::string_view given, const std::vector<std::string>& candidates) {
  if (given.size() > kWordBytesMax) return {};
  std::size_t best = std::max<std::size_t>(1, given.size() / 3) + 1;
  std::string found;
  for (const std::string& candidate : candidates) {
    if (candidate.size() > kWordBytesMax) continue;
    const std::size_t distance = edit_distance(given, candidate);
    if (distance < best) {
      best = distance;
      found = candidate;
    }
  }
  return found;
}

std::string did_you_mean(std::string_view given, const std::vector<std::string>& candidates) {
  const std::string word = nearest(given, candidates);
  return word.empty() ? std::string() : "; did you mean \"" + word + "\"?";
}
}  // namespace hm::config
