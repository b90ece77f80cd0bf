// Origins of everything that is listed: from columns, rows only for the families that are named.
#include <algorithm>
#include <array>
#include <map>
#include <utility>

#include "provenance/audit/origins.hpp"
#include "provenance/report/ecosystem_tables.hpp"
#include "provenance/report/families.hpp"
#include "provenance/report/population.hpp"

namespace hm::provenance::audit {
namespace {
using report::FigureTable;
using report::Severity;
using report::Share;
constexpr std::size_t kExamplesMax = 20;  // findings of one jurisdiction: the largest families
const std::string kUnknown = "unknown";

std::string jurisdiction_of(const Origin* origin) {
  return origin == nullptr ? kUnknown : std::string(shown_jurisdiction(*origin));
}
std::string sector_of(const Origin* origin) {
  return std::string(name_of(origin == nullptr ? Sector::Unknown : origin->sector));
}

template <class Group>
FigureTable publishers(const report::Population& p, const char* id, const char* word, const Group& group) {
  FigureTable table;
  table.id = id;
  table.title = std::string("Publishers by ") + word;
  table.population = "all that is listed and public, each kind by itself";
  table.keys = 2;
  table.columns = {{"kind", "model, dataset or space"},
                   {word, "of the owner, as the table of origins says; unknown when it does not"},
                   {"repositories", "of such owners"},
                   {"share", "of the repositories of the kind"},
                   {"downloads", "of these repositories in the last 30 days"},
                   {"share_of_downloads", "of the downloads of all repositories of the kind"}};
  std::uint64_t unknown = 0, all = 0;
  for (const RepoKind kind : report::kAllKinds) {
    std::map<std::string, std::array<std::uint64_t, 2>> sums;
    for (std::uint32_t i = 0; i < p.size(); ++i) {
      if (!p.is_public(i, kind)) continue;
      auto& sum = sums[group(p.origin(i))];
      ++sum[0];
      sum[1] += p.downloads(i);
    }
    all += p.count(kind);
    unknown += sums.contains(kUnknown) ? sums[kUnknown][0] : 0;
    std::vector<std::pair<std::string, std::array<std::uint64_t, 2>>> rows(sums.begin(), sums.end());
    std::stable_sort(rows.begin(), rows.end(), [](const auto& a, const auto& b) { return a.second[0] > b.second[0]; });
    for (const auto& [key, sum] : rows)
      table.rows.push_back({std::string(name_of(kind)), key, sum[0], Share{sum[0], p.count(kind)}, sum[1],
                            Share{sum[1], p.all_downloads(kind)}});
  }
  table.judged = {all - unknown, all};
  table.gaps = {
      {"publisher unknown", unknown,
       std::string("no row of the table of origins names its ") + word + "; nothing is inferred from a name"}};
  return table;
}

FigureTable roots(const report::Population& p, const report::Families& families) {
  struct Sum {
    std::uint64_t roots = 0, direct = 0, descendants = 0;
  };
  std::map<std::string, Sum> sums;
  std::uint64_t all = 0, unknown = 0;
  for (const report::Root& root : families.roots) {
    const std::string key = jurisdiction_of(p.origin(root.ordinal));
    Sum& sum = sums[key];
    ++sum.roots;
    sum.direct += root.direct;
    sum.descendants += root.descendants;
    all += root.descendants;
    unknown += key == kUnknown ? 1 : 0;
  }
  FigureTable table;
  table.id = "roots_by_jurisdiction";
  table.title = "Root bases by jurisdiction";
  table.population = "models that declare no base and from which others descend, as listings declare it";
  table.columns = {
      {"jurisdiction", "of the owner, as the table of origins says; unknown when it does not"},
      {"roots", "such models"},
      {"direct", "public models that declare one of them as a base; one with several counts several times"},
      {"descendants", "public models that descend from one, at any distance; counted likewise"},
      {"share", "of the descendants of all roots"}};
  std::vector<std::pair<std::string, Sum>> rows(sums.begin(), sums.end());
  std::stable_sort(rows.begin(), rows.end(),
                   [](const auto& a, const auto& b) { return a.second.descendants > b.second.descendants; });
  for (const auto& [key, sum] : rows)
    table.rows.push_back({key, sum.roots, sum.direct, sum.descendants, Share{sum.descendants, all}});
  table.judged = {families.roots.size() - unknown, families.roots.size()};
  table.gaps = {{"root unknown", unknown, "no row of the table of origins names the jurisdiction of its owner"},
                {"models without a root", families.of_none_listed + families.rootless,
                 "none of the bases they declare is listed, or they lead in a circle"},
                {"roots not followed", families.not_counted_roots, "the bound on work was reached"}};
  return table;
}
}  // namespace

Result<report::Report> origins_of_all(const storage::Index& index, const OriginQuestion& question) {
  HM_TRY(const auto p, report::Population::read(index, question.origins));
  HM_TRY(const auto families, report::read_families(p));
  report::Report out;
  out.id = "audit-origins";
  out.title = "Origins of all that is known";
  HM_TRY(out.basis, report::basis_of(index));
  out.tables = {publishers(p, "publishers_by_jurisdiction", "jurisdiction", jurisdiction_of),
                publishers(p, "publishers_by_sector", "sector", sector_of), roots(p, families)};
  HM_TRY(out.tables.emplace_back(), report::families_table(p, families));
  std::uint64_t refused_roots = 0;
  std::map<std::string, std::size_t> shown;
  for (const report::Root& root : families.roots) {
    const Origin* origin = p.origin(root.ordinal);
    const std::string jurisdiction = jurisdiction_of(origin);
    if (!question.refused.contains(jurisdiction)) continue;
    ++refused_roots;
    if (++shown[jurisdiction] > kExamplesMax) continue;
    HM_TRY(std::string name, p.name(root.ordinal));
    out.findings.push_back({Severity::Problem,
                            "root-refused",
                            std::move(name),
                            counted(root.descendants, "public model") +
                                (root.descendants == 1 ? " descends" : " descend") + " from it, and it is from " +
                                jurisdiction,
                            {}});
  }
  const auto& publishers_table = out.tables[0];
  out.answer.push_back("Of " + std::to_string(publishers_table.judged.of) +
                       " public repositories the publisher's jurisdiction is known for " +
                       report::text_of(report::Figure{publishers_table.judged}) + ".");
  if (!question.refused.empty())
    out.answer.push_back(counted(refused_roots, "root base") + (refused_roots == 1 ? " is" : " are") +
                         " from what is refused; the largest families of each are findings. Ask about a "
                         "policy or a repository for each one's descent.");
  out.sort_findings();
  return out;
}
}  // namespace hm::provenance::audit
