#include "server/published.hpp"

#include <algorithm>

#include "base/run_on.hpp"
#include "mirror/git/repository.hpp"
#include "mirror/snapshot.hpp"
#include "provenance/record.hpp"
#include "storage/key_space.hpp"

namespace hm::server {
namespace key = storage::key;
using storage::Family;

namespace {
// Shares of the memory: names and refs are small, manifests of large repositories are not.
constexpr std::size_t kLookedAt = 8192;
constexpr std::uint64_t kReposShare = 8, kRevisionsShare = 16, kManifestsShare = 4;

std::string files_key(const PublishedRepo& repo, const Commit& commit) {
  return key::snapshot(repo.key, commit) + repo.stamp;
}
std::uint64_t bytes_of(const storage::Manifest& manifest) {
  std::uint64_t bytes = sizeof manifest;
  for (const storage::ManifestFile& file : manifest.files) bytes += sizeof file + file.path.capacity();
  return bytes;
}
std::uint64_t bytes_of(const PublishedRepo& repo) {
  std::uint64_t bytes = sizeof repo + repo.git_path.size() + 512;
  for (const storage::RefRow& ref : repo.refs) bytes += sizeof ref + ref.ref.capacity();
  return bytes;
}
}  // namespace

namespace {
/// `text` against the name joined of two parts, as strings compare.
int compare_joined(std::string_view text, std::string_view prefix, std::string_view name) {
  const int head = text.substr(0, prefix.size()).compare(prefix);
  return head != 0 ? head : text.substr(prefix.size()).compare(name);
}
}  // namespace

const storage::RefRow* PublishedRepo::ref(std::string_view prefix, std::string_view name) const {
  const auto at = std::partition_point(
      refs.begin(), refs.end(), [&](const storage::RefRow& r) { return compare_joined(r.ref, prefix, name) < 0; });
  return at != refs.end() && compare_joined(at->ref, prefix, name) == 0 ? &*at : nullptr;
}

std::optional<Commit> PublishedRepo::commit_of(std::string_view revision) const {
  const std::string_view wanted = revision.empty() || revision == "HEAD" ? std::string_view(row.head) : revision;
  for (const std::string_view prefix : {"", "refs/heads/", "refs/tags/", "refs/"})
    if (const storage::RefRow* found = ref(prefix, wanted)) return found->commit;
  if (is_commit_hex(wanted)) return Commit::parse(wanted);
  return std::nullopt;
}

const storage::ManifestFile* RevisionFiles::find(std::string_view path) const {
  const auto at = std::lower_bound(manifest->files.begin(), manifest->files.end(), path,
                                   [](const storage::ManifestFile& file, std::string_view p) { return file.path < p; });
  return at != manifest->files.end() && at->path == path ? &*at : nullptr;
}

Published::Published(const storage::Index& index, const mirror::Catalog& catalog, boost::asio::thread_pool& pool,
                     std::uint64_t cache_bytes, bool all_files)
    : index_(index),
      catalog_(catalog),
      pool_(pool),
      all_files_(all_files),
      repos_(cache_bytes / kReposShare),
      files_(cache_bytes / kRevisionsShare),
      manifests_(cache_bytes / kManifestsShare),
      git_files_(cache_bytes / 2) {}

Published::Found Published::find_now(const RepoId& repo) {
  const auto known = repos_.find(key::name(repo));
  if (!known || known->version != index_.version()) return {};
  return {true, known->repo};
}

Result<RepoView> Published::load(const RepoId& repo, const RepoView& before) const {
  HM_TRY(const auto name_bytes, index_.get(Family::Names, key::name(repo)));
  if (!name_bytes) return RepoView();
  HM_TRY(const auto name, storage::unpack_name(*name_bytes));
  HM_TRY(const auto row_bytes, index_.get(Family::Repos, key::repo(name.key)));
  if (!row_bytes) return RepoView();
  const std::string stamp = sha256(*row_bytes).hex().substr(0, 16);
  if (before && before->key == name.key && before->stamp == stamp) return before;
  auto out = std::make_shared<PublishedRepo>();
  HM_TRY(out->row, storage::unpack_repo(*row_bytes));
  if (out->row.removed) return RepoView();
  out->key = name.key;
  out->stamp = stamp;
  HM_TRY(out->refs, catalog_.refs(name.key));
  std::sort(out->refs.begin(), out->refs.end(),
            [](const storage::RefRow& a, const storage::RefRow& b) { return a.ref < b.ref; });
  out->git_path = catalog_.git_path(out->row);
  HM_TRY(out->visited_ms, provenance::last_visit_ms(index_, name.key));
  return RepoView(std::move(out));
}

awaitable<Result<RepoView>> Published::find(RepoId repo) {
  const std::string name = key::name(repo);
  const auto known = repos_.find(name);
  // Read before the rows are: whatever changes after it makes what we read stale, not the other way round.
  const std::uint64_t version = index_.version();
  if (known && known->version == version) co_return known->repo;
  const RepoView before = known ? known->repo : RepoView();
  auto read = [this, &repo, &before] { return load(repo, before); };
  HM_CO_TRY(RepoView found, co_await run_on(pool_, std::move(read)));
  auto remembered = std::make_shared<Remembered>();
  remembered->version = version;
  remembered->repo = found;
  repos_.put(name, remembered, sizeof(Remembered) + (found ? bytes_of(*found) : 0));
  co_return found;
}

FilesView Published::files_now(const PublishedRepo& repo, const Commit& commit) {
  return files_.find(files_key(repo, commit));
}

Result<std::shared_ptr<const storage::Manifest>> Published::load_manifest(const PublishedRepo& repo,
                                                                          const storage::SnapshotRow& snapshot) {
  const bool from_git = all_files_ && snapshot.partial();
  const std::string_view id = from_git ? snapshot.commit.view() : snapshot.manifest.view();  // 20 bytes, or 32
  if (auto known = manifests_.find(id)) return known;
  storage::Manifest manifest;
  if (from_git) {
    HM_TRY(const auto repository, mirror::Repository::open(repo.git_path));
    mirror::BlobFactsCache facts;
    HM_TRY(mirror::RevisionPlan plan,
           mirror::plan_revision(repository, snapshot.commit, config::Selection(), nullptr, facts, kGitFileBytesMax));
    manifest = std::move(plan.manifest);
  } else {
    HM_TRY(manifest, catalog_.manifest(snapshot.manifest));
  }
  const std::uint64_t size = bytes_of(manifest);
  auto shared = std::make_shared<const storage::Manifest>(std::move(manifest));
  manifests_.put(id, shared, size);
  return shared;
}

Result<FilesView> Published::load_files(const PublishedRepo& repo, const Commit& commit) {
  HM_TRY(const auto bytes, index_.get(Family::Snapshots, key::snapshot(repo.key, commit)));
  if (!bytes) return FilesView();
  auto out = std::make_shared<RevisionFiles>();
  HM_TRY(out->snapshot, storage::unpack_snapshot(*bytes));
  HM_TRY(out->manifest, load_manifest(repo, out->snapshot));
  return FilesView(std::move(out));
}

awaitable<Result<FilesView>> Published::files(RepoView repo, Commit commit) {
  if (FilesView known = files_now(*repo, commit)) co_return known;
  auto read = [this, &repo, &commit] { return load_files(*repo, commit); };
  HM_CO_TRY(FilesView files, co_await run_on(pool_, std::move(read)));
  if (files) files_.put(files_key(*repo, commit), files, sizeof *files + 512);
  co_return files;
}

awaitable<Result<std::optional<Commit>>> Published::commit_of(RepoView repo, std::string revision) {
  if (const auto commit = repo->commit_of(revision)) co_return commit;
  auto look = [this, &repo, &revision] { return catalog_.resolve(repo->row, revision); };
  const auto snapshot = co_await run_on(pool_, std::move(look));
  if (snapshot) co_return std::optional(snapshot.assume_value().commit);
  if (snapshot.error().code == Errc::NotFound) co_return std::optional<Commit>();
  co_return snapshot.error();
}

GitFileView Published::git_file_now(const GitOid& oid) { return git_files_.find(oid.view()); }

awaitable<Result<GitFileView>> Published::git_file(RepoView repo, GitOid oid) {
  if (auto known = git_file_now(oid)) co_return known;
  auto read = [&repo, &oid]() -> Result<std::string> {
    for (int attempt = 0;; ++attempt) {
      HM_TRY(const auto opened, mirror::Repository::open(repo->git_path));
      auto bytes = opened.read_blob(oid, kGitFileBytesMax);
      if (bytes || attempt != 0) return bytes;  // once more: packs may have been made one while we looked
    }
  };
  HM_CO_TRY(std::string bytes, co_await run_on(pool_, std::move(read)));
  auto file = std::make_shared<GitFile>();
  file->is_text = std::string_view(bytes).substr(0, kLookedAt).find('\0') == std::string_view::npos;
  file->bytes = std::move(bytes);
  git_files_.put(oid.view(), file, file->bytes.size());
  co_return file;
}
}  // namespace hm::server
