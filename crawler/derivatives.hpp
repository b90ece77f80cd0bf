// crawler/derivatives.hpp: what was made from given repositories, as far as the listings say by whose ids. Layer 5.
// Threads: safe; one call reads one column of all repositories.
#pragma once
#include <cstdint>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "provenance/listing.hpp"
#include "storage/index.hpp"

namespace hm::crawler {
struct Derivative {
  RepoKey key, base;
  provenance::BaseRelation relation = provenance::BaseRelation::Unknown;
  std::uint64_t downloads = 0;
};
/// Of one level, each once, most downloaded first. @param relations empty: all.
Result<std::vector<Derivative>> derivatives_of(const storage::Index& index, const std::vector<RepoKey>& bases,
                                               const std::vector<provenance::BaseRelation>& relations);
}  // namespace hm::crawler
