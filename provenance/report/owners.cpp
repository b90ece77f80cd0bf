// Tables by who stands behind an owner, as the table of origins says it.
#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <set>

#include "provenance/report/ecosystem_tables.hpp"

namespace hm::provenance::report {
namespace {
const std::string kUnknown = "unknown";

std::string jurisdiction_of(const Origin* origin) {
  return origin == nullptr ? kUnknown : std::string(shown_jurisdiction(*origin));
}
std::string sector_of(const Origin* origin) {
  return std::string(name_of(origin == nullptr ? Sector::Unknown : origin->sector));
}

struct Sum {
  std::set<std::uint32_t> owners;
  std::uint64_t repositories = 0, downloads = 0;
};

/// Downloads of models and of datasets by what `group_of` says of an origin; most downloads first, unknown last.
FigureTable downloads_by(const Population& p, const std::string& what,
                         const std::function<std::string(const Origin*)>& group_of) {
  FigureTable table;
  table.id = "downloads_by_" + what;
  table.title = "Downloads by " + what + " of the owner";
  table.population = "public models and datasets, each kind by itself, with their downloads of the last 30 days";
  table.columns = {
      {"kind", "model or dataset"},
      {what,
       "of the owner by the table of origins; unknown: no row, or the row does not say. Personal accounts have no row"},
      {"owners", "different ones with a repository of the kind; not counted for unknown"},
      {"repositories", "of these owners"},
      {"downloads", "of these repositories"},
      {"share_of_all", "of the downloads of all repositories of the kind"},
      {"share_of_known", "of the downloads whose " + what + " is known"}};
  table.keys = 2;
  Gap no_row{"repositories of owners that the table of origins does not have", 0,
             "nothing is inferred from a name; an operator may add rows"};
  Gap not_said{"repositories of owners whose row leaves the " + what + " open", 0,
               "sources do not say it or contradict each other"};
  Gap no_owner{"repositories without an owner in their name", 0,
               "such names are the Hub's own, of the time before it had owners"};
  std::uint64_t judged = 0, all = 0;
  for (const RepoKind kind : {RepoKind::Model, RepoKind::Dataset}) {
    std::map<std::string, Sum> sums;
    for (std::uint32_t i = 0; i < p.size(); ++i) {
      if (!p.is_public(i, kind)) continue;
      const std::string group = group_of(p.origin(i));
      Sum& sum = sums[group];
      ++sum.repositories;
      sum.downloads += p.downloads(i);
      if (group != kUnknown)
        sum.owners.insert(p.owner(i));
      else
        ++(p.owner(i) == kNobody ? no_owner : p.origin(i) == nullptr ? no_row : not_said).count;
    }
    const std::uint64_t known = p.all_downloads(kind) - sums[kUnknown].downloads;
    std::vector<std::pair<std::string, Sum>> ordered(sums.begin(), sums.end());
    std::stable_sort(ordered.begin(), ordered.end(), [](const auto& a, const auto& b) {
      const bool a_last = a.first == kUnknown, b_last = b.first == kUnknown;
      return a_last != b_last ? b_last : a.second.downloads > b.second.downloads;
    });
    for (const auto& [group, sum] : ordered) {
      const bool is_known = group != kUnknown;
      table.rows.push_back({std::string(name_of(kind)), group,
                            is_known ? Figure(std::uint64_t{sum.owners.size()}) : Figure(), sum.repositories,
                            sum.downloads, Share{sum.downloads, p.all_downloads(kind)},
                            is_known ? Figure(Share{sum.downloads, known}) : Figure()});
    }
    judged += p.count(kind) - sums[kUnknown].repositories;
    all += p.count(kind);
  }
  table.judged = {judged, all};
  table.gaps = {no_row, not_said, no_owner};
  return table;
}

using ByKind = std::array<std::uint64_t, kKinds>;
std::uint64_t sum_of(const ByKind& counts) { return counts[0] + counts[1] + counts[2]; }
}  // namespace

FigureTable downloads_by_jurisdiction_table(const Population& p) {
  return downloads_by(p, "jurisdiction", jurisdiction_of);
}
FigureTable downloads_by_sector_table(const Population& p) { return downloads_by(p, "sector", sector_of); }

FigureTable releases_table(const Population& p) {
  FigureTable table;
  table.id = "releases";
  table.title = "Releases of organisations by year";
  table.population =
      "public repositories whose owner the table of origins has, by year of creation; what was removed since is not "
      "counted";
  table.columns = {{"owner", "namespace on the Hub"},
                   {"year", "of creation, UTC"},
                   {"entity", "behind the owner, by the table of origins"},
                   {"jurisdiction", "of the owner by the table of origins"},
                   {"models", "created in the year"},
                   {"datasets", "created in the year"},
                   {"spaces", "created in the year"},
                   {"repositories", "all three"}};
  table.keys = 2;
  std::map<std::string, std::pair<const Origin*, std::map<int, ByKind>>> by_owner;
  std::uint64_t judged = 0, undated = 0, others = 0;
  for (std::uint32_t i = 0; i < p.size(); ++i) {
    if (!p.is_public(i)) continue;
    const Origin* origin = p.origin(i);
    if (origin == nullptr) {
      ++others;
    } else if (p.created_s(i) == 0) {
      ++undated;
    } else {
      ++judged;
      auto& [of, years] = by_owner[origin->owner];
      of = origin;
      ByKind& counts = years[p.created_year(i)];
      for (const RepoKind kind : kAllKinds) counts[index_of(kind)] += p.is_of(i, kind) ? 1 : 0;
    }
  }
  for (const auto& [owner, of] : by_owner) {
    for (const auto& [year, counts] : of.second)
      table.rows.push_back({owner, std::to_string(year), of.first->entity.empty() ? Figure() : Figure(of.first->entity),
                            jurisdiction_of(of.first), counts[0], counts[1], counts[2], sum_of(counts)});
  }
  table.judged = {judged, judged + undated + others};
  table.gaps = {{"repositories of other owners", others,
                 "the table of origins does not have them; whether they are organisations the listings do not tell"},
                {"no date of creation", undated, "the listing gave none"}};
  return table;
}

FigureTable releases_by_jurisdiction_table(const Population& p) {
  FigureTable table;
  table.id = "releases_by_jurisdiction";
  table.title = "Releases by jurisdiction and year";
  table.population =
      "public repositories with a date of creation, by year of creation; what was removed since is not counted";
  table.columns = {{"jurisdiction", "of the owner by the table of origins; unknown: no row, or the row does not say"},
                   {"year", "of creation, UTC"},
                   {"models", "created in the year"},
                   {"datasets", "created in the year"},
                   {"spaces", "created in the year"},
                   {"repositories", "all three"}};
  table.keys = 2;
  std::map<std::string, std::map<int, ByKind>> counts;
  std::uint64_t judged = 0, undated = 0, unknown = 0;
  for (std::uint32_t i = 0; i < p.size(); ++i) {
    if (!p.is_public(i)) continue;
    if (p.created_s(i) == 0) {
      ++undated;
      continue;
    }
    const std::string jurisdiction = jurisdiction_of(p.origin(i));
    ++(jurisdiction == kUnknown ? unknown : judged);
    ByKind& of = counts[jurisdiction][p.created_year(i)];
    for (const RepoKind kind : kAllKinds) of[index_of(kind)] += p.is_of(i, kind) ? 1 : 0;
  }
  for (const auto& [jurisdiction, years] : counts)
    for (const auto& [year, of] : years)
      table.rows.push_back({jurisdiction, std::to_string(year), of[0], of[1], of[2], sum_of(of)});
  table.judged = {judged, judged + unknown + undated};
  table.gaps = {
      {"unknown jurisdiction", unknown, "the table of origins has no row for the owner, or the row does not say"},
      {"no date of creation", undated, "the listing gave none"}};
  return table;
}
}  // namespace hm::provenance::report
