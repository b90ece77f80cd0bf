// tests/hub_at_scale/names.hpp: names of the shape that people give, from seed and slot. Pure functions.
#pragma once
#include <cstdint>
#include <string>

#include "tests/hub_at_scale/population.hpp"

namespace hm::test::scale {
/// Owners are shared by all kinds; the k-th has about k^-1/2 of the repositories.
struct Naming {
  std::uint64_t seed = 1;
  std::uint32_t owners = 1;
  bool planted = false;  ///< models have the owners of plant.hpp
};
Naming naming_of(const Scale& scale);

/// Appends "owner/name", or one segment to a legacy repository. Not unique: the caller adds something when it is taken.
void append_generated_name(std::string& out, const Naming& naming, std::uint32_t slot, const Repo& repo);
}  // namespace hm::test::scale
