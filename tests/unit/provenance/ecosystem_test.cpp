// What the ecosystem report says of a crawled Hub is what was planted there, and of any Hub what a look at every row
// says.
#include "provenance/report/ecosystem.hpp"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/csv.hpp"
#include "base/digest.hpp"
#include "base/text.hpp"
#include "provenance/lineage/graph.hpp"
#include "provenance/report/families.hpp"
#include "provenance/report/population.hpp"
#include "tests/hub_at_scale/plant.hpp"
#include "tests/unit/crawler/crawl_fixture.hpp"

namespace hm::crawler {
namespace {
using provenance::report::Figure;
using provenance::report::FigureTable;
using provenance::report::Report;
using provenance::report::Share;

class EcosystemTest : public CrawlTest {
 protected:
  void crawl(std::uint64_t models, bool planted) {
    make_hub(models, {}, planted);
    for (const RepoKind kind : {RepoKind::Model, RepoKind::Dataset, RepoKind::Space}) {
      auto each = lister(kind);
      sweep(each);
    }
    ASSERT_TRUE(origins_.add(scale::planted_origins(), "planted.csv"));
  }
  Report report() const { return provenance::report::ecosystem(*index_, origins_).value(); }
  static Figure at(const Report& report, const char* table, const std::vector<std::string>& row, const char* column) {
    const FigureTable* t = report.table(table);
    const Figure* figure = t == nullptr ? nullptr : t->find(row, column);
    EXPECT_NE(figure, nullptr) << table << " " << testing::PrintToString(row) << " " << column;
    return figure == nullptr ? Figure() : *figure;
  }
  static std::string shown(const Report& r, const char* table, const std::vector<std::string>& row,
                           const char* column) {
    return text_of(at(r, table, row, column));
  }
  static std::uint64_t number(const Report& r, const char* table, const std::vector<std::string>& row,
                              const char* column) {
    const Figure figure = at(r, table, row, column);
    const auto* value = std::get_if<std::uint64_t>(&figure);
    EXPECT_NE(value, nullptr) << column << " is no number";
    return value == nullptr ? 0 : *value;
  }
  static Share share(const Report& r, const char* table, const std::vector<std::string>& row, const char* column) {
    const Figure figure = at(r, table, row, column);
    const auto* value = std::get_if<Share>(&figure);
    EXPECT_NE(value, nullptr) << column << " is no share";
    return value == nullptr ? Share() : *value;
  }
  /// Every listed repository, by its row.
  std::vector<provenance::Found> rows() const {
    std::vector<provenance::Found> all;
    EXPECT_TRUE(storage::each_listing(*index_, [&](const RepoKey& key, const storage::ListingRow&) {
      all.push_back(provenance::find_listed(*index_, key).value().value());
      return true;
    }));
    return all;
  }
  /// The table of licences against what the Hub gave to whom.
  void expect_licences_of_the_world(const Report& r) const {
    std::map<std::vector<std::string>, std::pair<std::uint64_t, std::uint64_t>> truth,
        found;  // repositories, downloads
    for (const RepoKind kind : {RepoKind::Model, RepoKind::Dataset})
      world_->for_each(kind, [&](const scale::Truth& each) {
        if (!each.visible) return;
        auto& [repositories, downloads] =
            truth[{std::string(name_of(kind)), each.licence.empty() ? "(none)" : each.licence}];
        ++repositories;
        downloads += each.downloads;
      });
    const FigureTable* t = r.table("licences");
    for (const auto& row : t->rows) {
      const std::vector<std::string> keys{text_of(row[0]), text_of(row[1])};
      found[keys] = {std::get<std::uint64_t>(*t->find(keys, "repositories")),
                     std::get<std::uint64_t>(*t->find(keys, "downloads"))};
    }
    EXPECT_EQ(found, truth);
    EXPECT_GT(truth.size(), 20U);
  }
  provenance::OriginTable origins_;
};

TEST_F(EcosystemTest, RecoversThePlantedFigures) {
  constexpr std::uint64_t kModels = 20'000;
  crawl(kModels, true);
  const scale::Planted truth = scale::planted(scale_);
  ASSERT_EQ(truth.head, 2U);
  const Report r = report();

  // 49.6 % of the downloads for the first 0.01 %, half of the models below 200.
  EXPECT_EQ(number(r, "concentration", {"model"}, "repositories"), kModels);
  EXPECT_EQ(number(r, "concentration", {"model"}, "downloads"), truth.downloads);
  EXPECT_EQ(number(r, "concentration", {"model"}, "top_fraction_count"), truth.head);
  EXPECT_EQ(share(r, "concentration", {"model"}, "top_fraction"), (Share{truth.head_downloads, truth.downloads}));
  EXPECT_EQ(shown(r, "concentration", {"model"}, "top_fraction"), "49.6 %");
  EXPECT_EQ(share(r, "concentration", {"model"}, "below_200"), (Share{truth.below_200, kModels}));
  EXPECT_EQ(shown(r, "concentration", {"model"}, "below_200"), "50.0 %");

  // 41 % for China; 39 % for independents, 37 % for industry.
  EXPECT_EQ(share(r, "downloads_by_jurisdiction", {"model", "CN"}, "share_of_all"),
            (Share{truth.downloads / 100 * 41, truth.downloads}));
  EXPECT_EQ(shown(r, "downloads_by_jurisdiction", {"model", "CN"}, "share_of_all"), "41.0 %");
  EXPECT_EQ(shown(r, "downloads_by_jurisdiction", {"model", "CN"}, "share_of_known"), "67.2 %") << "another base";
  EXPECT_EQ(shown(r, "downloads_by_jurisdiction", {"model", "unknown"}, "share_of_all"), "39.0 %");
  EXPECT_EQ(number(r, "downloads_by_jurisdiction", {"model", "CN"}, "owners"), 2U);
  EXPECT_EQ(shown(r, "downloads_by_sector", {"model", "independent"}, "share_of_all"), "39.0 %");
  EXPECT_EQ(shown(r, "downloads_by_sector", {"model", "industry"}, "share_of_all"), "37.0 %");
  EXPECT_EQ(shown(r, "downloads_by_sector", {"model", "academic"}, "share_of_all"), "24.0 %");

  // A family of 113,000 of 2,300,000.
  const auto* families = r.table("families");
  ASSERT_EQ(families->rows.size(), 3U);
  for (std::size_t f = 0; f < 3; ++f) EXPECT_EQ(families->rows[f][3], Figure(truth.descendants[f])) << f;
  EXPECT_EQ(truth.descendants[0], 983U);  // 113,000 * 20,000 / 2,300,000
  EXPECT_EQ(text_of(families->rows[0][4]), "4.9 %");
  // As deep as it was planted, and every one of them found on the way down.
  const provenance::lineage::Graph graph(*index_);
  for (std::size_t f = 0; f < 3; ++f) {
    const auto root = graph.find(RepoId{RepoKind::Model, text_of(families->rows[f][0])}).value();
    std::uint64_t found = 0, deepest = 0;
    ASSERT_TRUE(graph.descendants(root, {}, [&](const provenance::lineage::Descendant& each) {
      ++found;
      deepest = std::max<std::uint64_t>(deepest, static_cast<std::uint64_t>(each.depth));
      return true;
    }));
    EXPECT_EQ(found, truth.descendants[f]) << f;
    EXPECT_EQ(deepest, truth.depth[f]) << f;
  }
  EXPECT_EQ(truth.depth[0], 12U);
  // The owner of two of the roots has more: others descend from its members of the third family.
  EXPECT_GT(number(r, "families_by_owner", {"basalt-works"}, "descendants"),
            truth.descendants[0] + truth.descendants[2]);
  EXPECT_EQ(number(r, "derivatives", {"any"}, "models"),
            truth.descendants[0] + truth.descendants[1] + truth.descendants[2]);

  // 1,145 robotics datasets at the end of 2024, 26,991 a year later, of 500,000.
  EXPECT_EQ(truth.robotics_2024, 11U);
  EXPECT_EQ(truth.robotics_2025, 270U);
  EXPECT_EQ(number(r, "datasets_by_task", {"robotics", "2024"}, "by_end"), truth.robotics_2024);
  EXPECT_EQ(number(r, "datasets_by_task", {"robotics", "2025"}, "by_end"), truth.robotics_2025);
  EXPECT_EQ(number(r, "datasets_by_task", {"robotics", "2025"}, "created"), truth.robotics_2025 - truth.robotics_2024);

  expect_licences_of_the_world(r);
}

TEST_F(EcosystemTest, AgreesWithALookAtEveryRow) {
  crawl(3'000, false);
  const Report r = report();
  std::map<std::string, std::uint64_t> months, licences, libraries, gates;
  std::vector<std::pair<std::uint64_t, std::uint64_t>> parameters;
  std::set<std::string> owners;
  std::uint64_t models = 0;
  for (const provenance::Found& found : rows()) {
    const std::string kind(name_of(found.key.kind));
    ++months[kind + " " + iso8601(found.facts.created_ms).substr(0, 7)];
    if (found.key.kind != RepoKind::Space) {
      ++licences[kind + " " + (found.facts.licences.empty() ? "(none)" : found.facts.licences[0])];
      gates[kind] += found.facts.visibility.starts_with("gated") ? 1 : 0;
    }
    if (found.key.kind != RepoKind::Model) continue;
    ++models;
    ++libraries["model " + (found.facts.library.empty() ? "(none)" : found.facts.library)];
    if (found.facts.parameters != 0) parameters.emplace_back(found.facts.parameters, found.popularity.downloads);
  }
  const auto expect_rows = [&](const char* table, const char* column,
                               const std::map<std::string, std::uint64_t>& want) {
    std::map<std::string, std::uint64_t> have;
    const FigureTable* t = r.table(table);
    for (const auto& row : t->rows)
      have[text_of(row[0]) + " " + text_of(row[1])] =
          std::get<std::uint64_t>(*t->find({text_of(row[0]), text_of(row[1])}, column));
    EXPECT_EQ(have, want) << table;
  };
  expect_rows("growth_by_month", "created", months);
  expect_rows("licences", "repositories", licences);
  expect_rows("libraries", "models", libraries);
  for (const char* kind : {"model", "dataset"}) EXPECT_EQ(share(r, "gated", {kind}, "gated").part, gates[kind]) << kind;
  EXPECT_EQ(number(r, "repositories", {"model"}, "repositories"), models);

  std::sort(parameters.begin(), parameters.end());
  std::uint64_t sum = 0, downloads = 0, below = 0, weighted_median = 0;
  unsigned __int128 weighted = 0;
  for (const auto& [value, weight] : parameters) {
    sum += value;
    downloads += weight;
    weighted += static_cast<unsigned __int128>(value) * weight;
  }
  for (const auto& [value, weight] : parameters) {
    below += weight;
    if (weighted_median == 0 && below * 2 >= downloads) weighted_median = value;
  }
  EXPECT_EQ(share(r, "parameters", {"all"}, "known"), (Share{parameters.size(), models}));
  EXPECT_NEAR(static_cast<double>(number(r, "parameters", {"all"}, "mean")),
              static_cast<double>(sum) / static_cast<double>(parameters.size()), 1);
  EXPECT_EQ(number(r, "parameters", {"all"}, "median"), parameters[(parameters.size() - 1) / 2].first);
  EXPECT_NEAR(static_cast<double>(number(r, "parameters", {"all"}, "mean_by_download")),
              static_cast<double>(weighted) / static_cast<double>(downloads), 1);
  EXPECT_EQ(number(r, "parameters", {"all"}, "median_by_download"), weighted_median);
}

TEST_F(EcosystemTest, DescendantsAreThoseThatAWalkFromEachModelUpwardsFinds) {
  crawl(3'000, false);
  std::map<RepoKey, provenance::Found> models;
  for (provenance::Found& found : rows())
    if (found.key.kind == RepoKind::Model) models.emplace(found.key, std::move(found));
  std::map<std::string, std::uint64_t> expected;  // root → descendants
  for (const auto& [key, found] : models) {
    std::set<RepoKey> seen;
    std::vector<RepoKey> open{key};
    while (!open.empty()) {
      const RepoKey at = open.back();
      open.pop_back();
      for (const provenance::Base& base : models.at(at).facts.bases)
        if (seen.insert(base.key).second) open.push_back(base.key);
    }
    for (const RepoKey& above : seen)
      if (models.at(above).facts.bases.empty()) ++expected[models.at(above).row.name];
  }
  const auto population = provenance::report::Population::read(*index_, origins_).value();
  std::map<std::string, std::uint64_t> found;
  const auto families = provenance::report::read_families(population).value();
  for (const auto& root : families.roots) found[population.name(root.ordinal).value()] = root.descendants;
  EXPECT_EQ(found, expected);
  EXPECT_GE(found.size(), 10U);
  const auto bounded = provenance::report::read_families(population, 0).value();
  EXPECT_EQ(bounded.not_counted_roots, bounded.roots.size() - 1) << "the bound is kept, and what it cost is told";
}

TEST_F(EcosystemTest, BasesInACircleAndThemselvesAreToldApartFromRoots) {
  crawl(300, false);
  std::vector<RepoKey> keys;
  for (const provenance::Found& found : rows())
    if (found.key.kind == RepoKind::Model) keys.push_back(found.key);
  storage::ColumnEditor columns(*index_);
  const auto set_base = [&](std::size_t child, const RepoKey& base) {
    const auto row = storage::find_listing(*index_, keys[child]).value();
    ASSERT_TRUE(columns.set(storage::Column::Bases, row->ordinal, std::string(1, '\1') + storage::key::repo(base)));
  };
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto row = storage::find_listing(*index_, keys[i]).value();
    ASSERT_TRUE(columns.set(storage::Column::Bases, row->ordinal, std::string_view()));
  }
  set_base(0, keys[1]);
  set_base(1, keys[2]);
  set_base(2, keys[0]);                                                     // a circle of three
  set_base(3, keys[0]);                                                     // hangs on it
  set_base(4, keys[4]);                                                     // itself
  set_base(5, keys[4]);                                                     // of a model without another base
  set_base(6, {RepoKind::Model, *Rid::parse("ffffffffffffffffffffffff")});  // nobody knows it
  storage::Batch batch;
  columns.flush(batch);
  ASSERT_TRUE(index_->commit(batch));
  const auto population = provenance::report::Population::read(*index_, origins_).value();
  const auto families = provenance::report::read_families(population).value();
  EXPECT_EQ(families.declared, 7U);
  EXPECT_EQ(families.of_themselves, 1U);
  EXPECT_EQ(families.of_none_listed, 1U);
  EXPECT_EQ(families.rootless, 4U);
  ASSERT_EQ(families.roots.size(), 1U);
  EXPECT_EQ(families.roots[0].descendants, 1U);
}

TEST_F(EcosystemTest, WhatIsGoneIsNotCountedAndIsSaid) {
  crawl(1'000, false);
  const Report before = report();
  const auto most = provenance::search(*index_, {}, provenance::SortBy::Downloads, 1).value();
  ASSERT_TRUE(recorder_->record_listing_gone(most[0].key, 404));
  const Report after = report();
  const std::string kind(name_of(most[0].key.kind));
  EXPECT_EQ(number(after, "repositories", {kind}, "repositories") + 1,
            number(before, "repositories", {kind}, "repositories"));
  EXPECT_EQ(number(after, "concentration", {kind}, "downloads") + most[0].popularity.downloads,
            number(before, "concentration", {kind}, "downloads"));
  EXPECT_EQ(after.table("repositories")->gaps[0].count, 1U);
  // A visit finds it before listings tell of it.
  const auto next = provenance::search(*index_, {}, provenance::SortBy::Downloads, 1).value();
  provenance::Observation seen;
  seen.src = next[0].row.src, seen.repo = {next[0].key.kind, next[0].row.name}, seen.rid = next[0].key.rid;
  ASSERT_TRUE(recorder_->record_visit(seen));
  const auto row = index_->get(storage::Family::Repos, storage::key::repo(next[0].key)).value();
  ASSERT_TRUE(row);
  ASSERT_TRUE(recorder_->record_gone(storage::unpack_repo(*row).value(), 404));
  EXPECT_EQ(report().table("repositories")->gaps[0].count, 2U);
}

TEST_F(EcosystemTest, SaysWhatItRestsOnAndWhatEveryFigureMeans) {
  crawl(1'000, false);
  const Report r = report();
  EXPECT_EQ(r.basis.journal_entries, entries());
  EXPECT_EQ(r.basis.journal_last_sha256, sha256(journal_->get(entries() - 1).value()->bytes).hex());
  EXPECT_EQ(r.basis.upstreams, std::vector<std::string>{"hub.example"});
  for (const FigureTable& table : r.tables) {
    EXPECT_FALSE(table.population.empty()) << table.id;
    EXPECT_NE(table.judged.of, 0U) << table.id;
    for (const auto& column : table.columns) EXPECT_FALSE(column.meaning.empty()) << table.id << " " << column.name;
    std::set<std::string> names;
    for (const auto& row : table.rows) {
      ASSERT_EQ(row.size(), table.columns.size()) << table.id;
      std::string name;
      for (std::size_t i = 0; i < table.keys; ++i) name += text_of(row[i]) + " ";
      EXPECT_TRUE(names.insert(name).second) << table.id << ": " << name << "is there twice";
    }
  }
  // Both forms for programs have all of it.
  const json::object out = to_json(r);
  EXPECT_EQ(out.at("tables").as_array().size(), r.tables.size());
  EXPECT_TRUE(canonical_json(out));
  const auto csv = parse_csv(to_csv(r));
  ASSERT_TRUE(csv) << csv.error().what;
  std::size_t figures = 0, records = 0;
  for (const FigureTable& table : r.tables) figures += table.rows.size() * (table.columns.size() - table.keys);
  for (const CsvRow& row : csv.value()) records += row.fields[1].empty() || row.fields[1] == "row" ? 0 : 1;
  EXPECT_EQ(records, figures);
}

TEST_F(EcosystemTest, AnEmptyIndexGivesEmptyTables) {
  make_hub(100);
  const Report r = report();
  EXPECT_EQ(r.basis.journal_entries, 0U);
  EXPECT_EQ(shown(r, "concentration", {"model"}, "top_fraction"), "-");
  EXPECT_TRUE(r.table("families")->rows.empty());
}
}  // namespace
}  // namespace hm::crawler
