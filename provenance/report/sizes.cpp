// Tables of how large models are: parameters and bytes, by model and by download.
#include <algorithm>
#include <map>

#include "provenance/report/ecosystem_tables.hpp"

namespace hm::provenance::report {
namespace {
using Wide = unsigned __int128;

struct Sized {
  std::uint64_t value = 0, downloads = 0;
};

/// Rounded to the nearest.
std::uint64_t mean(Wide sum, Wide count) { return static_cast<std::uint64_t>((sum * 2 + count) / (count * 2)); }

/// Sorts `sized`. @returns models known, mean, median, downloads, their mean, their median.
std::vector<Figure> figures_of(std::vector<Sized>& sized, std::uint64_t models) {
  std::sort(sized.begin(), sized.end(), [](const Sized& a, const Sized& b) { return a.value < b.value; });
  Wide sum = 0, weighted = 0, weights = 0;
  for (const Sized& s : sized) {
    sum += s.value;
    weighted += Wide{s.value} * s.downloads;
    weights += s.downloads;
  }
  std::vector<Figure> out{Share{sized.size(), models},         Figure(), Figure(),
                          static_cast<std::uint64_t>(weights), Figure(), Figure()};
  if (sized.empty()) return out;
  out[1] = mean(sum, sized.size());
  out[2] = sized[(sized.size() - 1) / 2].value;
  if (weights == 0) return out;
  out[4] = mean(weighted, weights);
  Wide below = 0;
  for (const Sized& s : sized) {
    below += s.downloads;
    if (below * 2 < weights) continue;
    out[5] = s.value;
    break;
  }
  return out;
}

Result<FigureTable> sizes(const Population& p, storage::Column column, FigureTable table, const std::string& what) {
  table.population = "public models whose listing tells it, all and by year of creation";
  table.columns = {{"created", "year, UTC; all: whenever"},
                   {"known", "models whose listing tells it, of the public models of the row"},
                   {"mean", what + " of a model"},
                   {"median", what + " of a model; of an even number the lower of the two in the middle"},
                   {"downloads", "of these models in the last 30 days"},
                   {"mean_by_download", what + " of a download: each model as often as it was downloaded"},
                   {"median_by_download", what + ": at least half of the downloads are of models of no more"}};
  std::map<std::string, std::vector<Sized>> by_year;
  std::map<std::string, std::uint64_t> models;
  std::vector<Sized> all;
  for (std::uint32_t i = 0; i < p.size(); ++i)
    if (p.is_public(i, RepoKind::Model) && p.created_s(i) != 0) ++models[std::to_string(p.created_year(i))];
  HM_TRY(each_number(p.index(), column, p.size(), [&](std::uint32_t i, std::uint64_t value) {
    if (value == 0 || !p.is_public(i, RepoKind::Model)) return;
    all.push_back({value, p.downloads(i)});
    if (p.created_s(i) != 0) by_year[std::to_string(p.created_year(i))].push_back({value, p.downloads(i)});
  }));
  const auto add = [&](const std::string& name, std::vector<Sized>& of, std::uint64_t count) {
    table.rows.push_back({name});
    for (Figure& figure : figures_of(of, count)) table.rows.back().push_back(std::move(figure));
  };
  add("all", all, p.count(RepoKind::Model));
  for (const auto& [year, count] : models) add(year, by_year[year], count);
  table.judged = {all.size(), p.count(RepoKind::Model)};
  table.gaps = {{"models of unknown size", p.count(RepoKind::Model) - all.size(), "their listing does not tell it"}};
  return table;
}
}  // namespace

Result<FigureTable> parameters_table(const Population& p) {
  FigureTable table;
  table.id = "parameters";
  table.title = "Parameters of models";
  return sizes(p, storage::Column::Parameters, std::move(table), "parameters");
}
Result<FigureTable> storage_table(const Population& p) {
  FigureTable table;
  table.id = "storage";
  table.title = "Bytes of models";
  return sizes(p, storage::Column::Storage, std::move(table), "bytes of all revisions");
}
}  // namespace hm::provenance::report
