// Tables of what every repository has: kind, gate, creation, downloads.
#include <algorithm>
#include <functional>
#include <map>

#include "provenance/report/ecosystem_tables.hpp"

namespace hm::provenance::report {
namespace {
constexpr std::uint32_t kFloorS = 0x621ffdc0;  // 2022-03-02T23:29:04Z: what the Hub says of everything that is older
constexpr std::size_t kTop = 200;
constexpr std::uint64_t kTailDownloads = 200, kTopFraction = 10'000;  // one of so many

std::string text(std::string_view view) { return std::string(view); }
std::uint64_t total(const Population& p) {
  return p.count(RepoKind::Model) + p.count(RepoKind::Dataset) + p.count(RepoKind::Space);
}
/// Gone and private ones, which no table counts.
std::vector<Gap> not_public(const Population& p) {
  std::uint64_t gone = 0, hidden = 0;
  for (std::uint32_t i = 0; i < p.size(); ++i) {
    gone += (p.state(i) & storage::kStateGone) != 0 ? 1 : 0;
    hidden += (p.state(i) & (storage::kStateGone | storage::kStatePrivate)) == storage::kStatePrivate ? 1 : 0;
  }
  return {{"gone", gone, "upstream no longer has them; they are not part of the population"},
          {"private", hidden, "only this mirror's account sees them; they are not part of the population"}};
}

/// How the time since the year 0 is cut up.
struct Period {
  std::string name;
  int (*of)(std::uint32_t unix_s);
  std::string (*text)(int period);
};

/// created and by_end for each period of each kind.
FigureTable growth(const Population& p, const Period& by) {
  const std::string& period = by.name;
  FigureTable table;
  table.id = "growth_by_" + period;
  table.title = "Repositories by " + period + " of creation";
  table.population =
      "public repositories that are listed now, each kind by itself; what was removed since is not in the figures of "
      "any " +
      period;
  table.columns = {{"kind", "model, dataset or space"},
                   {period, "of creation, UTC, as the Hub says"},
                   {"created", "repositories created in it"},
                   {"by_end", "repositories created in it or before"},
                   {"of_before", "by_end of this " + period + " in percent of by_end of the row before"}};
  table.keys = 2;
  std::uint64_t unknown = 0, floor = 0;
  for (const RepoKind kind : kAllKinds) {
    std::map<int, std::uint64_t> created;
    for (std::uint32_t i = 0; i < p.size(); ++i) {
      if (!p.is_public(i, kind)) continue;
      unknown += p.created_s(i) == 0 ? 1 : 0;
      floor += p.created_s(i) == kFloorS ? 1 : 0;
      if (p.created_s(i) != 0) ++created[by.of(p.created_s(i))];
    }
    std::uint64_t sum = 0;
    for (const auto& [number, count] : created) {
      const std::uint64_t before = sum;
      sum += count;
      table.rows.push_back(
          {text(name_of(kind)), by.text(number), count, sum, before == 0 ? Figure() : Figure(Share{sum, before})});
    }
  }
  table.judged = {total(p) - unknown, total(p)};
  table.gaps = {
      {"no date of creation", unknown, "the listing gave none"},
      {"created 2022-03-02 or before", floor, "the Hub gives this day for all that is older; they are counted on it"}};
  return table;
}
}  // namespace

FigureTable repositories_table(const Population& p) {
  FigureTable table;
  table.id = "repositories";
  table.title = "Repositories by kind";
  table.population = "public repositories that are listed now";
  table.columns = {{"kind", "model, dataset or space"},
                   {"repositories", "public ones"},
                   {"share", "of the public repositories of all kinds"},
                   {"disabled", "of these the Hub has disabled: listed, not readable"},
                   {"downloads", "of the last 30 days, as the listing says; Spaces have none"}};
  for (const RepoKind kind : kAllKinds) {
    std::uint64_t disabled = 0;
    for (std::uint32_t i = 0; i < p.size(); ++i)
      disabled += p.is_public(i, kind) && (p.state(i) & storage::kStateDisabled) != 0 ? 1 : 0;
    table.rows.push_back(
        {text(name_of(kind)), p.count(kind), Share{p.count(kind), total(p)}, disabled, p.all_downloads(kind)});
  }
  table.judged = {total(p), p.size()};
  table.gaps = not_public(p);
  return table;
}

FigureTable gated_table(const Population& p) {
  FigureTable table;
  table.id = "gated";
  table.title = "Access that has to be asked for";
  table.population = "public models and datasets; listings do not tell it of Spaces";
  table.columns = {{"kind", "model or dataset"},
                   {"automatic", "repositories whose gate opens by itself"},
                   {"manual", "repositories whose gate somebody opens"},
                   {"gated", "both, of the public repositories of the kind"},
                   {"gated_downloads", "downloads of both in 30 days, of those of the kind"}};
  for (const RepoKind kind : {RepoKind::Model, RepoKind::Dataset}) {
    std::uint64_t gated = 0, manual = 0, downloads = 0;
    for (std::uint32_t i = 0; i < p.size(); ++i) {
      if (!p.is_public(i, kind) || (p.state(i) & storage::kStateGated) == 0) continue;
      ++gated;
      manual += (p.state(i) & storage::kStateGatedManual) != 0 ? 1 : 0;
      downloads += p.downloads(i);
    }
    table.rows.push_back({text(name_of(kind)), gated - manual, manual, Share{gated, p.count(kind)},
                          Share{downloads, p.all_downloads(kind)}});
  }
  const std::uint64_t both = p.count(RepoKind::Model) + p.count(RepoKind::Dataset);
  table.judged = {both, both};
  return table;
}

FigureTable growth_by_year_table(const Population& p) {
  return growth(p, {"year", year_of, [](int year) { return std::to_string(year); }});
}
FigureTable growth_by_month_table(const Population& p) {
  return growth(p, {"month", month_of, [](int month) {
                      const std::string number = std::to_string(month % 12 + 1);
                      return std::to_string(month / 12) + (number.size() == 1 ? "-0" : "-") + number;
                    }});
}

FigureTable concentration_table(const Population& p) {
  FigureTable table;
  table.id = "concentration";
  table.title = "How few have most of the downloads";
  table.population =
      "public models and datasets, each kind by itself, with their downloads of the last 30 days; one without a count "
      "has 0";
  table.columns = {
      {"kind", "model or dataset"},
      {"repositories", "public ones"},
      {"downloads", "of all of them"},
      {"top_200", "downloads of the 200 most downloaded, of those of the kind"},
      {"top_fraction_count", "one of 10,000 repositories of the kind, rounded, at least one: the top 0.01 %"},
      {"top_fraction", "downloads of so many most downloaded, of those of the kind"},
      {"below_200", "repositories with fewer than 200 downloads, of those of the kind"},
      {"never", "repositories without a download, of those of the kind"}};
  std::uint64_t judged = 0;
  for (const RepoKind kind : {RepoKind::Model, RepoKind::Dataset}) {
    std::vector<std::uint64_t> downloads;
    downloads.reserve(p.count(kind));
    std::uint64_t tail = 0, never = 0;
    for (std::uint32_t i = 0; i < p.size(); ++i) {
      if (!p.is_public(i, kind)) continue;
      downloads.push_back(p.downloads(i));
      tail += p.downloads(i) < kTailDownloads ? 1 : 0;
      never += p.downloads(i) == 0 ? 1 : 0;
    }
    std::uint64_t few = (downloads.size() + kTopFraction / 2) / kTopFraction;
    few = std::min<std::uint64_t>(std::max<std::uint64_t>(few, 1), downloads.size());
    const std::size_t sorted = std::min(downloads.size(), std::max<std::size_t>(kTop, few));
    std::partial_sort(downloads.begin(), downloads.begin() + static_cast<std::ptrdiff_t>(sorted), downloads.end(),
                      std::greater<>());
    const auto of_first = [&](std::size_t count) {
      std::uint64_t sum = 0;
      for (std::size_t i = 0; i < std::min(count, downloads.size()); ++i) sum += downloads[i];
      return Share{sum, p.all_downloads(kind)};
    };
    table.rows.push_back({text(name_of(kind)), p.count(kind), p.all_downloads(kind), of_first(kTop), few, of_first(few),
                          Share{tail, p.count(kind)}, Share{never, p.count(kind)}});
    judged += p.count(kind);
  }
  table.judged = {judged, judged};
  return table;
}
}  // namespace hm::provenance::report
