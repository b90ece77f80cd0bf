#include "provenance/audit/impact.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <unordered_map>

#include "base/text.hpp"
#include "provenance/audit/affected.hpp"
#include "provenance/audit/ancestry.hpp"
#include "provenance/audit/same_files.hpp"
#include "provenance/audit/subjects.hpp"
#include "provenance/lineage/standing.hpp"
#include "provenance/report/population.hpp"
#include "provenance/selection.hpp"
#include "storage/columns.hpp"
#include "storage/file_holders.hpp"
#include "storage/key_space.hpp"

namespace hm::provenance::audit {
namespace ln = hm::provenance::lineage;
using report::FigureTable;
using report::Severity;
using report::Share;
using storage::Column;
using storage::Relation;

namespace {
constexpr std::size_t kShownMax = 100;
constexpr std::size_t kHoldersMax = 10'000;         // of one file: each is looked up
constexpr std::size_t kHoldersFollowedMax = 1'000;  // each is a walk

ln::Walk walk_with_users() {
  ln::Walk walk;
  for (int i = 0; i < storage::kRelationCount; ++i)
    if (const auto relation = static_cast<Relation>(i); storage::is_lineage(relation) || relation == Relation::Uses)
      walk.relations.push_back(relation);
  return walk;
}
std::string here_of(std::uint64_t here, std::uint64_t all) {
  return counted(all, "repository") + ", of which " + std::to_string(here) + (here == 1 ? " is" : " are") +
         " mirrored here";
}
void add_tables(const Affected& affected, report::Report& out) {
  out.tables.push_back(affected.mirrored_table());
  out.tables.push_back(affected.relations_table());
  out.tables.push_back(affected.depths_table());
  out.tables.push_back(affected.downloads_table());
}
}  // namespace

Result<report::Report> impact_of_repository(const storage::Index& index, const ln::Node& node) {
  const std::string name = ln::text_of(node);
  Affected affected(index);
  affected.exclude(node);
  HM_TRY(affected.add(node, walk_with_users()));
  HM_TRY(const std::uint64_t users, affected.only_users());
  HM_TRY(affected.look_up());
  HM_TRY(const ln::Standing own, ln::standing_of(index, node));
  report::Report out;
  out.id = "impact";
  out.title = "What " + name + " affects";
  HM_TRY(out.basis, report::basis_of(index));
  out.answer = {name + " affects " + here_of(affected.mirrored(), affected.size()) + ".",
                "Descend from it: " + std::to_string(affected.size() - users) +
                    "; use it or one of these: " + std::to_string(users) + ".",
                "It " + std::string(own.mirrored ? "is mirrored here itself" : "is not mirrored here itself") +
                    (own.gone_status != 0 ? ", and gone upstream." : ".")};
  add_tables(affected, out);
  out.findings = affected.findings("affected");
  if (own.mirrored) out.findings.push_back({Severity::Warning, "affected", name, "it is mirrored here itself", {}});
  out.sort_findings();
  out.graphs.push_back(affected.graph(out.title));
  return out;
}

Result<report::Report> impact_of_file(const storage::Index& index, const Sha256& file) {
  std::map<RepoKey, storage::FileHolder> by_repo;  // published ones come first
  bool more_have_it = false;
  HM_TRY(storage::each_holder(index, file, [&](const storage::FileHolder& holder) {
    more_have_it = by_repo.size() == kHoldersMax && !by_repo.contains(holder.repo);
    if (!more_have_it) by_repo.emplace(holder.repo, holder);
    return !more_have_it;
  }));
  const ln::Graph graph(index);
  Affected affected(index);
  FigureTable table;
  table.id = "holders";
  table.title = "Who has the file";
  table.population = "repositories with a file of this SHA-256: published here, or told by the Hub when it was asked";
  table.columns = {{"repository", "that has it"},
                   {"path", "of one such file in it"},
                   {"commit", "of one revision that has it"},
                   {"known_from", "published: the bytes are here; told: the Hub says so"},
                   {"mirrored", "yes: of the repository something is published here"}};
  std::vector<ln::Node> nodes;
  std::vector<report::Finding> findings;
  for (const auto& [repo, holder] : by_repo) {
    HM_TRY(ln::Node node, graph.find(repo));
    HM_TRY(const ln::Standing standing, ln::standing_of(index, node));
    affected.exclude(node);
    const std::string name = ln::text_of(node);
    HM_TRY(const std::string path, path_of(index, file, holder));
    table.rows.push_back({name, printable(path), holder.commit ? holder.commit->hex() : std::string("-"),
                          std::string(holder.published ? "published" : "told"),
                          std::string(standing.mirrored ? "yes" : "no")});
    if (standing.mirrored)
      findings.push_back({Severity::Warning, "has-file", name, "it has the file, as " + printable(path), {}});
    nodes.push_back(std::move(node));
  }
  sort_by_name(table);
  table.judged = {by_repo.size(), by_repo.size()};
  if (more_have_it)
    table.gaps.push_back({"more repositories have it", 1,
                          "they are not counted: only the first " + std::to_string(kHoldersMax) + " are looked up"});
  if (nodes.size() > kHoldersFollowedMax) {
    table.gaps.push_back({"holders not followed", nodes.size() - kHoldersFollowedMax,
                          "what descends from them is not in the tables below; ask about one of them"});
    nodes.resize(kHoldersFollowedMax);
  }
  for (const ln::Node& node : nodes) {
    HM_TRY(affected.add(node, {}));
  }
  HM_TRY(affected.look_up());
  report::Report out;
  out.id = "impact";
  out.title = "What the file " + file.hex() + " affects";
  HM_TRY(out.basis, report::basis_of(index));
  out.answer = {by_repo.empty() ? "Nobody is known to have a file of this SHA-256. Only what is published here, or was "
                                  "looked at file by file, is known by its hashes."
                                : (more_have_it ? "At least " : "") + counted(by_repo.size(), "repository") + " " +
                                      (by_repo.size() == 1 ? "has" : "have") + " it, " +
                                      std::to_string(findings.size()) + " of them mirrored here.",
                "From these " + std::string(affected.size() == 1 ? "descends " : "descend ") +
                    here_of(affected.mirrored(), affected.size()) + "."};
  out.tables.push_back(std::move(table));
  add_tables(affected, out);
  out.findings = std::move(findings);
  auto more = affected.findings("affected");
  out.findings.insert(out.findings.end(), more.begin(), more.end());
  out.sort_findings();
  out.graphs.push_back(affected.graph(out.title));
  return out;
}

namespace {
/// Everything under a licence, or of some owners: a property of listed repositories that is found in a column.
struct Property {
  std::string title;  ///< "the licence mit"
  std::string holds;  ///< of one repository: "stands under mit"
  Column column = Column::Licence;
  std::vector<std::uint64_t> folds;  ///< values of the column
  Filter filter;                     ///< the same for a search
  std::string advice;                ///< for when nobody has it
  /// Of one repository, for certain.
  std::function<Result<bool>(const RepoKey&)> has;
};

struct HubCount {
  std::array<std::uint64_t, report::kKinds> all{}, with{}, downloads{};
};
/// By the columns; where one tells of several words, by the row.
Result<HubCount> count_in_hub(const storage::Index& index, const Property& property) {
  HubCount out;
  HM_TRY(const std::uint32_t size, storage::column_size(index, Column::State));
  std::vector<std::uint8_t> kinds(size, 0), has(size, 0);
  HM_TRY(report::each_number(index, Column::State, size, [&](std::uint32_t i, std::uint64_t state) {
    if (state == 0 || (state & (storage::kStateGone | storage::kStatePrivate)) != 0) return;
    for (const RepoKind kind : report::kAllKinds)
      if ((state & storage::kStateKind) == storage::state_of(kind)) {
        kinds[i] = static_cast<std::uint8_t>(report::index_of(kind) + 1);
        ++out.all[report::index_of(kind)];
      }
  }));
  std::vector<std::uint32_t> several;
  HM_TRY(report::each_number(index, property.column, size, [&](std::uint32_t i, std::uint64_t value) {
    if (kinds[i] == 0) return;
    if (property.column == Column::Licence && value == storage::kFoldSeveral) several.push_back(i);
    if (std::find(property.folds.begin(), property.folds.end(), value) != property.folds.end()) has[i] = 1;
  }));
  storage::ColumnReader columns(index);
  for (const std::uint32_t i : several) {
    HM_TRY(const std::string stored, columns.bytes(Column::Key, i));
    const auto repo = storage::key::parse_repo(stored);
    if (!repo) continue;
    HM_TRY(const bool holds, property.has(*repo));
    has[i] = holds ? 1 : 0;
  }
  HM_TRY(report::each_number(index, Column::Downloads, size, [&](std::uint32_t i, std::uint64_t value) {
    if (has[i] != 0) out.downloads[kinds[i] - 1U] += value;
  }));
  for (std::uint32_t i = 0; i < size; ++i)
    if (has[i] != 0) ++out.with[kinds[i] - 1U];
  return out;
}

FigureTable hub_table(const HubCount& count, const Property& property) {
  FigureTable out;
  out.id = "hub";
  out.title = "In the whole Hub";
  out.population = "public repositories that are listed now";
  out.columns = {{"kind", "of repository"},
                 {"listed", "public and listed"},
                 {"affected", "of the listed: " + property.title},
                 {"downloads", "of the affected, in the last 30 days"}};
  for (const RepoKind kind : report::kAllKinds) {
    const std::size_t k = report::index_of(kind);
    out.rows.push_back(
        {std::string(name_of(kind)), count.all[k], Share{count.with[k], count.all[k]}, count.downloads[k]});
    out.judged.of += count.all[k];
  }
  out.judged.part = out.judged.of;
  return out;
}

Result<FigureTable> top_table(const storage::Index& index, const Property& property, std::uint64_t all) {
  HM_TRY(const auto found, search(index, property.filter, SortBy::Downloads, kShownMax));
  FigureTable out;
  out.id = "most_downloaded";
  out.title = "The most downloaded of them";
  out.population = "listed repositories: " + property.title + "; the first 100 of " + std::to_string(all);
  out.columns = {{"repository", "as last listed"},
                 {"downloads", "of the last 30 days"},
                 {"licences", "as the listing says"},
                 {"mirrored", "yes: here too"}};
  for (const Found& one : found) {
    HM_TRY(const bool mirrored, ln::is_mirrored(index, storage::key::repo(one.key)));
    std::string licences;
    for (const std::string& licence : one.facts.licences) licences += (licences.empty() ? "" : ", ") + licence;
    out.rows.push_back({RepoId{one.key.kind, printable(one.row.name)}.text(), one.popularity.downloads,
                        printable(licences), std::string(mirrored ? "yes" : "no")});
  }
  out.judged = {out.rows.size(), all};
  return out;
}

/// Of what is mirrored: what has the property, and what descends from something that has it.
struct Inheritors {
  FigureTable table;
  std::vector<report::Finding> findings;
  std::uint64_t mirrored = 0, themselves = 0, inherit = 0;
};
Result<Inheritors> inheritors_of(const storage::Index& index, const Property& property) {
  Inheritors out;
  Ancestry ancestry(index, {});
  std::unordered_map<std::string, bool> known;
  auto has = [&](const ln::Node& node) -> Result<bool> {
    if (!node.key) return false;
    const auto [at, is_new] = known.emplace(node.key->text(), false);
    if (is_new) {
      HM_TRY(at->second, property.has(*node.key));
    }
    return at->second;
  };
  auto add = [&](const std::string& name, const std::string& from, std::uint64_t steps, std::string what,
                 std::vector<std::string> path) {
    out.table.rows.push_back({name, from, steps});
    if (out.findings.size() < kAffectedFindingsMax)
      out.findings.push_back({Severity::Warning, "affected", name, std::move(what), std::move(path)});
  };
  HM_TRY(each_mirrored(index, [&](const RepoKey& repo) -> Result<> {
    ++out.mirrored;
    HM_TRY(const ln::Node node, ancestry.graph().find(repo));
    const std::string name = ln::text_of(node);
    HM_TRY(const bool itself, has(node));
    if (itself) {
      ++out.themselves;
      add(name, name, 0, "it " + property.holds, {});
      return ok();
    }
    HM_TRY(const auto steps, ancestry.above(node));
    for (std::uint32_t i = 0; i < steps.size(); ++i) {
      HM_TRY(const bool above, has(steps[i].edge().to));
      if (!above) continue;
      ++out.inherit;
      const std::string from = ln::text_of(steps[i].edge().to);
      add(name, from, static_cast<std::uint64_t>(steps[i].depth),
          "it descends from " + from + ", which " + property.holds, path_to(steps, i));
      return ok();
    }
    return ok();
  }));
  FigureTable& table = out.table;
  table.id = "mirrored";
  table.title = "Affected, and mirrored here";
  table.population = "everything that is mirrored";
  table.columns = {{"repository", "that is affected"},
                   {"from", "the nearest that is the cause; itself where it is"},
                   {"steps", "on the shortest way; 0: itself"}};
  sort_by_name(table);
  table.judged = {out.mirrored, out.mirrored};
  add_findings_gap(table, table.rows.size());
  return out;
}

Result<report::Report> impact_of(const storage::Index& index, const Property& property) {
  HM_TRY(const HubCount hub, count_in_hub(index, property));
  HM_TRY(Inheritors here, inheritors_of(index, property));
  std::uint64_t all = 0;
  for (const std::uint64_t count : hub.with) all += count;
  if (all == 0 && here.themselves == 0)
    return Error{Errc::NotFound, "no repository that is known here " + property.holds + "; " + property.advice};
  report::Report out;
  out.id = "impact";
  out.title = "What is affected: " + property.title;
  HM_TRY(out.basis, report::basis_of(index));
  out.answer = {"Of " + counted(here.mirrored, "repository") + " that " + (here.mirrored == 1 ? "is" : "are") +
                    " mirrored here, " + std::to_string(here.themselves) + " by " +
                    (here.themselves == 1 ? "itself" : "themselves") + " (" + property.title + "), and " +
                    std::to_string(here.inherit) + (here.inherit == 1 ? " descends" : " descend") + " from such.",
                "In the whole Hub: " + counted(all, "repository") + "."};
  HM_TRY(auto top, top_table(index, property, all));
  out.tables.push_back(std::move(here.table));
  out.tables.push_back(hub_table(hub, property));
  out.tables.push_back(std::move(top));
  out.findings = std::move(here.findings);
  out.sort_findings();
  return out;
}
}  // namespace

Result<report::Report> impact_of_licence(const storage::Index& index, const std::string& id,
                                         const std::vector<std::string>& hub_ids) {
  Property property;
  const std::vector<std::string> ids = hub_ids.empty() ? std::vector{id} : hub_ids;
  property.advice =
      "write it as cards do, e.g. licence:apache-2.0, or as an SPDX identifier; hubmirror audit licences "
      "--all lists what there is";
  property.title = "the licence " + printable(id);
  property.holds = "stands under " + printable(id);
  for (const std::string& one : ids) property.folds.push_back(storage::fold32(one));
  property.filter.licences = ids;
  property.has = [&index, ids](const RepoKey& repo) -> Result<bool> {
    const auto has_one = [&](const std::vector<std::string>& licences) {
      return std::any_of(ids.begin(), ids.end(), [&](const auto& one) { return contains_fold(licences, one); });
    };
    HM_TRY(const auto found, find_listed(index, repo));
    if (found && has_one(found->facts.licences)) return true;
    HM_TRY(const auto snapshot, ln::current_snapshot(index, repo));
    return snapshot && has_one(snapshot->card.licences);
  };
  return impact_of(index, property);
}

Result<report::Report> impact_of_origin(const storage::Index& index, const OriginTable& origins,
                                        const std::string& which) {
  const bool by_code =
      which.size() == 2 && std::all_of(which.begin(), which.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  Property property;
  property.column = Column::Owner;
  std::vector<std::string> owners;
  if (by_code) {
    for (const Origin* origin : origins.all())
      if (origin->jurisdiction == which) owners.push_back(origin->owner);
    if (!is_jurisdiction(which))
      return Error{Errc::BadInput, printable(which) +
                                       " is no code of ISO 3166-1 alpha-2; write e.g. origin:CN, or "
                                       "origin:OWNER"};
    if (owners.empty())
      return Error{Errc::NotFound, "the table of origins has nobody of the jurisdiction " + printable(which) +
                                       "; docs/origins.md says how to add rows"};
    property.title = "owners of the jurisdiction " + which;
    property.advice = "the table of origins has owners of it, and none is listed here";
    property.holds = "belongs to an owner of the jurisdiction " + which;
  } else {
    owners.push_back(which);
    std::string code = which;
    for (char& c : code) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    property.advice = is_jurisdiction(code) ? "the jurisdiction is written in capitals: origin:" + code
                                            : "an owner is what stands before the '/' of a name";
    property.title = "the owner " + printable(which);
    property.holds = "belongs to " + printable(which);
  }
  for (const std::string& owner : owners) property.folds.push_back(storage::fold32(owner));
  property.filter.owners = owners;
  const ln::Graph graph(index);
  property.has = [&graph, owners](const RepoKey& repo) -> Result<bool> {
    HM_TRY(const auto name, graph.name_of(repo));
    if (!name) return false;
    const std::size_t slash = name->find('/');
    return slash != std::string::npos && contains_fold(owners, std::string_view(*name).substr(0, slash));
  };
  HM_TRY(auto out, impact_of(index, property));
  if (by_code) {
    out.answer.push_back("The table of origins has " + counted(owners.size(), "owner") + " of " + which +
                         "; who is not in it counts as unknown and is not here.");
  }
  return out;
}
}  // namespace hm::provenance::audit
