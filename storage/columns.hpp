// storage/columns.hpp: what is known of every listed repository, by column instead of by row, so that a question over
// millions of them reads a few megabytes. Layer 3. docs/formats/index_keys.md A repository's place in every column is
// its ordinal, given once when it is first listed. A column is stored in chunks of 1,024 values, numbers as narrow as
// the chunk allows. Threads: an editor is used by one thread; scans are as safe as the index.
#pragma once
#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/index.hpp"

namespace hm::storage {
inline constexpr std::uint32_t kColumnChunk = 1024;  ///< values: one listing page touches two chunks
/// Values of neighbouring chunks that lie together on disk: new rows touch the last group only.
inline constexpr std::uint32_t kColumnGroup = 64 * kColumnChunk;

/// Values are on disk. State to Queued are numbers, the others texts; Downloads to Queued are facts, the others are
/// derived from the listing rows.
enum class Column : std::uint8_t {
  Key = 1,     ///< 13 bytes, key::repo()
  State,       ///< kState… bits
  Source,      ///< fold32() of the upstream's host
  Created,     ///< POSIX seconds
  Modified,    ///< POSIX seconds
  Parameters,  ///< 0 = not known
  Storage,     ///< bytes of all revisions; 0 = not known
  Owner,       ///< fold32() of the part before the '/'
  Library,     ///< fold32(), 0 = none
  Task,        ///< fold32(), 0 = none
  Licence,     ///< fold32(), 0 = none, kFoldSeveral = more than one: the listing row tells which
  Downloads,   ///< of the last 30 days
  Likes,
  Trending,   ///< thousandths
  Seen,       ///< number of the last sweep that listed it
  Queued,     ///< POSIX seconds when a visit was last queued; 0 = never
  Name = 64,  ///< in ASCII lower case
  Tags,       ///< 4 bytes each, little-endian: fold32()
  Bases,      ///< kBaseBytes each
};
inline constexpr std::size_t kBaseBytes = 14;  ///< of one base: relation (1), key::repo() (13)
bool is_fact(Column column);

inline constexpr std::uint64_t kStateGated = 1, kStateGatedManual = 2, kStatePrivate = 4, kStateDisabled = 8,
                               kStateGone = 16;
inline constexpr std::uint64_t kStateKind = 0x60;  ///< mask of state_of(kind)
constexpr std::uint64_t state_of(RepoKind kind) { return static_cast<std::uint64_t>(kind) << 5; }

inline constexpr std::uint32_t kFoldSeveral = 1;
/// A word as columns hold it: FNV-1a, 32 bit, of its ASCII lower case; never 0 or kFoldSeveral. Two words may fold to
/// one value: who asks looks at the row too.
std::uint32_t fold32(std::string_view word);

/// One chunk as stored, read where it lies: `bytes` outlive it.
class ColumnChunk {
 public:
  /// @returns Corrupt when `bytes` cannot be a chunk of `column`.
  static Result<ColumnChunk> of(Column column, std::string_view bytes);
  std::uint32_t size() const { return size_; }
  std::uint64_t number(std::uint32_t i) const;  ///< of a column of numbers; 0 behind the end
  /// All of a column of numbers; 0 behind the end.
  void numbers(std::array<std::uint64_t, kColumnChunk>& into) const;
  /// Leaves 0 in the hits of numbers that `keep` refuses. Asks once for each different number where a byte holds them.
  template <class Keep>
  void narrow(const Keep& keep, std::array<char, kColumnChunk>& hits) const {
    if (width_ > 1) {
      std::array<std::uint64_t, kColumnChunk> values;
      numbers(values);
      for (std::uint32_t i = 0; i < size_; ++i) hits[i] = static_cast<char>(hits[i] & (keep(values[i]) ? 1 : 0));
    } else {
      const std::uint32_t count = different_ != 0 ? different_ : width_ == 0 ? 1 : kDifferentMax;
      std::array<char, kDifferentMax> kept{};
      for (std::uint32_t n = 0; n < count; ++n) kept[n] = keep(different_ != 0 ? different(n) : base_ + n) ? 1 : 0;
      if (std::find(kept.begin(), kept.begin() + count, 0) != kept.begin() + count) {
        for (std::uint32_t i = 0; i < size_; ++i)
          hits[i] = static_cast<char>(hits[i] & kept[data_.empty() ? 0 : static_cast<unsigned char>(data_[i])]);
      }
    }
    if (size_ < kColumnChunk && !keep(0)) std::fill(hits.begin() + size_, hits.end(), '\0');
  }
  std::string_view bytes(std::uint32_t i) const;  ///< of a column of texts; "" behind the end
  /// All texts one behind the other, for a search through all at once.
  std::string_view all() const { return data_; }
  std::uint32_t at_offset(std::size_t offset) const;  ///< which text has this byte of all()

 private:
  friend class ColumnEditor;
  static constexpr std::size_t kDifferentMax = 256;
  bool read_numbers(std::string_view bytes);
  bool read_texts(std::string_view bytes);
  std::uint64_t different(std::uint32_t n) const;

  std::string_view data_;
  std::uint32_t size_ = 0;
  std::uint8_t width_ = 0;           ///< of a number in data_: what it has above base_
  std::uint64_t base_ = 0;           ///< least number
  std::string_view table_;           ///< the different numbers, ascending, when data_ holds places in it
  std::uint32_t different_ = 0;      ///< entries of table_
  std::uint8_t table_width_ = 0;     ///< of one entry
  std::vector<std::uint32_t> ends_;  ///< of the texts in data_
};

/// Changes values in memory and puts the chunks that changed into a batch.
class ColumnEditor {
 public:
  explicit ColumnEditor(const Index& index) : index_(index) {}
  Result<> set(Column column, std::uint32_t ordinal, std::uint64_t value);
  Result<> set(Column column, std::uint32_t ordinal, std::string_view bytes);
  Result<std::uint64_t> number(Column column, std::uint32_t ordinal);
  /// Adds the changed chunks to `batch` and forgets all of them.
  void flush(Batch& batch);
  /// Before the first change of Downloads or Likes in `week` (weeks since 1970): keeps those of the chunk of `ordinal`
  /// as they stood at the end of the week before. Costs one read after that.
  Result<> keep_last_week(std::uint32_t ordinal, std::uint32_t week);

 private:
  struct Chunk {
    std::vector<std::uint64_t> numbers;
    std::vector<std::uint16_t> lengths;  ///< of the texts in `all`, one behind the other
    std::string all;
    bool changed = false;
  };
  Result<Chunk*> chunk(Column column, std::uint32_t ordinal);
  const Index& index_;
  std::map<std::pair<Column, std::uint32_t>, Chunk> chunks_;
  std::map<std::string, std::string> weeks_;  ///< key → value: chunks kept by keep_week()
};

/// Single values, wherever they are; keeps the chunks it has read.
class ColumnReader {
 public:
  explicit ColumnReader(const Index& index) : index_(index) {}
  Result<std::uint64_t> number(Column column, std::uint32_t ordinal);
  Result<std::string> bytes(Column column, std::uint32_t ordinal);

 private:
  Result<ColumnChunk> chunk(Column column, std::uint32_t ordinal);
  const Index& index_;
  std::map<std::pair<Column, std::uint32_t>, std::string> chunks_;
};

/// All chunks of one column in order: `first` is the ordinal of the chunk's first value. Ends when `visit` returns
/// false.
/// @param wanted asked before each group whether any of the ordinals from `first` to before `end` matter
/// @returns Corrupt.
Result<> scan_column(const Index& index, Column column,
                     const std::function<bool(std::uint32_t first, const ColumnChunk& chunk)>& visit,
                     const std::function<bool(std::uint32_t first, std::uint32_t end)>& wanted = {});
/// Ordinals that have a value, or come before one that has. @returns Corrupt.
Result<std::uint32_t> column_size(const Index& index, Column column);
/// Of one repository at the end of a week.
struct WeekOfPopularity {
  std::uint32_t week = 0;
  std::uint64_t downloads = 0, likes = 0;
};
/// Oldest first.
Result<std::vector<WeekOfPopularity>> popularity_history(const Index& index, std::uint32_t ordinal);
}  // namespace hm::storage
