#include "provenance/lineage/level_rows.hpp"

#include <algorithm>
#include <cstdint>
#include <future>
#include <limits>
#include <optional>
#include <utility>

namespace hm::provenance::lineage {
using storage::EdgeClass;
using storage::Family;
using storage::Index;
using storage::Relation;

namespace {
// Looks at places all over the index take most of the time of a level with many targets, and rows most of that of a
// target with many children: of both the second half is read by another thread.
constexpr std::size_t kPrefixesShared = 512;
constexpr std::size_t kPrefixesAlone = 8;        // of so few, each may have many rows
constexpr std::size_t kRowsAlone = 2'048;        // of one prefix, before it is shared
constexpr std::size_t kRowsAheadMax = 1U << 16;  // kept by the other thread: some 200 bytes each

/// Some rows, copied. Together, because what is known of their children is asked for all before it is answered for the
/// first: else each waits for memory by itself.
class Block {
 public:
  static constexpr std::size_t kRows = 64;
  Block() {
    constexpr std::size_t kNameBytesUsual = 48;
    rows_.reserve(kRows);
    names_.reserve(kRows * kNameBytesUsual);
  }
  bool is_full() const { return rows_.size() == kRows; }
  void add(std::size_t prefix, const storage::EdgeView& edge, const Downward& down) {
    Row& kept = rows_.emplace_back();
    kept.prefix = prefix;
    std::copy_n(edge.from.data(), std::min(edge.from.size(), kept.from.size()), kept.from.begin());
    kept.edge = edge;
    kept.name_at = names_.size();
    names_ += edge.from_name;
    for (std::size_t i = 0; i < down.classes.size(); ++i)
      kept.questions[i] = down.filter.ask(edge.from, edge.from_name, down.classes[i]);
  }
  /// Once, when the last one was added.
  void answer(const Downward& down) {
    for (Row& kept : rows_)
      for (std::size_t i = 0; i < down.classes.size(); ++i) {
        const auto found = down.filter.answer(kept.questions[i], kept.from_text());
        kept.below.by_id |= found.by_id;
        kept.below.by_name |= found.by_name;
      }
  }
  Result<bool> show(const LookAtRows& look) const {
    std::vector<LevelRow> rows;
    rows.reserve(rows_.size());
    for (const Row& kept : rows_) {
      LevelRow& row = rows.emplace_back(LevelRow{kept.prefix, kept.edge, kept.below});
      row.edge.from = kept.from_text();
      row.edge.from_name = std::string_view(names_).substr(kept.name_at, kept.edge.from_name.size());
    }
    return look(rows);
  }

 private:
  struct Row {
    std::size_t prefix = 0, name_at = 0;
    storage::EdgeView edge;  // its texts are in `from` and `names_`
    std::array<char, 16> from{};
    std::array<storage::EdgeFilter::Question, 2> questions{};
    storage::EdgeFilter::Found below;
    std::string_view from_text() const { return {from.data(), std::min(edge.from.size(), from.size())}; }
  };
  std::vector<Row> rows_;
  std::string names_;
};

/// Takes rows as they are in the index, and hands out blocks.
class Blocks {
 public:
  using Take = std::function<Result<bool>(Block&&)>;
  Blocks(const Downward& down, Take take) : down_(down), take_(std::move(take)) {}
  Result<bool> add(std::size_t at, std::string_view prefix, std::string_view k, std::string_view value) {
    HM_TRY(const storage::EdgeView edge, storage::unpack_edge(prefix, k, value));
    if (!down_.wants(edge)) return true;
    block_.add(at, edge, down_);
    return block_.is_full() ? flush() : Result<bool>(true);
  }
  Result<bool> flush() {
    block_.answer(down_);
    return take_(std::exchange(block_, Block()));
  }

 private:
  const Downward& down_;
  Take take_;
  Block block_;
};
Blocks::Take shown_to(const LookAtRows& look) {
  return [&look](Block&& block) { return block.show(look); };
}
/// What one thread read while another one looked at what comes before it.
Blocks::Take kept_in(std::vector<Block>& blocks) {
  return [&blocks](Block&& block) -> Result<bool> {
    blocks.push_back(std::move(block));
    return true;
  };
}
Result<bool> show_all(const std::vector<Block>& blocks, const LookAtRows& look) {
  for (const Block& block : blocks) {
    HM_TRY(const bool goes_on, block.show(look));
    if (!goes_on) return false;
  }
  return true;
}

/// @param first place of the first prefix
Result<bool> rows_of_all(const Index& index, std::span<const std::string> prefixes, std::size_t first,
                         const Downward& down, Blocks::Take take) {
  Blocks blocks(down, std::move(take));
  Result<bool> outcome = true;
  HM_TRY(index.scan_each(Family::Edges, prefixes, [&](std::size_t at, std::string_view k, std::string_view value) {
    outcome = blocks.add(first + at, prefixes[at], k, value);
    return outcome && outcome.assume_value();
  }));
  if (!outcome || !outcome.assume_value()) return outcome;
  return blocks.flush();
}

/// Deferred where no thread can be had: then it is done when it is asked for.
template <class Work>
auto beside(Work work) {
  return std::async(std::launch::async | std::launch::deferred, std::move(work));
}

Result<bool> rows_in_halves(const Index& index, std::span<const std::string> prefixes, const Downward& down,
                            const LookAtRows& look) {
  const std::size_t half = prefixes.size() / 2;
  std::vector<Block> later;
  auto reading = beside([&] { return rows_of_all(index, prefixes.subspan(half), half, down, kept_in(later)); });
  const auto first = rows_of_all(index, prefixes.first(half), 0, down, shown_to(look));
  HM_TRY(reading.get());
  if (!first || !first.assume_value()) return first;
  return show_all(later, look);
}

/// A part of the rows of one prefix.
struct Part {
  std::string from;                                           ///< the first key
  std::string end{};                                          ///< behind the last one; "": to the end of the prefix
  std::size_t max = std::numeric_limits<std::size_t>::max();  ///< rows
};
struct PartRead {
  bool goes_on = true;                ///< `look` did not end it
  std::optional<std::string> next{};  ///< where more rows of the part begin
};
Result<PartRead> rows_of_part(const Index& index, std::string_view prefix, std::size_t at, Part part,
                              const Downward& down, Blocks::Take take) {
  PartRead out;
  Blocks blocks(down, std::move(take));
  Result<bool> outcome = true;
  HM_TRY(index.scan(
      Family::Edges, prefix,
      [&](std::string_view k, std::string_view value) {
        if (!part.end.empty() && k >= part.end) return false;
        if (part.max == 0) {
          out.next = std::string(k);
          return false;
        }
        --part.max;
        outcome = blocks.add(at, prefix, k, value);
        return outcome && outcome.assume_value();
      },
      part.from));
  if (outcome && outcome.assume_value()) outcome = blocks.flush();
  HM_TRY(out.goes_on, std::move(outcome));
  return out;
}

/// Where to part what lies between two keys of one prefix: ids are spread over a family as it grew, more or less.
std::string between(std::string_view low, std::string_view high) {
  constexpr std::size_t kDigits = 8;
  std::size_t same = 0;
  while (same < low.size() && same < high.size() && low[same] == high[same]) ++same;
  const auto number_at = [same](std::string_view text) {
    std::uint64_t out = 0;
    for (std::size_t i = same; i < same + kDigits; ++i)
      out = out << 8 | (i < text.size() ? static_cast<unsigned char>(text[i]) : 0);
    return out;
  };
  const std::uint64_t first = number_at(low), last = number_at(high);
  if (last <= first) return std::string(high);
  // Less than half: who reads the first part looks at the rows of both.
  const std::uint64_t middle = first + (last - first) / 16 * 7;
  std::string out(low.substr(0, same));
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(middle >> shift & 0xff));
  return out;
}

Result<bool> rows_of_one(const Index& index, std::string_view prefix, std::size_t at, const Downward& down,
                         const LookAtRows& look) {
  HM_TRY(PartRead read, rows_of_part(index, prefix, at, {std::string(prefix), {}, kRowsAlone}, down, shown_to(look)));
  while (read.goes_on && read.next) {
    HM_TRY(const auto last, index.last(Family::Edges, prefix));
    if (!last) return true;  // they went meanwhile
    const std::string middle = std::max(*read.next, between(*read.next, last->first));
    std::vector<Block> later;
    auto reading =
        beside([&] { return rows_of_part(index, prefix, at, {middle, {}, kRowsAheadMax}, down, kept_in(later)); });
    const auto first = rows_of_part(index, prefix, at, {*read.next, middle}, down, shown_to(look));
    auto second = reading.get();
    HM_TRY(const PartRead ended, first);
    if (!ended.goes_on) return false;
    HM_TRY(read, std::move(second));
    HM_TRY(read.goes_on, show_all(later, look));
  }
  return read.goes_on;
}
}  // namespace

Downward::Downward(const Walk& walk) : evidence_min(walk.evidence_min) {
  for (int i = 0; i < storage::kRelationCount; ++i) {
    const auto relation = static_cast<Relation>(i);
    if (!follows(walk, relation)) continue;
    relations[static_cast<std::size_t>(i)] = true;
    const EdgeClass edges = storage::class_of(relation);
    if (std::find(classes.begin(), classes.end(), edges) == classes.end()) classes.push_back(edges);
  }
  std::sort(classes.begin(), classes.end());
}
Result<> Downward::read_filter(const Index& index) {
  HM_TRY(filter, storage::EdgeFilter::read(index, classes.back() == EdgeClass::Lineage));
  return ok();
}

Result<bool> each_row_of(const Index& index, std::span<const std::string> prefixes, const Downward& down,
                         const LookAtRows& look) {
  if (prefixes.size() >= kPrefixesShared) return rows_in_halves(index, prefixes, down, look);
  if (prefixes.size() > kPrefixesAlone) return rows_of_all(index, prefixes, 0, down, shown_to(look));
  for (std::size_t at = 0; at < prefixes.size(); ++at) {
    HM_TRY(const bool goes_on, rows_of_one(index, prefixes[at], at, down, look));
    if (!goes_on) return false;
  }
  return true;
}
}  // namespace hm::provenance::lineage
