#include "mirror/snapshot.hpp"

#include <algorithm>
#include <limits>
#include <unordered_set>

#include "base/text.hpp"
#include "hub/lfs_batch.hpp"

namespace hm::mirror {
namespace {
constexpr std::uint64_t kPointerBytesMax = 1024;  // the LFS specification's bound
constexpr std::uint64_t kCardBytesMax = 512 * 1024;
constexpr auto kBytesMax = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());  // what rows can hold

Result<BlobFacts> read_facts(const Repository& repository, const TreeFile& file, std::uint64_t size_max) {
  HM_TRY(const std::string bytes, repository.read_blob(file.oid, size_max));
  if (bytes.size() < kPointerBytesMax && mode_of(file.mode) != storage::FileMode::Symlink)
    if (const auto pointer = hub::parse_lfs_pointer(bytes)) return BlobFacts{pointer->oid, pointer->size_bytes, true};
  return BlobFacts{sha256(bytes), bytes.size(), false};
}
}  // namespace

storage::FileMode mode_of(std::uint32_t git_mode) {
  if (git_mode == 0120000) return storage::FileMode::Symlink;
  return (git_mode & 0111) != 0 ? storage::FileMode::Executable : storage::FileMode::Regular;
}

Result<RevisionPlan> plan_revision(const Repository& repository, const Commit& commit,
                                   const config::Selection& selection, const storage::Manifest* also,
                                   BlobFactsCache& cache, std::uint64_t git_file_bytes_max, config::FilterUse* use,
                                   const storage::BlobStore* present) {
  RevisionPlan plan;
  plan.commit = commit;
  HM_TRY(plan.tree, repository.tree_of(commit));
  std::unordered_set<std::string_view> published;
  if (also != nullptr)
    for (const auto& file : also->files) published.insert(file.path);

  HM_TRY(repository.walk_files(commit, [&](const TreeFile& file) -> Result<> {
    if (file.mode == 0160000) {
      plan.submodules.push_back(file.path);
      return ok();
    }
    if (use != nullptr) use->see(file.path);
    auto known = cache.find(file.oid);
    if (known == cache.end()) {
      auto facts = within(read_facts(repository, file, git_file_bytes_max),
                          [&] { return "reading " + printable(file.path) + " at " + commit.hex(); });
      if (!facts) return std::move(facts).as_failure();
      known = cache.emplace(file.oid, facts.assume_value()).first;
      if (!known->second.is_lfs) plan.git_bytes_hashed += known->second.size_bytes;
    }
    const BlobFacts& facts = known->second;
    bool wanted = selection.wants(file.path, facts.size_bytes);
    if (present != nullptr && facts.is_lfs) {
      HM_TRY(const auto size, present->find(facts.sha256));
      wanted = size == facts.size_bytes;
    }
    if (!wanted && !published.contains(file.path)) {
      ++plan.left_out_files;
      plan.left_out_bytes = std::min(kBytesMax, plan.left_out_bytes + facts.size_bytes);  // both fit, so does the sum
      return ok();
    }
    storage::ManifestFile entry;
    entry.mode = mode_of(file.mode);
    entry.git_oid = file.oid;
    entry.sha256 = facts.sha256;
    entry.size_bytes = facts.size_bytes;
    entry.path = file.path;
    entry.is_lfs = facts.is_lfs;
    plan.manifest.files.push_back(std::move(entry));
    if (file.path == "README.md" && !facts.is_lfs && facts.size_bytes <= kCardBytesMax) {
      HM_TRY(plan.readme, repository.read_blob(file.oid, kCardBytesMax));
    }
    return ok();
  }));
  std::sort(plan.manifest.files.begin(), plan.manifest.files.end(),
            [](const auto& a, const auto& b) { return a.path < b.path; });
  return plan;
}

std::vector<WantedBlob> blobs_of(const RevisionPlan& plan) {
  std::vector<WantedBlob> out;
  std::unordered_set<Sha256> seen;
  for (const auto& file : plan.manifest.files) {
    if (!file.is_lfs || !seen.insert(file.sha256).second) continue;
    WantedBlob blob;
    blob.id = file.sha256;
    blob.size_bytes = file.size_bytes;
    blob.path = file.path;
    blob.revision = plan.commit.hex();
    out.push_back(std::move(blob));
  }
  return out;
}
}  // namespace hm::mirror
