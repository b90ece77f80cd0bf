// server/freshness.hpp: which requests need upstream before they can be answered, when the mirror fetches on demand.
// Layer 5. docs/operations.md "On demand". Threads: called from all loops at once.
#pragma once
#include <optional>

#include "base/result.hpp"
#include "server/hub_call.hpp"

namespace hm::server {
struct Fresh {
  RepoView repo;                 ///< as it is now; null: still unknown
  std::optional<Error> missing;  ///< upstream could not be compared with, and what is asked for is not here
};
/// Has upstream asked about the repository, and the revision that `path` names, where what is known of it is older than
/// Fetching::max_age_ms. A commit that is here is never asked for. @param repo null: unknown
/// @returns an error of our own store only.
awaitable<Result<Fresh>> refresh(const HubParts& parts, const HubPath& path, RepoView repo);
}  // namespace hm::server
