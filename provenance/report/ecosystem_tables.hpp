// provenance/report/ecosystem_tables.hpp: the tables of the ecosystem report, one function each. Layer 4; for
// ecosystem.cpp alone. @returns Corrupt.
#pragma once
#include <vector>

#include "base/result.hpp"
#include "provenance/report/families.hpp"
#include "provenance/report/figures.hpp"
#include "provenance/report/population.hpp"

namespace hm::provenance::report {
inline constexpr std::size_t kListedMax = 50;  ///< rows of a table over families or words, of which there are many

// Of what every repository has: counts.cpp
FigureTable repositories_table(const Population& population);
FigureTable gated_table(const Population& population);
FigureTable growth_by_year_table(const Population& population);
FigureTable growth_by_month_table(const Population& population);
FigureTable concentration_table(const Population& population);
// Of owners: owners.cpp
FigureTable downloads_by_jurisdiction_table(const Population& population);
FigureTable downloads_by_sector_table(const Population& population);
FigureTable releases_table(const Population& population);
FigureTable releases_by_jurisdiction_table(const Population& population);
// Of declared bases: lineage.cpp
FigureTable derivatives_table(const Population& population, const Families& families);
Result<FigureTable> families_table(const Population& population, const Families& families);
Result<FigureTable> owners_families_table(const Population& population, const Families& families);
// Of sizes: sizes.cpp; of words: words.cpp
Result<FigureTable> parameters_table(const Population& population);
Result<FigureTable> storage_table(const Population& population);
Result<FigureTable> datasets_by_task_table(const Population& population);
Result<FigureTable> licences_table(const Population& population);
Result<FigureTable> libraries_table(const Population& population);
}  // namespace hm::provenance::report
