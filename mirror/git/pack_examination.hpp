// mirror/git/pack_examination.hpp: looks once at every object of a new pack before it may join the object store. Layer
// 4; private to this folder. Entries (pack_entries.hpp), form (object_check.hpp), sizes, depth, and that everything an
// object names is in the pack or already here, with the right kind. What was here before was examined when it came, so
// a pack that passes keeps the store closed under reachability. Threads: blocks; one thread at a time (the git pool).
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "mirror/git/fetch.hpp"
#include "mirror/git/git2_handles.hpp"
#include "mirror/git/object_check.hpp"
#include "mirror/git/pack_entries.hpp"
#include "mirror/git/pack_index.hpp"

namespace hm::mirror {
/// Finds names of one tree that fold to the same name on macOS or Windows.
class TwinFinder {
 public:
  struct Twin {
    std::string_view first, second;
    bool by_case = false;  ///< differs only in ASCII case
  };
  /// Views into the names of `entries`.
  const std::vector<Twin>& find(const std::vector<TreeEntry>& entries);

 private:
  struct Slot {
    std::uint64_t hash = 0;
    std::uint32_t entry = 0, epoch = 0;
  };
  std::vector<Slot> slots_;  // open addressing; a new epoch empties it without touching it
  std::uint32_t epoch_ = 0;
  std::vector<Twin> twins_;
};

class PackExamination {
 public:
  /// @param pack_idx_path the .idx of a complete pack, its .pack beside it. @param main the store it will join. @param
  /// stop set to end early: Cancelled.
  static Result<std::unique_ptr<PackExamination>> open(const std::string& pack_idx_path, git_odb* main,
                                                       const GitLimits& limits, const std::atomic<bool>& stop);
  /// @returns Refused or Corrupt, naming the object and, where it is known, the path; Cancelled.
  Result<> run();
  bool contains(const GitOid& oid) const { return index_.find(oid).has_value(); }
  std::vector<TreeRemark> take_remarks() { return std::move(remarks_); }

 private:
  struct Raw {  // an object's bytes, owned
    git_odb_backend* backend = nullptr;
    void* data = nullptr;
    std::size_t size = 0;
    git_object_t type = GIT_OBJECT_INVALID;
    Raw() = default;
    Raw(const Raw&) = delete;
    Raw& operator=(const Raw&) = delete;
    ~Raw();
    std::string_view bytes() const { return {static_cast<const char*>(data), size}; }
  };
  struct Child {
    std::uint32_t position = 0;
    std::string name;
  };
  struct Frame {  // a tree whose subtrees are being looked at
    std::uint32_t position = 0;
    std::size_t path_bytes = 0;  // of path_ before this tree's own name
    std::uint32_t height = 1;
    std::size_t next = 0;
    std::vector<Child> children;
  };

  /// An object's whole data where the entry held it, otherwise nullopt: then it is read when it is needed.
  using Data = std::optional<std::string_view>;

  PackExamination(PackIndex index, std::unique_ptr<PackEntries> entries, git_odb* main, const GitLimits& limits,
                  const std::atomic<bool>& stop);

  bool begins_entry(std::uint64_t offset) const;
  Result<Data> examine_pack_entry(std::uint32_t position, std::uint64_t end);
  ObjectKind known_kind(std::uint32_t position) const;
  Result<ObjectKind> kind_of(std::uint32_t position);
  Result<ObjectKind> learn_kind(std::uint32_t position, ObjectKind kind, std::uint64_t size_bytes);
  Result<> read(std::uint32_t position, Raw& into);
  Result<> examine_commit(std::uint32_t position, Data data);
  Result<> examine_tag(std::uint32_t position, Data data);
  Result<> examine_trees_below(std::uint32_t root, bool path_known);
  Result<> open_tree(std::uint32_t position, std::string_view name);
  Result<> examine_entry(const TreeEntry& entry, Frame& frame);
  Result<> need(const std::uint8_t* oid, ObjectKind kind);
  Result<> need_old(const GitOid& oid, ObjectKind kind);
  Result<std::uint32_t> old_tree_height(const GitOid& oid, std::uint32_t depth);
  Result<> check_references();
  Result<> check_depth(std::uint32_t height) const;
  void remark(std::string_view kind, std::string_view name, std::uint32_t tree);
  void remark_symlink(const TreeEntry& entry, std::uint32_t tree);
  std::string where() const;

  PackIndex index_;
  const std::unique_ptr<PackEntries> pack_entries_;
  GitOdbHandle pack_odb_;  // owns pack_
  git_odb_backend* pack_ =
      nullptr;  // read directly: the odb would hash every object again, which the indexer has just done
  git_odb* main_;
  const GitLimits limits_;
  const std::atomic<bool>& stop_;

  std::vector<std::uint32_t> by_offset_;  // positions, ordered by where their entries begin
  std::vector<std::uint8_t> flags_;       // per position: kind, examined, kinds it was referred to as
  std::vector<std::uint16_t> heights_;    // per position of an examined tree: 1 for one without subtrees
  std::unordered_map<GitOid, ObjectKind> old_kinds_;
  std::unordered_map<GitOid, std::uint16_t> old_heights_;
  std::unordered_map<GitOid, std::uint32_t> symlink_climbs_;
  std::unordered_set<std::string> remarked_;
  std::vector<TreeRemark> remarks_;

  std::vector<Frame> stack_;
  std::string path_;  // of the tree on top of stack_, when path_known_
  bool path_known_ = false;
  std::vector<TreeEntry> entries_;
  CommitLinks commit_;
  TwinFinder twins_;
};
}  // namespace hm::mirror
