#include "provenance/selection.hpp"

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

namespace hm::provenance {
using storage::Column;
using storage::ColumnChunk;
using storage::kColumnChunk;

namespace {
constexpr std::size_t kSpare = 64;  // candidates beyond the limit, for those that the row does not confirm
constexpr std::size_t kFoldBytes = 4;
// A name or tags read alone cost some 40 microseconds, all of them some 60 milliseconds on two cores.
constexpr std::size_t kSinglesMax = 256;
constexpr std::size_t kSinglesTried = 64;  // by then it shows whether the others will do

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
  /// All of `size` ordinals are marked.
  explicit Marks(std::uint32_t size) : bits_(size, 1) {}
  /// Moves the marks from `first` on into another of the same size.
  Marks split(std::uint32_t first) {
    Marks high(*this);
    std::fill(high.bits_.begin(), high.bits_.begin() + first, 0);
    std::fill(bits_.begin() + first, bits_.end(), 0);
    return high;
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
  auto seconds = [](std::optional<std::int64_t> ms) {
    return ms ? std::optional(seconds_in_column(*ms)) : std::nullopt;
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

/// Words that columns hold as numbers.
Result<> narrow_folds(const storage::Index& index, const Filter& f, Marks& marks) {
  for (const auto& [column, words] : {std::pair{Column::Licence, &f.licences}, std::pair{Column::Library, &f.libraries},
                                      std::pair{Column::Task, &f.tasks}, std::pair{Column::Owner, &f.owners}}) {
    if (words->empty()) continue;
    auto wanted = folds_of(*words);
    if (column == Column::Licence) wanted.push_back(storage::kFoldSeveral);
    HM_TRY(marks.narrow_numbers(index, column, [&](std::uint64_t value) { return is_one_of(wanted, value); }));
  }
  return ok();
}

/// What a filter asks of names and tags, the two columns that are larger than all others together.
class TextTest {
 public:
  explicit TextTest(const Filter& f) : tags_(folds_of(f.tags)) {
    for (const std::string& word : f.words)
      if (!word.empty()) words_.push_back(ascii_lower(word));
    for (const std::string& glob : f.names) globs_.push_back(ascii_lower(glob));
  }
  bool empty() const { return words_.empty() && globs_.empty() && tags_.empty(); }

  /// Of one repository.
  Result<bool> keeps(storage::ColumnReader& columns, std::uint32_t ordinal) const {
    if (!words_.empty() || !globs_.empty()) {
      HM_TRY(const std::string name, columns.bytes(Column::Name, ordinal));
      if (!std::all_of(words_.begin(), words_.end(), [&](const auto& word) { return name.find(word) != name.npos; }) ||
          !keeps_name(name))
        return false;
    }
    if (tags_.empty()) return true;
    HM_TRY(const std::string tags, columns.bytes(Column::Tags, ordinal));
    return keeps_tags(tags);
  }
  Result<> narrow(const storage::Index& index, Marks& marks) const {
    for (const std::string& word : words_) {
      HM_TRY(marks.narrow(index, Column::Name,
                          [&](const ColumnChunk& chunk, Hits& hits) { find_word(chunk, word, hits); }));
    }
    if (!globs_.empty()) {
      HM_TRY(marks.narrow_texts(index, Column::Name, [&](std::string_view name) { return keeps_name(name); }));
    }
    if (tags_.empty()) return ok();
    return marks.narrow_texts(index, Column::Tags, [&](std::string_view packed) { return keeps_tags(packed); });
  }

 private:
  bool keeps_name(std::string_view name) const {
    return globs_.empty() ||
           std::any_of(globs_.begin(), globs_.end(), [&](const std::string& glob) { return glob_match(glob, name); });
  }
  bool keeps_tags(std::string_view packed) const {
    return std::all_of(tags_.begin(), tags_.end(), [&](std::uint64_t fold) {
      for (std::size_t at = 0; at + kFoldBytes <= packed.size(); at += kFoldBytes) {
        std::uint32_t tag = 0;
        for (std::size_t byte = kFoldBytes; byte-- > 0;)
          tag = (tag << 8) | static_cast<unsigned char>(packed[at + byte]);
        if (tag == fold) return true;
      }
      return false;
    });
  }
  std::vector<std::string> words_, globs_;  ///< in lower case
  std::vector<std::uint64_t> tags_;
};

/// Clears the marks of what the columns of numbers say does not match.
Result<> narrow_cheaply(const storage::Index& index, const Filter& f, Marks& marks) {
  if (!f.gone_too || f.gated || f.kind) {
    HM_TRY(marks.narrow_numbers(index, Column::State, [&](std::uint64_t state) {
      if (!f.gone_too && (state & storage::kStateGone) != 0) return false;
      if (f.kind && (state & storage::kStateKind) != storage::state_of(*f.kind)) return false;
      return !f.gated || ((state & storage::kStateGated) != 0) == *f.gated;
    }));
  }
  HM_TRY(narrow_numbers(index, f, marks));
  return narrow_folds(index, f, marks);
}

/// Narrows with `narrow(Marks&)`, one half on a thread of its own.
template <class Narrow>
Result<> narrow_in_halves(Marks& marks, const Narrow& narrow) {
  const std::uint32_t size = marks.size();
  const std::uint32_t middle = std::min(size, (size / 2 / storage::kColumnGroup + 1) * storage::kColumnGroup);
  Marks high = marks.split(middle);
  Result<> outcome = ok();
  {
    const std::jthread beside([&] { outcome = narrow(high); });
    HM_TRY(narrow(marks));
  }
  HM_TRY(std::move(outcome));
  marks.add(high, middle);
  return ok();
}

Result<Marks> cheap_matches(const storage::Index& index, const Filter& f) {
  HM_TRY(const std::uint32_t size, storage::column_size(index, Column::State));
  Marks marks(size);
  HM_TRY(narrow_in_halves(marks, [&](Marks& half) { return narrow_cheaply(index, f, half); }));
  return marks;
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

/// Larger goes first; 0, which is not known, last.
std::uint64_t rank_of(std::uint64_t value, bool ascending) { return ascending && value != 0 ? ~value : value; }

/// The first `count` candidates in order.
Result<std::vector<Candidate>> best_of(const storage::Index& index, const Marks& marks, const Order& order,
                                       std::size_t count) {
  std::optional<Candidate> behind;
  if (order.after) behind = Candidate{rank_of(order.after->value, order.ascending), order.after->ordinal};
  std::priority_queue<Candidate> best;  // its top is the last of them
  std::array<std::uint64_t, kColumnChunk> values{};
  std::uint64_t least = 0;  // what is below it comes in no more
  auto visit = [&](std::uint32_t first, const ColumnChunk& chunk) {
    if (!marks.any_of(first, first + kColumnChunk)) return first + kColumnChunk < marks.size();
    chunk.numbers(values);
    for (std::uint32_t i = 0; i < chunk.size(); ++i) {
      const std::uint64_t value = rank_of(values[i], order.ascending);
      if (value < least || !marks[first + i]) continue;
      const Candidate candidate{value, first + i};
      if (behind && !(*behind < candidate)) continue;
      if (best.size() == count && !(candidate < best.top())) continue;
      if (best.size() == count) best.pop();
      best.push(candidate);
      if (best.size() == count) least = best.top().value;
    }
    return first + kColumnChunk < marks.size();
  };
  HM_TRY(storage::scan_column(index, column_of(order.by), visit,
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
  if (facts.is_object()) found.facts = read_facts(facts.get_object());
  HM_TRY(found.popularity.downloads, columns.number(Column::Downloads, ordinal));
  HM_TRY(found.popularity.likes, columns.number(Column::Likes, ordinal));
  HM_TRY(found.popularity.trending, columns.number(Column::Trending, ordinal));
  return std::optional(std::move(found));
}
}  // namespace

bool contains_fold(const std::vector<std::string>& list, std::string_view word) {
  return std::any_of(list.begin(), list.end(), [&](const std::string& item) { return ascii_equal_fold(item, word); });
}

namespace {
Result<std::optional<Found>> read_confirmed(const storage::Index& index, storage::ColumnReader& columns,
                                            const Filter& filter, std::uint32_t ordinal) {
  HM_TRY(const std::string stored_key, columns.bytes(Column::Key, ordinal));
  const auto key = storage::key::parse_repo(stored_key);
  if (!key) return std::optional<Found>{};
  HM_TRY(auto found, read_found(index, columns, *key));
  if (found && !confirms(filter, *found)) found.reset();
  return found;
}

/// Looks at single names and tags of what would come first, as long as that promises more than a scan of all.
/// @returns nullopt when it did not find `limit` of them.
Result<std::optional<std::vector<Found>>> search_the_first(const storage::Index& index, const Filter& filter,
                                                           const TextTest& texts, const Marks& marks,
                                                           const Order& order, std::size_t limit) {
  using Answer = std::optional<std::vector<Found>>;
  HM_TRY(const auto candidates, best_of(index, marks, order, kSinglesMax));
  storage::ColumnReader columns(index);
  std::vector<Found> out;
  std::size_t looked_at = 0;
  for (const Candidate& candidate : candidates) {
    if (out.size() == limit) break;
    if (looked_at++ == kSinglesTried && out.size() * (kSinglesMax / kSinglesTried) < limit) return Answer();
    HM_TRY(const bool keeps, texts.keeps(columns, candidate.ordinal));
    if (!keeps) continue;
    HM_TRY(auto found, read_confirmed(index, columns, filter, candidate.ordinal));
    if (found) out.push_back(std::move(*found));
  }
  if (out.size() < limit && candidates.size() == kSinglesMax) return Answer();
  return Answer(std::move(out));
}
}  // namespace

Result<> each_match(const storage::Index& index, const Filter& filter, std::uint64_t count_max,
                    const std::function<void(const Found&)>& visit) {
  HM_TRY(Marks marks, cheap_matches(index, filter));
  if (const TextTest texts(filter); !texts.empty()) {
    HM_TRY(narrow_in_halves(marks, [&](Marks& half) { return texts.narrow(index, half); }));
  }
  std::uint64_t count = 0;
  for (std::uint32_t ordinal = 0; ordinal < marks.size(); ++ordinal) count += marks[ordinal] ? 1 : 0;
  if (count > count_max)
    return Error{Errc::Refused, "up to " + std::to_string(count) + " repositories match; at most " +
                                    std::to_string(count_max) + " may"};
  storage::ColumnReader columns(index);
  for (std::uint32_t ordinal = 0; ordinal < marks.size(); ++ordinal) {
    if (!marks[ordinal]) continue;
    HM_TRY(const auto found, read_confirmed(index, columns, filter, ordinal));
    if (found) visit(*found);
  }
  return ok();
}

Place place_of(const Found& found, SortBy by) {
  Place place{0, found.row.ordinal};
  switch (by) {
    case SortBy::Downloads:
      place.value = found.popularity.downloads;
      break;
    case SortBy::Likes:
      place.value = found.popularity.likes;
      break;
    case SortBy::Trending:
      place.value = found.popularity.trending;
      break;
    case SortBy::Created:
      place.value = seconds_in_column(found.facts.created_ms);
      break;
    case SortBy::Modified:
      place.value = seconds_in_column(found.facts.modified_ms);
      break;
    case SortBy::Parameters:
      place.value = found.facts.parameters;
      break;
  }
  return place;
}

Result<std::vector<Found>> search(const storage::Index& index, const Filter& filter, const Order& order,
                                  std::size_t limit) {
  HM_TRY(Marks marks, cheap_matches(index, filter));
  if (const TextTest texts(filter); !texts.empty()) {
    HM_TRY(auto first, search_the_first(index, filter, texts, marks, order, limit));
    if (first) return std::move(*first);
    HM_TRY(narrow_in_halves(marks, [&](Marks& half) { return texts.narrow(index, half); }));
  }
  storage::ColumnReader columns(index);
  for (std::size_t count = limit + kSpare;; count *= 4) {
    HM_TRY(const auto candidates, best_of(index, marks, order, count));
    std::vector<Found> out;
    for (const Candidate& candidate : candidates) {
      if (out.size() == limit) break;
      HM_TRY(auto found, read_confirmed(index, columns, filter, candidate.ordinal));
      if (found) out.push_back(std::move(*found));
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
}  // namespace hm::provenance
