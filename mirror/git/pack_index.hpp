// mirror/git/pack_index.hpp: the ids of one pack, looked up without copying them. Layer 4; private to this folder.
// Reads the .idx version 2 file that the indexer wrote: ids sorted, so a lookup interpolates between neighbours (two or
// three probes). Threads: const calls from any thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace hm::mirror {
class PackIndex {
 public:
  /// @returns Corrupt: not a version 2 index, or its tables do not fit its size.
  static Result<PackIndex> open(const std::string& idx_path);
  PackIndex(PackIndex&& other) noexcept;
  PackIndex& operator=(PackIndex&&) = delete;
  ~PackIndex();

  std::uint32_t size() const { return count_; }
  GitOid id(std::uint32_t position) const;
  const std::uint8_t* id_bytes(std::uint32_t position) const { return ids_ + std::size_t{position} * GitOid::kSize; }
  std::optional<std::uint32_t> find(const std::uint8_t* oid) const;
  std::optional<std::uint32_t> find(const GitOid& oid) const { return find(oid.bytes.data()); }
  /// All positions, ordered by where their objects lie in the pack: the order in which reading them is cheap.
  std::vector<std::uint32_t> by_pack_offset() const;
  /// Where the object's entry begins in the pack.
  std::uint64_t pack_offset(std::uint32_t position) const;

 private:
  PackIndex() = default;

  const std::uint8_t* map_ = nullptr;
  std::size_t map_bytes_ = 0;
  const std::uint8_t* ids_ = nullptr;
  const std::uint8_t* offsets_ = nullptr;
  const std::uint8_t* large_offsets_ = nullptr;
  std::uint32_t count_ = 0;
};
}  // namespace hm::mirror
