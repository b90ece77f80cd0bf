// server/memory_cache.hpp: immutable values by key, the least recently used ones dropped at a bound in bytes. Layer 5.
// Threads: safe; a lookup holds one of several locks for some hundred nanoseconds.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

namespace hm::server {
template <class V>
class MemoryCache {
 public:
  using Value = std::shared_ptr<const V>;
  explicit MemoryCache(std::uint64_t bytes_max) : shard_bytes_max_(bytes_max / kShards) {}

  Value find(std::string_view key) {
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    const auto at = shard.by_key.find(key);
    if (at == shard.by_key.end()) return nullptr;
    shard.order.splice(shard.order.begin(), shard.order, at->second);
    return at->second->value;
  }

  /// One that alone is larger than an eighth of everything is not kept.
  void put(std::string_view key, Value value, std::uint64_t bytes) {
    bytes += key.size() + kEntryBytes;
    if (bytes > shard_bytes_max_) return;
    Shard& shard = shard_of(key);
    const std::lock_guard lock(shard.mutex);
    if (const auto at = shard.by_key.find(key); at != shard.by_key.end()) shard.drop(at->second);
    shard.order.push_front({std::string(key), std::move(value), bytes});
    shard.by_key.emplace(shard.order.front().key, shard.order.begin());
    shard.bytes += bytes;
    while (shard.bytes > shard_bytes_max_) shard.drop(std::prev(shard.order.end()));
  }

  std::uint64_t bytes() {
    std::uint64_t total = 0;
    for (Shard& shard : shards_) {
      const std::lock_guard lock(shard.mutex);
      total += shard.bytes;
    }
    return total;
  }

 private:
  static constexpr std::size_t kShards = 8;
  static constexpr std::uint64_t kEntryBytes = 128;  // list and map nodes
  struct Entry {
    std::string key;
    Value value;
    std::uint64_t bytes;
  };
  struct Shard {
    std::mutex mutex;
    std::list<Entry> order;  ///< most recently used first
    std::unordered_map<std::string_view, typename std::list<Entry>::iterator> by_key;
    std::uint64_t bytes = 0;
    void drop(typename std::list<Entry>::iterator entry) {
      bytes -= entry->bytes;
      by_key.erase(entry->key);
      order.erase(entry);
    }
  };
  Shard& shard_of(std::string_view key) { return shards_[std::hash<std::string_view>{}(key) % kShards]; }
  const std::uint64_t shard_bytes_max_;
  std::array<Shard, kShards> shards_;
};
}  // namespace hm::server
