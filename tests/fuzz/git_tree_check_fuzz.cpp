// git objects of strangers: a tree that passes holds no name that could harm whoever checks it out.
#include <cstdint>
#include <cstdlib>

#include "mirror/git/object_check.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hm::mirror;
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  std::vector<TreeEntry> entries;
  if (check_tree(bytes, entries)) {
    std::string_view before;
    for (const TreeEntry& entry : entries) {
      const std::string_view name = entry.name;
      if (name.empty() || name == "." || name == ".." || name.find('/') != name.npos || name.find('\0') != name.npos ||
          spells_dot_git(name))
        std::abort();
      if (name == before || name.data() < bytes.data() || name.data() + name.size() > bytes.data() + bytes.size())
        std::abort();
      before = name;
    }
  }
  CommitLinks commit;
  (void)check_commit(bytes, commit);
  if (const auto tag = check_tag(bytes); tag && tag.assume_value().kind == ObjectKind::None) std::abort();
  (void)symlink_climb(bytes);
  return 0;
}
