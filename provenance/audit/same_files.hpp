// provenance/audit/same_files.hpp: the large files that repositories share, byte for byte. Layer 4. Threads: safe;
// calls block on the index.
#pragma once
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "storage/file_holders.hpp"
#include "storage/index.hpp"

namespace hm::provenance::audit {
/// Under which name this one has the file; "" when its revision is gone meanwhile.
Result<std::string> path_of(const storage::Index& index, const Sha256& file, const storage::FileHolder& holder);

/// Its bytes are weights of a model, by its name.
bool is_weight_file(std::string_view path);
}  // namespace hm::provenance::audit
