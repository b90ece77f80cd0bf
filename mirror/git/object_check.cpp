#include "mirror/git/object_check.hpp"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>

#include "base/text.hpp"

namespace hm::mirror {
namespace {
constexpr std::size_t kOidBytes = GitOid::kSize;
constexpr std::size_t kModeDigitsMax = 7;  // "0100644": some old tools padded with a zero

Error refused(std::string_view name, std::string_view why) {
  return {Errc::Refused, "tree entry '" + printable(name) + "' " + std::string(why)};
}

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

/// Length of an ignorable code point of HFS+ at the start of `s`, 0 if there is none: U+200C…200F, 202A…202E,
/// 206A…206F, FEFF.
std::size_t ignorable_on_hfs(std::string_view s) {
  if (s.size() < 3) return 0;
  const auto a = static_cast<unsigned char>(s[0]), b = static_cast<unsigned char>(s[1]),
             c = static_cast<unsigned char>(s[2]);
  if (a == 0xef) return b == 0xbb && c == 0xbf ? 3 : 0;
  if (a != 0xe2) return 0;
  if (b == 0x80) return (c >= 0x8c && c <= 0x8f) || (c >= 0xaa && c <= 0xae) ? 3 : 0;
  return b == 0x81 && c >= 0xaa && c <= 0xaf ? 3 : 0;
}

bool is_dot_git_on_hfs(std::string_view name) {
  constexpr std::string_view kWanted = ".git";
  std::size_t matched = 0;
  while (!name.empty()) {
    if (const std::size_t skip = ignorable_on_hfs(name); skip != 0) {
      name.remove_prefix(skip);
      continue;
    }
    if (matched == kWanted.size() || lower(name[0]) != kWanted[matched]) return false;
    ++matched;
    name.remove_prefix(1);
  }
  return matched == kWanted.size();
}

bool starts_with_fold(std::string_view s, std::string_view lower_prefix) {
  if (s.size() < lower_prefix.size()) return false;
  for (std::size_t i = 0; i < lower_prefix.size(); ++i) {
    if (lower(s[i]) != lower_prefix[i]) return false;
  }
  return true;
}

/// `component`: what follows the last backslash, up to the end of the whole name.
bool is_dot_git_on_ntfs(std::string_view component) {
  std::size_t used = 0;
  if (starts_with_fold(component, ".git"))
    used = 4;
  else if (starts_with_fold(component, "git~1"))
    used = 5;
  else
    return false;
  for (const char c : component.substr(used)) {
    if (c == '\\' || c == ':') return true;  // a directory, a stream
    if (c != ' ' && c != '.') return false;  // trailing blanks and dots are dropped by Windows
  }
  return true;
}

bool is_known_mode(std::uint32_t mode) {
  constexpr std::uint32_t kModeGroupWritable = 0100664;  // written by git before 2005, accepted by every fsck
  return mode == kModeFile || mode == kModeExecutable || mode == kModeTree || mode == kModeSymlink ||
         mode == kModeSubmodule || mode == kModeGroupWritable;
}

Result<std::uint32_t> parse_mode(std::string_view digits) {
  std::uint32_t mode = 0;
  bool good = !digits.empty() && digits.size() <= kModeDigitsMax;
  for (const char c : digits) {
    good = good && c >= '0' && c <= '7';
    mode = mode * 8 + static_cast<std::uint32_t>(c - '0');
    if (!good) return Error{Errc::Corrupt, "tree is malformed: mode is not octal [badTree]"};
  }
  if (!good) return Error{Errc::Corrupt, "tree is malformed: an entry without mode [badTree]"};
  return mode;
}

Result<> check_name(std::string_view name) {
  if (name.empty()) return Error{Errc::Refused, "tree entry with an empty name [emptyName]"};
  if (name.size() > kEntryNameBytesMax)
    return refused(name.substr(0, 80), "… is longer than 4096 bytes [largePathname]");
  if (std::memchr(name.data(), '/', name.size()) != nullptr) return refused(name, "contains a slash [fullPathname]");
  if (name == ".") return refused(name, "is the directory itself [hasDot]");
  if (name == "..") return refused(name, "leads out of the directory [hasDotdot]");
  if (spells_dot_git(name)) return refused(name, "is a spelling of .git [hasDotgit]");
  return ok();
}

/// Order and uniqueness. git sorts a directory as if its name ended in '/', so "foo", "foo.txt", "foo/" may hide the
/// name foo twice: names of files that a later directory could repeat are kept on a stack, each a prefix of the one
/// above.
class OrderCheck {
 public:
  Result<> next(const TreeEntry& entry) {
    const bool is_tree = entry.mode == kModeTree;
    if (have_previous_ && !less(previous_, previous_is_tree_, entry.name, is_tree)) {
      if (previous_ == entry.name) return refused(entry.name, "appears twice [duplicateEntries]");
      return refused(entry.name, "is out of order [treeNotSorted]");
    }
    while (!open_files_.empty()) {
      const std::string_view file = open_files_.back();
      if (entry.name.starts_with(file)) {
        if (entry.name.size() == file.size()) return refused(entry.name, "appears twice [duplicateEntries]");
        if (static_cast<unsigned char>(entry.name[file.size()]) < '/') break;
      }
      open_files_.pop_back();
    }
    if (!is_tree) open_files_.push_back(entry.name);
    previous_ = entry.name, previous_is_tree_ = is_tree, have_previous_ = true;
    return ok();
  }

 private:
  static bool less(std::string_view a, bool a_tree, std::string_view b, bool b_tree) {
    const std::size_t common = std::min(a.size(), b.size());
    if (const int c = std::memcmp(a.data(), b.data(), common); c != 0) return c < 0;
    const auto tail = [common](std::string_view s, bool tree) {
      return s.size() > common ? static_cast<unsigned char>(s[common]) : static_cast<unsigned char>(tree ? '/' : 0);
    };
    return tail(a, a_tree) < tail(b, b_tree);
  }
  std::vector<std::string_view> open_files_;
  std::string_view previous_;
  bool previous_is_tree_ = false, have_previous_ = false;
};

/// Takes "<key> <rest>\n" off the front of `bytes`; nullopt when the next line is another one.
std::optional<std::string_view> take_line(std::string_view& bytes, std::string_view key) {
  if (!bytes.starts_with(key) || bytes.size() <= key.size() || bytes[key.size()] != ' ') return std::nullopt;
  const auto newline = bytes.find('\n');
  if (newline == std::string_view::npos) return std::nullopt;
  const std::string_view rest = bytes.substr(key.size() + 1, newline - key.size() - 1);
  bytes.remove_prefix(newline + 1);
  return rest;
}

std::optional<GitOid> take_oid_line(std::string_view& bytes, std::string_view key) {
  const auto rest = take_line(bytes, key);
  return rest ? GitOid::parse(*rest) : std::nullopt;
}

Error malformed(std::string_view kind, std::string_view rule) {
  return {Errc::Corrupt, std::string(kind) + " is malformed [" + std::string(rule) + "]"};
}

Result<> check_header_has_no_nul(std::string_view bytes, std::string_view kind) {
  const auto blank = bytes.find("\n\n");
  if (bytes.substr(0, blank).find('\0') != std::string_view::npos) return malformed(kind, "nulInHeader");
  return ok();
}
}  // namespace

std::string_view name_of(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::Commit:
      return "commit";
    case ObjectKind::Tree:
      return "tree";
    case ObjectKind::Blob:
      return "blob";
    case ObjectKind::Tag:
      return "tag";
    case ObjectKind::None:
      break;
  }
  return "unknown object";
}

GitOid TreeEntry::id() const {
  GitOid out;
  std::memcpy(out.bytes.data(), oid, kOidBytes);
  return out;
}

bool spells_dot_git(std::string_view name) {
  if (is_dot_git_on_hfs(name) || is_dot_git_on_ntfs(name)) return true;
  for (auto at = name.find('\\'); at != std::string_view::npos; at = name.find('\\', at + 1)) {
    if (is_dot_git_on_ntfs(name.substr(at + 1))) return true;
  }
  return false;
}

Result<> check_tree(std::string_view bytes, std::vector<TreeEntry>& into) {
  into.clear();
  OrderCheck order;
  while (!bytes.empty()) {
    const auto space = bytes.substr(0, kModeDigitsMax + 1).find(' ');
    if (space == std::string_view::npos) return malformed("tree", "badTree");
    HM_TRY(const std::uint32_t mode, parse_mode(bytes.substr(0, space)));
    bytes.remove_prefix(space + 1);
    const auto nul = bytes.find('\0');
    if (nul == std::string_view::npos || bytes.size() - nul - 1 < kOidBytes) return malformed("tree", "badTree");
    TreeEntry entry;
    entry.mode = mode;
    entry.name = bytes.substr(0, nul);
    entry.oid = reinterpret_cast<const std::uint8_t*>(bytes.data()) + nul + 1;
    bytes.remove_prefix(nul + 1 + kOidBytes);
    HM_TRY(check_name(entry.name));
    if (!is_known_mode(mode)) return refused(entry.name, "has an unknown mode [badFilemode]");
    if (std::all_of(entry.oid, entry.oid + kOidBytes, [](std::uint8_t b) { return b == 0; })) {
      return refused(entry.name, "has the null id [nullSha1]");
    }
    HM_TRY(order.next(entry));
    into.push_back(entry);
  }
  return ok();
}

Result<> check_commit(std::string_view bytes, CommitLinks& into) {
  into.parents.clear();
  HM_TRY(check_header_has_no_nul(bytes, "commit"));
  const auto tree = take_oid_line(bytes, "tree");
  if (!tree) return malformed("commit", "missingTree");
  into.tree = *tree;
  while (bytes.starts_with("parent ")) {
    const auto parent = take_oid_line(bytes, "parent");
    if (!parent) return malformed("commit", "badParentSha1");
    into.parents.push_back(*parent);
  }
  if (!take_line(bytes, "author")) return malformed("commit", "missingAuthor");
  while (take_line(bytes, "author")) {  // several authors: an old tool's habit that git reads
  }
  if (!take_line(bytes, "committer")) return malformed("commit", "missingCommitter");
  return ok();
}

Result<TagLinks> check_tag(std::string_view bytes) {
  HM_TRY(check_header_has_no_nul(bytes, "tag"));
  TagLinks links;
  const auto object = take_oid_line(bytes, "object");
  if (!object) return malformed("tag", "missingObject");
  links.target = *object;
  const auto type = take_line(bytes, "type");
  for (const ObjectKind kind : {ObjectKind::Commit, ObjectKind::Tree, ObjectKind::Blob, ObjectKind::Tag}) {
    if (type && *type == name_of(kind)) links.kind = kind;
  }
  if (links.kind == ObjectKind::None) return malformed("tag", "badType");
  if (!take_line(bytes, "tag")) return malformed("tag", "missingTag");
  return links;
}

std::uint32_t symlink_climb(std::string_view target) {
  if (target.starts_with('/') || target.starts_with('\\') || (target.size() > 1 && target[1] == ':')) return kClimbsAll;
  std::int64_t level = 0, lowest = 0;
  for (const std::string_view part : split(target, '/')) {
    if (part.empty() || part == ".") continue;
    level += part == ".." ? -1 : 1;
    lowest = std::min(lowest, level);
  }
  return static_cast<std::uint32_t>(-lowest);
}
}  // namespace hm::mirror
