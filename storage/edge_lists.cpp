#include "storage/edge_lists.hpp"

#include <algorithm>
#include <optional>

#include "storage/edge_lists_format.hpp"

namespace hm::storage {
namespace fmt = edge_lists;

namespace {
constexpr std::size_t kChunksKept = 16;       // a megabyte; breadth first, a walk goes back to few
constexpr std::size_t kLooksSingle = 64;      // for changes of one prefix; who asks more often reads all of them
constexpr std::size_t kChangesMax = 200'000;  // some 100 bytes each; with more of them rows are as quick
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
void sort_unique(std::vector<std::string>& texts) {
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
}

/// Marks with a number from `first` on of what a walk cares for, one number after the other, until `visit` returns
/// false. They begin behind those that are removed: stepping over what is gone would take longer than all else.
Result<> each_change_since(const Index& index, std::uint32_t first, std::uint32_t last, bool others,
                           const std::function<bool(const fmt::Changed&)>& visit) {
  bool goes_on = true, whole = true;
  for (std::uint32_t number = first; goes_on && number <= last; ++number) {
    HM_TRY(index.scan(Family::Edges, fmt::key_of(fmt::kChanged, number), [&](std::string_view k, auto) {
      const auto change = fmt::parse_changed(k);
      whole = change.has_value();
      if (!whole || (!others && change->what == fmt::ChangeOf::Other)) return false;
      return goes_on = visit(*change);
    }));
    if (!whole) return fmt::corrupt();
  }
  return ok();
}
}  // namespace

Result<EdgeLists> EdgeLists::open(const Index& index, bool others) {
  EdgeLists out(index, others);
  HM_TRY(const fmt::State state, fmt::read_state(index));
  if (state.ready == 0) return out;
  HM_TRY(const auto directory, index.get(Family::Edges, fmt::key_of(fmt::kDirectory, state.ready)));
  if (!directory) return out;  // replaced since the look at the state
  if (directory->size() % 8 != 0) return fmt::corrupt();
  for (std::size_t i = 0; i < directory->size(); i += 8)
    out.directory_.push_back(*key::parse_u64(std::string_view(*directory).substr(i, 8)));
  HM_TRY(each_change_since(index, state.ready, state.begun, others, [&](const fmt::Changed&) {
    out.any_changed_ = true;
    return false;
  }));
  out.number_ = state.ready;
  out.begun_ = state.begun;
  return out;
}

Result<std::uint32_t> EdgeLists::find(std::string_view prefix) const {
  if (number_ == 0) return kRows;
  HM_TRY(const auto head, index_->get(Family::Edges, fmt::key_of(fmt::kHead, number_).append(prefix)));
  if (!head) return kNone;
  std::string_view bytes = *head;
  const auto list = fmt::take_number(bytes);
  return list && bytes.empty() ? Result<std::uint32_t>(*list) : fmt::corrupt();
}

Result<> EdgeLists::look_again() {
  if (number_ == 0) return ok();
  HM_TRY(const fmt::State now, fmt::read_state(*index_));
  if (now.ready != number_) number_ = 0;
  return ok();
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
    if (++looks_ > kLooksSingle) {
      HM_TRY(read_all_changes());
    } else {
      HM_TRY(read_changes(prefix));
    }
    at = changes_.find(prefix);
  }
  return at == changes_.end() || at->second.empty() ? nullptr : &at->second;
}

bool EdgeLists::may_concern(std::string_view repo_key, std::string_view name) const {
  if (!may_have_changed()) return false;
  if (!all_changes_read_ || number_ == 0 || name.empty()) return true;
  return concerned_[concerned_bit(repo_key)] || concerned_[concerned_bit(name)];
}

/// Of one prefix; remembered also when there are none.
Result<> EdgeLists::read_changes(std::string_view prefix) {
  Tails tails;
  for (std::uint32_t number = number_; number <= begun_; ++number) {
    const std::string first = fmt::changed_key(number, prefix);
    HM_TRY(index_->scan(Family::Edges, first, [&](std::string_view k, auto) {
      tails.emplace_back(k.substr(first.size()));
      return true;
    }));
  }
  sort_unique(tails);
  changes_.insert_or_assign(std::string(prefix), std::move(tails));
  return look_again();  // replaced lists took their marks along
}

Result<> EdgeLists::read_all_changes() {
  changes_.clear();
  concerned_.assign(kConcernedBits, false);
  std::size_t count = 0;
  HM_TRY(each_change_since(*index_, number_, begun_, others_, [&](const fmt::Changed& change) {
    const std::string_view prefix = key::prefix_of(change.row_key);
    auto at = changes_.find(prefix);
    if (at == changes_.end()) {
      at = changes_.try_emplace(std::string(prefix)).first;
      concerned_[concerned_bit(key::target_in(prefix))] = true;
    }
    at->second.emplace_back(change.row_key.substr(prefix.size()));
    return ++count < kChangesMax;
  }));
  if (begun_ != number_)
    for (auto& [prefix, tails] : changes_) sort_unique(tails);
  all_changes_read_ = true;
  if (count == kChangesMax) number_ = 0;
  return look_again();
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
    HM_TRY(look_again());
    if (number_ != 0) return fmt::corrupt();
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
    HM_TRY(number_, last_edge_lists(index_));
  }
  if (*number_ == 0 || !noted_.insert(edge_key).second) return ok();
  batch.put(Family::Edges, fmt::changed_key(*number_, edge_key), {});
  return ok();
}

Result<std::uint32_t> last_edge_lists(const Index& index) {
  HM_TRY(const fmt::State state, fmt::read_state(index));
  return state.begun;
}

Result<std::optional<std::uint32_t>> begin_edge_lists(const Index& index, Batch& batch, std::uint32_t after) {
  HM_TRY(const fmt::State state, fmt::read_state(index));
  bool any_changed = false;
  HM_TRY(each_change_since(index, state.ready, state.begun, true, [&](const fmt::Changed&) {
    any_changed = true;
    return false;
  }));
  if (state.ready != 0 && !any_changed) return std::optional<std::uint32_t>();
  const std::uint32_t number = std::max(state.begun, after) + 1;
  batch.put(Family::Edges, std::string(1, fmt::kState), fmt::pack_state({number, state.ready}));
  return std::optional(number);
}
}  // namespace hm::storage
