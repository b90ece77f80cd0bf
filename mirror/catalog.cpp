#include "mirror/catalog.hpp"

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "storage/key_space.hpp"

namespace hm::mirror {
namespace key = storage::key;
using storage::Family;

namespace {
/// Rows of one family under `prefix`, unpacked, until `visit` says false or one cannot be unpacked.
template <class Unpack, class Visit>
Result<> each_row(const storage::Index& index, Family family, const std::string& prefix, Unpack unpack, Visit visit) {
  Result<> outcome = ok();
  HM_TRY(index.scan(family, prefix, [&](std::string_view, std::string_view value) {
    auto row = unpack(value);
    if (!row) outcome = std::move(row).as_failure();
    return row && visit(std::move(row).assume_value());
  }));
  return outcome;
}
}  // namespace

Result<> Catalog::each_repo(const std::function<bool(const storage::RepoRow&)>& visit) const {
  return each_row(index_, Family::Repos, {}, storage::unpack_repo,
                  [&](const storage::RepoRow& row) { return row.removed || visit(row); });
}

/// "datasets/org/name" for a model org/name that is not here while such a dataset is; "" for none.
std::string Catalog::same_name_of_another_kind(const RepoId& repo) const {
  for (const RepoKind kind : {RepoKind::Model, RepoKind::Dataset, RepoKind::Space}) {
    if (kind == repo.kind) continue;
    const RepoId other{kind, repo.name};
    const auto bytes = index_.get(Family::Names, key::name(other));
    if (!bytes || !bytes.assume_value()) continue;
    const auto name = storage::unpack_name(*bytes.assume_value());
    if (!name) continue;
    const auto row = find(name.assume_value().key);
    if (row && row.assume_value() && !row.assume_value()->removed) return printable(row.assume_value()->repo.text());
  }
  return {};
}

Result<storage::RepoRow> Catalog::find(const RepoId& repo) const {
  auto absent = [&] {
    const std::string name = printable(repo.text());
    if (const std::string other = same_name_of_another_kind(repo); !other.empty())
      return Error{Errc::NotFound,
                   name + " is not mirrored here, " + other + " is; name that one, or run: hubmirror mirror " + name};
    return Error{Errc::NotFound, name + " is not mirrored here; run: hubmirror mirror " + name};
  };
  HM_TRY(const auto bytes, index_.get(Family::Names, key::name(repo)));
  if (!bytes) return absent();
  HM_TRY(const auto name, storage::unpack_name(*bytes));
  HM_TRY(auto row, find(name.key));
  if (!row || row->removed) return absent();
  return std::move(*row);
}

Result<storage::RepoRow> Catalog::find(const RepoSpec& spec) const {
  if (!spec.rid) return find(spec.repo);
  const RepoKey k{spec.repo.kind, *spec.rid};
  HM_TRY(auto row, find(k));
  if (!row || row->removed)
    return Error{Errc::NotFound, k.text() + " is not mirrored here; hubmirror ls --long lists ids"};
  return std::move(*row);
}

Result<bool> Catalog::has_its_name(const storage::RepoRow& repo) const {
  HM_TRY(const auto bytes, index_.get(Family::Names, key::name(repo.repo)));
  if (!bytes) return false;
  HM_TRY(const auto name, storage::unpack_name(*bytes));
  return name.key == RepoKey{repo.repo.kind, repo.rid};
}

std::string Catalog::address(const storage::RepoRow& repo) const {
  const auto has_name = has_its_name(repo);
  const bool by_name = has_name && has_name.assume_value();
  return by_name ? printable(repo.repo.text()) : RepoKey{repo.repo.kind, repo.rid}.text();
}

Result<std::optional<storage::RepoRow>> Catalog::find(const RepoKey& k) const {
  HM_TRY(const auto bytes, index_.get(Family::Repos, key::repo(k)));
  if (!bytes) return std::optional<storage::RepoRow>{};
  HM_TRY(auto row, storage::unpack_repo(*bytes));
  return std::optional(std::move(row));
}

Result<std::vector<storage::RefRow>> Catalog::refs(const RepoKey& k) const {
  std::vector<storage::RefRow> out;
  HM_TRY(each_row(index_, Family::Refs, key::repo(k), storage::unpack_ref, [&](storage::RefRow row) {
    out.push_back(std::move(row));
    return true;
  }));
  return out;
}

Result<std::vector<RevisionView>> Catalog::revisions(const RepoKey& k) const {
  HM_TRY(const auto published, refs(k));
  std::multimap<Commit, std::string> refs_of;
  for (const storage::RefRow& ref : published) refs_of.emplace(ref.commit, ref.ref);
  std::vector<RevisionView> out;
  HM_TRY(each_row(index_, Family::Snapshots, key::repo(k), storage::unpack_snapshot, [&](storage::SnapshotRow row) {
    RevisionView view;
    const auto [first, last] = refs_of.equal_range(row.commit);
    for (auto it = first; it != last; ++it) view.refs.push_back(it->second);
    view.snapshot = std::move(row);
    out.push_back(std::move(view));
    return true;
  }));
  std::stable_sort(out.begin(), out.end(), [](const RevisionView& a, const RevisionView& b) {
    return a.snapshot.observed_ms > b.snapshot.observed_ms;
  });
  return out;
}

Result<storage::SnapshotRow> Catalog::resolve(const storage::RepoRow& repo, std::string_view revision) const {
  const RepoKey k{repo.repo.kind, repo.rid};
  auto by_commit = [&](const Commit& commit) -> Result<std::optional<storage::SnapshotRow>> {
    HM_TRY(const auto bytes, index_.get(Family::Snapshots, key::snapshot(k, commit)));
    if (!bytes) return std::optional<storage::SnapshotRow>{};
    HM_TRY(auto row, storage::unpack_snapshot(*bytes));
    return std::optional(std::move(row));
  };
  const std::string wanted = revision.empty() ? repo.head : std::string(revision);
  for (const std::string& ref : {wanted, "refs/heads/" + wanted, "refs/tags/" + wanted, "refs/" + wanted}) {
    HM_TRY(const auto bytes, index_.get(Family::Refs, key::ref(k, ref)));
    if (!bytes) continue;
    HM_TRY(const auto row, storage::unpack_ref(*bytes));
    HM_TRY(auto snapshot, by_commit(row.commit));
    if (snapshot) return std::move(*snapshot);
  }
  if (const auto commit = Commit::parse(wanted)) {
    HM_TRY(auto snapshot, by_commit(*commit));
    if (snapshot) return std::move(*snapshot);
  }
  HM_TRY(auto all, revisions(k));
  std::vector<storage::SnapshotRow> matches;
  if (wanted.size() >= 7)
    for (RevisionView& view : all)
      if (view.snapshot.commit.hex().starts_with(wanted)) matches.push_back(std::move(view.snapshot));
  if (matches.size() == 1) return std::move(matches.front());
  const std::string name = address(repo);
  if (all.empty())
    return Error{Errc::NotFound,
                 "no revision of " + name +
                     " is published here: upstream had none at the last visit, or no run has fetched one "
                     "yet; run: hubmirror mirror " +
                     name};
  return Error{Errc::NotFound, "revision \"" + printable(wanted) + "\" of " + name +
                                   (matches.empty() ? " is not published here" : " is ambiguous") +
                                   "; see: hubmirror show " + name};
}

Result<storage::Manifest> Catalog::manifest(const Sha256& id) const {
  HM_TRY(const auto stored, index_.get(Family::Manifests, id.view()));
  if (!stored) return Error{Errc::Corrupt, "manifest " + id.hex() + " is not stored"};
  return storage::unpack_manifest(*stored, id);
}

Result<std::optional<std::string>> Catalog::document(const Sha256& id) const {
  return index_.get(Family::Documents, id.view());
}

std::string Catalog::git_path(const storage::RepoRow& repo) const { return dir_.git({repo.repo.kind, repo.rid}); }

Result<std::vector<storage::ManifestFile>> Catalog::missing_blobs(const storage::Manifest& m) const {
  std::vector<storage::ManifestFile> out;
  for (const auto& file : m.files) {
    if (!file.is_lfs) continue;
    HM_TRY(const auto size, blobs_.find(file.sha256));
    if (!size || *size != file.size_bytes) out.push_back(file);
  }
  return out;
}
}  // namespace hm::mirror
