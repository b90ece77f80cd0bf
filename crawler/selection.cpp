#include "crawler/selection.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <queue>
#include <thread>

#include "base/text.hpp"
#include "storage/columns.hpp"
#include "storage/key_space.hpp"
#include "storage/rows.hpp"

namespace hm::crawler {
using storage::Column;
using storage::ColumnChunk;
using storage::kColumnChunk;

namespace {
constexpr std::size_t kSpare = 64;  // candidates beyond the limit, for those that the row does not confirm
constexpr std::size_t kFoldBytes = 4;

using Hits = std::array<char, kColumnChunk>;

/// One byte for each ordinal.
class Marks {
 public:
  /// Narrows chunk by chunk: `find` leaves 0 in the hits of what is not wanted. Chunks without a mark are passed over.
  Result<> narrow(const storage::Index& index, Column column,
                  const std::function<void(const ColumnChunk&, Hits& hits)>& find) {
    Hits hits{};
    std::uint32_t done = 0;
    auto visit = [&](std::uint32_t first, const ColumnChunk& chunk) {
      drop(done, first);  // a chunk that is not there has no values
      done = first + kColumnChunk;
      if (!any_of(first, done)) return done < size();
      const std::size_t count = std::min<std::size_t>(kColumnChunk, size() - first);
      std::copy_n(bits_.data() + first, count, hits.begin());
      find(chunk, hits);
      std::copy_n(hits.begin(), count, bits_.data() + first);
      return done < size();
    };
    HM_TRY(storage::scan_column(index, column, visit,
                                [&](std::uint32_t first, std::uint32_t end) { return any_of(first, end); }));
    drop(done, size());
    return ok();
  }
  template <class Keep>
  Result<> narrow_numbers(const storage::Index& index, Column column, Keep keep) {
    return narrow(index, column, [&](const ColumnChunk& chunk, Hits& hits) { chunk.narrow(keep, hits); });
  }
  template <class Keep>
  Result<> narrow_texts(const storage::Index& index, Column column, Keep keep) {
    return narrow(index, column, [&](const ColumnChunk& chunk, Hits& hits) {
      for (std::uint32_t i = 0; i < kColumnChunk; ++i)
        if (hits[i] != 0 && (i >= chunk.size() || !keep(chunk.bytes(i)))) hits[i] = 0;
    });
  }
  /// Is one of the ordinals from `first` to before `end` marked?
  bool any_of(std::uint32_t first, std::uint32_t end) const {
    return first < size() && std::memchr(bits_.data() + first, 1, std::min(end, size()) - first) != nullptr;
  }
  /// @param first,end ordinals that are marked, of `size`
  Marks(std::uint32_t size, std::uint32_t first, std::uint32_t end) : bits_(size) {
    std::fill(bits_.begin() + first, bits_.begin() + end, 1);
  }
  std::uint32_t size() const { return static_cast<std::uint32_t>(bits_.size()); }
  bool operator[](std::uint32_t ordinal) const { return ordinal < bits_.size() && bits_[ordinal] != 0; }

  /// Takes the marks from `first` on from another.
  void add(const Marks& other, std::uint32_t first) {
    std::copy(other.bits_.begin() + first, other.bits_.end(), bits_.begin() + first);
  }

 private:
  void drop(std::uint32_t from, std::uint32_t to) {
    for (std::uint32_t i = from; i < std::min(to, size()); ++i) bits_[i] = 0;
  }
  std::vector<char> bits_;
};

std::vector<std::uint64_t> folds_of(const std::vector<std::string>& words) {
  std::vector<std::uint64_t> folds;
  for (const std::string& word : words) folds.push_back(storage::fold32(word));
  return folds;
}
bool is_one_of(const std::vector<std::uint64_t>& values, std::uint64_t value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

/// Leaves 0 in the hits of names in which `word` (in lower case) does not stand.
void find_word(const ColumnChunk& chunk, const std::string& word, Hits& hits) {
  const Hits before = hits;
  hits.fill(0);
  const std::string_view text = chunk.all();
  for (std::size_t at = 0; at < text.size();) {
    const void* hit = ::memmem(text.data() + at, text.size() - at, word.data(), word.size());
    if (hit == nullptr) return;
    const auto offset = static_cast<std::size_t>(static_cast<const char*>(hit) - text.data());
    const std::uint32_t i = chunk.at_offset(offset);
    if (chunk.at_offset(offset + word.size() - 1) == i) hits[i] = before[i];  // else it reaches into the next name
    at = offset + 1;
  }
}

Result<> narrow_numbers(const storage::Index& index, const Filter& f, Marks& marks) {
  struct Bound {
    Column column;
    std::optional<std::uint64_t> least, most;
  };
  auto seconds = [](std::optional<std::int64_t> ms) -> std::optional<std::uint64_t> {
    return ms ? std::optional(static_cast<std::uint64_t>(std::max<std::int64_t>(*ms, 0) / 1000)) : std::nullopt;
  };
  auto above_zero = [](std::uint64_t least) { return least == 0 ? std::nullopt : std::optional(least); };
  for (const Bound& b : {Bound{Column::Parameters, f.parameters_min, f.parameters_max},
                         Bound{Column::Storage, std::nullopt, f.bytes_max},
                         Bound{Column::Created, seconds(f.created_since_ms), std::nullopt},
                         Bound{Column::Modified, seconds(f.changed_since_ms), std::nullopt},
                         Bound{Column::Downloads, above_zero(f.downloads_min), std::nullopt},
                         Bound{Column::Likes, above_zero(f.likes_min), std::nullopt}}) {
    if (!b.least && !b.most) continue;
    HM_TRY(marks.narrow_numbers(index, b.column, [&](std::uint64_t value) {
      return value != 0 && (!b.least || value >= *b.least) && (!b.most || value <= *b.most);
    }));
  }
  return ok();
}

Result<> narrow_words(const storage::Index& index, const Filter& f, Marks& marks) {
  for (const auto& [column, words] : {std::pair{Column::Licence, &f.licences}, std::pair{Column::Library, &f.libraries},
                                      std::pair{Column::Task, &f.tasks}, std::pair{Column::Owner, &f.owners}}) {
    if (words->empty()) continue;
    auto wanted = folds_of(*words);
    if (column == Column::Licence) wanted.push_back(storage::kFoldSeveral);
    HM_TRY(marks.narrow_numbers(index, column, [&](std::uint64_t value) { return is_one_of(wanted, value); }));
  }
  for (const std::string& word : f.words) {
    const std::string lower = ascii_lower(word);
    if (lower.empty()) continue;
    HM_TRY(marks.narrow(index, Column::Name,
                        [&](const ColumnChunk& chunk, Hits& hits) { find_word(chunk, lower, hits); }));
  }
  if (!f.names.empty()) {
    std::vector<std::string> globs;
    for (const std::string& glob : f.names) globs.push_back(ascii_lower(glob));
    HM_TRY(marks.narrow_texts(index, Column::Name, [&](std::string_view name) {
      return std::any_of(globs.begin(), globs.end(), [&](const std::string& glob) { return glob_match(glob, name); });
    }));
  }
  if (f.tags.empty()) return ok();
  const auto wanted = folds_of(f.tags);
  return marks.narrow_texts(index, Column::Tags, [&](std::string_view packed) {
    return std::all_of(wanted.begin(), wanted.end(), [&](std::uint64_t fold) {
      for (std::size_t at = 0; at + kFoldBytes <= packed.size(); at += kFoldBytes) {
        std::uint32_t tag = 0;
        for (std::size_t byte = kFoldBytes; byte-- > 0;)
          tag = (tag << 8) | static_cast<unsigned char>(packed[at + byte]);
        if (tag == fold) return true;
      }
      return false;
    });
  });
}

/// Clears the marks of what the columns say does not match.
Result<> narrow(const storage::Index& index, const Filter& f, Marks& marks) {
  if (!f.gone_too || f.gated || f.kind) {
    HM_TRY(marks.narrow_numbers(index, Column::State, [&](std::uint64_t state) {
      if (!f.gone_too && (state & storage::kStateGone) != 0) return false;
      if (f.kind && (state & storage::kStateKind) != storage::state_of(*f.kind)) return false;
      return !f.gated || ((state & storage::kStateGated) != 0) == *f.gated;
    }));
  }
  HM_TRY(narrow_numbers(index, f, marks));
  return narrow_words(index, f, marks);
}

/// Of all ordinals.
Result<Marks> matches(const storage::Index& index, const Filter& f) {
  HM_TRY(const std::uint32_t size, storage::column_size(index, Column::State));
  const std::uint32_t middle = std::min(size, (size / 2 / storage::kColumnGroup + 1) * storage::kColumnGroup);
  Marks low(size, 0, middle), high(size, middle, size);
  Result<> outcome = ok();
  {
    const std::jthread beside([&] { outcome = narrow(index, f, high); });
    HM_TRY(narrow(index, f, low));
  }
  HM_TRY(std::move(outcome));
  low.add(high, middle);
  return low;
}

/// What two words that fold to one value would get wrong.
bool confirms(const Filter& f, const Found& found) {
  const auto& facts = found.facts;
  if (!f.licences.empty() &&
      std::none_of(facts.licences.begin(), facts.licences.end(),
                   [&](const std::string& licence) { return contains_fold(f.licences, licence); }))
    return false;
  if (!f.libraries.empty() && !contains_fold(f.libraries, facts.library)) return false;
  if (!f.tasks.empty() && !contains_fold(f.tasks, facts.task)) return false;
  const std::string_view name = found.row.name;
  if (!f.owners.empty() && !contains_fold(f.owners, name.substr(0, std::min(name.find('/'), name.size()))))
    return false;
  return std::all_of(f.tags.begin(), f.tags.end(),
                     [&](const std::string& tag) { return contains_fold(facts.tags, tag); });
}

Column column_of(SortBy order) {
  switch (order) {
    case SortBy::Likes:
      return Column::Likes;
    case SortBy::Trending:
      return Column::Trending;
    case SortBy::Created:
      return Column::Created;
    case SortBy::Modified:
      return Column::Modified;
    case SortBy::Parameters:
      return Column::Parameters;
    case SortBy::Downloads:
      break;
  }
  return Column::Downloads;
}

struct Candidate {
  std::uint64_t value = 0;
  std::uint32_t ordinal = 0;
  /// True when this one comes first.
  bool operator<(const Candidate& other) const {
    return value != other.value ? value > other.value : ordinal < other.ordinal;
  }
};

/// The first `count` candidates in order.
Result<std::vector<Candidate>> best_of(const storage::Index& index, const Marks& marks, SortBy order,
                                       std::size_t count) {
  std::priority_queue<Candidate> best;  // its top is the last of them
  std::array<std::uint64_t, kColumnChunk> values{};
  auto visit = [&](std::uint32_t first, const ColumnChunk& chunk) {
    if (!marks.any_of(first, first + kColumnChunk)) return first + kColumnChunk < marks.size();
    chunk.numbers(values);
    for (std::uint32_t i = 0; i < chunk.size(); ++i) {
      if (!marks[first + i]) continue;
      const Candidate candidate{values[i], first + i};
      if (best.size() == count && !(candidate < best.top())) continue;
      if (best.size() == count) best.pop();
      best.push(candidate);
    }
    return first + kColumnChunk < marks.size();
  };
  HM_TRY(storage::scan_column(index, column_of(order), visit,
                              [&](std::uint32_t first, std::uint32_t end) { return marks.any_of(first, end); }));
  std::vector<Candidate> out;
  for (; !best.empty(); best.pop()) out.push_back(best.top());
  std::reverse(out.begin(), out.end());
  return out;
}

Result<std::optional<Found>> read_found(const storage::Index& index, storage::ColumnReader& columns,
                                        const RepoKey& key) {
  HM_TRY(auto row, storage::find_listing(index, key));
  if (!row) return std::optional<Found>{};
  const std::uint32_t ordinal = row->ordinal;
  Found found{key, std::move(*row), {}, {}};
  HM_TRY(const json::value facts, parse_json(found.row.facts));
  if (facts.is_object()) found.facts = provenance::read_facts(facts.get_object());
  HM_TRY(found.popularity.downloads, columns.number(Column::Downloads, ordinal));
  HM_TRY(found.popularity.likes, columns.number(Column::Likes, ordinal));
  HM_TRY(found.popularity.trending, columns.number(Column::Trending, ordinal));
  return std::optional(std::move(found));
}
}  // namespace

bool contains_fold(const std::vector<std::string>& list, std::string_view word) {
  return std::any_of(list.begin(), list.end(), [&](const std::string& item) { return ascii_equal_fold(item, word); });
}

Result<> each_match(const storage::Index& index, const Filter& filter, std::uint64_t count_max,
                    const std::function<void(const Found&)>& visit) {
  HM_TRY(const Marks marks, matches(index, filter));
  std::uint64_t count = 0;
  for (std::uint32_t ordinal = 0; ordinal < marks.size(); ++ordinal) count += marks[ordinal] ? 1 : 0;
  if (count > count_max)
    return Error{Errc::Refused, "up to " + std::to_string(count) + " repositories match; at most " +
                                    std::to_string(count_max) + " may"};
  storage::ColumnReader columns(index);
  for (std::uint32_t ordinal = 0; ordinal < marks.size(); ++ordinal) {
    if (!marks[ordinal]) continue;
    HM_TRY(const std::string stored_key, columns.bytes(Column::Key, ordinal));
    const auto key = storage::key::parse_repo(stored_key);
    if (!key) continue;
    HM_TRY(const auto found, read_found(index, columns, *key));
    if (found && confirms(filter, *found)) visit(*found);
  }
  return ok();
}

Result<std::vector<Found>> search(const storage::Index& index, const Filter& filter, SortBy order, std::size_t limit) {
  HM_TRY(const Marks marks, matches(index, filter));
  storage::ColumnReader columns(index);
  for (std::size_t count = limit + kSpare;; count *= 4) {
    HM_TRY(const auto candidates, best_of(index, marks, order, count));
    std::vector<Found> out;
    for (const Candidate& candidate : candidates) {
      if (out.size() == limit) break;
      HM_TRY(const std::string stored_key, columns.bytes(Column::Key, candidate.ordinal));
      const auto key = storage::key::parse_repo(stored_key);
      if (!key) continue;
      HM_TRY(auto found, read_found(index, columns, *key));
      if (found && confirms(filter, *found)) out.push_back(std::move(*found));
    }
    if (out.size() == limit || candidates.size() < count) return out;
  }
}

Result<std::optional<Found>> find_listed(const storage::Index& index, const RepoKey& key) {
  storage::ColumnReader columns(index);
  return read_found(index, columns, key);
}

Result<std::optional<Found>> find_listed(const storage::Index& index, const RepoId& repo) {
  HM_TRY(const auto bytes, index.get(storage::Family::Names, storage::key::name(repo)));
  if (!bytes) return std::optional<Found>{};
  HM_TRY(const auto name, storage::unpack_name(*bytes));
  return find_listed(index, name.key);
}
}  // namespace hm::crawler
