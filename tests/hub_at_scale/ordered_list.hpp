// tests/hub_at_scale/ordered_list.hpp: the slots of one listing in its order, 12 bytes each. Value; not thread-safe.
// Sorted blocks of some hundred entries: finding a place costs O(log n), a change moves one block.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <utility>
#include <vector>

#include "tests/hub_at_scale/draws.hpp"

namespace hm::test::scale {
/// Where a listing stands: behind the repository with this key and this `_id` (4 bytes of time, 8 others).
struct Position {
  std::uint32_t key = 0;
  std::uint32_t created_s = 0;
  std::uint64_t rest = 0;
};

class OrderedList {
 public:
  struct Entry {
    std::uint32_t key;  ///< ascends; who wants a descending order gives ~value
    std::uint32_t created_s;
    std::uint32_t slot;
  };

 private:
  using Block = std::vector<Entry>;
  template <class B>
  auto place_in(B& block, const Position& p) const {
    return std::ranges::partition_point(block, [&](const Entry& e) { return less(e, p); });
  }

 public:
  /// `salt` is what makes the 8 last bytes of an `_id` of a slot: mix(slot ^ salt).
  OrderedList(std::uint64_t salt, std::vector<Entry> entries) : salt_(salt), size_(entries.size()) {
    std::ranges::sort(entries, [&](const Entry& a, const Entry& b) { return less(a, position(b)); });
    for (std::size_t at = 0; at < entries.size(); at += kFill) {
      const std::size_t end = std::min(entries.size(), at + kFill);
      Block block;
      block.reserve(kBlockMax);
      block.assign(entries.begin() + static_cast<std::ptrdiff_t>(at),
                   entries.begin() + static_cast<std::ptrdiff_t>(end));
      blocks_.push_back(std::move(block));
    }
  }
  std::size_t size() const { return size_; }

  void insert(const Entry& entry) {
    ++size_;
    if (blocks_.empty()) {
      blocks_.push_back({entry});
      return;
    }
    const std::size_t b = std::min(block_at(position(entry)), blocks_.size() - 1);
    Block& block = blocks_[b];
    block.insert(place_in(block, position(entry)), entry);
    if (block.size() <= kBlockMax) return;
    const auto half = block.begin() + static_cast<std::ptrdiff_t>(block.size() / 2);
    Block upper(half, block.end());
    block.erase(half, block.end());
    blocks_.insert(blocks_.begin() + static_cast<std::ptrdiff_t>(b) + 1, std::move(upper));
  }
  /// The entry is there.
  void erase(const Entry& entry) {
    const std::size_t b = block_at(position(entry));
    Block& block = blocks_.at(b);
    const auto place = place_in(block, position(entry));
    if (place == block.end() || place->slot != entry.slot) std::abort();
    block.erase(place);
    --size_;
    if (block.empty()) blocks_.erase(blocks_.begin() + static_cast<std::ptrdiff_t>(b));
  }
  /// Calls `visit(slot)` for all behind `after`, in order, while it returns true.
  template <class F>
  void walk(const std::optional<Position>& after, F&& visit) const {
    std::size_t b = after ? block_at(*after) : 0;
    bool first = after.has_value();
    for (; b < blocks_.size(); ++b, first = false) {
      auto at = first ? place_in(blocks_[b], *after) : blocks_[b].begin();
      if (first && at != blocks_[b].end() && is_at(*at, *after)) ++at;
      for (; at != blocks_[b].end(); ++at)
        if (!visit(at->slot)) return;
    }
  }

 private:
  static constexpr std::size_t kBlockMax = 512;
  static constexpr std::size_t kFill = 448;

  Position position(const Entry& e) const { return {e.key, e.created_s, mix(e.slot ^ salt_)}; }
  bool less(const Entry& e, const Position& p) const {
    if (e.key != p.key) return e.key < p.key;
    if (e.created_s != p.created_s) return e.created_s < p.created_s;
    return mix(e.slot ^ salt_) < p.rest;
  }
  bool is_at(const Entry& e, const Position& p) const {
    return e.key == p.key && e.created_s == p.created_s && mix(e.slot ^ salt_) == p.rest;
  }
  /// The first block whose last entry is not before `p`.
  std::size_t block_at(const Position& p) const {
    return static_cast<std::size_t>(
        std::ranges::partition_point(blocks_, [&](const Block& b) { return less(b.back(), p); }) - blocks_.begin());
  }

  std::uint64_t salt_;
  std::size_t size_;
  std::vector<Block> blocks_;  ///< none is empty
};
}  // namespace hm::test::scale
