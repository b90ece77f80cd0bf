// tests/hub_at_scale/plant_licences.hpp: licences along lineages whose verdicts are known, put into a population. Pure
// functions. The models are cut into groups of kPlantedGroup, each with the same lineages; no other model has a base,
// and none but the one of each group that is planted so was trained on a listed dataset.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "tests/hub_at_scale/population.hpp"

namespace hm::test::scale {
inline constexpr std::uint32_t kPlantedGroup = 20;

/// What an audit of the models has to find; each is so by hand, for one group, times the groups.
struct PlantedLicences {
  std::map<std::string, std::uint64_t> outcomes;   ///< models by outcome
  std::map<std::string, std::uint64_t> rules;      ///< models with such a finding
  std::map<std::string, std::uint64_t> decisions;  ///< by config/licences/policies/commercial.toml
};
/// @param scale a multiple of kPlantedGroup models, and at least one dataset for each group
PlantedLicences planted_licences(const Scale& scale);
/// The dataset that a model was trained on.
std::optional<std::uint32_t> planted_dataset_of(const Scale& scale, std::uint32_t slot);

void plant_lineages(const Scale& scale, std::vector<Repo>& repos);
void plant_licences(const Scale& scale, std::vector<Repo>& repos);  ///< after everything else
}  // namespace hm::test::scale
