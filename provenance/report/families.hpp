// provenance/report/families.hpp: who descends from whom among the listed models, as far as their authors declare it.
// Layer 4. Threads: one call reads two columns and holds the edges in memory, some 30 bytes for each model.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/result.hpp"
#include "provenance/report/population.hpp"
#include "storage/index.hpp"

namespace hm::provenance::report {
/// A model without a declared base from which others descend.
struct Root {
  std::uint32_t ordinal = 0;      ///< may be gone or private; its descendants are public
  std::uint64_t direct = 0;       ///< public models that name it as a base
  std::uint64_t descendants = 0;  ///< public models that descend from it, at whatever distance
};
/// All models of one owner together.
struct OwnersFamily {
  std::uint32_t owner = 0;  ///< place in Population::owners()
  std::uint64_t bases = 0;  ///< models of the owner that others name as a base
  std::uint64_t direct = 0, descendants = 0;
  std::uint64_t by_others = 0;  ///< of the descendants those of another owner
};
struct Families {
  std::vector<Root> roots;                     ///< most descendants first
  std::vector<OwnersFamily> owners;            ///< most descendants first
  std::array<std::uint64_t, 5> by_relation{};  ///< public models with a declared base, by BaseRelation
  std::uint64_t declared = 0;                  ///< public models with a declared base
  std::uint64_t of_none_listed = 0;            ///< of these: none of their bases is among the listed
  std::uint64_t of_themselves = 0;             ///< of these: the only base they name is themselves
  std::uint64_t rootless = 0;  ///< public models with a listed base that descend from no root: their bases go in a
                               ///< circle or end at what is not listed
  std::uint64_t not_counted_roots = 0, not_counted_owners = 0;  ///< the bound on work was reached before them
};
/// @param steps_max edges that are followed at most, for roots and for owners
Result<Families> read_families(const Population& population, std::uint64_t steps_max = 400'000'000);
}  // namespace hm::provenance::report
