#include "provenance/lineage/way_down.hpp"

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "base/text.hpp"
#include "storage/key_space.hpp"
#include "storage/rows.hpp"

namespace hm::provenance::lineage {
namespace key = storage::key;
using storage::EdgeClass;
using storage::EdgeLists;
using storage::EdgeView;
using storage::Family;
using storage::Relation;

namespace {
Error corrupt() { return {Errc::Corrupt, "the index holds an edge of no repository; run: hubmirror index rebuild"}; }
}  // namespace

bool KeySet::add(std::string_view repo_key) {
  if (count_ * 2 >= slots_.size()) grow();
  return insert(slot_of(repo_key));
}
KeySet::Slot KeySet::slot_of(std::string_view repo_key) {
  Slot slot{};
  std::memcpy(slot.data(), repo_key.data(), std::min(repo_key.size(), sizeof slot));
  return slot;
}
bool KeySet::insert(const Slot& slot) {
  // Ids that were given one after the other differ in the upper bytes of the second half.
  std::uint64_t hash = (slot[0] * 0x9e3779b97f4a7c15ULL) ^ slot[1];
  hash = (hash ^ hash >> 32) * 0xc2b2ae3d27d4eb4fULL;
  hash ^= hash >> 32;
  for (std::size_t i = hash & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
    if (slots_[i][0] == slot[0] && slots_[i][1] == slot[1]) return false;
    if (slots_[i][0] != 0) continue;
    slots_[i] = slot;
    ++count_;
    return true;
  }
}
void KeySet::grow() {
  std::vector<Slot> old(slots_.size() * 4);
  old.swap(slots_);
  count_ = 0;
  for (const Slot& slot : old)
    if (slot[0] != 0) insert(slot);
}

std::string_view WayDown::Level::key(const Next& of) const {
  return std::string_view(texts).substr(of.text_at, storage::kRepoKeyBytes);
}
std::string_view WayDown::Level::name(const Next& of) const {
  return std::string_view(texts).substr(of.text_at + storage::kRepoKeyBytes, of.name_bytes);
}

WayDown::WayDown(const Graph& graph, const storage::Index& index, const Walk& walk)
    : graph_(graph), index_(index), walk_(walk) {
  for (int i = 0; i < storage::kRelationCount; ++i) {
    const auto relation = static_cast<Relation>(i);
    if (!follows(walk, relation)) continue;
    relations_[static_cast<std::size_t>(i)] = true;
    const EdgeClass edges = storage::class_of(relation);
    if (std::find(classes_.begin(), classes_.end(), edges) == classes_.end()) classes_.push_back(edges);
  }
}

bool WayDown::wants_others() const {
  return std::find(classes_.begin(), classes_.end(), EdgeClass::Other) != classes_.end();
}
bool WayDown::wants(const EdgeView& edge) const {
  return edge.evidence >= walk_.evidence_min && relations_[static_cast<std::size_t>(edge.relation)];
}

Result<> WayDown::run(const Node& root, const Visit& visit) {
  HM_TRY(auto lists, EdgeLists::open(index_, wants_others()));
  lists_.emplace(std::move(lists));
  HM_TRY(prepare([&] { return add_looks_for_root(root); }));
  for (int depth = 1; !looks_.empty() && depth <= walk_.depth_max; ++depth) {
    Level below;
    HM_TRY(const bool goes_on, look_at_all(depth, visit, below));
    if (!goes_on) break;
    HM_TRY(prepare([&]() -> Result<> {
      for (const Next& next : below.next) {
        HM_TRY(add_looks(below, next));
      }
      return ok();
    }));
  }
  return ok();
}

/// Makes the looks of a level; again when it turns out that the lists that told where to look were replaced.
Result<> WayDown::prepare(const std::function<Result<>()>& add) {
  for (bool again = true; again;) {
    const bool were_there = lists_->are_there();
    looks_.clear();
    names_.clear();
    HM_TRY(add());
    HM_TRY(lists_->look_again());
    again = were_there && !lists_->are_there();
  }
  return ok();
}

Result<> WayDown::add_looks_for_root(const Node& root) {
  if (root.key) {
    const std::string repo_key = key::repo(*root.key);
    seen_.add(repo_key);
    for (const EdgeClass edges : classes_) {
      HM_TRY(add_look(key::edges_to_stored(repo_key, edges), edges, EdgeLists::kRows, true, Descendant::kRoot,
                      Look::kById));
    }
    return add_names(*root.key, root.repo.name, Descendant::kRoot, {});
  }
  for (const EdgeClass edges : classes_) {
    HM_TRY(add_look(key::edges_to(storage::target_of(root.repo), edges), edges, EdgeLists::kRows, true,
                    Descendant::kRoot, Look::kById));
  }
  return ok();
}

Result<> WayDown::add_looks(const Level& level, const Next& next) {
  const std::string_view repo_key = level.key(next), name = level.name(next);
  if (next.below.is_empty() && !lists_->may_concern(repo_key, name)) return ok();
  for (const EdgeClass edges : classes_) {
    HM_TRY(add_look(key::edges_to_stored(repo_key, edges), edges, next.below.by_id, next.below.others_by_id,
                    next.number, Look::kById));
  }
  HM_TRY(const bool has_names, may_have_names(repo_key, name, next.below));
  if (!has_names) return ok();
  const auto repo = key::parse_repo(repo_key);
  if (!repo) return corrupt();
  if (!name.empty()) return add_names(*repo, name, next.number, next.below);  // an edge has its child's present name
  HM_TRY(const Node at, graph_.find(*repo));
  return add_names(*repo, at.repo.name, next.number, next.below);
}

/// @param list of EdgeClass::Lineage; kRows when it is to be found
/// @param others whether there may be edges of EdgeClass::Other
Result<> WayDown::add_look(std::string prefix, EdgeClass edges, std::uint32_t list, bool others, std::uint32_t number,
                           std::uint32_t name) {
  if (edges == EdgeClass::Other) list = others ? EdgeLists::kRows : EdgeLists::kNone;
  if (edges == EdgeClass::Lineage && list == EdgeLists::kRows) {
    HM_TRY(list, lists_->find(prefix));
  }
  if (list == EdgeLists::kNone) {
    HM_TRY(const bool changed, lists_->changed(prefix));
    if (!changed) return ok();
    if (edges == EdgeClass::Other) list = EdgeLists::kRows;
  }
  looks_.push_back({std::move(prefix), list, number, name});
  return ok();
}

Result<bool> WayDown::may_have_names(std::string_view repo_key, std::string_view name, const Below& below) {
  if (name.empty() || below.former_names || below.by_name != EdgeLists::kNone) return true;
  if (wants_others() && below.others_by_name) return true;
  if (!lists_->may_have_changed()) return false;
  HM_TRY(const bool was_renamed, lists_->changed(key::former_names_stored(repo_key)));
  if (was_renamed) return true;
  const storage::EdgeTarget by_name{static_cast<RepoKind>(repo_key.front()), std::nullopt, ascii_lower(name)};
  for (const EdgeClass edges : classes_) {
    HM_TRY(const bool changed, lists_->changed(key::edges_to(by_name, edges)));
    if (changed) return true;
  }
  return false;
}

/// Edges that name it by the name it has, or by one that it had.
Result<> WayDown::add_names(const RepoKey& repo, std::string_view present_name, std::uint32_t number,
                            const Below& below) {
  const std::string present = ascii_lower(present_name);
  std::set<std::string> names{present};
  const std::string former = key::former_names(repo);
  HM_TRY(const std::uint32_t listed, lists_->find(former));
  HM_TRY(const bool changed, lists_->changed(former));
  if (listed != EdgeLists::kNone || changed) {
    HM_TRY(index_.scan(Family::Edges, former, [&](std::string_view k, std::string_view) {
      names.emplace(k.substr(former.size()));
      return true;
    }));
  }
  for (const std::string& name : names) {
    const RepoId named{repo.kind, name};
    const auto place = static_cast<std::uint32_t>(names_.size());
    names_.push_back({key::name(named), key::repo(repo), std::nullopt});
    const bool is_told = name == present;
    for (const EdgeClass edges : classes_) {
      HM_TRY(add_look(key::edges_to(storage::target_of(named), edges), edges,
                      is_told ? below.by_name : EdgeLists::kRows, !is_told || below.others_by_name, number, place));
    }
  }
  return ok();
}

/// Whether a name still means who is meant: one that somebody else took since means that one.
Result<bool> WayDown::is_meant(const Look& look) {
  if (look.name == Look::kById) return true;
  Name& name = names_[look.name];
  if (name.holds) return *name.holds;
  HM_TRY(const auto bytes, index_.get(Family::Names, name.key));
  bool holds = true;
  if (bytes) {
    HM_TRY(const auto row, storage::unpack_name(*bytes));
    holds = key::repo(row.key) == name.owner;
  }
  name.holds = holds;
  return holds;
}

/// @param below takes those whose children are to be looked at next @returns false when `visit` did
Result<bool> WayDown::look_at_all(int depth, const Visit& visit, Level& below) {
  for (const Look& look : looks_) {
    const auto one = [&](const EdgeView& edge, const Below& known) -> Result<bool> {
      if (!wants(edge)) return true;
      HM_TRY(const bool meant, is_meant(look));
      if (!meant || !seen_.add(edge.from)) return true;
      if (!visit({edge.from, edge.from_name, edge.relation, edge.evidence, depth, look.number})) return false;
      const std::uint32_t number = count_++;
      const bool is_leaf = known.is_empty() && !lists_->may_have_changed();  // most are
      if (depth == walk_.depth_max || is_leaf) return true;
      below.next.push_back({below.texts.size(), edge.from_name.size(), number, known});
      below.texts.append(edge.from).append(edge.from_name);
      return true;
    };
    HM_TRY(const bool goes_on, lists_->each(look.prefix, look.list, one));
    if (!goes_on) return false;
  }
  return true;
}
}  // namespace hm::provenance::lineage
