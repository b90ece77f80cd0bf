#include "storage/edge_lists.hpp"

#include <algorithm>
#include <optional>

#include "storage/edge_lists_format.hpp"

namespace hm::storage {
namespace fmt = edge_lists;

namespace {
constexpr std::size_t kChunksKept = 16;   // a megabyte; breadth first, a walk goes back to few
constexpr std::size_t kLooksSingle = 64;  // for changes of one prefix; who asks more often reads all of them
constexpr std::size_t kNumberBytes = fmt::kNumberBytes;
constexpr std::size_t kFormerPrefixBytes = 14;

std::optional<std::uint32_t> parse_number(std::string_view bytes) {
  const auto out = key::parse_u64(std::string(4, '\0').append(bytes));
  return out ? std::optional(static_cast<std::uint32_t>(*out)) : std::nullopt;
}

/// A key of kChanged without the byte that it begins with.
struct ChangedKey {
  std::string_view prefix, tail;
  std::uint32_t number;
};
std::optional<ChangedKey> parse_changed(std::string_view k) {
  if (k.size() < kNumberBytes) return std::nullopt;
  const auto number = parse_number(k.substr(k.size() - kNumberBytes));
  k.remove_suffix(kNumberBytes);
  std::size_t prefix_bytes = key::edges_to_bytes(k);
  if (prefix_bytes == 0) prefix_bytes = std::min(k.size(), kFormerPrefixBytes);
  if (!number) return std::nullopt;
  return ChangedKey{k.substr(0, prefix_bytes), k.substr(prefix_bytes), *number};
}
}  // namespace

namespace {
constexpr std::size_t kConcernedBits = 1U << 18;
/// FNV-1a of a target as keys have it, its name in lower case.
std::size_t concerned_bit(std::string_view target) {
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char c : target) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    hash = (hash ^ static_cast<unsigned char>(lower)) * 0x100000001b3ULL;
  }
  return (hash ^ hash >> 32) % kConcernedBits;
}
}  // namespace

Result<EdgeLists> EdgeLists::open(const Index& index) {
  EdgeLists out(index);
  HM_TRY(const fmt::State state, fmt::read_state(index));
  if (state.ready == 0) return out;
  HM_TRY(const auto directory, index.get(Family::Edges, fmt::key_of(fmt::kDirectory, state.ready)));
  if (!directory) return out;  // replaced since the look at the state
  if (directory->size() % 8 != 0) return fmt::corrupt();
  for (std::size_t i = 0; i < directory->size(); i += 8)
    out.directory_.push_back(*key::parse_u64(std::string_view(*directory).substr(i, 8)));
  HM_TRY(const auto last_change, index.last(Family::Edges, std::string(1, fmt::kChanged)));
  out.any_changed_ = last_change.has_value();
  out.number_ = state.ready;
  return out;
}

Result<std::uint32_t> EdgeLists::find(std::string_view prefix) const {
  if (number_ == 0) return kRows;
  HM_TRY(const auto head, index_->get(Family::Edges, fmt::key_of(fmt::kHead, number_).append(prefix)));
  if (!head) return kNone;
  const auto list = parse_number(*head);
  return list ? Result<std::uint32_t>(*list) : fmt::corrupt();
}

Result<bool> EdgeLists::were_replaced() {
  if (number_ == 0) return false;
  HM_TRY(const fmt::State now, fmt::read_state(*index_));
  if (now.ready == number_) return false;
  number_ = 0;
  return true;
}

Result<bool> EdgeLists::changed(std::string_view prefix) {
  HM_TRY(const Tails* tails, changes_of(prefix));
  return tails != nullptr || number_ == 0;
}

/// nullptr: none.
Result<const EdgeLists::Tails*> EdgeLists::changes_of(std::string_view prefix) {
  if (!any_changed_) return nullptr;
  auto at = changes_.find(prefix);
  if (at == changes_.end()) {
    if (all_changes_read_) return nullptr;
    all_changes_read_ = ++looks_ > kLooksSingle;
    if (all_changes_read_) {
      changes_.clear();
      concerned_.assign(kConcernedBits, false);
    }
    HM_TRY(read_changes(all_changes_read_ ? std::string_view() : prefix));
    at = changes_.find(prefix);
    if (at == changes_.end() && !all_changes_read_) at = changes_.try_emplace(std::string(prefix)).first;
  }
  return at == changes_.end() || at->second.empty() ? nullptr : &at->second;
}

bool EdgeLists::may_concern(std::string_view repo_key, std::string_view name) const {
  if (!may_have_changed()) return false;
  if (!all_changes_read_ || number_ == 0 || name.empty()) return true;
  return concerned_[concerned_bit(repo_key)] || concerned_[concerned_bit(name)];
}

/// @param prefix "": of all
Result<> EdgeLists::read_changes(std::string_view prefix) {
  bool whole = true;
  HM_TRY(index_->scan(Family::Edges, std::string(1, fmt::kChanged).append(prefix), [&](std::string_view k, auto) {
    const auto change = parse_changed(k.substr(1));
    whole = change.has_value();
    if (!whole) return false;
    if (change->number < number_) return true;
    auto at = changes_.find(change->prefix);
    if (at == changes_.end()) {
      at = changes_.try_emplace(std::string(change->prefix)).first;
      if (all_changes_read_) concerned_[concerned_bit(key::target_in(change->prefix))] = true;
    }
    if (at->second.empty() || at->second.back() != change->tail) at->second.emplace_back(change->tail);
    return true;
  }));
  if (!whole) return fmt::corrupt();
  HM_TRY(were_replaced());  // then marks were removed
  return ok();
}

/// nullptr: the lists were replaced.
Result<const EdgeLists::Chunk*> EdgeLists::chunk(std::uint32_t number) {
  const auto kept = std::find_if(chunks_.begin(), chunks_.end(), [&](const Chunk& c) { return c.number == number; });
  if (kept != chunks_.end()) {
    kept->used = ++uses_;
    return &*kept;
  }
  HM_TRY(auto bytes, index_->get(Family::Edges, fmt::key_of(fmt::kChunk, number_) + key::u32(number)));
  if (!bytes) {
    HM_TRY(const bool replaced, were_replaced());
    if (!replaced) return fmt::corrupt();
    return nullptr;
  }
  Chunk read{number, ++uses_, std::move(*bytes), {}};
  for (std::string_view rest = read.bytes; !rest.empty();) {
    const auto offset = static_cast<std::uint32_t>(read.bytes.size() - rest.size());
    const auto run = fmt::take_run(rest);
    if (!run || (!read.runs.empty() && run->list <= read.runs.back().first)) return fmt::corrupt();
    read.runs.emplace_back(run->list, offset);
  }
  if (chunks_.size() < kChunksKept) return &chunks_.emplace_back(std::move(read));
  const auto oldest =
      std::min_element(chunks_.begin(), chunks_.end(), [](const Chunk& a, const Chunk& b) { return a.used < b.used; });
  *oldest = std::move(read);
  return &*oldest;
}

Result<bool> EdgeLists::each(std::string_view prefix, std::uint32_t list, const Visit& visit) {
  if (list == kRows || number_ == 0) return each_row(prefix, visit);
  HM_TRY(const Tails* tails, changes_of(prefix));
  if (number_ == 0) return each_row(prefix, visit);
  HM_TRY(const bool goes_on, tails == nullptr ? each_listed(list, visit) : each_merged(prefix, list, *tails, visit));
  // Replaced on the way: some come twice then, and none is left out.
  if (goes_on && number_ == 0) return each_row(prefix, visit);
  return goes_on;
}

Result<bool> EdgeLists::each_row(std::string_view prefix, const Visit& visit) const {
  Result<bool> outcome = true;
  HM_TRY(index_->scan(Family::Edges, prefix, [&](std::string_view k, std::string_view value) {
    const auto edge = unpack_edge(prefix, k, value);
    outcome = edge ? visit(edge.assume_value(), {}) : Result<bool>(edge.error());
    return outcome && outcome.assume_value();
  }));
  return outcome;
}

Result<bool> EdgeLists::each_listed(std::uint32_t list, const Visit& visit) {
  if (list == kNone) return true;
  const auto first = std::upper_bound(directory_.begin(), directory_.end(), std::uint64_t{list} * 2);
  if (first == directory_.begin()) return fmt::corrupt();
  for (auto number = static_cast<std::uint32_t>(first - directory_.begin()) - 1;; ++number) {
    HM_TRY(const Chunk* const at, chunk(number));
    if (at == nullptr) return true;
    const auto found = std::lower_bound(at->runs.begin(), at->runs.end(), std::pair(list, std::uint32_t{0}));
    if (found == at->runs.end() || found->first != list) return fmt::corrupt();
    std::string_view rest = std::string_view(at->bytes).substr(found->second);
    const auto run = fmt::take_run(rest);
    for (std::string_view edges = run->edges; !edges.empty();) {
      const auto edge = fmt::take_edge(edges);
      if (!edge) return fmt::corrupt();
      HM_TRY(const bool goes_on, visit(edge->first, edge->second));
      if (!goes_on) return false;
    }
    if (!run->goes_on) return true;
  }
}

/// Of the changed rows first to before last, those that are there.
Result<bool> EdgeLists::each_change(std::string_view prefix, const Tails& tails, std::size_t first, std::size_t last,
                                    const Visit& visit) const {
  for (std::size_t i = first; i < last; ++i) {
    const std::string k = std::string(prefix) + tails[i];
    HM_TRY(const auto value, index_->get(Family::Edges, k));
    if (!value) continue;
    HM_TRY(const EdgeView edge, unpack_edge(prefix, k, *value));
    HM_TRY(const bool goes_on, visit(edge, {}));
    if (!goes_on) return false;
  }
  return true;
}

Result<bool> EdgeLists::each_merged(std::string_view prefix, std::uint32_t list, const Tails& tails,
                                    const Visit& visit) {
  std::size_t next = 0;
  HM_TRY(const bool goes_on, each_listed(list, [&](const EdgeView& edge, const Below& below) -> Result<bool> {
           if (next == tails.size()) return visit(edge, below);
           const std::string tail = tail_of(edge);
           const auto end = static_cast<std::size_t>(
               std::lower_bound(tails.begin() + static_cast<std::ptrdiff_t>(next), tails.end(), tail) - tails.begin());
           HM_TRY(const bool more, each_change(prefix, tails, std::exchange(next, end), end, visit));
           if (!more) return false;
           return next < tails.size() && tails[next] == tail ? Result<bool>(true) : visit(edge, below);
         }));
  if (!goes_on) return false;
  return each_change(prefix, tails, next, tails.size(), visit);
}

Result<> EdgeChanges::note(const std::string& edge_key, Batch& batch) {
  if (!number_) {
    HM_TRY(const fmt::State state, fmt::read_state(index_));
    number_ = state.begun == 0 ? std::string() : key::u32(state.begun);
  }
  if (number_->empty() || !noted_.insert(edge_key).second) return ok();
  batch.put(Family::Edges, std::string(1, fmt::kChanged) + edge_key + *number_, {});
  return ok();
}
}  // namespace hm::storage
