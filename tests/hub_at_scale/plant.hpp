// tests/hub_at_scale/plant.hpp: the figures of the Spring 2026 report put into a population, so that a report over it
// has something exact to find. Pure functions. The figures are shares and counts of the whole Hub; a smaller Hub gets
// the same shares exactly, and the counts in proportion, rounded.
//
// - Each model has on average 1,000 downloads. The first 0.01 % (rounded), but never more than 200, have 49.6 % of all,
//   and half of the models have fewer than 200. 200 is 0.01 % of two million models; of more they are still the 200
//   that the report names, and the rest of the first 0.01 % is a thousandth part of a percent.
// - Five owners have all models (planted_owners()). Of the downloads China has 41 %; industry has 37 %, independents
//   39 %, academia 24 %.
// - Three families, one root each, of 113,000, 72,000 and 46,000 descendants among 2,300,000 models (or Scale::family
//   for the first). The deepest descendant is Scale::depth steps below the root on the shortest way, or as many as
//   there are descendants. Nobody else names a base.
// - Robotics datasets: 1,145 at the end of 2024 and 26,991 at the end of 2025 of 500,000; none later.
#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/hub_at_scale/population.hpp"

namespace hm::test::scale {
inline constexpr std::uint64_t kPlantedModelsMin = 15'000;  ///< with fewer, one model alone is the first 0.01 %

struct PlantedOwner {
  std::string_view name, jurisdiction, sector;  ///< as a table of origins has them; "" unknown
  std::uint32_t permille = 0;                   ///< of the downloads of all models
};
const std::array<PlantedOwner, 5>& planted_owners();
/// Of a model: who has it is seen by its slot.
const PlantedOwner& planted_owner_of(std::uint32_t slot);
/// A table of origins as CSV, with its head.
std::string planted_origins();

/// What is true of a planted Hub.
struct Planted {
  std::uint64_t downloads = 0;  ///< of all models
  std::uint64_t head = 0, head_downloads = 0;
  std::uint64_t below_200 = 0;
  std::array<std::uint64_t, 3> descendants{};  ///< of each family's root, largest first
  std::array<std::uint64_t, 3> depth{};        ///< of each family
  std::uint64_t robotics_2024 = 0, robotics_2025 = 0;
};
Planted planted(const Scale& scale);
/// The slot of a family's root, by its number from 0.
std::uint32_t planted_root(std::size_t family);
/// {"downloads", "head", "head_downloads", "below_200", "descendants", "depth", "robotics_2024", "robotics_2025",
/// "owners": [{"name", "jurisdiction", "sector", "downloads"}]}
std::string render_json(const Planted& truth);
/// Whether the families have room: nullopt, or what is wrong with the sizes.
std::optional<std::string> why_not_planted(const Scale& scale);

// The steps of populate(): each of them wants the ones before it.
void plant_families(const Scale& scale, std::vector<Repo>& repos);
void plant_downloads(const Scale& scale, std::vector<Repo>& repos);
void plant_robotics(const Scale& scale, std::vector<Repo>& repos);
}  // namespace hm::test::scale
