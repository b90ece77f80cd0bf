#include "crawler/derivatives.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>

#include "storage/columns.hpp"
#include "storage/key_space.hpp"

namespace hm::crawler {
using provenance::BaseRelation;
using storage::Column;

namespace {
struct Hash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
/// Repositories as their keys are stored.
using Keys = std::unordered_set<std::string, Hash, std::equal_to<>>;

struct Hit {
  std::uint32_t ordinal = 0;
  std::string base;  ///< its stored key
  BaseRelation relation = BaseRelation::Unknown;
};

/// The first of the packed bases that is wanted.
void find_hit(std::uint32_t ordinal, std::string_view packed, const Keys& wanted,
              const std::vector<BaseRelation>& relations, std::vector<Hit>& hits) {
  for (; packed.size() >= storage::kBaseBytes; packed.remove_prefix(storage::kBaseBytes)) {
    const auto relation = static_cast<BaseRelation>(packed[0]);
    const auto base = wanted.find(packed.substr(1, storage::kBaseBytes - 1));
    if (base == wanted.end()) continue;
    if (!relations.empty() && std::find(relations.begin(), relations.end(), relation) == relations.end()) continue;
    hits.push_back({ordinal, *base, relation});
    return;
  }
}
}  // namespace

Result<std::vector<Derivative>> derivatives_of(const storage::Index& index, const std::vector<RepoKey>& bases,
                                               const std::vector<BaseRelation>& relations) {
  Keys wanted;
  for (const RepoKey& key : bases) wanted.insert(storage::key::repo(key));
  std::vector<Hit> hits;
  HM_TRY(storage::scan_column(index, Column::Bases, [&](std::uint32_t first, const storage::ColumnChunk& chunk) {
    for (std::uint32_t i = 0; i < chunk.size(); ++i) find_hit(first + i, chunk.bytes(i), wanted, relations, hits);
    return true;
  }));
  storage::ColumnReader columns(index);
  std::vector<Derivative> out;
  for (const Hit& hit : hits) {
    HM_TRY(const std::string stored_key, columns.bytes(Column::Key, hit.ordinal));
    const auto key = storage::key::parse_repo(stored_key), base = storage::key::parse_repo(hit.base);
    if (!key || !base) continue;
    HM_TRY(const std::uint64_t downloads, columns.number(Column::Downloads, hit.ordinal));
    out.push_back({*key, *base, hit.relation, downloads});
  }
  std::stable_sort(out.begin(), out.end(),
                   [](const Derivative& a, const Derivative& b) { return a.downloads > b.downloads; });
  return out;
}

Result<DerivativeCounts> DerivativeCounts::read(const storage::Index& index) {
  DerivativeCounts out;
  HM_TRY(storage::scan_column(index, Column::Bases, [&](std::uint32_t, const storage::ColumnChunk& chunk) {
    // Bases have one length, so those of a chunk can be read without knowing whose they are.
    for (std::string_view all = chunk.all(); all.size() >= storage::kBaseBytes; all.remove_prefix(storage::kBaseBytes))
      ++out.counts_[place_of(all.substr(1, storage::kBaseBytes - 1))];
    return true;
  }));
  return out;
}

std::size_t DerivativeCounts::place_of(std::string_view stored_key) { return Hash{}(stored_key) % kPlaces; }
}  // namespace hm::crawler
