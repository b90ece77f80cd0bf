#include "mirror/git/store_check.hpp"

#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/file.hpp"
#include "mirror/git/git2_handles.hpp"
#include "mirror/git/object_check.hpp"

namespace hm::mirror {
namespace {
constexpr std::size_t kReadBytes = 1U << 20;
constexpr int kTriesMax = 20;  // packing anew takes longer than reading what it made, as a rule
using Report = std::function<void(const GitOid&, const std::string&)>;

/// Packs and their indexes end in the SHA-1 of all that precedes.
Result<bool> trailer_matches(const std::string& path) {
  HM_TRY(const auto file, real_file_system().open_read(path));
  HM_TRY(const std::uint64_t size, file->size());
  if (size < GitOid::kSize) return false;
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(), EVP_MD_CTX_free);
  if (!context || EVP_DigestInit_ex(context.get(), EVP_sha1(), nullptr) != 1)
    return Error{Errc::Internal, "no SHA-1 in this OpenSSL"};
  std::vector<std::byte> buffer(kReadBytes);
  const std::uint64_t hashed = size - GitOid::kSize;
  for (std::uint64_t at = 0; at < hashed;) {
    const auto want = static_cast<std::size_t>(std::min<std::uint64_t>(kReadBytes, hashed - at));
    HM_TRY(const std::size_t n, file->read_at(at, std::span(buffer).first(want)));
    if (n == 0) return false;
    EVP_DigestUpdate(context.get(), buffer.data(), n);
    at += n;
  }
  std::array<std::uint8_t, GitOid::kSize> computed{}, stored{};
  EVP_DigestFinal_ex(context.get(), computed.data(), nullptr);
  HM_TRY(const std::size_t n, file->read_at(hashed, std::as_writable_bytes(std::span(stored))));
  return n == stored.size() && computed == stored;
}

Result<> check_pack_files(const std::string& repository_path, const Report& report) {
  FileSystem& fs = real_file_system();
  const std::string directory = repository_path + "/objects/pack/";
  HM_TRY(const auto entries, fs.list(directory));
  for (const DirectoryEntry& entry : entries) {
    const bool is_pack = entry.name.ends_with(".pack"), is_index = entry.name.ends_with(".idx");
    if (!is_pack && !is_index) continue;
    const std::string path = directory + entry.name;
    HM_TRY(const bool good, trailer_matches(path));
    if (!good) report({}, path + " differs from its checksum");
    if (is_index && !fs.exists(path.substr(0, path.size() - 4) + ".pack")) report({}, path + " has no pack beside it");
  }
  return ok();
}

class StoreCheck {
 public:
  StoreCheck(git_odb* odb, const Report& report) : odb_(odb), report_(report) {}

  void object(const GitOid& oid) {
    git_odb_object* raw = nullptr;
    const git_oid id = to_git(oid);
    ++count_;
    // Reads, inflates and hashes: strict hash verification is libgit2's default and stays on.
    if (const int rc = git_odb_read(&raw, odb_, &id); rc < 0) {
      kinds_[oid] = ObjectKind::None;  // there, but bad: reported here and not again as missing
      return report_(oid, git_failure(rc, "unreadable", Errc::Corrupt).what);
    }
    const GitOdbObjectHandle owner(raw);
    const std::string_view bytes(static_cast<const char*>(git_odb_object_data(raw)), git_odb_object_size(raw));
    switch (git_odb_object_type(raw)) {
      case GIT_OBJECT_COMMIT:
        kinds_[oid] = ObjectKind::Commit;
        return commit(oid, bytes);
      case GIT_OBJECT_TREE:
        kinds_[oid] = ObjectKind::Tree;
        return tree(oid, bytes);
      case GIT_OBJECT_TAG:
        kinds_[oid] = ObjectKind::Tag;
        return tag(oid, bytes);
      default:
        kinds_[oid] = ObjectKind::Blob;
        return;
    }
  }
  void need(const GitOid& oid, ObjectKind kind, const GitOid& from) {
    Need& need = needed_[oid];
    if (need.kinds == 0) need.from = from;
    need.kinds |= 1U << static_cast<unsigned>(kind);
  }
  void links() {
    for (const auto& [oid, need] : needed_) {
      const auto found = kinds_.find(oid);
      if (found == kinds_.end()) {
        report_(oid, "missing; named by " + need.from.hex());
      } else if (found->second != ObjectKind::None &&
                 (need.kinds & ~1U & ~(1U << static_cast<unsigned>(found->second))) != 0) {
        report_(oid, "is a " + std::string(name_of(found->second)) + ", but " + need.from.hex() +
                         " or another object names it as something else");
      }
    }
  }
  std::uint64_t count() const { return count_; }

 private:
  struct Need {
    unsigned kinds = 0;  // bit 0: any
    GitOid from;
  };
  void commit(const GitOid& oid, std::string_view bytes) {
    CommitLinks links;
    if (const auto good = check_commit(bytes, links); !good) return report_(oid, good.assume_error().what);
    need(links.tree, ObjectKind::Tree, oid);
    for (const GitOid& parent : links.parents) need(parent, ObjectKind::Commit, oid);
  }
  void tree(const GitOid& oid, std::string_view bytes) {
    if (const auto good = check_tree(bytes, entries_); !good) return report_(oid, good.assume_error().what);
    for (const TreeEntry& entry : entries_) {
      if (entry.mode != kModeSubmodule)
        need(entry.id(), entry.mode == kModeTree ? ObjectKind::Tree : ObjectKind::Blob, oid);
    }
  }
  void tag(const GitOid& oid, std::string_view bytes) {
    const auto links = check_tag(bytes);
    if (!links) return report_(oid, links.assume_error().what);
    need(links.assume_value().target, links.assume_value().kind, oid);
  }

  git_odb* odb_;
  const Report& report_;
  std::unordered_map<GitOid, ObjectKind> kinds_;
  std::unordered_map<GitOid, Need> needed_;
  std::vector<TreeEntry> entries_;
  std::uint64_t count_ = 0;
};

int collect(const git_oid* oid, void* payload) {
  static_cast<std::vector<GitOid>*>(payload)->push_back(from_git(*oid));
  return 0;
}
Result<std::uint64_t> check_once(const std::string& repository_path, const RefMap& refs, const Report& report) {
  HM_TRY(check_pack_files(repository_path, report));
  git_odb* raw = nullptr;
  const std::string objects = repository_path + "/objects";
  if (const int rc = git_odb_open(&raw, objects.c_str()); rc < 0) return git_failure(rc, "open " + objects);
  const GitOdbHandle odb(raw);
  std::vector<GitOid> oids;
  if (const int rc = git_odb_foreach(raw, collect, &oids); rc < 0)
    return git_failure(rc, "list objects of " + repository_path, Errc::Corrupt);
  StoreCheck check(raw, report);
  for (const GitOid& oid : oids) check.object(oid);
  for (const auto& [name, oid] : refs) check.need(oid, ObjectKind::None, oid);
  check.links();
  return check.count();
}

/// Of packs and their indexes, sorted.
Result<std::vector<std::string>> pack_file_names(const std::string& repository_path) {
  HM_TRY(const auto entries, real_file_system().list(repository_path + "/objects/pack"));
  std::vector<std::string> out;
  for (const DirectoryEntry& entry : entries)
    if (entry.name.ends_with(".idx") || entry.name.ends_with(".pack")) out.push_back(entry.name);
  std::sort(out.begin(), out.end());
  return out;
}
}  // namespace

Result<std::uint64_t> check_store(const std::string& repository_path, const RefMap& refs, const Report& report) {
  for (int tries = 1;; ++tries) {
    std::vector<std::pair<GitOid, std::string>> problems;
    HM_TRY(const auto before, pack_file_names(repository_path));
    auto count = check_once(repository_path, refs, [&](const GitOid& oid, const std::string& problem) {
      problems.emplace_back(oid, problem);
    });
    HM_TRY(const auto after, pack_file_names(repository_path));
    // Packs came or went: what was looked for may be in another one.
    if (before != after && tries < kTriesMax) continue;
    for (const auto& [oid, problem] : problems) report(oid, problem);
    return count;
  }
}
}  // namespace hm::mirror
