// mirror/git/packed_refs.hpp: the refs of a bare repository as files: `packed-refs`, replaced whole and atomically, and
// loose refs, which only foreign tools leave behind. Layer 4. Grammar and example bytes:
// docs/formats/git_repositories.md. Threads: calls block; one writer per repository (the data directory's LOCK), any
// number of readers.
#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/digest.hpp"
#include "base/file.hpp"
#include "base/result.hpp"

namespace hm::mirror {
/// Longest ref name accepted; git itself stops at the file system's 4096 bytes of a path.
inline constexpr std::size_t kRefNameBytesMax = 1024;
/// Of a packed-refs file: 2 million refs with long names.
inline constexpr std::size_t kPackedRefsBytesMax = 512U << 20;

struct PackedRef {
  GitOid oid;
  std::optional<GitOid> peeled;  ///< what an annotated tag finally points to
  bool operator==(const PackedRef&) const = default;
};
using PackedRefs = std::map<std::string, PackedRef>;

/// The rules of `git check-ref-format`, and: begins with "refs/", at most kRefNameBytesMax bytes.
bool is_valid_ref_name(std::string_view name);

/// @returns Corrupt with the line number: malformed line, invalid or repeated name, peeled line without its ref, no
/// newline at the end.
Result<PackedRefs> parse_packed_refs(std::string_view text);
/// Sorted, fully peeled, with git's header line.
std::string render_packed_refs(const PackedRefs& refs);

struct RefFiles {
  PackedRefs packed;                    ///< as in packed-refs
  std::map<std::string, GitOid> loose;  ///< files below refs/; they win over packed ones. Symbolic ones are left out
};
/// Reads both. An absent packed-refs is empty.
Result<RefFiles> read_ref_files(FileSystem& fs, const std::string& repository_path);
Result<> write_packed_refs(FileSystem& fs, const std::string& repository_path, const PackedRefs& refs);
}  // namespace hm::mirror
