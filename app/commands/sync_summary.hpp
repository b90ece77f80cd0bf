// app/commands/sync_summary.hpp: what `sync` and `status` say of plans and generations, as text and as JSON. Layer 6;
// pure functions, but for the targets they read from the index.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/canonical_json.hpp"
#include "base/result.hpp"
#include "crawler/generations.hpp"
#include "crawler/sync_plan.hpp"
#include "hub/rate_budget.hpp"
#include "storage/generation_rows.hpp"
#include "storage/index.hpp"

namespace hm::app {
/// How long the plan will take at the rate of the last generation and within the budget of calls; nullopt while neither
/// is known. Seconds.
std::optional<std::uint64_t> estimated_seconds(const crawler::SyncPlan& plan,
                                               const std::optional<hub::RateBudget::State>& api);
std::string plan_text(const crawler::SyncPlan& plan, std::optional<std::uint64_t> seconds);
json::object plan_json(const crawler::SyncPlan& plan, std::optional<std::uint64_t> seconds);

/// A generation and what it lacks.
struct GenerationView {
  storage::GenerationRow row;
  std::uint64_t published = 0, pending = 0, failed = 0;
  std::vector<storage::TargetRow> lacking;  ///< pending and failed ones
  std::vector<storage::SkippedRow> skipped;
  std::uint64_t unanswered = 0;  ///< of the skipped: the Hub did not give what it was asked for
  /// All that was wanted is here.
  bool whole() const { return lacking.empty() && unanswered == 0; }
  bool complete() const { return row.ended_ms != 0; }
};
Result<GenerationView> view_of(const storage::Index& index, const storage::GenerationRow& row);
std::string generation_text(const GenerationView& view);
json::object generation_json(const GenerationView& view);
}  // namespace hm::app
