// crawler/by_hand.hpp: which repositories `mirror` was asked for by name: policies do not let go of these. Layer 5;
// tasks and rows in Family::Meta. docs/formats/index_keys.md Threads: safe; calls block on the index.
#pragma once
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/index.hpp"
#include "storage/rows.hpp"
#include "storage/task_queue.hpp"

namespace hm::crawler {
/// The task of a request to `mirror`. It is keyed by upstream and name, since the rid is known only after the first
/// visit, and stays when it is done. @param upstream its host[:port]
storage::TaskKey task_by_hand(std::string_view upstream, const RepoId& repo,
                              const std::optional<std::string>& revision);
/// Notes which repository a request turned out to be: the Hub answers former names too.
void note_by_hand(storage::Batch& batch, const RepoKey& key);
/// It was noted, or there is such a task under its present or a former name.
Result<bool> is_by_hand(const storage::Index& index, const storage::RepoRow& row);
}  // namespace hm::crawler
