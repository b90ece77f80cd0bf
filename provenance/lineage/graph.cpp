#include "provenance/lineage/graph.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <future>
#include <map>
#include <set>
#include <span>
#include <tuple>

#include "base/canonical_json.hpp"
#include "base/text.hpp"
#include "provenance/lineage/claims.hpp"
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

namespace {
bool follows(const Walk& walk, Relation relation) {
  if (walk.relations.empty()) return storage::is_lineage(relation);
  return std::find(walk.relations.begin(), walk.relations.end(), relation) != walk.relations.end();
}
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
    Slot slot{};
    std::memcpy(slot.data(), repo_key.data(), std::min(repo_key.size(), slot.size()));
    return insert(slot);
  }

 private:
  using Slot = std::array<char, 16>;  // the kind is never 0, so neither is a slot in use
  bool insert(const Slot& slot) {
    std::uint64_t low = 0, high = 0;
    std::memcpy(&low, slot.data(), 8);
    std::memcpy(&high, slot.data() + 8, 8);
    const std::uint64_t hash = (low * 0x9e3779b97f4a7c15ULL) ^ (high * 0xc2b2ae3d27d4eb4fULL);
    for (std::size_t i = (hash ^ hash >> 32) & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
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

Result<std::vector<Edge>> Graph::parents(const Node& node, const Walk& walk) const {
  if (!node.key) return std::vector<Edge>();
  Gathered gathered;
  std::map<std::string, Node> only_ids;  // bases that the Hub gives an id for and nobody here knows, by name
  auto add = [&](const std::vector<Claim>& claims, const Statement& seen) -> Result<> {
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

/// What is followed on the way down.
struct Graph::Search {
  explicit Search(const Walk& walk) : evidence_min(walk.evidence_min) {
    for (int i = 0; i < storage::kRelationCount; ++i) {
      const auto relation = static_cast<Relation>(i);
      follows[static_cast<std::size_t>(i)] = lineage::follows(walk, relation);
      const EdgeClass edges = storage::class_of(relation);
      if (lineage::follows(walk, relation) && std::find(classes.begin(), classes.end(), edges) == classes.end())
        classes.push_back(edges);
    }
    std::sort(classes.begin(), classes.end());
  }
  bool wants(const storage::EdgeView& e) const {
    return e.evidence >= evidence_min && follows[static_cast<std::size_t>(e.relation)];
  }
  storage::EdgeFilter::Found look(std::string_view repo_key, std::string_view name) const {
    storage::EdgeFilter::Found out;
    for (const EdgeClass edges : classes) {
      const auto found = filter.look(repo_key, name, edges);
      out.by_id |= found.by_id;
      out.by_name |= found.by_name;
    }
    return out;
  }

  Evidence evidence_min;
  std::array<bool, storage::kRelationCount> follows{};
  std::vector<EdgeClass> classes;
  storage::EdgeFilter filter;
};

/// What edges that name this repository begin with: by its name and the names it had; as far as there may be any.
Result<> Graph::add_names(const Node& node, std::uint32_t number, const Search& search, Level& into) const {
  std::set<std::string> names{ascii_lower(node.repo.name)};
  if (const std::string former = key::former_names(*node.key); search.filter.may_have(former)) {
    HM_TRY(index_.scan(Family::Edges, former, [&](std::string_view k, std::string_view) {
      names.emplace(k.substr(former.size()));
      return true;
    }));
  }
  for (const std::string& name : names) {
    const RepoId repo{node.repo.kind, name};
    const auto place = static_cast<std::uint32_t>(into.names.size());
    into.names.push_back({key::name(repo), key::repo(*node.key), std::nullopt});
    for (const EdgeClass edges : search.classes) {
      std::string by_name = key::edges_to(storage::target_of(repo), edges);
      if (search.filter.may_have(by_name)) into.prefixes.push_back({std::move(by_name), number, place});
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
                                     const Search& search) const {
  Level out;
  out.prefixes.reserve(pending.size() * search.classes.size());
  for (const Pending& next : pending) {
    for (const EdgeClass edges : search.classes) {
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
    HM_TRY(add_names(at, next.number, search, out));
  }
  std::sort(out.prefixes.begin(), out.prefixes.end(),
            [](const Prefix& a, const Prefix& b) { return a.bytes < b.bytes; });
  return out;
}

/// An edge on the way down, and whether its child may have some.
struct Graph::Seen {
  std::size_t prefix;
  storage::EdgeView edge;
  storage::EdgeFilter::Found below;
};
/// The same, kept: what one thread read while another one looked at what comes before it.
class Graph::SeenRows {
 public:
  void add(const Seen& row) {
    Row& kept = rows_.emplace_back();
    kept.prefix = row.prefix;
    std::copy_n(row.edge.from.data(), std::min(row.edge.from.size(), kept.from.size()), kept.from.begin());
    kept.edge = row.edge;
    kept.below = row.below;
    kept.name_at = names_.size();
    names_ += row.edge.from_name;
  }
  Result<bool> each(const std::function<Result<bool>(const Seen&)>& look) {
    for (const Row& kept : rows_) {
      Seen row{kept.prefix, kept.edge, kept.below};
      row.edge.from = {kept.from.data(), std::min(kept.edge.from.size(), kept.from.size())};
      row.edge.from_name = std::string_view(names_).substr(kept.name_at, kept.edge.from_name.size());
      HM_TRY(const bool goes_on, look(row));
      if (!goes_on) return false;
    }
    return true;
  }

 private:
  struct Row {
    std::size_t prefix = 0, name_at = 0;
    storage::EdgeView edge;  // its texts are in `from` and `names_`
    std::array<char, 16> from{};
    storage::EdgeFilter::Found below;
  };
  std::vector<Row> rows_;
  std::string names_;
};

/// Edges of some prefixes of a level that are followed, until `look` returns false.
Result<bool> Graph::each_edge_of(std::span<const std::string> prefixes, std::size_t first, const Search& search,
                                 const std::function<Result<bool>(const Seen&)>& look) const {
  Result<bool> outcome = true;
  HM_TRY(index_.scan_each(Family::Edges, prefixes, [&](std::size_t at, std::string_view k, std::string_view value) {
    const auto edge = storage::unpack_edge(prefixes[at], k, value);
    if (!edge) {
      outcome = edge.error();
      return false;
    }
    const storage::EdgeView& e = edge.assume_value();
    if (!search.wants(e)) return true;
    outcome = look({first + at, e, search.look(e.from, e.from_name)});
    return outcome && outcome.assume_value();
  }));
  return outcome;
}

// Looks at places all over the index take most of the time of a large level: the second half of them is made by
// another thread.
Result<bool> Graph::each_edge_of(const Level& level, const Search& search,
                                 const std::function<Result<bool>(const Seen&)>& look) const {
  constexpr std::size_t kShared = 512;
  std::vector<std::string> prefixes;
  prefixes.reserve(level.prefixes.size());
  for (const Prefix& prefix : level.prefixes) prefixes.push_back(prefix.bytes);
  if (prefixes.size() < kShared) return each_edge_of(prefixes, 0, search, look);
  const std::size_t half = prefixes.size() / 2;
  SeenRows later;
  // Deferred where no thread can be had: then it reads when it is asked for.
  auto reading = std::async(std::launch::async | std::launch::deferred, [&] {
    return each_edge_of(std::span(prefixes).subspan(half), half, search, [&](const Seen& row) -> Result<bool> {
      later.add(row);
      return true;
    });
  });
  const auto first = each_edge_of(std::span(prefixes).first(half), 0, search, look);
  HM_TRY(reading.get());
  if (!first || !first.assume_value()) return first;
  return later.each(look);
}

Result<> Graph::descendants(const Node& node, const Walk& walk,
                            const std::function<bool(const Descendant&)>& visit) const {
  Search search(walk);
  HM_TRY(search.filter, storage::EdgeFilter::read(index_, search.classes.back() == EdgeClass::Lineage));
  KeySet seen;
  std::vector<Pending> pending{
      {node.key ? key::repo(*node.key) : std::string(), Descendant::kRoot, true, node.repo.name}};
  if (node.key) seen.add(pending.front().key);
  std::uint32_t count = 0;
  for (int depth = 1; !pending.empty() && depth <= walk.depth_max; ++depth) {
    HM_TRY(Level level, level_of(pending, node.repo.kind, search));
    pending.clear();
    const auto look = [&](const Seen& row) -> Result<bool> {
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
    HM_TRY(const bool goes_on, each_edge_of(level, search, look));
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
  for (const Ancestor& step : all)
    if (!step.again) reached.emplace(identity_of(step.edge.to), &step.edge);
  std::vector<Edge> way;
  const std::string start = identity_of(from);
  for (std::string at = identity_of(to); at != start;) {
    const auto step = reached.find(at);
    if (step == reached.end()) return std::vector<Edge>();
    way.push_back(*step->second);
    at = identity_of(step->second->from);
  }
  std::reverse(way.begin(), way.end());
  return way;
}
}  // namespace hm::provenance::lineage
