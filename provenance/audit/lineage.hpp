// provenance/audit/lineage.hpp: what is wrong with what repositories say they are made from. Layer 4. Threads: safe;
// blocks on the index. docs/lineage.md
#pragma once
#include "base/result.hpp"
#include "provenance/audit/subjects.hpp"
#include "provenance/report/figures.hpp"
#include "storage/index.hpp"

namespace hm::provenance::audit {
/// Findings of a rule that are listed; the table of rules counts all.
inline constexpr std::size_t kFindingsMax = 10'000;

/// Bases that nobody has, circles, files that name another base than the card, bases that the sizes of both models
/// exclude, bases younger than what is made from them, relations that the files contradict, and weights of somebody who
/// is not named.
Result<report::Report> lineage(const storage::Index& index, const Subjects& subjects);
}  // namespace hm::provenance::audit
