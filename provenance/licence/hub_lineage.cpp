#include "provenance/licence/hub_lineage.hpp"

#include <algorithm>
#include <map>
#include <numeric>
#include <optional>
#include <set>
#include <span>
#include <tuple>

#include "base/json_fields.hpp"
#include "base/text.hpp"
#include "provenance/licence/declared.hpp"
#include "provenance/licence/spdx.hpp"
#include "provenance/lineage/claims.hpp"
#include "provenance/listing.hpp"
#include "provenance/report/population.hpp"
#include "storage/columns.hpp"
#include "storage/journal.hpp"
#include "storage/key_space.hpp"
#include "storage/listing_row.hpp"
#include "storage/rows.hpp"

namespace hm::provenance::licence {
namespace {
namespace key = storage::key;
using storage::Column;
using storage::Family;

constexpr std::size_t kRepoKinds = 3;
std::size_t index_of(char kind) { return static_cast<std::size_t>(kind) - 1; }
Error corrupt(const char* what) {
  return {Errc::Corrupt, "the index holds a malformed " + std::string(what) + "; run: hubmirror index rebuild"};
}
/// What a stored key is made of, behind its kind.
std::pair<std::uint64_t, std::uint32_t> id_of(std::string_view stored_key) {
  std::uint64_t high = 0;
  std::uint32_t low = 0;
  for (std::size_t i = 1; i < 9; ++i) high = (high << 8) | static_cast<unsigned char>(stored_key[i]);
  for (std::size_t i = 9; i < storage::kRepoKeyBytes; ++i) low = (low << 8) | static_cast<unsigned char>(stored_key[i]);
  return {high, low};
}
}  // namespace

class HubLineage::Reader {
 public:
  Reader(const storage::Index& index, const Catalogue& catalogue) : index_(index), catalogue_(catalogue) {
    for (const Licence& l : catalogue.licences())
      if (!l.name_begins.empty()) beginnings_.insert(loose(l.name_begins));
  }

  Result<HubLineage> run() {
    HM_TRY(const std::uint32_t size, storage::column_size(index_, Column::State));
    out_.state_.assign(size, 0);
    out_.downloads_.assign(size, 0);
    out_.said_of_.assign(size, said_of({}));
    HM_TRY(read_columns(size));
    HM_TRY(read_licences(size));
    HM_TRY(read_published());
    HM_TRY(read_edges());
    HM_TRY(arrange());
    HM_TRY(read_earlier());
    return std::move(out_);
  }

 private:
  struct ChildEdge {
    NodeId child;
    Parent parent;
    std::uint32_t unknown;  ///< of a parent that cannot be found: which one; 0: it is found
  };

  std::uint32_t said_of(const std::vector<std::string>& ids) {
    Declared declared;
    declared.ids = ids;
    const Normalised n = normalise(catalogue_, declared);
    return number_of_said({n.expression, n.offered});
  }
  std::uint32_t number_of_said(Said said) {
    const auto [at, is_new] = numbers_.emplace(std::move(said), static_cast<std::uint32_t>(out_.said_.size()));
    if (is_new) out_.said_.push_back(at->first);
    return at->second;
  }

  Result<> read_columns(std::uint32_t size) {
    HM_TRY(report::each_number(index_, Column::State, size, [&](std::uint32_t i, std::uint64_t state) {
      if (state == 0) return;
      const auto kind = static_cast<std::uint8_t>((state & storage::kStateKind) >> 5);
      const bool counts = (state & (storage::kStateGone | storage::kStatePrivate)) == 0;
      out_.state_[i] = static_cast<std::uint8_t>(kind | (counts ? kCounts : 0));
    }));
    HM_TRY(report::each_number(index_, Column::Downloads, size,
                               [&](std::uint32_t i, std::uint64_t value) { out_.downloads_[i] = value; }));
    HM_TRY(report::each_text(index_, Column::Key, size, [&](std::uint32_t i, std::string_view stored) {
      if (stored.size() != storage::kRepoKeyBytes || index_of(stored[0]) >= kRepoKinds) return;
      const auto [high, low] = id_of(stored);
      out_.places_[index_of(stored[0])].push_back({high, low, i});
    }));
    for (auto& places : out_.places_)
      std::sort(places.begin(), places.end(),
                [](const Place& a, const Place& b) { return std::tie(a.high, a.low) < std::tie(b.high, b.low); });
    return report::each_text(index_, Column::Name, size, [&](std::uint32_t i, std::string_view name) {
      const std::string begins = loose(name.substr(name.rfind('/') + 1));
      if (std::any_of(beginnings_.begin(), beginnings_.end(), [&](const auto& b) { return begins.starts_with(b); }))
        out_.names_.emplace(i, name);
    });
  }

  /// A word of the Hub's list is known by its fold; of any other, and of several, the row tells.
  Result<> read_licences(std::uint32_t size) {
    std::unordered_map<std::uint64_t, std::uint32_t> known;
    for (const Licence& l : catalogue_.licences())
      for (const std::string& hub : l.hub) known.emplace(storage::fold32(hub), said_of({hub}));
    for (const char* word : {"other", "unknown"}) known.emplace(storage::fold32(word), said_of({word}));
    std::vector<std::uint32_t> to_look_up;
    HM_TRY(report::each_number(index_, Column::Licence, size, [&](std::uint32_t i, std::uint64_t fold) {
      if (fold == 0 || out_.state_[i] == 0) return;
      if (const auto word = known.find(fold); word != known.end())
        out_.said_of_[i] = word->second;
      else
        to_look_up.push_back(i);
    }));
    storage::ColumnReader columns(index_);
    for (const std::uint32_t i : to_look_up) {
      HM_TRY(const std::string stored, columns.bytes(Column::Key, i));
      const auto k = key::parse_repo(stored);
      if (!k) return corrupt("key of a column");
      HM_TRY(const auto row, storage::find_listing(index_, *k));
      if (!row) return corrupt("column without a listing");
      HM_TRY(const json::value facts, parse_json(row->facts));
      if (facts.is_object()) out_.said_of_[i] = said_of(read_facts(facts.get_object()).licences);
    }
    return ok();
  }

  std::optional<NodeId> find(std::string_view stored_key) const {
    if (stored_key.size() != storage::kRepoKeyBytes || index_of(stored_key[0]) >= kRepoKinds) return std::nullopt;
    const auto id = id_of(stored_key);
    const auto& places = out_.places_[index_of(stored_key[0])];
    const auto it = std::lower_bound(places.begin(), places.end(), id, [](const Place& p, const auto& wanted) {
      return std::pair(p.high, p.low) < wanted;
    });
    if (it != places.end() && std::pair(it->high, it->low) == id) return it->node;
    const auto extra = unlisted_nodes_.find(stored_key);
    return extra == unlisted_nodes_.end() ? std::nullopt : std::optional(extra->second);
  }

  Result<> read_published() {
    std::vector<RepoKey> keys;
    HM_TRY(index_.scan(Family::Repos, {}, [&](std::string_view stored, std::string_view) {
      if (const auto k = key::parse_repo(stored)) keys.push_back(*k);
      return true;
    }));
    const DeclarationReader reader(index_, catalogue_);
    for (const RepoKey& k : keys) {
      HM_TRY(const auto declaration, reader.read(k, History::Read));
      if (!declaration) continue;
      const std::string stored = key::repo(k);
      auto node = find(stored);
      if (!node) {
        node = out_.size();
        out_.state_.push_back(static_cast<std::uint8_t>(k.kind));
        out_.downloads_.push_back(0);
        out_.said_of_.push_back(0);
        out_.unlisted_.push_back(k);
        unlisted_nodes_.emplace(stored, *node);
      }
      if (!declaration->published) continue;
      out_.state_[*node] |= kCounts;
      out_.said_of_[*node] = number_of_said({declaration->said.expression, declaration->said.offered});
      out_.published_.emplace(*node, claim_of(*declaration));
    }
    return ok();
  }

  /// Those of one target lie together, so each name is looked up once.
  Result<> read_edges() {
    storage::EdgeTarget last;
    NodeId parent = kNoNode;
    Result<> outcome = ok();
    HM_TRY(storage::each_edge(index_, [&](const storage::EdgeTarget& to, const storage::EdgeView& edge) {
      if (!catalogue_.rules().carries[static_cast<std::size_t>(edge.relation)]) return true;
      const auto child = find(edge.from);
      if (!child) return true;
      if (to != last) {
        last = to;
        const auto found = node_of(to);
        if (!found) {
          outcome = found.error();
          return false;
        }
        parent = found.assume_value().value_or(kNoNode);
        if (parent == kNoNode) unknown_.push_back(to);
      }
      // Where a file was loaded from is often the repository itself.
      if (edge.evidence == Evidence::Inferred && parent == *child) return true;
      const std::size_t unknown = parent == kNoNode ? unknown_.size() : 0;
      edges_.push_back({*child, {parent, edge.relation, edge.evidence}, static_cast<std::uint32_t>(unknown)});
      if (edge.relation == Relation::Adapter && edge.origin == storage::EdgeOrigin::Listing &&
          out_.kind(*child) == RepoKind::Model)
        out_.state_[*child] |= kAdapter;
      return true;
    }));
    return outcome;
  }
  Result<std::optional<NodeId>> node_of(const storage::EdgeTarget& target) const {
    if (target.rid) return find(key::repo({target.kind, *target.rid}));
    HM_TRY(const auto bytes, index_.get(Family::Names, key::name({target.kind, target.name})));
    if (!bytes) return std::optional<NodeId>();
    HM_TRY(const auto row, storage::unpack_name(*bytes));
    return find(key::repo(row.key));
  }

  /// The parents of each child lie together: from parents_begin_[child] to parents_begin_[child + 1].
  Result<> arrange() {
    std::vector<std::size_t> next(static_cast<std::size_t>(out_.size()) + 1, 0);
    for (const ChildEdge& edge : edges_) ++next[edge.child + 1];
    std::partial_sum(next.begin(), next.end(), next.begin());
    std::vector<ChildEdge> sorted(edges_.size());
    for (const ChildEdge& edge : edges_) sorted[next[edge.child]++] = edge;
    edges_ = {};
    out_.parents_begin_.assign(1, 0);
    std::size_t begin = 0;
    for (NodeId child = 0; child < out_.size(); ++child) {  // next[child] has become where its edges end
      const std::span<ChildEdge> of_one(sorted.data() + begin, next[child] - begin);
      begin = next[child];
      HM_TRY(join_unknown(of_one));
      join(of_one);
      out_.parents_begin_.push_back(static_cast<std::uint32_t>(out_.parents_.size()));
    }
    return ok();
  }
  /// Of what one child says in several places an edge for each relation stays, with the best evidence; a base of which
  /// nobody says in which way is none beside one that says it. lineage::Graph::parents() does the same.
  void join(std::span<ChildEdge> edges) {
    const auto order = [](const ChildEdge& e) {
      return std::tuple(e.parent.node, e.unknown, e.parent.relation, -static_cast<int>(e.parent.evidence));
    };
    const auto same_parent = [](const ChildEdge& a, const ChildEdge& b) {
      return a.parent.node == b.parent.node && a.unknown == b.unknown;
    };
    std::sort(edges.begin(), edges.end(), [&](const auto& a, const auto& b) { return order(a) < order(b); });
    const auto end = std::unique(edges.begin(), edges.end(), [&](const ChildEdge& a, const ChildEdge& b) {
      return same_parent(a, b) && a.parent.relation == b.parent.relation;
    });
    for (auto at = edges.begin(); at != end; ++at) {
      const auto next = std::next(at);
      const bool told = at->parent.relation == Relation::DerivedFrom && next != end && same_parent(*at, *next) &&
                        next->parent.relation <= Relation::Converted;
      if (told)
        next->parent.evidence = std::max(next->parent.evidence, at->parent.evidence);
      else
        out_.parents_.push_back(at->parent);
    }
  }
  /// The Hub gives the id of a base that a card gives the name of: the listing tells that they are one.
  Result<> join_unknown(std::span<ChildEdge> edges) const {
    const auto is_unknown = [&](const ChildEdge& e, bool with_id) {
      return e.unknown != 0 && unknown_[e.unknown - 1].rid.has_value() == with_id;
    };
    for (const bool with_id : {false, true})
      if (std::none_of(edges.begin(), edges.end(), [&](const ChildEdge& e) { return is_unknown(e, with_id); }))
        return ok();
    HM_TRY(const RepoKey child, out_.key_of(index_, edges.front().child));
    HM_TRY(const auto row, storage::find_listing(index_, child));
    if (!row) return ok();
    HM_TRY(const json::value facts, parse_json(row->facts));
    if (!facts.is_object()) return corrupt("listing");
    const auto claims = lineage::claims_of_listing(child.kind, facts.get_object());
    for (ChildEdge& by_name : edges) {
      if (!is_unknown(by_name, false)) continue;
      const storage::EdgeTarget& named = unknown_[by_name.unknown - 1];
      const auto same = std::find_if(claims.begin(), claims.end(), [&](const lineage::Claim& c) {
        return c.to.rid && c.to.kind == named.kind && ascii_equal_fold(c.text, named.name);
      });
      if (same == claims.end()) continue;
      for (const ChildEdge& by_id : edges)
        if (is_unknown(by_id, true) && unknown_[by_id.unknown - 1] == same->to) by_name.unknown = by_id.unknown;
    }
    return ok();
  }

  /// Licences that listings gave before to those that give none now. Only entries with licences are parsed, and of them
  /// those of such repositories.
  Result<> read_earlier() {
    Result<> outcome = ok();
    HM_TRY(index_.scan(Family::Journal, {}, [&](std::string_view sequence, std::string_view bytes) {
      constexpr std::string_view kLicences = "\"lic\":[", kRid = "\"rid\":\"";
      if (bytes.find(kLicences) == bytes.npos) return true;  // inside of a text the quotes would be escaped
      const std::size_t at = bytes.find(kRid);
      if (at == bytes.npos) return true;
      const auto rid = Rid::parse(bytes.substr(at + kRid.size(), 24));
      if (!rid || !may_have_lost(*rid)) return true;
      outcome = note_earlier(key::parse_u64(sequence).value_or(0), bytes);
      return outcome.has_value();
    }));
    return outcome;
  }
  bool may_have_lost(const Rid& rid) const {
    for (const RepoKind kind : report::kAllKinds)
      if (const auto node = find(key::repo({kind, rid})); node && lost(*node)) return true;
    return false;
  }
  bool lost(NodeId node) const { return !out_.published(node) && out_.expression(node) == kNoAssertion; }
  Result<> note_earlier(std::uint64_t sequence, std::string_view bytes) {
    HM_TRY(const auto entry, storage::parse_journal_entry(sequence, bytes));
    const auto kind = parse_repo_kind(text_of(entry.value, "kind"));
    const auto rid = Rid::parse(text_of(entry.value, "rid"));
    if (!kind || !rid || text_of(entry.value, "t") != "listed") return ok();
    const auto node = find(key::repo({*kind, *rid}));
    if (!node || !lost(*node)) return ok();
    std::vector<std::string> ids;
    if (const json::value* list = entry.value.if_contains("lic"); list != nullptr && list->is_array())
      for (const json::value& id : list->get_array())
        if (id.is_string()) ids.emplace_back(std::string_view(id.get_string()));
    Declared declared;
    declared.ids = std::move(ids);
    std::string expression = normalise(catalogue_, declared).expression;
    if (expression != kNoAssertion) out_.earlier_[*node] = std::move(expression);
    return ok();
  }

  const storage::Index& index_;
  const Catalogue& catalogue_;
  HubLineage out_;
  std::set<std::string> beginnings_;  ///< of names, as rules about names compare them
  std::map<Said, std::uint32_t> numbers_;
  std::map<std::string, NodeId, std::less<>> unlisted_nodes_;
  std::vector<ChildEdge> edges_;
  std::vector<storage::EdgeTarget> unknown_;  ///< number - 1: parents that cannot be found
};

Result<HubLineage> HubLineage::read(const storage::Index& index, const Catalogue& catalogue) {
  return Reader(index, catalogue).run();
}

Result<RepoKey> HubLineage::key_of(const storage::Index& index, NodeId node) const {
  const std::size_t listed = state_.size() - unlisted_.size();
  if (node >= listed) return unlisted_[node - listed];
  storage::ColumnReader columns(index);
  HM_TRY(const std::string stored, columns.bytes(Column::Key, node));
  const auto k = key::parse_repo(stored);
  if (!k) return corrupt("key of a column");
  return *k;
}

Result<Claim> HubLineage::claim(NodeId node) const {
  if (const auto known = published_.find(node); known != published_.end()) return known->second;
  Claim claim;
  if (const auto name = names_.find(node); name != names_.end()) claim.name = name->second;
  claim.expression = said_[said_of_[node]].expression;
  claim.offered = said_[said_of_[node]].offered;
  if (const auto earlier = earlier_.find(node); earlier != earlier_.end()) claim.earlier = earlier->second;
  if (kind(node) == RepoKind::Dataset) claim.material = Material::Dataset;
  if (kind(node) == RepoKind::Space) claim.material = Material::Code;
  if ((state_[node] & kAdapter) != 0) claim.material = Material::Adapter;
  return claim;
}

Result<> HubLineage::parents(NodeId node, std::vector<Edge>& into) const {
  for (std::uint32_t at = parents_begin_[node]; at < parents_begin_[node + 1]; ++at)
    into.push_back({parents_[at].node, parents_[at].relation, parents_[at].evidence, {}});
  return ok();
}
}  // namespace hm::provenance::licence
