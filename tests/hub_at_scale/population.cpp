#include "tests/hub_at_scale/population.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "tests/hub_at_scale/draws.hpp"
#include "tests/hub_at_scale/plant.hpp"
#include "tests/hub_at_scale/plant_licences.hpp"

namespace hm::test::scale {
namespace {
constexpr double kTopShare = 0.496;               // of all downloads of models
constexpr double kTopFraction = 200.0 / 2.3e6;    // of the models have it
constexpr double kMedianDownloads = 5;            // of the law; what is drawn from it has many zeros
constexpr double kDerivedShare = 0.55;            // of the models name a base
constexpr double kLargestFamily = 113e3 / 2.3e6;  // of the models
constexpr std::uint32_t kFamiliesMax = 230;

/// The number between two bounds below which `too_low` is true.
template <class F>
double bisect(double low, double high, F&& too_low) {
  for (int step = 0; step < 60; ++step) {
    const double middle = (low + high) / 2;
    (too_low(middle) ? low : high) = middle;
  }
  return (low + high) / 2;
}

/// The sum of (k + shift)^-exponent for k = 1 … n; the far part as an integral.
double power_sum(std::uint64_t n, double shift, double exponent) {
  const std::uint64_t exact = std::min<std::uint64_t>(n, 2000);
  double sum = 0;
  for (std::uint64_t k = 1; k <= exact; ++k) sum += std::pow(static_cast<double>(k) + shift, -exponent);
  if (n == exact) return sum;
  const double from = static_cast<double>(exact) + 0.5 + shift;
  const double to = static_cast<double>(n) + 0.5 + shift;
  if (std::abs(exponent - 1) < 1e-9) return sum + std::log(to / from);
  return sum + (std::pow(from, 1 - exponent) - std::pow(to, 1 - exponent)) / (exponent - 1);
}

/// Downloads by rank: scale · (rank + shift)^-exponent, the exponent such that the top has its share.
class DownloadLaw {
 public:
  explicit DownloadLaw(std::uint64_t n) {
    const auto top = static_cast<std::uint64_t>(std::max(1.0, std::round(static_cast<double>(n) * kTopFraction)));
    shift_ = static_cast<double>(top) / 2;
    exponent_ = bisect(
        0.1, 8, [&](double e) { return power_sum(std::min(top, n), shift_, e) / power_sum(n, shift_, e) < kTopShare; });
    scale_ = kMedianDownloads * std::pow(static_cast<double>(n) / 2 + shift_, exponent_);
  }
  std::uint32_t at(std::uint64_t rank, double unit) const {
    double value = scale_ * std::pow(static_cast<double>(rank) + shift_, -exponent_);
    if (value < 32) value *= 2 * unit;  // the mean stays, the zeros come
    return static_cast<std::uint32_t>(std::min(value, 4e9));
  }

 private:
  double shift_ = 0;
  double exponent_ = 1;
  double scale_ = 1;
};

/// createdAt of the i-th of n: (share of the time since the floor, share of the repositories that exist by then).
std::uint32_t created_at(std::uint64_t i, std::uint64_t n, std::uint32_t now_s) {
  static constexpr std::array<std::pair<double, double>, 5> kGrowth{
      {{0, 0.013}, {0.20, 0.05}, {0.43, 0.22}, {0.68, 0.46}, {1, 1}}};
  const double share = (static_cast<double>(i) + 0.5) / static_cast<double>(n);
  if (share < kGrowth[0].second) return kFloorS;
  std::size_t part = 1;
  while (part + 1 < kGrowth.size() && share > kGrowth[part].second) ++part;
  const auto& [t0, s0] = kGrowth[part - 1];
  const auto& [t1, s1] = kGrowth[part];
  const double t = t0 + (t1 - t0) * (share - s0) / (s1 - s0);
  return kFloorS + static_cast<std::uint32_t>(t * static_cast<double>(now_s - kFloorS));
}

std::uint32_t modified_at(const Draw& draw, std::uint32_t created_s, std::uint32_t now_s) {
  constexpr std::uint32_t kDayS = 86'400;
  const double how = draw.unit(For::Modified);
  const auto up_to = [&](std::uint32_t span_s) { return draw.below(For::ModifiedBy, span_s + 1); };
  if (created_s == kFloorS && how < 0.6) return created_s - up_to(1000 * kDayS);
  if (how < 0.05) return created_s - up_to(10 * kDayS);  // pushed with commits that are older than the repository
  if (how < 0.60) return std::min(now_s, created_s + up_to(3600));
  if (how < 0.80) return std::min(now_s, created_s + up_to(30 * kDayS));
  return created_s + up_to(now_s - created_s);
}

/// By weight, never none.
std::uint8_t weighted_licence(std::uint64_t bits) {
  static const std::uint32_t sum = [] {
    std::uint32_t s = 0;
    for (const Licence& l : kLicences) s += l.weight;
    return s;
  }();
  std::uint32_t at = below(bits, sum);
  for (std::size_t i = 1; i < kLicences.size(); ++i) {
    if (at < kLicences[i].weight) return static_cast<std::uint8_t>(i);
    at -= kLicences[i].weight;
  }
  return 1;
}
std::uint8_t licence_of_family(std::uint16_t family) { return weighted_licence(mix(family * 0x9e3779b97f4a7c15U)); }

class Populator {
 public:
  explicit Populator(const Scale& scale) : scale_(scale), now_s_(static_cast<std::uint32_t>(scale.now_ms / 1000)) {}

  std::vector<Repo> run() {
    const std::uint64_t total = scale_.models + scale_.datasets + scale_.spaces;
    repos_.reserve(total + total / 16 + 1024);  // with room for what is created later
    repos_.resize(total);
    for (std::size_t k = 0; k < kKinds; ++k) times(kind_at(k));
    if (scale_.planted)
      plant_families(scale_, repos_);
    else if (scale_.planted_licences)
      plant_lineages(scale_, repos_);
    else
      families();
    for (std::size_t k = 0; k < kKinds; ++k) popularity(kind_at(k));
    if (scale_.planted) plant_downloads(scale_, repos_), plant_robotics(scale_, repos_);
    for (std::uint32_t slot = 0; slot < repos_.size(); ++slot) conditions(slot);
    if (scale_.planted_licences) plant_licences(scale_, repos_);
    return std::move(repos_);
  }

 private:
  Draw draw(std::uint32_t slot) const { return Draw(scale_.seed, slot); }

  void times(RepoKind kind) {
    const auto [first, last] = slots_of(scale_, kind);
    const std::uint32_t n = last - first;
    const bool all_owned =
        kind == RepoKind::Space || (kind == RepoKind::Model && (scale_.planted || scale_.planted_licences));
    const std::uint32_t legacy = all_owned ? 0 : std::min(300U, n / 100);
    for (std::uint32_t slot = first; slot < last; ++slot) {
      Repo& repo = repos_[slot];
      repo.kind = kind;
      const bool burst = slot > first && draw(slot).unit(For::Burst) < 0.05;  // many in one second, as scripts do
      repo.created_s = burst ? repos_[slot - 1].created_s : created_at(slot - first, n, now_s_);
      repo.modified_s = modified_at(draw(slot), repo.created_s, now_s_);
      repo.commits = 1 + static_cast<std::uint32_t>(-3 * std::log(1 - draw(slot).unit(For::Commits)));
      repo.legacy = slot - first < legacy;
    }
  }

  /// Family f's root stands in the first quarter of the models; members name the root or an earlier member.
  void families() {
    const auto n = static_cast<std::uint32_t>(scale_.models);
    const std::uint32_t count = std::min(kFamiliesMax, n / 200);
    if (count == 0) return;
    const double wanted = kDerivedShare / kLargestFamily;
    const double exponent =
        bisect(0, 3, [&](double e) { return power_sum(count, 0, e) > wanted; });  // 0: all are as large as the first
    std::vector<double> until(count);
    std::vector<std::vector<std::uint32_t>> members(count);
    std::vector<std::size_t> size_max(count);
    double sum = 0;
    for (std::uint32_t f = 0; f < count; ++f) {
      const double size = kLargestFamily * n * std::pow(f + 1.0, -exponent);
      size_max[f] = static_cast<std::size_t>(size);
      until[f] = sum += size;
      Repo& root = repos_[root_of(f, count)];
      root.family = static_cast<std::uint16_t>(f + 1);
      root.root = true;
      root.legacy = false;
    }
    for (std::uint32_t slot = 0; slot < n; ++slot) {
      if (repos_[slot].root)
        members[repos_[slot].family - 1U].push_back(slot);
      else if (!repos_[slot].legacy && draw(slot).unit(For::Family) < kDerivedShare * 1.04)
        adopt(slot, until, members, size_max);
    }
  }
  std::uint32_t root_of(std::uint32_t f, std::uint32_t count) const {
    const auto n = static_cast<std::uint32_t>(scale_.models);
    return std::min(300U, n / 100) + static_cast<std::uint32_t>(std::uint64_t{f} * (n / 4) / count);
  }
  void adopt(std::uint32_t slot, const std::vector<double>& until, std::vector<std::vector<std::uint32_t>>& members,
             const std::vector<std::size_t>& size_max) {
    for (std::uint64_t attempt = 0; attempt < 6; ++attempt) {
      const double at = unit_of(draw(slot).bits(For::Parent, 100 * (attempt + 1))) * until.back();
      const auto f = static_cast<std::size_t>(std::ranges::upper_bound(until, at) - until.begin());
      if (f >= members.size() || members[f].empty() || members[f].size() > size_max[f]) continue;
      Repo& repo = repos_[slot];
      repo.family = static_cast<std::uint16_t>(f + 1);
      const bool of_root = draw(slot).unit(For::Parent) < 0.6;
      const auto size = static_cast<std::uint32_t>(members[f].size());
      repo.parent = members[f][of_root ? 0 : scale::below(draw(slot).bits(For::Parent, 50), size)];
      const double relation = draw(slot).unit(For::Relation);
      repo.relation = relation < 0.45   ? Relation::Finetune
                      : relation < 0.75 ? Relation::Quantized
                      : relation < 0.95 ? Relation::Adapter
                                        : Relation::Merge;
      members[f].push_back(slot);
      return;
    }
  }

  void popularity(RepoKind kind) {
    const auto [first, last] = slots_of(scale_, kind);
    std::vector<std::uint32_t> ranked(last - first);
    std::iota(ranked.begin(), ranked.end(), first);
    Stream stream(scale_.seed + index_of(kind) + 77);
    for (std::size_t i = ranked.size(); i > 1; --i)
      std::swap(ranked[i - 1], ranked[stream.below(static_cast<std::uint32_t>(i))]);
    // The roots of families are among the first.
    for (std::size_t rank = 0, roots = 0; rank < ranked.size(); ++rank)
      if (repos_[ranked[rank]].root) std::swap(ranked[roots++], ranked[rank]);
    const DownloadLaw law(std::max<std::uint64_t>(ranked.size(), 1));
    for (std::size_t rank = 0; rank < ranked.size(); ++rank) {
      const std::uint32_t slot = ranked[rank];
      Repo& repo = repos_[slot];
      const double unit = draw(slot).unit(For::Likes);
      if (kind == RepoKind::Space) {
        repo.likes = static_cast<std::uint32_t>(std::min(20e3, 0.3 * (std::pow(1 - unit, -0.8) - 1)));
      } else {
        repo.downloads = law.at(rank + 1, draw(slot).unit(For::Downloads));
        repo.likes = static_cast<std::uint32_t>(std::sqrt(repo.downloads) * unit * unit);
      }
      const bool fresh = repo.modified_s + 30U * 86'400 > now_s_;
      const std::uint32_t luck = fresh && draw(slot).unit(For::Trending) < 0.1 ? 1 : 0;
      repo.trending =
          static_cast<std::uint16_t>(std::min(60'000U, (fresh ? repo.likes / 20 : repo.likes / 500) + luck));
    }
  }

  void conditions(std::uint32_t slot) {
    Repo& repo = repos_[slot];
    const Draw d = draw(slot);
    repo.licence = repo.root ? licence_of_family(repo.family) : draw_licence(d, repo.family);
    const double gate = repo.root && repo.family % 5 == 0 ? 0.014 : d.unit(For::Gated);
    repo.gate = gate < 0.009 ? Gate::Auto : gate < 0.015 ? Gate::Manual : Gate::Open;
    repo.disabled = d.below(For::Disabled, 20'000) == 0;
  }

  const Scale& scale_;
  std::uint32_t now_s_;
  std::vector<Repo> repos_;
};

}  // namespace

Scale full(std::uint64_t seed, std::int64_t now_ms) {
  Scale scale;
  scale.models = 2'300'000;
  scale.datasets = 500'000;
  scale.spaces = 1'000'000;
  scale.seed = seed;
  scale.now_ms = now_ms;
  return scale;
}

std::string_view name_of(Relation relation) {
  static constexpr std::array<std::string_view, 4> kNames{"finetune", "adapter", "quantized", "merge"};
  return kNames[static_cast<std::size_t>(relation)];
}
std::string_view name_of(Gate gate) {
  static constexpr std::array<std::string_view, 3> kNames{"false", "auto", "manual"};
  return kNames[static_cast<std::size_t>(gate)];
}

std::pair<std::uint32_t, std::uint32_t> slots_of(const Scale& scale, RepoKind kind) {
  const std::array<std::uint64_t, 4> at{0, scale.models, scale.models + scale.datasets,
                                        scale.models + scale.datasets + scale.spaces};
  return {static_cast<std::uint32_t>(at[index_of(kind)]), static_cast<std::uint32_t>(at[index_of(kind) + 1])};
}

std::uint8_t draw_licence(const Draw& draw, std::uint16_t family) {
  if (draw.unit(For::Licence) >= 0.40) return 0;
  if (family != 0 && draw.unit(For::OwnLicence) < 0.6) return licence_of_family(family);
  return weighted_licence(draw.bits(For::OwnLicence, 500));
}

std::vector<Repo> populate(const Scale& scale) { return Populator(scale).run(); }
}  // namespace hm::test::scale
