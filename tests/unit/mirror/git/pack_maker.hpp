// tests/unit/mirror/git/pack_maker.hpp: packs entry by entry, also such as git never writes.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"

namespace hm::git_test {
inline constexpr unsigned kCommit = 1, kTree = 2, kBlob = 3, kTag = 4, kOfsDelta = 6, kRefDelta = 7;

std::string deflated(std::string_view data, int level = 6);
/// Type and size as an entry begins with them.
std::string entry_head(unsigned type, std::uint64_t size);
/// How far a base lies before its delta.
std::string ofs_distance(std::uint64_t distance);
/// A delta that makes `result` of a base of `base_size` bytes without copying from it. At most 127 bytes.
std::string literal_delta(std::size_t base_size, std::string_view result);

/// In what an entry differs from an ordinary one.
struct OddEntry {
  std::optional<std::uint64_t> stated_size = std::nullopt;
  std::string base = "";  ///< what a delta names its base with
  int level = 6;          ///< of zlib; 0 stores
};

class PackMaker {
 public:
  /// @returns where the entry begins.
  std::uint64_t add(unsigned type, std::string_view data, const OddEntry& odd = {});
  /// Bytes that belong to no entry.
  void add_garbage(std::string_view bytes) { entries_ += bytes; }
  std::string bytes() const;
  std::uint64_t size() const { return 12 + entries_.size(); }  ///< without the trailer
  const std::vector<std::uint64_t>& offsets() const { return offsets_; }

 private:
  std::string entries_;
  std::vector<std::uint64_t> offsets_;
};
}  // namespace hm::git_test
