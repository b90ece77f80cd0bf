// crawler/derivatives.hpp: what was made from given repositories, as far as the listings say by whose ids. Layer 5.
// Threads: safe; one call reads one column of all repositories.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string_view>
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
/// How many repositories name each one as their base. Takes 4 MiB whatever is listed: two repositories may share a
/// place and so a count, which an order of urgency can bear.
class DerivativeCounts {
 public:
  static Result<DerivativeCounts> read(const storage::Index& index);
  /// @param stored_key key::repo()
  std::uint32_t of(std::string_view stored_key) const { return counts_[place_of(stored_key)]; }

 private:
  DerivativeCounts() : counts_(kPlaces) {}
  static constexpr std::size_t kPlaces = 1U << 20;
  static std::size_t place_of(std::string_view stored_key);
  std::vector<std::uint32_t> counts_;
};
}  // namespace hm::crawler
