// provenance/report/population.hpp: what the tables of a report share of every listed repository, read from the columns
// once: some 50 bytes for each repository. Layer 4. Threads: not changed once it is read.
#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "provenance/origin.hpp"
#include "storage/columns.hpp"
#include "storage/index.hpp"

namespace hm::provenance::report {
inline constexpr std::uint32_t kNobody = std::numeric_limits<std::uint32_t>::max();
inline constexpr std::array kAllKinds{RepoKind::Model, RepoKind::Dataset, RepoKind::Space};
inline constexpr std::size_t kKinds = kAllKinds.size();
constexpr std::size_t index_of(RepoKind kind) { return static_cast<std::size_t>(kind) - 1; }

/// An owner of repositories: the part before the '/', without case.
struct Owner {
  std::uint32_t example = 0;       ///< ordinal of one of the repositories
  const Origin* origin = nullptr;  ///< null: not in the table
};

/// Everything is by ordinal.
class Population {
 public:
  /// @param origins outlives it. @returns Corrupt.
  static Result<Population> read(const storage::Index& index, const OriginTable& origins);

  const storage::Index& index() const { return *index_; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(state_.size()); }
  std::uint64_t state(std::uint32_t i) const { return state_[i]; }
  bool is_of(std::uint32_t i, RepoKind kind) const {
    return (state_[i] & storage::kStateKind) == storage::state_of(kind);
  }
  /// Listed and neither gone nor private: what the tables are about.
  bool is_public(std::uint32_t i) const {
    return state_[i] != 0 && (state_[i] & (storage::kStateGone | storage::kStatePrivate)) == 0;
  }
  bool is_public(std::uint32_t i, RepoKind kind) const { return is_public(i) && is_of(i, kind); }
  std::uint64_t count(RepoKind kind) const { return counts_[index_of(kind)]; }                ///< of the public ones
  std::uint64_t all_downloads(RepoKind kind) const { return downloads_of_[index_of(kind)]; }  ///< of the public ones
  std::uint64_t downloads(std::uint32_t i) const { return downloads_[i]; }
  std::uint32_t created_s(std::uint32_t i) const { return created_[i]; }  ///< 0: not known
  int created_year(std::uint32_t i) const;                                ///< 0: not known
  /// Place in owners(); kNobody: a name of one segment.
  std::uint32_t owner(std::uint32_t i) const { return owner_[i]; }
  const std::vector<Owner>& owners() const { return owners_; }
  const Origin* origin(std::uint32_t i) const { return owner_[i] == kNobody ? nullptr : owners_[owner_[i]].origin; }

  /// As upstream spells it, from its row. @returns Corrupt.
  Result<std::string> name(std::uint32_t i) const;
  Result<std::string> owner_name(std::uint32_t owner) const;

 private:
  Result<> read_numbers();
  Result<> read_gone();
  Result<> read_owners(const OriginTable& origins);
  const storage::Index* index_ = nullptr;
  std::vector<std::uint8_t> state_;
  std::vector<std::uint64_t> downloads_;
  std::vector<std::uint32_t> created_, owner_;
  std::vector<Owner> owners_;
  std::array<std::uint64_t, kKinds> counts_{}, downloads_of_{};
};

/// The stored numbers of a column; what is not stored is 0 and not visited.
template <class Visit>
Result<> each_number(const storage::Index& index, storage::Column column, std::uint32_t size, const Visit& visit) {
  std::array<std::uint64_t, storage::kColumnChunk> values{};
  return storage::scan_column(index, column, [&](std::uint32_t first, const storage::ColumnChunk& chunk) {
    chunk.numbers(values);
    for (std::uint32_t i = 0; i < chunk.size() && first + i < size; ++i) visit(first + i, values[i]);
    return first + storage::kColumnChunk < size;
  });
}
template <class Visit>
Result<> each_text(const storage::Index& index, storage::Column column, std::uint32_t size, const Visit& visit) {
  return storage::scan_column(index, column, [&](std::uint32_t first, const storage::ColumnChunk& chunk) {
    for (std::uint32_t i = 0; i < chunk.size() && first + i < size; ++i) visit(first + i, chunk.bytes(i));
    return first + storage::kColumnChunk < size;
  });
}
int year_of(std::uint32_t unix_s);
int month_of(std::uint32_t unix_s);  ///< since the year 0
}  // namespace hm::provenance::report
