// mirror/git/object_check.hpp: the form of one git object, judged from its bytes alone. Layer 4; pure functions, for
// bytes from strangers. The rules are those of `git fsck` in its strict mode, whose names the messages carry in
// brackets. Malformed bytes are Corrupt; well-formed ones that could harm whoever checks them out are Refused.
#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace hm::mirror {
enum class ObjectKind : std::uint8_t { None = 0, Commit = 1, Tree = 2, Blob = 3, Tag = 4 };  ///< git's numbers
std::string_view name_of(ObjectKind kind);

inline constexpr std::uint32_t kModeTree = 0040000, kModeFile = 0100644, kModeExecutable = 0100755,
                               kModeSymlink = 0120000, kModeSubmodule = 0160000;
/// Longest name of one tree entry; git's core.maxTreeEntry default and Linux' PATH_MAX.
inline constexpr std::size_t kEntryNameBytesMax = 4096;

/// One line of a tree. Views into the tree's bytes.
struct TreeEntry {
  std::uint32_t mode = 0;
  std::string_view name;
  const std::uint8_t* oid = nullptr;  ///< 20 bytes
  GitOid id() const;
};

/// Reads a tree and applies all rules: known mode, name not empty, '.', '..', '.git' in any spelling, without '/' and
/// NUL; no null id; sorted and unique. `into` is replaced (kept by callers so that its memory is used again).
Result<> check_tree(std::string_view bytes, std::vector<TreeEntry>& into);

/// True when a file system of Windows or macOS would take `name` for ".git": any case, trailing blanks and dots,
/// streams (".git::$INDEX"), "git~1", ignorable code points, also after a backslash.
bool spells_dot_git(std::string_view name);

struct CommitLinks {
  GitOid tree;
  std::vector<GitOid> parents;
};
/// Header lines tree, parent*, author, committer in this order, no NUL before the message.
Result<> check_commit(std::string_view bytes, CommitLinks& into);

struct TagLinks {
  GitOid target;
  ObjectKind kind = ObjectKind::None;
};
Result<TagLinks> check_tag(std::string_view bytes);

/// How many directories a symbolic link's target climbs above the directory that holds it; a target that is absolute
/// climbs kClimbsAll.
inline constexpr std::uint32_t kClimbsAll = 0xffffffff;
std::uint32_t symlink_climb(std::string_view target);
}  // namespace hm::mirror
