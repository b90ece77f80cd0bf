// storage/file_hash.hpp: SHA-256 of bytes in a file at the speed of the processor. Layer 3; inside of storage only.
#pragma once
#include <cstdint>
#include <functional>

#include "base/digest.hpp"
#include "base/file.hpp"
#include "base/result.hpp"

namespace hm::storage {
/// Called for every `bytes` that were hashed; false stops with Cancelled.
using HashProgress = std::function<bool(std::uint64_t bytes)>;

/// Feeds the bytes [from, to) of `file` to `hasher`. Nobody may cut the file short meanwhile.
/// @returns Io when the file ends before `to` or the medium fails; Cancelled.
/// The pages of the page cache are mapped and hashed in place: copying them first with pread costs a sixth of the
/// speed. A window that cannot be brought in whole is read with pread instead, so that a bad medium is an error and no
/// SIGBUS.
Result<> hash_range(const File& file, std::uint64_t from, std::uint64_t to, Sha256Hasher& hasher,
                    const HashProgress& more = {});
}  // namespace hm::storage
