// crawler/generations.hpp: the runs of `sync`: what each was to bring, and how two differ. Layer 5. A generation is its
// fixed targets; crawler/sync.hpp works on them. Threads: calls block on the index.
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "crawler/sync_plan.hpp"
#include "mirror/catalog.hpp"
#include "storage/generation_rows.hpp"
#include "storage/index.hpp"
#include "storage/task_queue.hpp"

namespace hm::crawler {
storage::TaskKey task_of(const storage::TargetRow& target);
std::optional<Commit> commit_of_task(const storage::TaskKey& task);  ///< nullopt: the task is no target's

/// Stores the targets of the plan as the next generation, and then its header, which makes it exist. What is here
/// already is settled; what was set aside in an earlier one is tried again. @returns Busy when a generation is not
/// complete yet.
Result<storage::GenerationRow> begin_generation(storage::Index& index, storage::TaskQueue& queue, const SyncPlan& plan,
                                                const std::string& src, std::int64_t now_ms);
/// The generation that is not complete, if there is one.
Result<std::optional<storage::GenerationRow>> unfinished_generation(const storage::Index& index);

/// Settles, as failed for `reason`, what is pending of a generation and `wanted` refuses; ends it when nothing else is.
/// @returns how many.
Result<std::uint64_t> set_aside(storage::Index& index, storage::GenerationRow& generation,
                                const std::function<bool(const storage::TargetRow&)>& wanted, std::string_view reason,
                                std::int64_t now_ms);

/// One repository that two generations hold differently.
struct GenerationChange {
  std::optional<storage::TargetRow> before, after;   ///< never neither
  std::vector<std::string> added, removed, changed;  ///< paths of files, as published here
};
/// In the order of the repositories' keys. @returns NotFound naming the generation.
Result<> diff_generations(const storage::Index& index, const mirror::Catalog& catalog, std::uint32_t before,
                          std::uint32_t after, const std::function<void(const GenerationChange&)>& visit);
}  // namespace hm::crawler
