#include "storage/columns.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>

#include "base/check.hpp"
#include "storage/key_space.hpp"

namespace hm::storage {
namespace {
constexpr std::size_t kCountBytes = 2, kLengthBytes = 2, kBaseNumberBytes = 8;
constexpr std::uint8_t kTabled = 0x80;         // in the first byte of a chunk of numbers: a table of them follows
constexpr std::size_t kTextBytesMax = 0xffff;  // what a length holds
constexpr std::size_t kChunksKept = 256;       // of a reader: some 2 MiB
constexpr std::uint32_t kGroupChunks = kColumnGroup / kColumnChunk;
constexpr char kGroupTag = '\0';         // first byte of every group's number, which is below 2^16
constexpr char kWeekTag = '\xf0';        // before the keys of kept weeks, behind those of all columns
constexpr char kNewestWeekTag = '\xf1';  // chunk → the newest week in which its popularity was listed

bool is_text(Column column) { return column == Column::Key || column >= Column::Name; }

std::uint64_t little(const char* at, std::size_t width) {
  std::uint64_t value = 0;
  for (std::size_t i = width; i-- > 0;) value = (value << 8) | static_cast<unsigned char>(at[i]);
  return value;
}
void put_little(std::string& out, std::uint64_t value, std::size_t width) {
  for (std::size_t i = 0; i < width; ++i, value >>= 8) out.push_back(static_cast<char>(value & 0xff));
}

/// A width on one path: scans read millions of numbers.
template <class Narrow>
void widen(const char* at, std::uint32_t count, std::uint64_t base, std::uint64_t* into) {
  for (std::uint32_t i = 0; i < count; ++i) {
    Narrow value = 0;
    if constexpr (std::endian::native == std::endian::little)
      std::memcpy(&value, at + i * sizeof value, sizeof value);
    else
      value = static_cast<Narrow>(little(at + i * sizeof value, sizeof value));
    into[i] = base + value;
  }
}

std::uint8_t width_for(std::uint64_t value) {
  if (value == 0) return 0;
  if (value <= 0xff) return 1;
  if (value <= 0xffff) return 2;
  return value <= 0xffffffff ? 4 : 8;
}

/// What key::u32() wrote.
std::uint32_t big_endian(std::string_view bytes) {
  std::uint32_t value = 0;
  for (const char c : bytes) value = (value << 8) | static_cast<unsigned char>(c);
  return value;
}

Family family_of(Column column) {
  if (is_text(column)) return Family::ColumnTexts;
  return is_fact(column) ? Family::Popularity : Family::Columns;
}
std::string group_prefix(Column column, std::uint32_t group) { return key::u32(group) + static_cast<char>(column); }
std::string chunk_key(Column column, std::uint32_t chunk) {
  return group_prefix(column, chunk / kGroupChunks) + static_cast<char>(chunk % kGroupChunks);
}
/// @param key of a chunk, behind the prefix of its group
std::uint32_t chunk_number(std::uint32_t group, std::string_view key) {
  return group * kGroupChunks + (key.empty() ? 0 : static_cast<unsigned char>(key[0]) % kGroupChunks);
}
std::string week_key(std::uint32_t chunk, std::uint32_t week, Column column) {
  return std::string(1, kWeekTag) + key::u32(chunk) + key::u32(week) + static_cast<char>(column);
}

/// The different numbers, ascending; empty when there are more than a byte can tell apart.
std::vector<std::uint64_t> different_of(const std::vector<std::uint64_t>& numbers, std::size_t count_max) {
  std::vector<std::uint64_t> out;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (i != 0 && numbers[i] == numbers[i - 1]) continue;
    const auto at = std::lower_bound(out.begin(), out.end(), numbers[i]);
    if (at != out.end() && *at == numbers[i]) continue;
    if (out.size() == count_max) return {};
    out.insert(at, numbers[i]);
  }
  return out;
}

/// The shorter of two forms, docs/formats/index_keys.md; which one depends on the numbers alone.
std::string packed(const std::vector<std::uint64_t>& numbers, std::size_t different_max) {
  const auto [least, most] = std::minmax_element(numbers.begin(), numbers.end());
  const std::uint64_t base = numbers.empty() ? 0 : *least;
  const std::uint8_t width = numbers.empty() ? 0 : width_for(*most - base);
  const std::size_t plain_bytes = kBaseNumberBytes + numbers.size() * width;
  std::string out;
  if (width > 1) {
    const auto different = different_of(numbers, different_max);
    const std::uint8_t table_width = width_for(*most) == 8 ? 8 : 4;
    const std::size_t tabled_bytes = 1 + different.size() * table_width + numbers.size();
    if (!different.empty() && tabled_bytes < plain_bytes) {
      out.reserve(1 + kCountBytes + tabled_bytes);
      out.push_back(static_cast<char>(kTabled | table_width));
      put_little(out, numbers.size(), kCountBytes);
      out.push_back(static_cast<char>(different.size() - 1));
      for (const std::uint64_t number : different) put_little(out, number, table_width);
      for (const std::uint64_t number : numbers)
        out.push_back(
            static_cast<char>(std::lower_bound(different.begin(), different.end(), number) - different.begin()));
      return out;
    }
  }
  out.reserve(1 + kCountBytes + plain_bytes);
  out.push_back(static_cast<char>(width));
  put_little(out, numbers.size(), kCountBytes);
  put_little(out, base, kBaseNumberBytes);
  for (const std::uint64_t number : numbers) put_little(out, number - base, width);
  return out;
}

std::string packed(const std::vector<std::uint16_t>& lengths, std::string_view all) {
  std::string out;
  out.reserve(kCountBytes + lengths.size() * kLengthBytes + all.size());
  put_little(out, lengths.size(), kCountBytes);
  for (const std::uint16_t length : lengths) put_little(out, length, kLengthBytes);
  return out.append(all);
}
}  // namespace

bool is_fact(Column column) { return column >= Column::Downloads && column <= Column::Queued; }

std::uint32_t fold32(std::string_view word) {
  std::uint32_t hash = 2166136261U;
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c);
    hash = (hash ^ byte) * 16777619U;
  }
  return std::max(hash, kFoldSeveral + 1);
}

Result<ColumnChunk> ColumnChunk::of(Column column, std::string_view bytes) {
  ColumnChunk chunk;
  if (is_text(column) ? chunk.read_texts(bytes) : chunk.read_numbers(bytes)) return chunk;
  return Error{Errc::Corrupt, "the index holds a malformed chunk of column " +
                                  std::to_string(static_cast<int>(column)) + "; run: hubmirror index rebuild"};
}

bool ColumnChunk::read_numbers(std::string_view bytes) {
  constexpr std::size_t kHeadBytes = 1 + kCountBytes;
  if (bytes.size() <= kHeadBytes) return false;
  const auto form = static_cast<std::uint8_t>(bytes[0]);
  size_ = static_cast<std::uint32_t>(little(bytes.data() + 1, kCountBytes));
  bytes.remove_prefix(kHeadBytes);
  if (size_ > kColumnChunk) return false;
  if ((form & kTabled) != 0) {
    table_width_ = form & ~kTabled;
    different_ = static_cast<unsigned char>(bytes[0]) + 1U;
    const std::size_t table_bytes = std::size_t{different_} * table_width_;
    if ((table_width_ != 4 && table_width_ != 8) || bytes.size() != 1 + table_bytes + size_) return false;
    table_ = bytes.substr(1, table_bytes);
    data_ = bytes.substr(1 + table_bytes);
    return std::all_of(data_.begin(), data_.end(),
                       [&](char at) { return static_cast<unsigned char>(at) < different_; });
  }
  width_ = form;
  if (width_ > 8 || !std::has_single_bit(std::max<std::uint8_t>(width_, 1))) return false;
  if (bytes.size() != kBaseNumberBytes + std::size_t{size_} * width_) return false;
  base_ = little(bytes.data(), kBaseNumberBytes);
  data_ = bytes.substr(kBaseNumberBytes);
  return true;
}

bool ColumnChunk::read_texts(std::string_view bytes) {
  if (bytes.size() < kCountBytes) return false;
  size_ = static_cast<std::uint32_t>(little(bytes.data(), kCountBytes));
  bytes.remove_prefix(kCountBytes);
  if (size_ > kColumnChunk || bytes.size() < size_ * kLengthBytes) return false;
  ends_.resize(size_);
  std::uint32_t end = 0;
  for (std::uint32_t i = 0; i < size_; ++i)
    ends_[i] = end += static_cast<std::uint32_t>(little(bytes.data() + i * kLengthBytes, kLengthBytes));
  data_ = bytes.substr(size_ * kLengthBytes);
  return data_.size() == end;
}

std::uint64_t ColumnChunk::different(std::uint32_t n) const {
  return little(table_.data() + std::size_t{n} * table_width_, table_width_);
}

std::uint64_t ColumnChunk::number(std::uint32_t i) const {
  if (i >= size_ || !ends_.empty()) return 0;
  if (different_ != 0) return different(static_cast<unsigned char>(data_[i]));
  return base_ + little(data_.data() + std::size_t{i} * width_, width_);
}

void ColumnChunk::numbers(std::array<std::uint64_t, kColumnChunk>& into) const {
  std::fill(into.begin() + size_, into.end(), 0);
  if (different_ != 0) {
    std::array<std::uint64_t, kDifferentMax> table{};
    for (std::uint32_t n = 0; n < different_; ++n) table[n] = different(n);
    for (std::uint32_t i = 0; i < size_; ++i) into[i] = table[static_cast<unsigned char>(data_[i])];
    return;
  }
  switch (width_) {
    case 1:
      return widen<std::uint8_t>(data_.data(), size_, base_, into.data());
    case 2:
      return widen<std::uint16_t>(data_.data(), size_, base_, into.data());
    case 4:
      return widen<std::uint32_t>(data_.data(), size_, base_, into.data());
    case 8:
      return widen<std::uint64_t>(data_.data(), size_, base_, into.data());
    default:
      std::fill(into.begin(), into.begin() + size_, base_);
  }
}

std::string_view ColumnChunk::bytes(std::uint32_t i) const {
  if (i >= ends_.size()) return {};
  const std::uint32_t begin = i == 0 ? 0 : ends_[i - 1];
  return data_.substr(begin, ends_[i] - begin);
}

std::uint32_t ColumnChunk::at_offset(std::size_t offset) const {
  return static_cast<std::uint32_t>(std::upper_bound(ends_.begin(), ends_.end(), offset) - ends_.begin());
}

Result<ColumnEditor::Chunk*> ColumnEditor::chunk(Column column, std::uint32_t ordinal) {
  const std::uint32_t number = ordinal / kColumnChunk;
  const auto [it, is_new] = chunks_.try_emplace({column, number});
  Chunk& chunk = it->second;
  if (!is_new) return &chunk;
  HM_TRY(auto stored, index_.get(family_of(column), chunk_key(column, number)));
  if (!stored) return &chunk;
  HM_TRY(const ColumnChunk read, ColumnChunk::of(column, *stored));
  if (is_text(column)) {
    chunk.all = read.all();
    for (std::uint32_t i = 0; i < read.size(); ++i)
      chunk.lengths.push_back(static_cast<std::uint16_t>(read.bytes(i).size()));
  } else {
    std::array<std::uint64_t, kColumnChunk> numbers;
    read.numbers(numbers);
    chunk.numbers.assign(numbers.begin(), numbers.begin() + read.size());
  }
  return &chunk;
}

Result<> ColumnEditor::set(Column column, std::uint32_t ordinal, std::uint64_t value) {
  HM_CHECK(!is_text(column));
  HM_TRY(Chunk* const at, chunk(column, ordinal));
  const std::size_t place = ordinal % kColumnChunk;
  if (at->numbers.size() <= place) at->numbers.resize(place + 1), at->changed = true;
  if (at->numbers[place] == value) return ok();
  at->numbers[place] = value;
  at->changed = true;
  return ok();
}

Result<> ColumnEditor::set(Column column, std::uint32_t ordinal, std::string_view bytes) {
  HM_CHECK(is_text(column) && bytes.size() <= kTextBytesMax);
  HM_TRY(Chunk* const at, chunk(column, ordinal));
  const std::size_t place = ordinal % kColumnChunk;
  if (at->lengths.size() <= place) {  // nearly always: the next one behind the last
    at->lengths.resize(place + 1);
    at->lengths[place] = static_cast<std::uint16_t>(bytes.size());
    at->all += bytes;
    at->changed = true;
    return ok();
  }
  const auto begin =
      std::accumulate(at->lengths.begin(), at->lengths.begin() + static_cast<std::ptrdiff_t>(place), std::size_t{0});
  if (std::string_view(at->all).substr(begin, at->lengths[place]) == bytes) return ok();
  at->all.replace(begin, at->lengths[place], bytes);
  at->lengths[place] = static_cast<std::uint16_t>(bytes.size());
  at->changed = true;
  return ok();
}

Result<std::uint64_t> ColumnEditor::number(Column column, std::uint32_t ordinal) {
  HM_TRY(Chunk* const at, chunk(column, ordinal));
  const std::size_t place = ordinal % kColumnChunk;
  return place < at->numbers.size() ? at->numbers[place] : 0;
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
    batch.put(
        family_of(place.first), chunk_key(place.first, place.second),
        is_text(place.first) ? packed(chunk.lengths, chunk.all) : packed(chunk.numbers, ColumnChunk::kDifferentMax));
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
  return it->second.empty() ? Result<ColumnChunk>(ColumnChunk()) : ColumnChunk::of(column, it->second);
}

Result<std::uint64_t> ColumnReader::number(Column column, std::uint32_t ordinal) {
  HM_TRY(const ColumnChunk at, chunk(column, ordinal));
  return at.number(ordinal % kColumnChunk);
}

Result<std::string> ColumnReader::bytes(Column column, std::uint32_t ordinal) {
  HM_TRY(const ColumnChunk at, chunk(column, ordinal));
  return std::string(at.bytes(ordinal % kColumnChunk));
}

namespace {
/// Groups that exist; 0 when there is none.
Result<std::uint32_t> groups_of(const Index& index, Column column) {
  HM_TRY(const auto last, index.last(family_of(column), std::string(1, kGroupTag)));
  return last ? big_endian(std::string_view(last->first).substr(0, sizeof(std::uint32_t))) + 1 : 0;
}
}  // namespace

Result<> scan_column(const Index& index, Column column,
                     const std::function<bool(std::uint32_t first, const ColumnChunk& chunk)>& visit,
                     const std::function<bool(std::uint32_t first, std::uint32_t end)>& wanted) {
  HM_TRY(const std::uint32_t groups, groups_of(index, column));
  Result<> outcome = ok();
  bool go_on = true;
  for (std::uint32_t group = 0; group < groups && go_on; ++group) {
    if (wanted && !wanted(group * kColumnGroup, (group + 1) * kColumnGroup)) continue;
    const std::string prefix = group_prefix(column, group);
    HM_TRY(index.scan(family_of(column), prefix, [&](std::string_view k, std::string_view bytes) {
      const auto chunk = ColumnChunk::of(column, bytes);
      if (!chunk) outcome = chunk.error();
      go_on = chunk && visit(chunk_number(group, k.substr(prefix.size())) * kColumnChunk, chunk.assume_value());
      return go_on;
    }));
  }
  return outcome;
}

Result<std::uint32_t> column_size(const Index& index, Column column) {
  HM_TRY(std::uint32_t group, groups_of(index, column));
  while (group-- > 0) {
    const std::string prefix = group_prefix(column, group);
    HM_TRY(const auto last, index.last(family_of(column), prefix));
    if (!last) continue;
    HM_TRY(const ColumnChunk chunk, ColumnChunk::of(column, last->second));
    return chunk_number(group, std::string_view(last->first).substr(prefix.size())) * kColumnChunk + chunk.size();
  }
  return std::uint32_t{0};
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
