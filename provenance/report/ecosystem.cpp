#include "provenance/report/ecosystem.hpp"

#include "provenance/report/ecosystem_tables.hpp"

namespace hm::provenance::report {
Result<Report> ecosystem(const storage::Index& index, const OriginTable& origins) {
  HM_TRY(const Population population, Population::read(index, origins));
  Report report;
  report.id = "ecosystem";
  report.title = "The Hub as far as it is known here";
  HM_TRY(report.basis, basis_of(index));
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
