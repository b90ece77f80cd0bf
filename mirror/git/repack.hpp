// mirror/git/repack.hpp: one pack with a bitmap instead of many without, so that clones cost a copy and no search.
// Layer 4. docs/decisions/0012-git-program.md has the figures. Threads: a coroutine; git runs beside the git pool, of
// which one thread waits.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <boost/asio/thread_pool.hpp>
#include <cstdint>
#include <string>

#include "base/file.hpp"
#include "base/result.hpp"

namespace hm::mirror {
struct PackCounts {
  std::uint64_t packs = 0, objects = 0, bytes = 0;
  std::uint64_t mapped_objects = 0;  ///< in the pack with a bitmap
};
/// Objects that are in several packs count several times.
Result<PackCounts> count_packs(FileSystem& fs, const std::string& repository_path);
/// Small repositories are cheap anyway, and a large one is not packed anew for each small change.
bool is_repacking_worthwhile(const PackCounts& counts);

struct RepackOutcome {
  bool repacked = false;
  PackCounts before, after;
};
/// Packs everything, reachable or not, into one new pack, makes sure that it has every object of the old ones, and
/// removes these; when it is worthwhile, or `always`. A kill at any moment leaves all objects; readers beside it find
/// them in one pack or the other (libgit2's may have to open the repository again).
/// @pre no fetch into this repository runs.
/// @returns NotFound without git; NoSpace; Corrupt: an object was lost (nothing was removed); Cancelled.
boost::asio::awaitable<Result<RepackOutcome>> repack(FileSystem& fs, boost::asio::thread_pool& git_pool,
                                                     std::string repository_path, bool always = false);
}  // namespace hm::mirror
