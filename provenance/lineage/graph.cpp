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
#include "provenance/lineage/way_down.hpp"
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
  if (!bytes) {
    HM_TRY(const auto named, storage::find_named_base(index_, repo));
    return Node{named, repo};
  }
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

Result<> Graph::descendants(const Node& node, const Walk& walk,
                            const std::function<bool(const Descendant&)>& visit) const {
  return WayDown(*this, index_, walk).run(node, visit);
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
