#include "provenance/lineage/graph.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <span>
#include <tuple>

#include "base/canonical_json.hpp"
#include "base/text.hpp"
#include "provenance/lineage/claims.hpp"
#include "provenance/lineage/level_rows.hpp"
#include "storage/key_space.hpp"
#include "storage/listing_row.hpp"
#include "storage/rows.hpp"

namespace hm::provenance::lineage {
namespace key = storage::key;
using storage::EdgeClass;
using storage::EdgeOrigin;
using storage::EdgeTarget;
using storage::Evidence;
using storage::Family;
using storage::Relation;

bool follows(const Walk& walk, Relation relation) {
  if (walk.relations.empty()) return storage::is_lineage(relation);
  return std::find(walk.relations.begin(), walk.relations.end(), relation) != walk.relations.end();
}

namespace {
/// What tells nodes apart.
std::string identity_of(const Node& node) {
  return node.key ? "k" + key::repo(*node.key) : "n" + key::name({node.repo.kind, node.repo.name});
}

/// The edges of one repository while its statements are gathered.
class Gathered {
 public:
  void add(const Node& to, const Claim& claim, Statement statement) {
    Edge& edge = edges_[{identity_of(to), claim.relation}];
    edge.to = to;
    edge.relation = claim.relation;
    for (Statement& known : edge.statements)
      if (known.origin == statement.origin && known.field == statement.field && known.text == statement.text &&
          known.evidence == statement.evidence)
        return extend(known, statement);
    edge.statements.push_back(std::move(statement));
  }
  std::vector<Edge> take(const Node& from, const Walk& walk) {
    join_unspecified();
    std::vector<Edge> out;
    for (auto& [id, edge] : edges_) {
      std::stable_sort(edge.statements.begin(), edge.statements.end(),
                       [](const Statement& a, const Statement& b) { return a.evidence > b.evidence; });
      if (edge.evidence() < walk.evidence_min) continue;
      edge.from = from;
      out.push_back(std::move(edge));
    }
    std::stable_sort(out.begin(), out.end(), [](const Edge& a, const Edge& b) {
      return std::tie(a.relation, a.to.repo.name) < std::tie(b.relation, b.to.repo.name);
    });
    return out;
  }

 private:
  /// A base of which nobody says in which way is no second edge beside one that says it.
  void join_unspecified() {
    for (auto at = edges_.begin(); at != edges_.end();) {
      const auto next = std::next(at);
      const bool told = at->first.second == Relation::DerivedFrom && next != edges_.end() &&
                        next->first.first == at->first.first && next->first.second <= Relation::Converted;
      if (told) {
        auto& statements = next->second.statements;
        statements.insert(statements.end(), std::make_move_iterator(at->second.statements.begin()),
                          std::make_move_iterator(at->second.statements.end()));
        edges_.erase(at);
      }
      at = next;
    }
  }
  static void extend(Statement& known, const Statement& more) {
    if (!more.first) return;
    if (!known.first || more.first_ms < known.first_ms) known.first = more.first, known.first_ms = more.first_ms;
    if (!known.last || more.last_ms >= known.last_ms) known.last = more.last, known.last_ms = more.last_ms;
  }
  std::map<std::pair<std::string, Relation>, Edge> edges_;
};

/// key::repo() of those that were seen: open addressing, since a walk asks it once for each edge.
class KeySet {
 public:
  /// False: it was there.
  bool add(std::string_view repo_key) {
    if (count_ * 2 >= slots_.size()) grow();
    return insert(slot_of(repo_key));
  }
  /// Has the place of a key fetched into the processor's cache, for add() a little later.
  void fetch(std::string_view repo_key) const { __builtin_prefetch(&slots_[place_of(slot_of(repo_key))]); }

 private:
  using Slot = std::array<std::uint64_t, 2>;  // the kind is never 0, so neither is the first half of a slot in use
  static Slot slot_of(std::string_view repo_key) {
    Slot slot{};
    std::memcpy(slot.data(), repo_key.data(), std::min(repo_key.size(), sizeof slot));
    return slot;
  }
  std::size_t place_of(const Slot& slot) const {
    const std::uint64_t hash = (slot[0] * 0x9e3779b97f4a7c15ULL) ^ (slot[1] * 0xc2b2ae3d27d4eb4fULL);
    return (hash ^ hash >> 32) & (slots_.size() - 1);
  }
  bool insert(const Slot& slot) {
    for (std::size_t i = place_of(slot);; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i] == slot) return false;
      if (slots_[i][0] != 0) continue;
      slots_[i] = slot;
      ++count_;
      return true;
    }
  }
  void grow() {
    std::vector<Slot> old(slots_.size() * 4);
    old.swap(slots_);
    count_ = 0;
    for (const Slot& slot : old)
      if (slot[0] != 0) insert(slot);
  }
  std::vector<Slot> slots_ = std::vector<Slot>(1024);
  std::size_t count_ = 0;
};
}  // namespace

bool Node::operator==(const Node& other) const { return identity_of(*this) == identity_of(other); }

Result<std::optional<std::string>> Graph::name_of(const RepoKey& k) const {
  HM_TRY(const auto listed, storage::find_listing(index_, k));
  if (listed) return std::optional(listed->name);
  HM_TRY(const auto bytes, index_.get(Family::Repos, key::repo(k)));
  if (!bytes) return std::optional<std::string>();
  HM_TRY(const auto row, storage::unpack_repo(*bytes));
  return std::optional(row.repo.name);
}

Result<Node> Graph::find(const RepoKey& k) const {
  HM_TRY(auto name, name_of(k));
  return Node{k, {k.kind, name ? std::move(*name) : k.rid.text()}};
}

Result<Node> Graph::find(const RepoId& repo) const {
  HM_TRY(const auto bytes, index_.get(Family::Names, key::name(repo)));
  if (!bytes) return Node{std::nullopt, repo};
  HM_TRY(const auto row, storage::unpack_name(*bytes));
  return find(row.key);
}

/// @param text what was written, for a parent that is not known
Result<Node> Graph::resolved(const EdgeTarget& target, std::string_view text) const {
  if (!target.rid) {
    HM_TRY(Node node, find(RepoId{target.kind, target.name}));
    return node;
  }
  const RepoKey k{target.kind, *target.rid};
  HM_TRY(auto name, name_of(k));
  return Node{k, {k.kind, name ? std::move(*name) : std::string(text)}};
}

Result<std::vector<Edge>> Graph::parents(const Node& node, const Walk& walk, bool* cut) const {
  if (!node.key) return std::vector<Edge>();
  Gathered gathered;
  std::map<std::string, Node> only_ids;  // bases that the Hub gives an id for and nobody here knows, by name
  auto add = [&](const std::vector<Claim>& claims, const Statement& seen) -> Result<> {
    if (cut != nullptr) *cut |= claims.size() >= kClaimsMax;
    for (const Claim& claim : claims) {
      if (!follows(walk, claim.relation)) continue;
      HM_TRY(Node to, resolved(claim.to, claim.text));
      if (!to.key) {
        const auto same = only_ids.find(key::name(to.repo));
        if (same != only_ids.end()) to = same->second;
      } else if (claim.to.rid) {
        only_ids.emplace(key::name(to.repo), to);
      }
      // Where a file was loaded from is often the repository itself.
      if (claim.evidence == Evidence::Inferred && to == node) continue;
      Statement statement = seen;
      statement.evidence = claim.evidence;
      statement.field = claim.field;
      statement.text = claim.text;
      gathered.add(to, claim, std::move(statement));
    }
    return ok();
  };
  HM_TRY(const auto listed, storage::find_listing(index_, *node.key));
  if (listed) {
    HM_TRY(const json::value facts, parse_json(listed->facts));
    if (!facts.is_object())
      return Error{Errc::Corrupt, "the facts of listing row " + node.key->text() + " are no object"};
    HM_TRY(add(claims_of_listing(node.key->kind, facts.get_object()), Statement{}));
  }
  Result<> outcome = ok();
  HM_TRY(index_.scan(Family::Snapshots, key::repo(*node.key), [&](std::string_view, std::string_view bytes) {
    const auto row = storage::unpack_snapshot(bytes);
    if (!row) {
      outcome = row.error();
      return false;
    }
    const storage::SnapshotRow& snapshot = row.assume_value();
    Statement seen;
    seen.origin = EdgeOrigin::Snapshot;
    seen.first = seen.last = snapshot.commit;
    seen.first_ms = seen.last_ms = snapshot.observed_ms;
    outcome = add(claims_of_card(node.key->kind, snapshot.card), seen);
    if (!outcome) return false;
    const auto said = file_facts_of(index_, snapshot);
    outcome = said ? add(claims_of_files(node.key->kind, said.assume_value()), seen) : Result<>(said.error());
    return outcome.has_value();
  }));
  HM_TRY(std::move(outcome));
  return gathered.take(node, walk);
}

/// What edges that name this repository begin with: by its name and the names it had; as far as there may be any.
Result<> Graph::add_names(const Node& node, std::uint32_t number, const Downward& down, Level& into) const {
  std::set<std::string> names{ascii_lower(node.repo.name)};
  if (const std::string former = key::former_names(*node.key); down.filter.may_have(former)) {
    HM_TRY(index_.scan(Family::Edges, former, [&](std::string_view k, std::string_view) {
      names.emplace(k.substr(former.size()));
      return true;
    }));
  }
  for (const std::string& name : names) {
    const RepoId repo{node.repo.kind, name};
    const auto place = static_cast<std::uint32_t>(into.names.size());
    into.names.push_back({key::name(repo), key::repo(*node.key), std::nullopt});
    for (const EdgeClass edges : down.classes) {
      std::string by_name = key::edges_to(storage::target_of(repo), edges);
      if (down.filter.may_have(by_name)) into.prefixes.push_back({std::move(by_name), number, place});
    }
  }
  return ok();
}

/// Whether a name still means who is meant: one that somebody else took since means that one.
Result<bool> Graph::is_meant(Level& level, const Prefix& prefix) const {
  if (prefix.name == Prefix::kById) return true;
  Name& name = level.names[prefix.name];
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

Result<Graph::Level> Graph::level_of(const std::vector<Pending>& pending, RepoKind root_kind,
                                     const Downward& down) const {
  Level out;
  out.prefixes.reserve(pending.size() * down.classes.size());
  for (const Pending& next : pending) {
    for (const EdgeClass edges : down.classes) {
      if (next.key.empty())
        out.prefixes.push_back({key::edges_to(storage::target_of(RepoId{root_kind, next.name}), edges), next.number});
      else
        out.prefixes.push_back({key::edges_to_stored(next.key, edges), next.number});
    }
    if (next.key.empty() || !next.has_names) continue;
    const auto repo_key = key::parse_repo(next.key);
    if (!repo_key)
      return Error{Errc::Corrupt, "the index holds an edge of no repository; run: hubmirror index rebuild"};
    Node at{repo_key, {repo_key->kind, next.name}};  // an edge has its child's present name
    if (next.name.empty()) {
      HM_TRY(at, find(*repo_key));
    }
    HM_TRY(add_names(at, next.number, down, out));
  }
  std::sort(out.prefixes.begin(), out.prefixes.end(),
            [](const Prefix& a, const Prefix& b) { return a.bytes < b.bytes; });
  return out;
}

Result<bool> Graph::has_edges(const std::vector<Pending>& to, RepoKind root_kind, const Downward& down) const {
  HM_TRY(const Level level, level_of(to, root_kind, down));
  for (const Prefix& prefix : level.prefixes) {
    HM_TRY(const auto last, index_.last(Family::Edges, prefix.bytes));
    if (last) return true;
  }
  return false;
}

Result<> Graph::descendants(const Node& node, const Walk& walk,
                            const std::function<bool(const Descendant&)>& visit) const {
  Downward down(walk);
  KeySet seen;
  std::vector<Pending> pending{
      {node.key ? key::repo(*node.key) : std::string(), Descendant::kRoot, true, node.repo.name}};
  if (node.key) seen.add(pending.front().key);
  HM_TRY(const bool has_some, has_edges(pending, node.repo.kind, down));
  if (!has_some) return ok();  // most have none
  HM_TRY(down.read_filter(index_));
  std::uint32_t count = 0;
  for (int depth = 1; !pending.empty() && depth <= walk.depth_max; ++depth) {
    HM_TRY(Level level, level_of(pending, node.repo.kind, down));
    pending.clear();
    const auto look = [&](const LevelRow& row) -> Result<bool> {
      const storage::EdgeView& e = row.edge;
      HM_TRY(const bool meant, is_meant(level, level.prefixes[row.prefix]));
      if (!meant || !seen.add(e.from)) return true;
      if (!visit({e.from, e.from_name, e.relation, e.evidence, depth, level.prefixes[row.prefix].number})) return false;
      const bool has_names = row.below.by_name || e.from_name.empty();
      if (depth < walk.depth_max && (row.below.by_id || has_names))
        pending.push_back({std::string(e.from), count, has_names, std::string(has_names ? e.from_name : "")});
      ++count;
      return true;
    };
    std::vector<std::string> prefixes;
    prefixes.reserve(level.prefixes.size());
    for (const Prefix& prefix : level.prefixes) prefixes.push_back(prefix.bytes);
    HM_TRY(const bool goes_on, each_row_of(index_, prefixes, down, [&](std::span<const LevelRow> rows) -> Result<bool> {
             for (const LevelRow& row : rows) seen.fetch(row.edge.from);
             for (const LevelRow& row : rows) {
               HM_TRY(const bool more, look(row));
               if (!more) return false;
             }
             return true;
           }));
    if (!goes_on) break;
  }
  return ok();
}

Result<std::vector<Ancestor>> Graph::ancestors(const Node& node, const Walk& walk) const {
  std::vector<Ancestor> out;
  std::set<std::string> seen{identity_of(node)};
  std::deque<std::pair<Node, int>> pending{{node, 0}};
  while (!pending.empty()) {
    const auto [at, depth] = std::move(pending.front());
    pending.pop_front();
    if (depth >= walk.depth_max) continue;
    HM_TRY(auto edges, parents(at, walk));
    for (Edge& edge : edges) {
      const bool again = !seen.insert(identity_of(edge.to)).second;
      if (!again) pending.emplace_back(edge.to, depth + 1);
      out.push_back({std::move(edge), depth + 1, again});
    }
  }
  return out;
}

Result<std::vector<Edge>> Graph::way_up(const Node& from, const Node& to, const Walk& walk) const {
  HM_TRY(auto all, ancestors(from, walk));
  // Nearest first: the first edge that reached a node is on a shortest way to it.
  std::map<std::string, const Edge*> reached;
  std::string end = identity_of(to);
  for (const Ancestor& step : all) {
    if (step.again) continue;
    reached.emplace(identity_of(step.edge.to), &step.edge);
    // The Hub gives ids of bases that nobody here knows; who asks has only the name that stands beside one.
    if (!to.key && step.edge.to.key && !reached.contains(end) &&
        key::name(step.edge.to.repo) == key::name({to.repo.kind, to.repo.name}))
      end = identity_of(step.edge.to);
  }
  std::vector<Edge> way;
  const std::string start = identity_of(from);
  for (std::string at = end; at != start;) {
    const auto step = reached.find(at);
    if (step == reached.end()) return std::vector<Edge>();
    way.push_back(*step->second);
    at = identity_of(step->second->from);
  }
  std::reverse(way.begin(), way.end());
  return way;
}
}  // namespace hm::provenance::lineage
