#include "mirror/git/pack_examination.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace hm::mirror {
namespace {
constexpr std::uint8_t kKindMask = 0x07, kExamined = 0x08;
constexpr std::size_t kOldObjectsRemembered =
    4'000'000;  // about 250 MB at worst, for one pack that names so many old objects
constexpr std::size_t kSymlinkBytesMax = 4096;
constexpr std::size_t kIdxSuffixBytes = 4;

constexpr std::uint8_t referred_as(ObjectKind kind) {
  return static_cast<std::uint8_t>(0x08U << static_cast<unsigned>(kind));
}
static_assert(referred_as(ObjectKind::Commit) == 0x10 && referred_as(ObjectKind::Tag) == 0x80);

ObjectKind kind_of(git_object_t type) {
  switch (type) {
    case GIT_OBJECT_COMMIT:
      return ObjectKind::Commit;
    case GIT_OBJECT_TREE:
      return ObjectKind::Tree;
    case GIT_OBJECT_BLOB:
      return ObjectKind::Blob;
    case GIT_OBJECT_TAG:
      return ObjectKind::Tag;
    default:
      return ObjectKind::None;
  }
}

bool is_ascii(std::string_view s) {
  return std::all_of(s.begin(), s.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}
bool folds_to_itself(std::string_view s) {
  return std::none_of(s.begin(), s.end(),
                      [](char c) { return static_cast<unsigned char>(c) >= 0x80 || (c >= 'A' && c <= 'Z'); });
}
std::uint64_t hash_lower(std::string_view s) {
  std::uint64_t h = 0xcbf29ce484222325U;  // FNV-1a
  for (const char c : s) h = (h ^ static_cast<unsigned char>(c >= 'A' && c <= 'Z' ? c + 32 : c)) * 0x100000001b3U;
  return h ^ (h >> 29);
}
std::string folded(std::string_view s) { return is_ascii(s) ? ascii_lower(s) : fold_path(s); }
}  // namespace

const std::vector<TwinFinder::Twin>& TwinFinder::find(const std::vector<TreeEntry>& entries) {
  twins_.clear();
  // Names that fold to themselves are all different: without another kind of name there are no twins. Most directories
  // end here.
  if (std::all_of(entries.begin(), entries.end(), [](const TreeEntry& e) { return folds_to_itself(e.name); }))
    return twins_;
  std::size_t capacity = std::max<std::size_t>(slots_.size(), 64);
  while (capacity < entries.size() * 2) capacity *= 2;
  if (capacity != slots_.size() || ++epoch_ == 0) slots_.assign(capacity, Slot{}), epoch_ = 1;
  for (std::uint32_t i = 0; i < entries.size(); ++i) {
    const std::string_view name = entries[i].name;
    const std::uint64_t hash = is_ascii(name) ? hash_lower(name) : hash_lower(fold_path(name));
    for (std::size_t at = hash & (capacity - 1);; at = (at + 1) & (capacity - 1)) {
      Slot& slot = slots_[at];
      if (slot.epoch != epoch_) {
        slot.hash = hash, slot.entry = i, slot.epoch = epoch_;
        break;
      }
      if (slot.hash != hash) continue;
      const std::string_view other = entries[slot.entry].name;
      if (folded(other) != folded(name)) continue;
      twins_.push_back({other, name, ascii_equal_fold(other, name)});
      break;
    }
  }
  return twins_;
}

PackExamination::Raw::~Raw() {
  if (data != nullptr) git_odb_backend_data_free(backend, data);
}

PackExamination::PackExamination(PackIndex index, std::unique_ptr<PackEntries> entries, git_odb* main,
                                 const GitLimits& limits, const std::atomic<bool>& stop)
    : index_(std::move(index)),
      pack_entries_(std::move(entries)),
      main_(main),
      limits_(limits),
      stop_(stop),
      flags_(index_.size()),
      heights_(index_.size()) {
  static_assert(kTreeDepthCeiling <= UINT16_MAX);  // heights_
}

Result<std::unique_ptr<PackExamination>> PackExamination::open(const std::string& pack_idx_path, git_odb* main,
                                                               const GitLimits& limits, const std::atomic<bool>& stop) {
  HM_TRY(auto index, PackIndex::open(pack_idx_path));
  const std::string pack_path = pack_idx_path.substr(0, pack_idx_path.size() - kIdxSuffixBytes) + ".pack";
  HM_TRY(auto file, real_file_system().open_read(pack_path));
  HM_TRY(auto entries, PackEntries::open(std::move(file), stop));
  std::unique_ptr<PackExamination> out(new PackExamination(std::move(index), std::move(entries), main, limits, stop));
  git_odb* odb = nullptr;
  if (const int rc = git_odb_new(&odb); rc < 0) return git_failure(rc, "make object database");
  out->pack_odb_.reset(odb);
  if (const int rc = git_odb_backend_one_pack(&out->pack_, pack_idx_path.c_str()); rc < 0)
    return git_failure(rc, "open the new pack", Errc::Corrupt);
  if (const int rc = git_odb_add_backend(odb, out->pack_, 1); rc < 0) {
    out->pack_->free(out->pack_);
    return git_failure(rc, "open the new pack");
  }
  return out;
}

ObjectKind PackExamination::known_kind(std::uint32_t position) const {
  return static_cast<ObjectKind>(flags_[position] & kKindMask);
}

Result<ObjectKind> PackExamination::kind_of(std::uint32_t position) {
  if (const ObjectKind known = known_kind(position); known != ObjectKind::None) return known;
  std::size_t size = 0;
  git_object_t type = GIT_OBJECT_INVALID;
  const git_oid oid = to_git(index_.id(position));
  if (const int rc = pack_->read_header(&size, &type, pack_, &oid); rc < 0)
    return git_failure(rc, "read header of object " + index_.id(position).hex(), Errc::Corrupt);
  return learn_kind(position, mirror::kind_of(type), size);
}

Result<ObjectKind> PackExamination::learn_kind(std::uint32_t position, ObjectKind kind, std::uint64_t size_bytes) {
  if (size_bytes > limits_.object_bytes_max) {
    return Error{Errc::Refused, "object " + index_.id(position).hex() + " has " + human_bytes(size_bytes) +
                                    "; at most " + human_bytes(limits_.object_bytes_max) +
                                    " are accepted outside of LFS"};
  }
  if (kind == ObjectKind::None)
    return Error{Errc::Corrupt, "object " + index_.id(position).hex() + " has no known kind"};
  flags_[position] = static_cast<std::uint8_t>((flags_[position] & ~kKindMask) | static_cast<std::uint8_t>(kind));
  return kind;
}

Result<> PackExamination::read(std::uint32_t position, Raw& into) {
  const git_oid oid = to_git(index_.id(position));
  into.backend = pack_;
  if (const int rc = pack_->read(&into.data, &into.size, &into.type, pack_, &oid); rc < 0)
    return git_failure(rc, "read object " + index_.id(position).hex(), Errc::Corrupt);
  HM_TRY(learn_kind(position, mirror::kind_of(into.type), into.size));
  return ok();
}

Result<> PackExamination::run() {
  by_offset_ = index_.by_pack_offset();
  const std::uint64_t first = by_offset_.empty() ? pack_entries_->end() : index_.pack_offset(by_offset_.front());
  if (first != kPackHeaderBytes) return Error{Errc::Corrupt, "bytes before the first object of the pack"};
  for (std::size_t i = 0; i < by_offset_.size(); ++i) {
    const std::uint32_t position = by_offset_[i];
    const bool is_last = i + 1 == by_offset_.size();
    const std::uint64_t end = is_last ? pack_entries_->end() : index_.pack_offset(by_offset_[i + 1]);
    HM_TRY(const Data data, examine_pack_entry(position, end));
    HM_TRY(const ObjectKind kind, kind_of(position));
    if (kind == ObjectKind::Commit) {
      HM_TRY(examine_commit(position, data));
    } else if (kind == ObjectKind::Tag) {
      HM_TRY(examine_tag(position, data));
    }
  }
  for (std::uint32_t position = 0; position < index_.size();
       ++position) {  // trees that no commit of this pack leads to
    if (known_kind(position) != ObjectKind::Tree || (flags_[position] & kExamined) != 0) continue;
    HM_TRY(examine_trees_below(position, false));
  }
  return check_references();
}

bool PackExamination::begins_entry(std::uint64_t offset) const {
  const auto found = std::partition_point(by_offset_.begin(), by_offset_.end(), [&](std::uint32_t position) {
    return index_.pack_offset(position) < offset;
  });
  return found != by_offset_.end() && index_.pack_offset(*found) == offset;
}

/// The entry's own form; small data of commits and tags is so inflated once for this and for what it says.
Result<PackExamination::Data> PackExamination::examine_pack_entry(std::uint32_t position, std::uint64_t end) {
  const auto what = [&] { return "reading object " + index_.id(position).hex() + " in the pack"; };
  HM_TRY(const PackEntry entry, within(pack_entries_->go_to(index_.pack_offset(position), end), what));
  const bool is_delta = entry.kind == ObjectKind::None;
  if (!is_delta) {
    HM_TRY(learn_kind(position, entry.kind, entry.data_bytes));  // refuses what is too large, before it is inflated
  }
  // libgit2 takes a base from anywhere, also from within another object's data; git index-pack refuses such a pack.
  if (entry.base_offset && !begins_entry(*entry.base_offset))
    return within(Result<Data>(Error{Errc::Corrupt, "the base of a delta is no object of the pack"}), what);
  HM_TRY(const Data data, within(pack_entries_->read_data(), what));
  return is_delta ? Data() : data;
}

Result<> PackExamination::examine_commit(std::uint32_t position, Data data) {
  const auto what = [&] { return "examining commit " + index_.id(position).hex(); };
  Raw raw;
  if (!data) {
    HM_TRY(read(position, raw));
    data = raw.bytes();
  }
  HM_TRY(within(check_commit(*data, commit_), what));
  HM_TRY(within(need(commit_.tree.bytes.data(), ObjectKind::Tree), what));
  for (const GitOid& parent : commit_.parents) {
    HM_TRY(within(need(parent.bytes.data(), ObjectKind::Commit), what));
  }
  const auto root = index_.find(commit_.tree);
  if (!root || (flags_[*root] & kExamined) != 0) return ok();
  return within(examine_trees_below(*root, true), what);
}

Result<> PackExamination::examine_tag(std::uint32_t position, Data data) {
  const auto what = [&] { return "examining tag " + index_.id(position).hex(); };
  Raw raw;
  if (!data) {
    HM_TRY(read(position, raw));
    data = raw.bytes();
  }
  HM_TRY(const TagLinks links, within(check_tag(*data), what));
  return within(need(links.target.bytes.data(), links.kind), what);
}

/// Depth first, with an explicit stack: hostile depth must not become our own recursion.
Result<> PackExamination::examine_trees_below(std::uint32_t root, bool path_known) {
  stack_.clear();
  path_.clear();
  path_known_ = path_known;
  HM_TRY(open_tree(root, ""));
  while (!stack_.empty()) {
    Frame& frame = stack_.back();
    if (frame.next < frame.children.size()) {
      const Child child = std::move(frame.children[frame.next++]);
      if ((flags_[child.position] & kExamined) == 0) {
        HM_TRY(open_tree(child.position, child.name));
      } else {
        frame.height = std::max(frame.height, heights_[child.position] + 1U);
        HM_TRY(check_depth(static_cast<std::uint32_t>(stack_.size()) + heights_[child.position]));
      }
      continue;
    }
    heights_[frame.position] = static_cast<std::uint16_t>(frame.height);
    const std::uint32_t height = frame.height;
    path_.resize(frame.path_bytes);
    stack_.pop_back();
    if (!stack_.empty()) stack_.back().height = std::max(stack_.back().height, height + 1);
  }
  return ok();
}

Result<> PackExamination::open_tree(std::uint32_t position, std::string_view name) {
  if (stop_) return Error{Errc::Cancelled, "examination stopped"};
  // A delta's kind is its base's, which costs as much to find as reading it: so that comes first.
  if (const ObjectKind kind = known_kind(position); kind != ObjectKind::None && kind != ObjectKind::Tree) return ok();
  Raw raw;
  HM_TRY(read(position, raw));
  if (known_kind(position) != ObjectKind::Tree) return ok();  // check_references says it
  HM_TRY(check_depth(static_cast<std::uint32_t>(stack_.size()) + 1));
  flags_[position] |= kExamined;
  Frame frame;
  frame.position = position;
  frame.path_bytes = path_.size();
  if (!name.empty()) path_.append(path_.empty() ? "" : "/").append(name);
  const auto what = [&] { return "examining tree " + index_.id(position).hex() + where(); };
  HM_TRY(within(check_tree(raw.bytes(), entries_), what));
  for (const TreeEntry& entry : entries_) {
    HM_TRY(within(examine_entry(entry, frame), what));
  }
  for (const TwinFinder::Twin& twin : twins_.find(entries_))
    remark(twin.by_case ? "case-twin" : "unicode-twin", twin.second, position);
  stack_.push_back(std::move(frame));
  return ok();
}

Result<> PackExamination::examine_entry(const TreeEntry& entry, Frame& frame) {
  if (entry.mode == kModeSubmodule) {
    remark("submodule", entry.name, frame.position);
    return ok();
  }
  const ObjectKind kind = entry.mode == kModeTree ? ObjectKind::Tree : ObjectKind::Blob;
  const auto doing = [&] { return "following entry '" + printable(entry.name) + "'"; };
  const auto position = index_.find(entry.oid);
  if (position) {
    flags_[*position] |= referred_as(kind);
    if (kind == ObjectKind::Tree) frame.children.push_back({*position, std::string(entry.name)});
  } else {
    HM_TRY(within(need_old(entry.id(), kind), doing));
    if (kind == ObjectKind::Tree) {
      const auto depth = static_cast<std::uint32_t>(stack_.size()) + 1;
      HM_TRY(const std::uint32_t height, within(old_tree_height(entry.id(), depth), doing));
      frame.height = std::max(frame.height, height + 1);
      HM_TRY(check_depth(depth + height));
    }
  }
  if (entry.mode == kModeSymlink) remark_symlink(entry, frame.position);
  return ok();
}

Result<> PackExamination::need(const std::uint8_t* oid, ObjectKind kind) {
  if (const auto position = index_.find(oid)) {
    flags_[*position] |= referred_as(kind);
    return ok();
  }
  TreeEntry view;
  view.oid = oid;
  return need_old(view.id(), kind);
}

Result<> PackExamination::need_old(const GitOid& oid, ObjectKind kind) {
  auto found = old_kinds_.find(oid);
  if (found == old_kinds_.end()) {
    std::size_t size = 0;
    git_object_t type = GIT_OBJECT_INVALID;
    const git_oid id = to_git(oid);
    if (git_odb_exists_ext(main_, &id, GIT_ODB_LOOKUP_NO_REFRESH) == 0) {
      return Error{Errc::Corrupt,
                   std::string(name_of(kind)) + " " + oid.hex() + " is named but neither in the pack nor here"};
    }
    if (const int rc = git_odb_read_header(&size, &type, main_, &id); rc < 0)
      return git_failure(rc, "read header of " + oid.hex(), Errc::Corrupt);
    if (old_kinds_.size() >= kOldObjectsRemembered) old_kinds_.clear();
    found = old_kinds_.emplace(oid, mirror::kind_of(type)).first;
  }
  if (found->second == kind) return ok();
  return Error{Errc::Corrupt, oid.hex() + " is named as a " + std::string(name_of(kind)) + " but is a " +
                                  std::string(name_of(found->second))};
}

/// Height of a tree that was here before. Each is read once; recursion ends at the depth limit.
Result<std::uint32_t> PackExamination::old_tree_height(const GitOid& oid, std::uint32_t depth) {
  if (const auto known = old_heights_.find(oid); known != old_heights_.end()) return known->second;
  HM_TRY(check_depth(depth + 1));
  if (stop_) return Error{Errc::Cancelled, "examination stopped"};
  const git_oid id = to_git(oid);
  git_odb_object* object = nullptr;
  if (const int rc = git_odb_read(&object, main_, &id); rc < 0)
    return git_failure(rc, "read tree " + oid.hex(), Errc::Corrupt);
  std::vector<GitOid> subtrees;
  {
    const GitOdbObjectHandle owner(object);
    std::vector<TreeEntry> entries;
    HM_TRY(check_tree({static_cast<const char*>(git_odb_object_data(object)), git_odb_object_size(object)}, entries));
    for (const TreeEntry& entry : entries) {
      if (entry.mode == kModeTree) subtrees.push_back(entry.id());
    }
  }
  std::uint32_t height = 1;
  for (const GitOid& subtree : subtrees) {
    HM_TRY(const std::uint32_t below, old_tree_height(subtree, depth + 1));
    height = std::max(height, below + 1);
  }
  if (old_heights_.size() >= kOldObjectsRemembered) old_heights_.clear();
  old_heights_.emplace(oid, static_cast<std::uint16_t>(height));
  return height;
}

Result<> PackExamination::check_references() {
  for (std::uint32_t position = 0; position < index_.size(); ++position) {
    const ObjectKind kind = known_kind(position);
    const unsigned wrong = flags_[position] & 0xf0U & ~static_cast<unsigned>(referred_as(kind));
    if (wrong == 0) continue;
    for (const ObjectKind other : {ObjectKind::Commit, ObjectKind::Tree, ObjectKind::Blob, ObjectKind::Tag}) {
      if ((wrong & referred_as(other)) == 0) continue;
      return Error{Errc::Corrupt, index_.id(position).hex() + " is named as a " + std::string(name_of(other)) +
                                      " but is a " + std::string(name_of(kind))};
    }
  }
  return ok();
}

Result<> PackExamination::check_depth(std::uint32_t depth) const {
  if (depth <= std::min(limits_.tree_depth_max, kTreeDepthCeiling)) return ok();
  return Error{Errc::Refused, "directories are nested deeper than " + std::to_string(limits_.tree_depth_max)};
}

std::string PackExamination::where() const {
  if (!path_known_ || path_.empty()) return "";
  constexpr std::size_t kShown = 200;
  return " at '" + printable(std::string_view(path_).substr(0, kShown)) + "'";
}

void PackExamination::remark(std::string_view kind, std::string_view name, std::uint32_t tree) {
  if (remarks_.size() >= kRemarksMax) return;
  std::string path = path_.empty() ? std::string(name) : path_ + "/" + std::string(name);
  if (!remarked_.insert(std::string(kind) + '\0' + path).second)
    return;  // the same in an older or newer version of this directory
  remarks_.push_back({std::string(kind), std::move(path), index_.id(tree)});
}

void PackExamination::remark_symlink(const TreeEntry& entry, std::uint32_t tree) {
  if (!path_known_ || remarks_.size() >= kRemarksMax) return;
  const GitOid oid = entry.id();
  auto known = symlink_climbs_.find(oid);
  if (known == symlink_climbs_.end()) {
    const git_oid id = to_git(oid);
    std::uint32_t climb = 0;
    Raw raw;
    raw.backend = pack_;
    git_odb_object* object = nullptr;
    std::size_t size = 0;
    git_object_t type = GIT_OBJECT_INVALID;
    const bool in_pack = index_.find(oid).has_value();
    const int rc =
        in_pack ? pack_->read_header(&size, &type, pack_, &id) : git_odb_read_header(&size, &type, main_, &id);
    if (rc == 0 && type == GIT_OBJECT_BLOB && size <= kSymlinkBytesMax) {
      if (in_pack && pack_->read(&raw.data, &raw.size, &raw.type, pack_, &id) == 0) climb = symlink_climb(raw.bytes());
      if (!in_pack && git_odb_read(&object, main_, &id) == 0) {
        const GitOdbObjectHandle owner(object);
        climb = symlink_climb({static_cast<const char*>(git_odb_object_data(object)), git_odb_object_size(object)});
      }
    } else {
      climb = kClimbsAll;  // no operating system has such a long target
    }
    if (symlink_climbs_.size() >= kOldObjectsRemembered) symlink_climbs_.clear();
    known = symlink_climbs_.emplace(oid, climb).first;
  }
  if (known->second > stack_.size())
    remark("symlink-outside", entry.name, tree);  // stack_: the directories above this tree
}
}  // namespace hm::mirror
