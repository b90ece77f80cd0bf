// provenance/audit/origins.hpp: who publishes repositories, and who published the bases at the root of their descent.
// Layer 4. Threads: safe; blocks on the index. docs/origins.md
#pragma once
#include <set>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "provenance/audit/subjects.hpp"
#include "provenance/origin.hpp"
#include "provenance/report/figures.hpp"
#include "storage/index.hpp"

namespace hm::provenance::audit {
struct OriginQuestion {
  const OriginTable& origins;
  std::set<std::string> refused;  ///< jurisdictions, and "unknown"
};
/// Codes of ISO 3166-1 alpha-2 in any case, and "unknown"; several with commas between them count too.
/// @returns BadInput saying which is none.
Result<std::set<std::string>> parse_refused(const std::vector<std::string>& words);

/// Of each: its publisher and its root bases, as declared or derived; of few also a drawing of their descent.
/// A base that is not known here counts by the owner in the name that it was given. @returns Corrupt.
Result<report::Report> origins(const storage::Index& index, const OriginQuestion& question, const Subjects& asked);
/// Everything that is listed: counts from columns, and the families with the most descendants. @returns Corrupt.
Result<report::Report> origins_of_all(const storage::Index& index, const OriginQuestion& question);
}  // namespace hm::provenance::audit
