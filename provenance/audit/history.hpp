// provenance/audit/history.hpp: what happened to repositories upstream, as the journal has it: names, visibility,
// licences, bases, refs. Layer 4. Threads: safe; blocks on the index. docs/audits.md
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "provenance/audit/subjects.hpp"
#include "provenance/licence/catalogue.hpp"
#include "provenance/report/figures.hpp"
#include "storage/index.hpp"

namespace hm::provenance::audit {
inline constexpr std::size_t kEntriesMax = 100'000;  ///< of one repository; of more the newest, which is told

/// Whether the older commit is an ancestor of the newer; nullopt: this cannot be told here.
using Descends = std::function<std::optional<bool>(const RepoKey& repo, const GitOid& older, const GitOid& newer)>;
struct HistoryQuestion {
  const licence::Catalogue& catalogue;
  std::int64_t since_ms = 0;  ///< only what was seen at this time or later; 0: everything
  Descends descends;          ///< the journal does not have it: without an answer a rewrite is told from no update
};
/// @returns Corrupt.
Result<report::Report> history(const storage::Index& index, const HistoryQuestion& question, const Subjects& asked);
/// Repositories of which a later entry than their first was made at this time or later; ascending. What was only
/// listed for the first time has no history. @returns Corrupt.
Result<std::vector<RepoKey>> changed_since(const storage::Index& index, std::int64_t since_ms);
}  // namespace hm::provenance::audit
