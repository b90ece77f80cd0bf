// storage/partial_files.hpp: what happens to the files of unfinished downloads outside of writing them. Layer 3; inside
// of storage only.
#pragma once
#include <optional>

#include "base/file.hpp"
#include "storage/partial_blob_local.hpp"

namespace hm::storage {
/// The state of an earlier attempt at this blob that can be gone on with. Leftovers that cannot are removed.
/// @returns BadInput when it announced another size (it is dropped, so that the next call starts over); Refused for a
/// newer format.
Result<std::optional<PartialState>> take_up_state(const LocalContext& context, const BlobId& id,
                                                  std::uint64_t size_bytes);
/// Reads a log; NotFound, Corrupt, Refused.
Result<PartialState> read_partial_state(FileSystem& fs, const std::string& path, std::string_view boot_id);
/// Forgets what lies beyond the end of the data file: a log must not promise more than there is.
void drop_beyond(PartialState& state, std::uint64_t data_bytes);
/// Space that the file has on the medium, or `otherwise` where that cannot be asked.
std::uint64_t allocated_bytes(const File& file, std::uint64_t otherwise);
/// A new file, or a leftover of that name cut to nothing.
Result<std::unique_ptr<File>> create_or_empty(FileSystem& fs, const std::string& path);
Result<> remove_if_there(FileSystem& fs, const std::string& path);
/// The kernel's boot id; without one a value that no other call gives, so that nothing unsynced is trusted.
std::string kernel_boot_id(FileSystem& fs);
}  // namespace hm::storage
