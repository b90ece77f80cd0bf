#include "provenance/audit/affected.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>

#include "provenance/audit/subjects.hpp"
#include "provenance/lineage/drawing.hpp"
#include "provenance/lineage/standing.hpp"
#include "provenance/report/population.hpp"
#include "storage/columns.hpp"
#include "storage/key_space.hpp"
#include "storage/listing_row.hpp"

namespace hm::provenance::audit {
namespace ln = hm::provenance::lineage;
using report::FigureTable;
using report::Share;
using storage::Column;

namespace {
constexpr std::size_t kShownMax = 100;
// Up to so many are looked up one by one, some 20 microseconds each; beyond, one pass over the column is quicker.
constexpr std::size_t kSinglesMax = 2'000;

using Places = std::unordered_map<std::string_view, std::size_t>;
Places places_of(const std::vector<std::string_view>& keys) {
  Places out;
  out.reserve(keys.size());
  for (std::size_t i = 0; i < keys.size(); ++i) out.emplace(keys[i], i);
  return out;
}

Result<> downloads_in_one_pass(const storage::Index& index, const std::vector<std::string_view>& keys,
                               std::vector<std::uint64_t>& into) {
  const Places places = places_of(keys);
  HM_TRY(const std::uint32_t size, storage::column_size(index, Column::Key));
  std::vector<std::pair<std::uint32_t, std::size_t>> wanted;  // ordinal, place
  HM_TRY(report::each_text(index, Column::Key, size, [&](std::uint32_t ordinal, std::string_view key) {
    if (const auto at = places.find(key); at != places.end()) wanted.emplace_back(ordinal, at->second);
  }));
  auto next = wanted.begin();
  return report::each_number(index, Column::Downloads, size, [&](std::uint32_t ordinal, std::uint64_t value) {
    while (next != wanted.end() && next->first < ordinal) ++next;
    if (next != wanted.end() && next->first == ordinal) into[next->second] = value;
  });
}
}  // namespace

Result<std::vector<std::uint64_t>> downloads_of(const storage::Index& index,
                                                const std::vector<std::string_view>& keys) {
  std::vector<std::uint64_t> out(keys.size(), 0);
  if (keys.size() > kSinglesMax) {
    HM_TRY(downloads_in_one_pass(index, keys, out));
    return out;
  }
  storage::ColumnReader columns(index);
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto repo = storage::key::parse_repo(keys[i]);
    if (!repo) continue;
    HM_TRY(const auto listed, storage::find_listing(index, *repo));
    if (!listed) continue;
    HM_TRY(out[i], columns.number(Column::Downloads, listed->ordinal));
  }
  return out;
}

Result<std::vector<char>> mirrored_of(const storage::Index& index, const std::vector<std::string_view>& keys) {
  std::vector<char> out(keys.size(), 0);
  if (keys.size() <= kSinglesMax) {
    for (std::size_t i = 0; i < keys.size(); ++i) {
      HM_TRY(const bool mirrored, ln::is_mirrored(index, keys[i]));
      out[i] = mirrored ? 1 : 0;
    }
    return out;
  }
  HM_TRY(const auto mirrored_ones, ln::MirroredAmong::read(index));
  for (std::size_t i = 0; i < keys.size(); ++i) {
    HM_TRY(const bool mirrored, mirrored_ones.has(keys[i]));
    out[i] = mirrored ? 1 : 0;
  }
  return out;
}

void sort_by_name(FigureTable& table) {
  std::stable_sort(table.rows.begin(), table.rows.end(),
                   [](const auto& a, const auto& b) { return text_of(a.front()) < text_of(b.front()); });
}

void add_findings_gap(FigureTable& table, std::uint64_t findings) {
  if (findings > kAffectedFindingsMax)
    table.gaps.push_back({"not among the findings", findings - kAffectedFindingsMax,
                          "the report lists " + std::to_string(kAffectedFindingsMax) + "; this table has all"});
}

void Affected::exclude(const ln::Node& cause) {
  if (cause.key) seen_.emplace(storage::key::repo(*cause.key), kCause);
}

Result<> Affected::add(const ln::Node& root, const ln::Walk& walk) {
  HM_TRY(auto descent, ln::Descent::read(index_, root, walk));
  const auto number = static_cast<std::uint32_t>(descents_.size());
  descents_.push_back(std::move(descent));
  const ln::Descent& added = descents_.back();
  for (std::uint32_t i = 0; i < added.size(); ++i) {
    const auto [at, is_new] = seen_.emplace(added.key(i), rows_.size());
    if (is_new)
      rows_.push_back({number, i});
    else if (at->second != kCause && added[i].depth < descent_of(rows_[at->second])[rows_[at->second].place].depth)
      rows_[at->second] = {number, i};
  }
  roots_.push_back(root);
  return ok();
}

Result<> Affected::look_up() {
  std::vector<std::string_view> keys;
  keys.reserve(rows_.size());
  for (const Row& row : rows_) keys.push_back(descent_of(row).key(row.place));
  HM_TRY(downloads_, downloads_of(index_, keys));
  HM_TRY(is_mirrored_, mirrored_of(index_, keys));
  for (const ln::Node& root : roots_) {
    HM_TRY(const ln::Standing standing, ln::standing_of(index_, root));
    is_root_mirrored_.push_back(standing.mirrored ? 1 : 0);
  }
  mirrored_ = static_cast<std::uint64_t>(std::count(is_mirrored_.begin(), is_mirrored_.end(), 1));
  const ln::Graph graph(index_);
  for (const std::size_t i : mirrored_rows()) {
    const Row& row = rows_[i];
    HM_TRY(auto edge, descent_of(row).edge(graph, row.place, roots_[row.descent]));
    if (edge) edges_.emplace(std::pair(row.descent, row.place), std::move(*edge));
  }
  return ok();
}

Result<std::uint64_t> Affected::only_users() const {
  const ln::Graph graph(index_);
  const ln::Descent& descent = descents_.front();
  std::vector<char> uses(descent.size(), 0);
  std::unordered_set<std::string> descend{ln::id_of(roots_.front())};
  std::vector<std::uint32_t> undecided;
  for (std::uint32_t i = 0; i < descent.size(); ++i) {
    const ln::Descent::Row& row = descent[i];
    uses[i] = row.relation == storage::Relation::Uses || (row.parent != ln::Descendant::kRoot && uses[row.parent] != 0);
    // A space is made from nothing; what else was met as a user first may be made from another of them.
    if (uses[i] != 0 && descent.node(i).repo.kind != RepoKind::Space) undecided.push_back(i);
  }
  if (!undecided.empty())
    for (std::uint32_t i = 0; i < descent.size(); ++i)
      if (uses[i] == 0) descend.insert(ln::id_of(descent.node(i)));
  for (bool found = true; found;) {
    found = false;
    for (const std::uint32_t i : undecided) {
      if (uses[i] == 0) continue;
      HM_TRY(const auto edges, graph.parents(descent.node(i), {}));
      if (std::none_of(edges.begin(), edges.end(),
                       [&](const ln::Edge& e) { return descend.contains(ln::id_of(e.to)); }))
        continue;
      uses[i] = 0;
      descend.insert(ln::id_of(descent.node(i)));
      found = true;
    }
  }
  return static_cast<std::uint64_t>(std::count(uses.begin(), uses.end(), 1));
}

std::string Affected::name(std::size_t i) const { return ln::text_of(descent_of(rows_[i]).node(rows_[i].place)); }

std::vector<std::string> Affected::path(const Row& row) const {
  const ln::Descent& descent = descent_of(row);
  std::vector<std::string> out;
  std::string above = ln::text_of(roots_[row.descent]);
  for (const std::uint32_t place : descent.way_to(row.place)) {
    std::string below = ln::text_of(descent.node(place));
    if (const ln::Edge* said = edge(row.descent, place); said != nullptr)
      out.push_back(ln::hop_text(*said));
    else
      out.push_back(below + " <-" + std::string(storage::name_of(descent[place].relation)) + " " +
                    std::string(storage::name_of(descent[place].evidence)) + "- " + above);
    above = std::move(below);
  }
  std::reverse(out.begin(), out.end());
  return out;
}

const ln::Edge* Affected::edge(std::uint32_t descent, std::uint32_t place) const {
  const auto at = edges_.find({descent, place});
  return at == edges_.end() ? nullptr : &at->second;
}

std::vector<std::size_t> Affected::mirrored_rows() const {
  std::vector<std::size_t> out;
  for (std::size_t i = 0; i < rows_.size(); ++i)
    if (is_mirrored_[i] != 0) out.push_back(i);
  return out;
}

namespace {
template <class Key, class Text>
FigureTable counted_table(const std::map<Key, std::pair<std::uint64_t, std::uint64_t>>& counts, std::uint64_t all,
                          const Text& text_of_key) {
  FigureTable out;
  out.population = "everything that is affected, in the whole Hub as far as it is known";
  for (const auto& [key, count] : counts)
    out.rows.push_back({text_of_key(key), count.first, Share{count.first, all}, count.second});
  out.judged = {all, all};
  return out;
}
}  // namespace

FigureTable Affected::relations_table() const {
  std::map<storage::Relation, std::pair<std::uint64_t, std::uint64_t>> counts;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    auto& [all, here] = counts[descent_of(rows_[i])[rows_[i].place].relation];
    ++all;
    here += is_mirrored_[i] != 0 ? 1 : 0;
  }
  FigureTable out =
      counted_table(counts, size(), [](auto relation) { return std::string(storage::name_of(relation)); });
  out.id = "relations";
  out.title = "Affected by relation";
  out.columns = {{"relation", "of the nearest statement on the shortest way"},
                 {"hub", "repositories, each once"},
                 {"share", "of all that are affected"},
                 {"mirrored", "of them, here"}};
  return out;
}

FigureTable Affected::depths_table() const {
  std::map<int, std::pair<std::uint64_t, std::uint64_t>> counts;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    auto& [all, here] = counts[descent_of(rows_[i])[rows_[i].place].depth];
    ++all;
    here += is_mirrored_[i] != 0 ? 1 : 0;
  }
  FigureTable out = counted_table(counts, size(), [](int depth) { return static_cast<std::uint64_t>(depth); });
  out.id = "depths";
  out.title = "Affected by distance";
  out.columns = {{"steps", "on the shortest way"},
                 {"hub", "repositories, each once"},
                 {"share", "of all that are affected"},
                 {"mirrored", "of them, here"}};
  return out;
}

FigureTable Affected::downloads_table() const {
  std::vector<std::size_t> order(rows_.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  const auto shown = order.begin() + static_cast<std::ptrdiff_t>(std::min(order.size(), kShownMax));
  std::partial_sort(order.begin(), shown, order.end(), [&](std::size_t a, std::size_t b) {
    return downloads_[a] != downloads_[b] ? downloads_[a] > downloads_[b] : a < b;
  });
  FigureTable out;
  out.id = "most_downloaded";
  out.title = "The most downloaded of them";
  out.population = "everything that is affected, in the whole Hub; the first 100 of " + std::to_string(size());
  out.columns = {{"repository", "that is affected"},
                 {"relation", "of the nearest statement on the shortest way"},
                 {"steps", "on the shortest way"},
                 {"downloads", "of the last 30 days, as last listed"},
                 {"mirrored", "yes: here too"}};
  for (auto at = order.begin(); at != shown; ++at) {
    const auto& row = descent_of(rows_[*at])[rows_[*at].place];
    out.rows.push_back({name(*at), std::string(storage::name_of(row.relation)), std::uint64_t{row.depth},
                        downloads_[*at], std::string(is_mirrored_[*at] != 0 ? "yes" : "no")});
  }
  out.judged = {out.rows.size(), size()};
  out.gaps = {{"not in this table", size() - out.rows.size(), "they have fewer downloads; lineage --down has all"}};
  return out;
}

FigureTable Affected::mirrored_table() const {
  FigureTable out;
  out.id = "mirrored";
  out.title = "Affected, and mirrored here";
  out.population = "everything that is affected and of which a revision is published here";
  out.columns = {{"repository", "that is affected"},
                 {"relation", "of the nearest statement on the shortest way"},
                 {"evidence", "of that statement"},
                 {"steps", "on the shortest way"},
                 {"downloads", "of the last 30 days, as last listed"}};
  for (const std::size_t i : mirrored_rows()) {
    const auto& row = descent_of(rows_[i])[rows_[i].place];
    const ln::Edge* said = edge(rows_[i].descent, rows_[i].place);
    const storage::Evidence evidence = said == nullptr ? row.evidence : said->evidence();
    out.rows.push_back({name(i), std::string(storage::name_of(row.relation)), std::string(storage::name_of(evidence)),
                        std::uint64_t{row.depth}, downloads_[i]});
  }
  sort_by_name(out);
  add_findings_gap(out, mirrored_);
  out.judged = {mirrored_, mirrored_};
  return out;
}

std::vector<report::Finding> Affected::findings(std::string_view rule) const {
  std::vector<report::Finding> out;
  for (const std::size_t i : mirrored_rows()) {
    if (out.size() == kAffectedFindingsMax) break;
    const auto& row = descent_of(rows_[i])[rows_[i].place];
    out.push_back({report::Severity::Warning, std::string(rule), name(i),
                   "it is mirrored here and affected, in " + counted(row.depth, "step"), path(rows_[i])});
  }
  return out;
}

report::Graph Affected::graph(std::string title) const {
  report::Graph out;
  out.title = std::move(title);
  std::unordered_set<std::string> ids;
  auto add_node = [&](const ln::Node& node, bool mirrored, bool subject) {
    report::GraphNode drawn{ln::id_of(node), ln::text_of(node), mirrored ? "mirrored" : "known", subject, {}};
    drawn.note = drawn.id;
    if (ids.insert(drawn.id).second) out.nodes.push_back(std::move(drawn));
  };
  for (std::size_t i = 0; i < roots_.size() && out.nodes.size() < ln::kDrawnMax; ++i)
    add_node(roots_[i], is_root_mirrored_[i] != 0, true);
  const auto mirrored = mirrored_rows();
  std::unordered_set<std::string> here;
  for (const std::size_t i : mirrored) here.emplace(descent_of(rows_[i]).key(rows_[i].place));
  for (const std::size_t i : mirrored) {
    const ln::Descent& descent = descent_of(rows_[i]);
    const auto way = descent.way_to(rows_[i].place);
    if (out.nodes.size() + way.size() > ln::kDrawnMax || !ids.contains(ln::id_of(roots_[rows_[i].descent]))) {
      ++out.left_out;
      continue;
    }
    std::string above = ln::id_of(roots_[rows_[i].descent]);
    for (const std::uint32_t place : way) {
      const ln::Node node = descent.node(place);
      const std::size_t before = out.nodes.size();
      add_node(node, here.contains(std::string(descent.key(place))), false);
      std::string id = ln::id_of(node);
      const ln::Edge* const said = edge(rows_[i].descent, place);
      const storage::Evidence evidence = said == nullptr ? descent[place].evidence : said->evidence();
      if (out.nodes.size() != before)
        out.edges.push_back(
            {id, above,
             std::string(storage::name_of(descent[place].relation)) + ", " + std::string(storage::name_of(evidence)),
             evidence < storage::Evidence::Declared});
      above = std::move(id);
    }
  }
  return out;
}
}  // namespace hm::provenance::audit
