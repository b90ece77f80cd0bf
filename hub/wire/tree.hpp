// hub/wire/tree.hpp: one page of a repository's file tree. Layer 3; values.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "hub/wire/repo_info.hpp"

namespace hm::hub {
enum class EntryType : std::uint8_t { File, Directory, Unknown };  ///< Unknown: a submodule, or a type that came later
std::string_view name_of(EntryType type);                          ///< "file", "directory", "unknown"

struct TreeEntry {
  EntryType type = EntryType::File;
  std::string path;  ///< from the root of the repository, as sent: is_safe_repo_path() is the caller's to ask
  GitOid oid;        ///< git blob (of an LFS file: of its pointer) or git tree
  std::uint64_t size_bytes = 0;  ///< of the content, for an LFS file too; 0 for a directory
  std::optional<LfsInfo> lfs;
  std::string xet_hash;  ///< 64 hex digits or empty; not a digest of the content
};

/// A page of /tree or an answer of /paths-info. @returns BadInput with the JSON path.
Result<std::vector<TreeEntry>> parse_tree(std::string_view body);
}  // namespace hm::hub
