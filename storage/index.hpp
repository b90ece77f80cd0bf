// storage/index.hpp: ordered keys in column families with atomic durable batches, on RocksDB. Layer 3. No RocksDB type
// leaves the .cpp. Threads: safe from all threads; calls block. One Writer process (under WriterLock), any number of
// Reader processes beside it.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "storage/key_space.hpp"

namespace hm::storage {
/// Changes that become visible together or not at all.
class Batch {
 public:
  void put(Family family, std::string key, std::string value) {
    changes_.push_back({family, std::move(key), std::move(value), false});
  }
  void remove(Family family, std::string key) { changes_.push_back({family, std::move(key), {}, true}); }
  void append(Batch more) {
    changes_.insert(changes_.end(), std::make_move_iterator(more.changes_.begin()),
                    std::make_move_iterator(more.changes_.end()));
  }
  struct Change {
    Family family;
    std::string key, value;
    bool removal;
  };
  const std::vector<Change>& changes() const { return changes_; }
  bool empty() const { return changes_.empty(); }

 private:
  std::vector<Change> changes_;
};

class Index {
 public:
  struct Options {
    std::size_t cache_bytes = 32U << 20;        ///< block cache
    std::size_t write_buffer_bytes = 8U << 20;  ///< per busy column family
  };
  enum class Mode {
    Write,
    Read
  };  ///< Read sees what a running writer had committed at open_index or at the last refresh()
  virtual ~Index() = default;

  virtual Result<std::optional<std::string>> get(Family family, std::string_view key) const = 0;
  /// Ascending over keys that begin with `prefix`, starting at `from` if it is larger; ends when `visit` returns false.
  /// Sees one state of the family throughout in Mode::Write; `visit` may commit.
  virtual Result<> scan(Family family, std::string_view prefix,
                        const std::function<bool(std::string_view key, std::string_view value)>& visit,
                        std::string_view from = {}) const = 0;
  /// scan() for each of `prefixes`, one after the other, at the cost of one; `visit` is told which of them it is. Sees
  /// one state throughout in Mode::Write, as scan() does.
  virtual Result<> scan_each(
      Family family, std::span<const std::string> prefixes,
      const std::function<bool(std::size_t at, std::string_view key, std::string_view value)>& visit) const;
  /// The largest key that begins with `prefix`, with its value.
  virtual Result<std::optional<std::pair<std::string, std::string>>> last(Family family,
                                                                          std::string_view prefix) const = 0;
  /// Durable (WAL synced) when it returns ok. Internal in Mode::Read.
  virtual Result<> commit(const Batch& batch) = 0;
  /// NoSpace unless the index may grow by so much; for those who are about to write much that can wait.
  virtual Result<> require_space(std::uint64_t) const { return ok(); }
  /// On disk, about; what was committed a moment ago may not count yet.
  virtual std::uint64_t bytes_of(Family) const { return 0; }
  /// Empties a derived family without reading it; part of rebuild. Nobody else may use the index meanwhile.
  virtual Result<> clear(Family family) = 0;
  /// Mode::Read: sees what the writer committed meanwhile; costs as much as opening, unless the files say that nothing
  /// was committed.
  virtual Result<> refresh() = 0;
  /// Another number whenever what is published may have changed: names, repositories, refs, snapshots.
  virtual std::uint64_t version() const = 0;
};
/// True when a change of this family changes what Index::version() stands for.
constexpr bool is_of_published(Family family) {
  return family == Family::Names || family == Family::Repos || family == Family::Refs || family == Family::Snapshots;
}
/// @returns Corrupt with what to run when RocksDB refuses its files; NotFound in Mode::Read when there is no index yet.
Result<std::unique_ptr<Index>> open_index(const std::string& directory, Index::Mode mode, Index::Options options);
}  // namespace hm::storage
