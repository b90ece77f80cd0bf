// tests/golden/hub/render.hpp: wire structs as JSON, for comparison with a file. Every field appears, absent ones as
// null.
#pragma once
#include <span>

#include "base/canonical_json.hpp"
#include "hub/lfs_batch.hpp"
#include "hub/wire/misc.hpp"
#include "hub/wire/repo_info.hpp"
#include "hub/wire/tree.hpp"

namespace hm::hub {
json::value render(const RepoInfo& info);
json::value render(const std::vector<TreeEntry>& entries);
json::value render(const RefList& refs);
json::value render(const std::vector<CommitInfo>& commits);
json::value render(const ListPage& page);
json::value render(const WhoAmI& who);
json::value render(const std::vector<LfsObject>& objects);
}  // namespace hm::hub
