// provenance/report/ecosystem.hpp: figures over all that is listed: growth, concentration, origins, families, sizes,
// tasks, licences, libraries, gates. Layer 4. docs/ecosystem.md Columns are read, rows only for the names that are
// shown. Threads: safe; a call blocks on the index and needs some 150 bytes for each listed repository.
#pragma once
#include "base/result.hpp"
#include "provenance/origin.hpp"
#include "provenance/report/figures.hpp"
#include "storage/index.hpp"

namespace hm::provenance::report {
/// @returns Corrupt.
Result<Report> ecosystem(const storage::Index& index, const OriginTable& origins);
}  // namespace hm::provenance::report
