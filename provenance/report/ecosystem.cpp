#include "provenance/report/ecosystem.hpp"

#include <algorithm>
#include <set>

#include "base/digest.hpp"
#include "provenance/report/ecosystem_tables.hpp"
#include "storage/journal.hpp"
#include "storage/key_space.hpp"
#include "storage/listing_row.hpp"

namespace hm::provenance::report {
namespace {
Result<std::vector<std::string>> upstreams_of(const Population& population) {
  std::set<std::uint64_t> seen;
  std::vector<std::uint32_t> examples;
  HM_TRY(each_number(population.index(), storage::Column::Source, population.size(),
                     [&](std::uint32_t i, std::uint64_t host) {
                       if (host != 0 && seen.insert(host).second) examples.push_back(i);
                     }));
  std::set<std::string> hosts;
  storage::ColumnReader columns(population.index());
  for (const std::uint32_t i : examples) {
    HM_TRY(const std::string stored, columns.bytes(storage::Column::Key, i));
    const auto key = storage::key::parse_repo(stored);
    if (!key) continue;
    HM_TRY(const auto row, storage::find_listing(population.index(), *key));
    if (row) hosts.insert(row->src);
  }
  return std::vector<std::string>(hosts.begin(), hosts.end());
}

Result<Basis> basis_of(const Population& population, std::int64_t made_ms) {
  Basis basis;
  basis.made_ms = made_ms;
  HM_TRY(const auto last, population.index().last(storage::Family::Journal, {}));
  if (last) {
    const auto sequence = storage::key::parse_u64(last->first);
    if (!sequence) return Error{Errc::Corrupt, "the index holds a journal entry under a malformed key"};
    HM_TRY(const auto entry, storage::parse_journal_entry(*sequence, last->second));
    basis.journal_entries = *sequence + 1;
    basis.journal_last_ms = entry.value.at("obs").to_number<std::int64_t>();
    basis.journal_last_sha256 = sha256(last->second).hex();
  }
  HM_TRY(basis.upstreams, upstreams_of(population));
  return basis;
}
}  // namespace

Result<Report> ecosystem(const storage::Index& index, const OriginTable& origins, std::int64_t made_ms) {
  HM_TRY(const Population population, Population::read(index, origins));
  Report report;
  report.id = "ecosystem";
  HM_TRY(report.basis, basis_of(population, made_ms));
  auto& tables = report.tables;
  const auto take = [&](Result<FigureTable> table) -> Result<> {
    HM_TRY(FigureTable made, std::move(table));
    tables.push_back(std::move(made));
    return ok();
  };
  tables.push_back(repositories_table(population));
  tables.push_back(growth_by_year_table(population));
  tables.push_back(growth_by_month_table(population));
  tables.push_back(concentration_table(population));
  tables.push_back(downloads_by_jurisdiction_table(population));
  tables.push_back(downloads_by_sector_table(population));
  tables.push_back(releases_table(population));
  tables.push_back(releases_by_jurisdiction_table(population));
  {
    HM_TRY(const Families families, read_families(population));
    tables.push_back(derivatives_table(population, families));
    HM_TRY(take(families_table(population, families)));
    HM_TRY(take(owners_families_table(population, families)));
  }
  HM_TRY(take(parameters_table(population)));
  HM_TRY(take(storage_table(population)));
  HM_TRY(take(datasets_by_task_table(population)));
  HM_TRY(take(licences_table(population)));
  HM_TRY(take(libraries_table(population)));
  tables.push_back(gated_table(population));
  return report;
}
}  // namespace hm::provenance::report
