#include "crawler/verify_repository.hpp"

#include <algorithm>
#include <string_view>
#include <unordered_map>

#include "base/text.hpp"
#include "hub/lfs_batch.hpp"
#include "mirror/git/repository.hpp"
#include "mirror/snapshot.hpp"

namespace hm::crawler {
void RepositoryCheck::add(FindingKind kind, const storage::RepoRow& row, std::string detail) {
  Finding finding;
  finding.kind = kind;
  finding.subject = catalog_.address(row);
  finding.detail = std::move(detail);
  report_.findings.push_back(std::move(finding));
}

/// True for the failure to read an object that is among the findings already.
bool RepositoryCheck::is_told(const std::string& detail) const {
  return std::any_of(damaged_.begin(), damaged_.end(),
                     [&](const std::string& oid) { return detail.find(oid) != std::string::npos; });
}

Result<> RepositoryCheck::run(const storage::RepoRow& row, std::vector<storage::BlobInfo>* blobs) {
  if (stop_.stop_requested()) return Error{Errc::Cancelled, "stopped"};
  HM_TRY(const auto revisions, catalog_.revisions({row.repo.kind, row.rid}));
  for (const mirror::RevisionView& view : revisions) {
    auto manifest = catalog_.manifest(view.snapshot.manifest);
    ++report_.manifests;
    if (!manifest) {
      add(FindingKind::Manifest, row, manifest.error().what);
      continue;
    }
    const auto& files = manifest.assume_value();
    if (files.files.size() != view.snapshot.files || files.total_bytes() != view.snapshot.bytes)
      add(FindingKind::Manifest, row,
          "the manifest of " + view.snapshot.commit.hex() +
              " does not have the files and bytes that were recorded; run: hubmirror index rebuild");
    if (blobs == nullptr) continue;
    for (const auto& file : files.files)
      if (file.is_lfs) blobs->push_back({file.sha256, file.size_bytes});
  }
  if (revisions.empty()) return ok();  // visited, and perhaps nothing of it fetched
  auto repository = mirror::Repository::open(catalog_.git_path(row));
  if (!repository) {
    add(FindingKind::GitObject, row, "its git repository cannot be opened: " + repository.error().what);
    return ok();
  }
  HM_TRY(check_form(row, repository.assume_value()));
  return deep_ ? check_git(row, repository.assume_value(), revisions) : Result<>(ok());
}

/// What git would do with it: refs that name what was published, and nothing else in its way.
Result<> RepositoryCheck::check_form(const storage::RepoRow& row, const mirror::Repository& repository) {
  for (std::string& problem : mirror::wrong_form(p_.fs, catalog_.git_path(row)))
    add(FindingKind::GitObject, row, std::move(problem) + "; mirror puts configuration and HEAD right");
  HM_TRY(auto wrong, wrong_refs(row, repository));
  for (std::vector<std::string> before; !wrong.empty() && wrong != before;) {
    before = std::move(wrong);  // a run beside us may have moved them since the index was read: until they stand still
    HM_TRY(p_.index.refresh());
    HM_TRY(wrong, wrong_refs(row, repository));
  }
  const bool under_way = storage::other_writer(p_.fs, p_.dir).has_value();  // names move last
  for (const std::string& problem : wrong) {
    add(FindingKind::GitObject, row,
        problem + (under_way ? ": another process writes here at this moment"
                             : ": a run was interrupted, or somebody changed it; run mirror for it again"));
    report_.findings.back().bad = !under_way;
  }
  return ok();
}

Result<std::vector<std::string>> RepositoryCheck::wrong_refs(const storage::RepoRow& row,
                                                             const mirror::Repository& repository) const {
  std::vector<std::string> out;
  const auto local = repository.refs();
  if (!local) {
    out.push_back(local.error().what);
    return out;
  }
  HM_TRY(const auto published, catalog_.refs({row.repo.kind, row.rid}));
  for (const storage::RefRow& ref : published) {
    const auto found = local.assume_value().find(ref.ref);
    const bool there = found != local.assume_value().end();
    if (there && found->second == ref.target) continue;
    out.push_back(printable(ref.ref) + " was published as " + ref.target.hex() + " and " +
                  (there ? "names " + found->second.hex() : "is not there"));
  }
  const bool head_is_here =
      std::any_of(published.begin(), published.end(), [&](const storage::RefRow& ref) { return ref.ref == row.head; });
  if (const auto head = repository.head(); head_is_here && head && head.assume_value() != row.head)
    out.push_back("HEAD names " + printable(head.assume_value()) + ", upstream's " + printable(row.head));
  return out;
}

Result<> RepositoryCheck::check_git(const storage::RepoRow& row, const mirror::Repository& repository,
                                    const std::vector<mirror::RevisionView>& revisions) {
  damaged_.clear();
  auto checked = repository.verify_objects([&](const GitOid& oid, const std::string& problem) {
    if (oid == GitOid()) return add(FindingKind::GitObject, row, problem);  // a whole pack
    if (damaged_.insert(oid.hex()).second) add(FindingKind::GitObject, row, oid.hex() + ": " + problem);
  });
  if (checked)
    report_.git_objects += checked.assume_value();
  else
    add(FindingKind::GitObject, row, checked.error().what);
  for (const mirror::RevisionView& view : revisions) {
    if (stop_.stop_requested()) return Error{Errc::Cancelled, "stopped"};
    auto compared = compare_tree(repository, row, view.snapshot);
    if (!compared && !is_told(compared.error().what)) add(FindingKind::GitObject, row, compared.error().what);
  }
  return check_reached(row, repository, revisions);
}

Result<> RepositoryCheck::check_reached(const storage::RepoRow& row, const mirror::Repository& repository,
                                        const std::vector<mirror::RevisionView>& revisions) {
  const auto refs = repository.refs();
  if (!refs) return ok();  // told
  std::vector<GitOid> published;
  for (const mirror::RevisionView& view : revisions) {
    HM_TRY(const bool here, repository.contains(view.snapshot.commit));
    if (here && view.refs.empty()) published.push_back(view.snapshot.commit);  // others: wrong_refs()
  }
  if (published.empty()) return ok();
  const auto unreached = repository.unreached(published, refs.assume_value());
  if (!unreached) return ok();  // an object is missing: told
  const std::string git = "git --git-dir=" + shell_quoted(catalog_.git_path(row));
  for (const GitOid& commit : unreached.assume_value())
    add(FindingKind::GitObject, row,
        "no ref leads to the published revision " + commit.hex() + ", so that git gc would take it; to keep it: " +
            git + " update-ref refs/hubmirror/kept/" + commit.hex() + " " + commit.hex());
  return ok();
}

/// The manifest says what the tree says: same files, same objects, and for each file the digest of its bytes or of what
/// its pointer names.
Result<> RepositoryCheck::compare_tree(const mirror::Repository& repository, const storage::RepoRow& row,
                                       const storage::SnapshotRow& snapshot) {
  auto manifest = catalog_.manifest(snapshot.manifest);
  if (!manifest) return ok();  // reported already
  HM_TRY(const GitOid tree, repository.tree_of(snapshot.commit));
  const std::string at = " at " + snapshot.commit.hex();
  if (tree != snapshot.tree) add(FindingKind::Manifest, row, "the tree recorded for the revision is not its tree" + at);
  std::unordered_map<std::string_view, const storage::ManifestFile*> left;
  for (const auto& file : manifest.assume_value().files) left.emplace(file.path, &file);
  std::uint64_t left_out = 0;
  HM_TRY(repository.walk_files(snapshot.commit, [&](const mirror::TreeFile& file) -> Result<> {
    if (file.mode == 0160000) return ok();
    const auto it = left.find(file.path);
    if (it == left.end()) {
      ++left_out;
      return ok();
    }
    const storage::ManifestFile& recorded = *it->second;
    left.erase(it);
    HM_TRY(const std::uint64_t size, repository.blob_size(file.oid));
    HM_TRY(const std::string bytes, repository.read_blob(file.oid, size));
    bool same = recorded.git_oid == file.oid && recorded.mode == mirror::mode_of(file.mode);
    if (recorded.is_lfs) {
      const auto pointer = hub::parse_lfs_pointer(bytes);
      same = same && pointer && pointer->oid == recorded.sha256 && pointer->size_bytes == recorded.size_bytes;
    } else {
      same = same && bytes.size() == recorded.size_bytes && sha256(bytes) == recorded.sha256;
    }
    if (!same) add(FindingKind::Manifest, row, printable(file.path) + at + " is not what the manifest says");
    return ok();
  }));
  for (const auto& [path, file] : left)
    add(FindingKind::Manifest, row, printable(path) + at + " is in the manifest and not in the tree");
  if (left_out != snapshot.left_out_files)
    add(FindingKind::Manifest, row,
        std::to_string(left_out) + " files" + at + " are not in the manifest; " +
            std::to_string(snapshot.left_out_files) + " were left out on purpose");
  return ok();
}
}  // namespace hm::crawler
