#include "mirror/git/repository.hpp"

#include <algorithm>
#include <array>
#include <unordered_set>
#include <utility>

#include "base/crash_point.hpp"
#include "base/log.hpp"
#include "base/text.hpp"
#include "mirror/git/object_check.hpp"
#include "mirror/git/packed_refs.hpp"
#include "mirror/git/repository_impl.hpp"
#include "mirror/git/store_check.hpp"

namespace hm::mirror {
namespace {
constexpr std::string_view kDefaultHead = "ref: refs/heads/main\n";
// refs/hubmirror/ keeps what upstream dropped: ours, not to be advertised. No hooks, no gc behind our back, no filters.
constexpr std::string_view kConfig =
    "[core]\n"
    "\trepositoryformatversion = 0\n"
    "\tfilemode = true\n"
    "\tbare = true\n"
    "\thooksPath = /dev/null\n"
    "[gc]\n"
    "\tauto = 0\n"
    "[transfer]\n"
    "\thideRefs = refs/hubmirror\n";
constexpr std::size_t kHeadBytesMax = 4096;
constexpr std::array kDirectories{"",      "/objects",    "/objects/pack", "/objects/info",
                                  "/refs", "/refs/heads", "/refs/tags"};
// A tree may name the same subtree often: ten levels of ten are 10^10 files in eleven objects. Ten times as many
// entries as the Hub recommends for a repository end a walk; a manifest of so many files takes about 200 MB while it is
// made.
constexpr std::uint64_t kWalkEntriesMax = 1'000'000;
constexpr std::int64_t kMsPerSecond = 1000;

/// What cannot be read as refs is made anew from what upstream and the index say; the old file stays beside, for
/// people.
Result<> set_damaged_refs_aside(FileSystem& fs, const std::string& path) {
  const auto refs = read_ref_files(fs, path);
  if (refs || refs.error().code != Errc::Corrupt) return ok();
  log(LogLevel::Warning, "damaged packed-refs set aside", {{"path", path}, {"why", refs.error().what}});
  HM_TRY(fs.rename(path + "/packed-refs", path + "/packed-refs.damaged"));
  return fs.sync_directory(path);
}

Error not_opened(const std::string& path, Error error) {
  if (!real_file_system().exists(path)) return {Errc::NotFound, std::move(error.what)};
  return {Errc::Corrupt,
          error.what +
              " (HEAD, objects/ or refs/ is missing or unreadable there); run mirror for it again, which "
              "makes it whole"};
}

Result<std::uint64_t> disk_bytes_below(FileSystem& fs, const std::string& directory) {
  std::uint64_t total = 0;
  HM_TRY(const auto entries, fs.list(directory));
  for (const DirectoryEntry& entry : entries) {
    const std::string path = directory + "/" + entry.name;
    if (!entry.is_directory && !entry.is_regular) continue;
    auto size = entry.is_directory ? disk_bytes_below(fs, path) : fs.file_size(path);
    if (!size && size.assume_error().code == Errc::NotFound) continue;  // renamed away by a fetch meanwhile
    HM_TRY(const std::uint64_t bytes, std::move(size));
    total += bytes;
  }
  return total;
}
}  // namespace

Result<> create_bare_repository(FileSystem& fs, const std::string& path) {
  const std::string head = path + "/HEAD", config = path + "/config";
  if (fs.exists(head)) {
    const auto found = read_small_file(fs, config);
    if (!found || found.assume_value() != kConfig) {
      HM_TRY(replace_file(fs, config, kConfig));
    }
    HM_TRY(set_damaged_refs_aside(fs, path));
    for (const char* directory : kDirectories) {  // git takes a repository without refs/ for none
      HM_TRY(fs.make_directory(path + directory));
    }
    return ok();
  }
  // All names first, then their directories to the medium: one journal commit of the filesystem instead of one per
  // directory.
  for (const char* directory : kDirectories) {
    HM_TRY(fs.make_directory(path + directory));
  }
  HM_TRY(replace_file(fs, config, kConfig));
  for (const char* directory : kDirectories) {
    HM_TRY(fs.sync_directory(path + directory));
  }
  HM_TRY(fs.sync_directory(parent_directory(path)));
  return replace_file(fs, head, kDefaultHead);  // last: with a HEAD the repository counts as made
}

namespace {
Result<std::string> head_of(FileSystem& fs, const std::string& repository_path) {
  HM_TRY(const std::string text, read_small_file(fs, repository_path + "/HEAD", kHeadBytesMax));
  std::string_view name = text;
  if (!name.starts_with("ref:")) return Error{Errc::Corrupt, repository_path + "/HEAD names no ref"};
  name = trim(name.substr(4));
  if (!is_valid_ref_name(name)) return Error{Errc::Corrupt, repository_path + "/HEAD names " + printable(name)};
  return std::string(name);
}
}  // namespace

std::vector<std::string> wrong_form(FileSystem& fs, const std::string& path) {
  std::vector<std::string> out;
  const auto config = read_small_file(fs, path + "/config");
  if (!config)
    out.push_back(config.error().what);
  else if (config.assume_value() != kConfig)
    out.push_back(path + "/config is not what hubmirror wrote");
  if (const auto head = head_of(fs, path); !head) out.push_back(head.error().what);
  if (fs.exists(path + "/objects/info/alternates"))
    out.push_back(path + "/objects/info/alternates borrows objects from elsewhere; remove it");
  return out;
}

struct TreeWalk {
  const std::function<Result<>(const TreeFile&)>& visit;
  bool directories = false;
  std::string path;
  std::uint64_t entries = 0;
};

Result<GitObjectHandle> Repository::Impl::lookup(const GitOid& oid, git_object_t type) const {
  git_object* raw = nullptr;
  const git_oid id = to_git(oid);
  if (const int rc = git_object_lookup(&raw, repo.get(), &id, type); rc < 0)
    return git_failure(rc, "read " + oid.hex() + " in " + path, Errc::Corrupt);
  return GitObjectHandle(raw);
}

Result<GitCommitHandle> Repository::Impl::commit(const GitOid& oid) const {
  HM_TRY(auto object, lookup(oid, GIT_OBJECT_COMMIT));
  return GitCommitHandle(reinterpret_cast<git_commit*>(object.release()));
}

Result<GitTreeHandle> Repository::Impl::tree(const GitOid& oid) const {
  HM_TRY(auto object, lookup(oid, GIT_OBJECT_TREE));
  return GitTreeHandle(reinterpret_cast<git_tree*>(object.release()));
}

Result<GitRevwalkHandle> Repository::Impl::begin_walk(const std::vector<GitOid>& tips) const {
  git_revwalk* raw = nullptr;
  if (const int rc = git_revwalk_new(&raw, repo.get()); rc < 0) return git_failure(rc, "walk commits of " + path);
  GitRevwalkHandle walk(raw);
  git_revwalk_sorting(raw, GIT_SORT_TIME);
  for (const GitOid& tip : tips) {
    const git_oid id = to_git(tip);
    if (const int rc = git_revwalk_push(raw, &id); rc < 0) return git_failure(rc, "walk commits from " + tip.hex());
  }
  return walk;
}

Result<std::int64_t> milliseconds_of(const git_commit* commit) {
  std::int64_t ms = 0;
  if (__builtin_mul_overflow(static_cast<std::int64_t>(git_commit_time(commit)), kMsPerSecond, &ms))
    return Error{Errc::BadInput, from_git(*git_commit_id(commit)).hex() + " has an impossible date"};
  return ms;
}

Repository::Repository(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Repository::Repository(Repository&&) noexcept = default;
Repository& Repository::operator=(Repository&&) noexcept = default;
Repository::~Repository() = default;

Result<Repository> Repository::open(const std::string& path) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  git_repository* repo = nullptr;
  if (const int rc = git_repository_open_bare(&repo, path.c_str()); rc < 0)
    return not_opened(path, git_failure(rc, "open git repository " + path));
  impl->repo.reset(repo);
  git_odb* odb = nullptr;
  if (const int rc = git_repository_odb(&odb, repo); rc < 0) return git_failure(rc, "open objects of " + path);
  impl->odb.reset(odb);
  return Repository(std::move(impl));
}

Result<RefMap> Repository::refs() const {
  HM_TRY(const RefFiles files, read_ref_files(real_file_system(), impl_->path));
  RefMap out;
  for (const auto& [name, ref] : files.packed) out.emplace_hint(out.end(), name, ref.oid);
  for (const auto& [name, oid] : files.loose) out[name] = oid;
  return out;
}

Result<std::string> Repository::head() const { return head_of(real_file_system(), impl_->path); }

Result<std::optional<GitOid>> Repository::Impl::peeled(const GitOid& oid) const {
  std::size_t size = 0;
  git_object_t type = GIT_OBJECT_INVALID;
  const git_oid id = to_git(oid);
  if (const int rc = git_odb_read_header(&size, &type, odb.get(), &id); rc < 0)
    return git_failure(rc, "a ref's object " + oid.hex() + " in " + path);
  if (type != GIT_OBJECT_TAG) return std::optional<GitOid>();
  HM_TRY(const auto tag, lookup(oid, GIT_OBJECT_TAG));
  git_object* target = nullptr;
  if (const int rc = git_tag_peel(&target, reinterpret_cast<git_tag*>(tag.get())); rc < 0)
    return git_failure(rc, "peel tag " + oid.hex());
  const GitObjectHandle owner(target);
  return std::optional(from_git(*git_object_id(target)));
}

Result<> Repository::update_refs(const std::vector<std::pair<std::string, std::optional<GitOid>>>& changes,
                                 const std::string& head) {
  FileSystem& fs = real_file_system();
  for (const auto& [name, oid] : changes) {
    if (!is_valid_ref_name(name)) return Error{Errc::BadInput, "invalid ref name " + printable(name)};
  }
  if (!head.empty() && !is_valid_ref_name(head))
    return Error{Errc::BadInput, "invalid ref name for HEAD " + printable(head)};
  HM_TRY(RefFiles files, read_ref_files(fs, impl_->path));
  PackedRefs& refs = files.packed;
  if (!files.loose.empty()) {  // loose refs win over packed ones: take them in as they are, so that removing them
                               // changes nothing
    for (const auto& [name, oid] : files.loose) {
      HM_TRY(const auto target, impl_->peeled(oid));
      refs[name] = PackedRef{oid, target};
    }
    HM_TRY(write_packed_refs(fs, impl_->path, refs));
    for (const auto& [name, oid] : files.loose) {
      HM_TRY(fs.remove(impl_->path + "/" + name));
      HM_TRY(fs.sync_directory(parent_directory(impl_->path + "/" + name)));
    }
  }
  bool changed = false;
  for (const auto& [name, oid] : changes) {
    const auto found = refs.find(name);
    if (!oid) {
      if (found != refs.end()) refs.erase(found), changed = true;
      continue;
    }
    if (found != refs.end() && found->second.oid == *oid) continue;
    HM_TRY(const auto target, impl_->peeled(*oid));
    refs[name] = PackedRef{*oid, target};
    changed = true;
  }
  if (changed) {
    HM_TRY(write_packed_refs(fs, impl_->path, refs));
  }
  HM_CRASH_POINT("git.refs_written");
  const auto current = this->head();
  if (head.empty() || (current && current.assume_value() == head)) return ok();
  return replace_file(fs, impl_->path + "/HEAD", "ref: " + head + "\n");
}

Result<bool> Repository::contains(const GitOid& oid) const {
  const git_oid id = to_git(oid);
  return git_odb_exists(impl_->odb.get(), &id) == 1;
}

Result<bool> Repository::is_ancestor(const GitOid& ancestor, const GitOid& descendant) const {
  if (ancestor == descendant) return true;
  const git_oid old_id = to_git(ancestor), new_id = to_git(descendant);
  const int rc = git_graph_descendant_of(impl_->repo.get(), &new_id, &old_id);
  if (rc < 0) return git_failure(rc, "compare " + ancestor.hex() + " and " + descendant.hex());
  return rc == 1;
}

Result<GitOid> Repository::peel_to_commit(const GitOid& oid) const {
  HM_TRY(const auto object, impl_->lookup(oid, GIT_OBJECT_ANY));
  git_object* commit = nullptr;
  if (git_object_peel(&commit, object.get(), GIT_OBJECT_COMMIT) < 0)
    return Error{Errc::BadInput, oid.hex() + " leads to no commit"};
  const GitObjectHandle owner(commit);
  return from_git(*git_object_id(commit));
}

Result<GitOid> Repository::tree_of(const GitOid& commit) const {
  HM_TRY(const auto object, impl_->commit(commit));
  return from_git(*git_commit_tree_id(object.get()));
}

Result<std::int64_t> Repository::commit_time_ms(const GitOid& commit) const {
  HM_TRY(const auto object, impl_->commit(commit));
  return milliseconds_of(object.get());
}

Result<> Repository::Impl::walk_tree(const GitOid& id, TreeWalk& walk, std::uint32_t depth) const {
  if (depth > kTreeDepthCeiling)
    return Error{Errc::Refused, "directories are nested deeper than " + std::to_string(kTreeDepthCeiling)};
  HM_TRY(const auto tree_object, tree(id));
  const git_tree* entries = tree_object.get();
  const std::size_t parent_bytes = walk.path.size();
  for (std::size_t i = 0, n = git_tree_entrycount(entries); i < n; ++i) {
    if (++walk.entries > kWalkEntriesMax)
      return Error{Errc::Refused,
                   "more than " + std::to_string(kWalkEntriesMax) + " files and directories in one revision"};
    const git_tree_entry* entry = git_tree_entry_byindex(entries, i);
    walk.path.append(git_tree_entry_name(entry));
    const auto mode = static_cast<std::uint32_t>(git_tree_entry_filemode(entry));
    const GitOid oid = from_git(*git_tree_entry_id(entry));
    if (mode != kModeTree || walk.directories) {
      TreeFile file;
      file.mode = mode, file.oid = oid, file.path = walk.path;
      HM_TRY(walk.visit(file));
    }
    if (mode == kModeTree) {
      walk.path += '/';
      HM_TRY(walk_tree(oid, walk, depth + 1));
    }
    walk.path.resize(parent_bytes);
  }
  return ok();
}

Result<> Repository::walk_files(const GitOid& commit, const std::function<Result<>(const TreeFile&)>& visit) const {
  HM_TRY(const GitOid tree, tree_of(commit));
  TreeWalk walk{visit, false, {}, 0};
  return impl_->walk_tree(tree, walk, 1);
}

Result<> Repository::walk_entries(const GitOid& commit, const std::function<Result<>(const TreeFile&)>& visit) const {
  HM_TRY(const GitOid tree, tree_of(commit));
  TreeWalk walk{visit, true, {}, 0};
  return impl_->walk_tree(tree, walk, 1);
}

Result<> Repository::walk_commits(const std::vector<GitOid>& tips,
                                  const std::function<Result<>(const GitOid&)>& visit) const {
  HM_TRY(const auto walk, impl_->begin_walk(tips));
  git_oid id;
  int rc = 0;
  while ((rc = git_revwalk_next(&id, walk.get())) == 0) {
    HM_TRY(visit(from_git(id)));
  }
  if (rc != GIT_ITEROVER) return git_failure(rc, "walk commits of " + impl_->path, Errc::Corrupt);
  return ok();
}

Result<std::vector<GitOid>> Repository::unreached(const std::vector<GitOid>& commits, const RefMap& refs) const {
  std::unordered_set<GitOid> left(commits.begin(), commits.end());
  std::vector<GitOid> tips;
  for (const auto& [name, oid] : refs) {
    const auto commit = peel_to_commit(oid);
    if (!commit) continue;
    tips.push_back(commit.assume_value());
    left.erase(commit.assume_value());
  }
  if (!left.empty()) {
    HM_TRY(walk_commits(tips, [&](const GitOid& commit) -> Result<> {
      left.erase(commit);
      return ok();
    }));
  }
  std::vector<GitOid> out(left.begin(), left.end());
  std::sort(out.begin(), out.end());
  return out;
}

Result<std::uint64_t> Repository::blob_size(const GitOid& blob) const {
  std::size_t size = 0;
  git_object_t type = GIT_OBJECT_INVALID;
  const git_oid id = to_git(blob);
  if (const int rc = git_odb_read_header(&size, &type, impl_->odb.get(), &id); rc < 0)
    return git_failure(rc, "read size of " + blob.hex(), Errc::Corrupt);
  if (type != GIT_OBJECT_BLOB) return Error{Errc::Corrupt, blob.hex() + " is not a blob"};
  return size;
}

Result<std::string> Repository::read_blob(const GitOid& blob, std::uint64_t size_max) const {
  HM_TRY(const std::uint64_t size, blob_size(blob));
  if (size > size_max)
    return Error{Errc::Refused, "blob " + blob.hex() + " has " + human_bytes(size) + "; at most " +
                                    human_bytes(size_max) + " are read"};
  git_odb_object* raw = nullptr;
  const git_oid id = to_git(blob);
  if (const int rc = git_odb_read(&raw, impl_->odb.get(), &id); rc < 0)
    return git_failure(rc, "read blob " + blob.hex(), Errc::Corrupt);
  const GitOdbObjectHandle object(raw);
  return std::string(static_cast<const char*>(git_odb_object_data(raw)), git_odb_object_size(raw));
}

Result<std::uint64_t> Repository::verify_objects(
    const std::function<void(const GitOid&, const std::string& problem)>& report) const {
  HM_TRY(const RefMap tips, refs());
  return check_store(impl_->path, tips, report);
}

Result<std::uint64_t> Repository::disk_bytes() const { return disk_bytes_below(real_file_system(), impl_->path); }
}  // namespace hm::mirror
