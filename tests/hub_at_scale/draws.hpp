// tests/hub_at_scale/draws.hpp: everything that a repository has by chance, computed from seed, slot and purpose
// instead of being stored. Values; pure functions.
#pragma once
#include <cmath>
#include <cstdint>

namespace hm::test::scale {
/// A bijection of 64 bits that scatters (the finaliser of splitmix64).
constexpr std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
  return z ^ (z >> 31);
}
/// unmix(mix(z)) == z: ids are turned back into slots with it, which saves a table of ids.
constexpr std::uint64_t unmix(std::uint64_t z) {
  z = (z ^ (z >> 31) ^ (z >> 62)) * 0x319642b2d24d8ec3U;
  z = (z ^ (z >> 27) ^ (z >> 54)) * 0x96de1b173f119089U;
  return z ^ (z >> 30) ^ (z >> 60);
}
static_assert(unmix(mix(0x0123456789abcdefU)) == 0x0123456789abcdefU);

constexpr double unit_of(std::uint64_t bits) { return static_cast<double>(bits >> 11) * 0x1p-53; }
constexpr std::uint32_t below(std::uint64_t bits, std::uint32_t n) {
  return static_cast<std::uint32_t>(((bits >> 32) * n) >> 32);
}

/// What a draw is for. Each is independent of the others, so one more never changes what was there.
enum class For : std::uint32_t {
  Owner = 1,
  Style,
  Words,
  Token,
  Burst,
  Family,
  Parent,
  Relation,
  Modified,
  ModifiedBy,
  Commits,
  Downloads,
  Likes,
  Trending,
  Licence,
  OwnLicence,
  Gated,
  Disabled,
  Library,
  Task,
  Language,
  Arxiv,
  Dataset,
  Safetensors,
  Storage,
  Region,
  Card,
  Sdk,
  Size,
  Sha = 1000,  ///< and upwards: one for each part of each commit
};

/// The draws of one repository.
class Draw {
 public:
  constexpr Draw(std::uint64_t seed, std::uint32_t slot) : base_(mix(seed ^ mix(slot + 0x9e3779b97f4a7c15U))) {}
  constexpr std::uint64_t bits(For purpose, std::uint64_t part = 0) const {
    return mix(base_ + (static_cast<std::uint64_t>(purpose) + part) * 0x9e3779b97f4a7c15U);
  }
  constexpr double unit(For purpose) const { return unit_of(bits(purpose)); }  ///< [0, 1)
  constexpr std::uint32_t below(For purpose, std::uint32_t n) const { return scale::below(bits(purpose), n); }
  /// exp(N(0, 1) · sigma), the normal being a sum of four uniforms.
  double log_normal(For purpose, double sigma) const {
    const std::uint64_t b = bits(purpose);
    double sum = 0;
    for (int part = 0; part < 4; ++part) sum += static_cast<double>((b >> (16 * part)) & 0xffff) / 65536.0;
    return std::exp((sum - 2.0) * 1.7320508 * sigma);
  }

 private:
  std::uint64_t base_;
};

/// A stream of numbers for mutations; the same everywhere, unlike the distributions of <random>.
class Stream {
 public:
  explicit Stream(std::uint64_t seed) : state_(mix(seed)) {}
  std::uint64_t next() { return mix(state_ += 0x9e3779b97f4a7c15U); }
  std::uint32_t below(std::uint32_t n) { return scale::below(next(), n); }

 private:
  std::uint64_t state_;
};
}  // namespace hm::test::scale
