// server/arriving_body.hpp: the body of a file that is not here and is fetched for whoever asks. Layer 5. Threads:
// called from all loops at once.
#pragma once
#include <cstdint>
#include <memory>

#include "base/result.hpp"
#include "server/http/response.hpp"
#include "server/hub_call.hpp"

namespace hm::server {
/// [first, first + length) of a large file of a published revision: its download is begun, or joined.
/// @pre fetching.files @returns as mirror::OnDemand::blob()
awaitable<Result<std::unique_ptr<BodySource>>> fetch_body(const Fetching& fetching, const PublishedRepo& repo,
                                                          const Commit& commit, const storage::ManifestFile& file,
                                                          std::uint64_t first, std::uint64_t length);
}  // namespace hm::server
