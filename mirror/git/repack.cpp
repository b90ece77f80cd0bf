#include "mirror/git/repack.hpp"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "base/clock.hpp"
#include "base/crash_point.hpp"
#include "base/text.hpp"
#include "mirror/git/git_program.hpp"
#include "mirror/git/pack_index.hpp"
#include "mirror/git/pool_work.hpp"

namespace hm::mirror {
namespace {
// Without a bitmap git looks at each object of a clone: 7 µs; with several packs it also searches deltas between them:
// 20 µs.
constexpr std::uint64_t kPacksMax = 20, kUnmappedObjectsMax = 20'000;
constexpr std::uint64_t kGrowth = 4;                // a quarter more than was packed before
constexpr std::uint64_t kFreeBytesMin = 64U << 20;  // as a fetch leaves
constexpr std::int64_t kStaleMs = 24 * 3'600'000;   // no run of git takes longer
constexpr std::string_view kTemporary = "tmp_";

struct Pack {
  std::string stem;  ///< path without its ending
  bool mapped = false, kept = false;
};

std::string pack_directory(const std::string& repository_path) { return repository_path + "/objects/pack"; }

Result<std::vector<Pack>> packs_of(FileSystem& fs, const std::string& repository_path) {
  std::vector<Pack> out;
  HM_TRY(const auto entries, fs.list(pack_directory(repository_path)));
  for (const DirectoryEntry& entry : entries) {
    if (!entry.is_regular || !entry.name.starts_with("pack-") || !entry.name.ends_with(".idx")) continue;
    Pack pack;
    pack.stem = pack_directory(repository_path) + "/" + entry.name.substr(0, entry.name.size() - 4);
    if (!fs.exists(pack.stem + ".pack")) continue;
    pack.mapped = fs.exists(pack.stem + ".bitmap"), pack.kept = fs.exists(pack.stem + ".keep");
    out.push_back(std::move(pack));
  }
  return out;
}

Result<PackCounts> counts_of(FileSystem& fs, const std::vector<Pack>& packs) {
  PackCounts out;
  for (const Pack& pack : packs) {
    HM_TRY(const PackIndex index, PackIndex::open(pack.stem + ".idx"));
    HM_TRY(const std::uint64_t bytes, fs.file_size(pack.stem + ".pack"));
    ++out.packs;
    out.objects += index.size();
    out.bytes += bytes;
    if (pack.mapped) out.mapped_objects += index.size();
  }
  return out;
}

/// What a run that was killed left behind. Its git may have outlived it for a while.
Result<> remove_stale_files(FileSystem& fs, const std::string& repository_path) {
  const std::string directory = pack_directory(repository_path);
  HM_TRY(const auto entries, fs.list(directory));
  for (const DirectoryEntry& entry : entries) {
    if (!entry.is_regular || !entry.name.starts_with(kTemporary)) continue;
    const auto modified = modified_unix_ms(directory + "/" + entry.name);
    if (!modified || modified.assume_value() + kStaleMs > system_clock().unix_ms()) continue;
    HM_TRY(fs.remove(directory + "/" + entry.name));
  }
  return ok();
}

/// git makes the pack and syncs it. @returns its stem.
Result<std::string> make_pack(const std::string& repository_path, const std::atomic<bool>& stop) {
  const std::string base = pack_directory(repository_path) + "/pack";
  const Program program = git_program(
      repository_path, {"-c", "pack.threads=1", "-c", "pack.windowMemory=256m", "-c", "core.bigFileThreshold=64m", "-c",
                        "pack.writeReverseIndex=true", "-c", "core.fsync=pack,pack-metadata", "pack-objects", "--all",
                        "--keep-unreachable", "--pack-loose-unreachable", "--write-bitmap-index", "--delta-base-offset",
                        "--non-empty", "-q", base});
  HM_TRY(const std::string said, run_git(program, "", stop));
  const std::string_view name = trim(said);
  if (!GitOid::parse(name)) return Error{Errc::Internal, "git pack-objects said no name of a pack: " + printable(name)};
  return base + "-" + std::string(name);
}

Result<> check_nothing_is_lost(const std::vector<Pack>& packs, const PackIndex& packed) {
  for (const Pack& pack : packs) {
    HM_TRY(const PackIndex index, PackIndex::open(pack.stem + ".idx"));
    for (std::uint32_t i = 0; i < index.size(); ++i)
      if (!packed.find(index.id_bytes(i)))
        return Error{Errc::Corrupt, "git left " + index.id(i).hex() + " of " + pack.stem + " out of its new pack"};
  }
  return ok();
}

Result<> remove_pack(FileSystem& fs, const Pack& pack) {
  HM_TRY(fs.remove(pack.stem + ".idx"));  // first: a pack without index is not seen, and the next fetch removes it
  for (const char* ending : {".bitmap", ".rev"})
    if (fs.exists(pack.stem + ending)) {
      HM_TRY(fs.remove(pack.stem + ending));
    }
  return fs.remove(pack.stem + ".pack");
}

Result<RepackOutcome> repack_now(FileSystem& fs, const std::string& repository_path, bool always,
                                 const std::atomic<bool>& stop) {
  RepackOutcome out;
  HM_TRY(const auto packs, packs_of(fs, repository_path));
  HM_TRY(out.before, counts_of(fs, packs));
  out.after = out.before;
  if (packs.empty() || !(always || is_repacking_worthwhile(out.before))) return out;
  HM_TRY(remove_stale_files(fs, repository_path));
  HM_TRY(const DiskSpace space, fs.space(repository_path));
  if (space.free_bytes < 2 * out.before.bytes + kFreeBytesMin)
    return Error{Errc::NoSpace, "packing " + repository_path + " anew takes up to " +
                                    human_bytes(2 * out.before.bytes) + " beside the old packs; " +
                                    human_bytes(space.free_bytes) + " are free"};
  HM_TRY(const std::string stem, make_pack(repository_path, stop));
  HM_TRY(const PackIndex packed, PackIndex::open(stem + ".idx"));
  HM_TRY(check_nothing_is_lost(packs, packed));
  HM_TRY(fs.sync_directory(pack_directory(repository_path)));
  HM_CRASH_POINT("git.repacked");
  for (const Pack& pack : packs) {
    if (pack.stem == stem || pack.kept) continue;
    HM_TRY(remove_pack(fs, pack));
    HM_CRASH_POINT("git.old_pack_removed");
  }
  HM_TRY(fs.sync_directory(pack_directory(repository_path)));
  out.repacked = true;
  HM_TRY(out.after, count_packs(fs, repository_path));
  return out;
}
}  // namespace

Result<PackCounts> count_packs(FileSystem& fs, const std::string& repository_path) {
  HM_TRY(const auto packs, packs_of(fs, repository_path));
  return counts_of(fs, packs);
}

bool is_repacking_worthwhile(const PackCounts& counts) {
  const std::uint64_t unmapped = counts.objects - counts.mapped_objects;
  return counts.packs > kPacksMax || unmapped > std::max(kUnmappedObjectsMax, counts.mapped_objects / kGrowth);
}

boost::asio::awaitable<Result<RepackOutcome>> repack(FileSystem& fs, boost::asio::thread_pool& git_pool,
                                                     std::string repository_path, bool always) {
  auto stop = std::make_shared<Stop>();
  Result<RepackOutcome> out;
  auto work = [&fs, &repository_path, &out, always, flag = stop] {
    out = repack_now(fs, repository_path, always, flag->flag);
  };
  auto running = run_on_pool(git_pool, stop, std::move(work));
  co_await std::move(running);
  co_return out;
}
}  // namespace hm::mirror
