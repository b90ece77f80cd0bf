// provenance/audit/closure.hpp: what repositories are made from and need that is not published here. Layer 4. Threads:
// safe; blocks on the index. docs/lineage.md
#pragma once
#include "base/result.hpp"
#include "provenance/audit/subjects.hpp"
#include "provenance/report/figures.hpp"
#include "storage/index.hpp"

namespace hm::provenance::audit {
/// One finding for each repository that is missing, with the shortest path on which one of the subjects leads to it: a
/// problem when something cannot run without it (the base of an adapter, code of another repository), a warning for
/// other bases, a note for data; one step worse when upstream no longer has it either.
Result<report::Report> closure(const storage::Index& index, const Subjects& subjects);
}  // namespace hm::provenance::audit
