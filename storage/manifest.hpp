// storage/manifest.hpp: the files of one revision. Layer 3; values. docs/formats/manifest.md
// Canonical form: one line per file, sorted by path bytes: mode SP git-oid SP sha256 SP size SP path NUL. Its SHA-256
// is the manifest's id.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace hm::storage {
inline constexpr std::size_t kManifestBytesMax =
    256U << 20;  ///< a million files; more would not fit the memory this program allows itself

enum class FileMode : std::uint32_t { Regular = 0100644, Executable = 0100755, Symlink = 0120000 };

struct ManifestFile {
  FileMode mode = FileMode::Regular;
  GitOid git_oid;                ///< of the git blob; for a large file that of its LFS pointer
  Sha256 sha256;                 ///< of the file's bytes
  std::uint64_t size_bytes = 0;  ///< of the file's bytes
  std::string path;
  bool is_lfs = false;  ///< the bytes are in the blob store, git holds a pointer; not part of the canonical form
  bool operator==(const ManifestFile&) const = default;
};

struct Manifest {
  std::vector<ManifestFile> files;  ///< sorted by path bytes, no duplicates
  std::uint64_t total_bytes() const;
};
std::string render_manifest(const Manifest& manifest);
/// @returns BadInput: wrong form, order, duplicate or unsafe path, at byte N.
Result<Manifest> parse_manifest(std::string_view text);
Sha256 manifest_id(std::string_view rendered);
/// What the index keeps under the id: length of the canonical form (8 bytes, big-endian), the canonical form, one bit
/// per file for is_lfs (lowest bit first).
std::string pack_manifest(const Manifest& manifest);
/// @returns Corrupt when the bytes do not hash to `expected`.
Result<Manifest> unpack_manifest(std::string_view stored, const Sha256& expected);
}  // namespace hm::storage
