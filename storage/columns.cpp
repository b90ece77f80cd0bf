#include "storage/columns.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "base/check.hpp"
#include "storage/key_space.hpp"

namespace hm::storage {
namespace {
constexpr std::uint8_t kNumberBytes = 8, kFoldBytes = 4, kKeyBytes = 13, kStateBytes = 1;
constexpr std::size_t kEndBytes = 4;      // of one value of varying length, in the table before them
constexpr std::size_t kChunksKept = 256;  // of a reader: some 2 MiB
constexpr char kWeekTag = '\xf0';         // before the keys of kept weeks, behind those of all columns
constexpr char kNewestWeekTag = '\xf1';   // chunk → the newest week in which its popularity was listed

/// Bytes of one value; 0 when they vary.
std::uint8_t width_of(Column column) {
  switch (column) {
    case Column::Key:
      return kKeyBytes;
    case Column::State:
      return kStateBytes;
    case Column::Source:
    case Column::Created:
    case Column::Modified:
    case Column::Owner:
    case Column::Library:
    case Column::Task:
    case Column::Licence:
    case Column::Seen:
      return kFoldBytes;
    case Column::Parameters:
    case Column::Storage:
    case Column::Downloads:
    case Column::Likes:
    case Column::Trending:
      return kNumberBytes;
    case Column::Name:
    case Column::Tags:
    case Column::Bases:
      return 0;
  }
  return 0;
}

/// The widths of columns on one path each: scans read millions of them.
std::uint64_t little(std::string_view bytes) {
  if constexpr (std::endian::native == std::endian::little) {
    if (bytes.size() == sizeof(std::uint32_t)) {
      std::uint32_t value;
      std::memcpy(&value, bytes.data(), sizeof value);
      return value;
    }
    if (bytes.size() == sizeof(std::uint64_t)) {
      std::uint64_t value;
      std::memcpy(&value, bytes.data(), sizeof value);
      return value;
    }
  }
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;) value = (value << 8) | static_cast<unsigned char>(bytes[i]);
  return value;
}
std::string little_of(std::uint64_t value, std::size_t width) {
  std::string out(width, '\0');
  for (char& c : out) {
    c = static_cast<char>(value & 0xff);
    value >>= 8;
  }
  return out;
}

/// What key::u32() wrote.
std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes) value = (value << 8) | static_cast<unsigned char>(c);
  return value;
}

Family family_of(Column column) { return is_fact(column) ? Family::Popularity : Family::Columns; }
std::string chunk_key(Column column, std::uint32_t chunk) {
  return std::string(1, static_cast<char>(column)) + key::u32(chunk);
}
std::string week_key(std::uint32_t chunk, std::uint32_t week, Column column) {
  return std::string(1, kWeekTag) + key::u32(chunk) + key::u32(week) + static_cast<char>(column);
}

/// Ends of the values (4 bytes each, counted from behind the table), then the values.
std::string packed(const std::vector<std::string>& values) {
  std::string out;
  std::uint64_t end = 0;
  for (const std::string& value : values) out += little_of(end += value.size(), kEndBytes);
  for (const std::string& value : values) out += value;
  return out;
}
}  // namespace

bool is_fact(Column column) { return column >= Column::Downloads && column <= Column::Seen; }

std::uint32_t fold32(std::string_view word) {
  std::uint32_t hash = 2166136261U;
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    hash = (hash ^ byte) * 16777619U;
  }
  return std::max(hash, kFoldSeveral + 1);
}

Result<ColumnChunk> ColumnChunk::of(Column column, std::string_view bytes) {
  const Error corrupt{Errc::Corrupt, "the index holds a malformed chunk of column " +
                                         std::to_string(static_cast<int>(column)) + "; run: hubmirror index rebuild"};
  ColumnChunk chunk;
  chunk.width_ = width_of(column);
  chunk.data_ = bytes;
  if (chunk.width_ != 0) {
    chunk.size_ = static_cast<std::uint32_t>(bytes.size() / chunk.width_);
    if (bytes.size() % chunk.width_ != 0 || chunk.size_ > kColumnChunk) return corrupt;
    return chunk;
  }
  // The number of values is not stored: the last end tells where the values end, and so how long the table is.
  for (std::uint32_t n = 0; n <= kColumnChunk && n * kEndBytes <= bytes.size(); ++n) {
    const std::uint64_t end = n == 0 ? 0 : little(bytes.substr((n - 1) * kEndBytes, kEndBytes));
    if (n * kEndBytes + end == bytes.size()) {
      chunk.size_ = n;
      return chunk;
    }
  }
  return corrupt;
}

std::uint64_t ColumnChunk::number(std::uint32_t i) const {
  return i < size_ && width_ != 0 ? little(data_.substr(std::size_t{i} * width_, width_)) : 0;
}

void ColumnChunk::numbers(std::array<std::uint64_t, kColumnChunk>& into) const {
  const char* at = data_.data();
  for (std::uint32_t i = 0; i < size_; ++i, at += width_) into[i] = little({at, width_});
  std::fill(into.begin() + size_, into.end(), 0);
}

std::string_view ColumnChunk::bytes(std::uint32_t i) const {
  if (i >= size_) return {};
  if (width_ != 0) return data_.substr(std::size_t{i} * width_, width_);
  const auto end_of = [&](std::uint32_t at) { return little(data_.substr(at * kEndBytes, kEndBytes)); };
  const std::uint64_t begin = i == 0 ? 0 : end_of(i - 1), end = end_of(i), table = size_ * kEndBytes;
  if (begin > end || table + end > data_.size()) return {};
  return data_.substr(table + begin, end - begin);
}

std::string_view ColumnChunk::all() const { return data_.substr(size_ * kEndBytes); }

std::uint32_t ColumnChunk::at_offset(std::size_t offset) const {
  std::uint32_t low = 0, high = size_;
  while (low < high) {  // the first whose end lies behind `offset`
    const std::uint32_t middle = low + (high - low) / 2;
    if (little(data_.substr(middle * kEndBytes, kEndBytes)) > offset)
      high = middle;
    else
      low = middle + 1;
  }
  return low;
}

Result<ColumnEditor::Chunk*> ColumnEditor::chunk(Column column, std::uint32_t ordinal) {
  const std::uint32_t number = ordinal / kColumnChunk;
  const auto [it, is_new] = chunks_.try_emplace({column, number});
  Chunk& chunk = it->second;
  if (!is_new) return &chunk;
  HM_TRY(auto stored, index_.get(family_of(column), chunk_key(column, number)));
  if (!stored) return &chunk;
  if (width_of(column) != 0) {
    chunk.packed = std::move(*stored);
    return &chunk;
  }
  HM_TRY(const ColumnChunk read, ColumnChunk::of(column, *stored));
  for (std::uint32_t i = 0; i < read.size(); ++i) chunk.values.emplace_back(read.bytes(i));
  return &chunk;
}

Result<> ColumnEditor::set(Column column, std::uint32_t ordinal, std::uint64_t value) {
  const std::size_t width = width_of(column);
  HM_CHECK(width == kNumberBytes || width == kFoldBytes || width == kStateBytes);
  return set(column, ordinal, little_of(value, width));
}

Result<> ColumnEditor::set(Column column, std::uint32_t ordinal, std::string_view bytes) {
  HM_TRY(Chunk* const at, chunk(column, ordinal));
  const std::size_t place = ordinal % kColumnChunk, width = width_of(column);
  if (width == 0) {
    if (at->values.size() <= place) at->values.resize(place + 1), at->changed = true;
    if (at->values[place] == bytes) return ok();
    at->values[place] = bytes;
  } else {
    HM_CHECK(bytes.size() == width);
    if (at->packed.size() < (place + 1) * width) at->packed.resize((place + 1) * width), at->changed = true;
    if (std::string_view(at->packed).substr(place * width, width) == bytes) return ok();
    at->packed.replace(place * width, width, bytes);
  }
  at->changed = true;
  return ok();
}

Result<std::uint64_t> ColumnEditor::number(Column column, std::uint32_t ordinal) {
  HM_TRY(Chunk* const at, chunk(column, ordinal));
  HM_TRY(const ColumnChunk read, ColumnChunk::of(column, at->packed));
  return read.number(ordinal % kColumnChunk);
}

Result<> ColumnEditor::keep_last_week(std::uint32_t ordinal, std::uint32_t week) {
  const std::uint32_t number = ordinal / kColumnChunk;
  const std::string newest_key = std::string(1, kNewestWeekTag) + key::u32(number);
  if (weeks_.contains(newest_key)) return ok();
  HM_TRY(const auto newest, index_.get(Family::Popularity, newest_key));
  if (newest && *newest >= key::u32(week)) return ok();
  weeks_[newest_key] = key::u32(week);
  if (!newest) return ok();  // first listed in this week
  for (const Column column : {Column::Downloads, Column::Likes}) {
    HM_TRY(const auto now, index_.get(Family::Popularity, chunk_key(column, number)));
    if (now) weeks_[week_key(number, week - 1, column)] = *now;
  }
  return ok();
}

void ColumnEditor::flush(Batch& batch) {
  for (auto& [place, chunk] : chunks_) {
    if (!chunk.changed) continue;
    batch.put(family_of(place.first), chunk_key(place.first, place.second),
              width_of(place.first) != 0 ? std::move(chunk.packed) : packed(chunk.values));
  }
  for (auto& [week, bytes] : weeks_) batch.put(Family::Popularity, week, std::move(bytes));
  chunks_.clear();
  weeks_.clear();
}

Result<ColumnChunk> ColumnReader::chunk(Column column, std::uint32_t ordinal) {
  const std::pair place{column, ordinal / kColumnChunk};
  auto it = chunks_.find(place);
  if (it == chunks_.end()) {
    HM_TRY(auto stored, index_.get(family_of(column), chunk_key(column, place.second)));
    if (chunks_.size() == kChunksKept) chunks_.clear();
    it = chunks_.emplace(place, stored ? std::move(*stored) : std::string()).first;
  }
  return ColumnChunk::of(column, it->second);
}

Result<std::uint64_t> ColumnReader::number(Column column, std::uint32_t ordinal) {
  HM_TRY(const ColumnChunk at, chunk(column, ordinal));
  return at.number(ordinal % kColumnChunk);
}

Result<std::string> ColumnReader::bytes(Column column, std::uint32_t ordinal) {
  HM_TRY(const ColumnChunk at, chunk(column, ordinal));
  return std::string(at.bytes(ordinal % kColumnChunk));
}

Result<> scan_column(const Index& index, Column column,
                     const std::function<bool(std::uint32_t first, const ColumnChunk& chunk)>& visit) {
  Result<> outcome = ok();
  HM_TRY(index.scan(family_of(column), std::string(1, static_cast<char>(column)),
                    [&](std::string_view k, std::string_view bytes) {
                      auto chunk = ColumnChunk::of(column, bytes);
                      if (!chunk) {
                        outcome = chunk.error();
                        return false;
                      }
                      const std::uint32_t number = big_endian(k.substr(1));
                      return visit(number * kColumnChunk, chunk.assume_value());
                    }));
  return outcome;
}

Result<std::uint32_t> column_size(const Index& index, Column column) {
  HM_TRY(const auto last, index.last(family_of(column), std::string(1, static_cast<char>(column))));
  if (!last) return std::uint32_t{0};
  HM_TRY(const ColumnChunk chunk, ColumnChunk::of(column, last->second));
  return big_endian(std::string_view(last->first).substr(1)) * kColumnChunk + chunk.size();
}

Result<std::vector<WeekOfPopularity>> popularity_history(const Index& index, std::uint32_t ordinal) {
  const std::uint32_t place = ordinal % kColumnChunk;
  const std::string prefix = std::string(1, kWeekTag) + key::u32(ordinal / kColumnChunk);
  std::vector<WeekOfPopularity> weeks;
  Result<> outcome = ok();
  HM_TRY(index.scan(Family::Popularity, prefix, [&](std::string_view k, std::string_view bytes) {
    const auto column = static_cast<Column>(k.back());
    auto chunk = ColumnChunk::of(column, bytes);
    if (!chunk) {
      outcome = chunk.error();
      return false;
    }
    if (place >= chunk.assume_value().size()) return true;  // first listed later
    const std::uint32_t week = big_endian(k.substr(prefix.size(), sizeof(std::uint32_t)));
    if (weeks.empty() || weeks.back().week != week) weeks.push_back({week, 0, 0});
    (column == Column::Downloads ? weeks.back().downloads : weeks.back().likes) = chunk.assume_value().number(place);
    return true;
  }));
  HM_TRY(std::move(outcome));
  return weeks;
}
}  // namespace hm::storage
