// mirror/on_demand.hpp: what a server asks for when it is asked for what is not here. Layer 4. Interface: crawler/ has
// the implementation, since a server knows no pipeline. Threads: safe; coroutines run on the caller's loop, the work
// behind them on the network thread and its pools, and goes on when the caller leaves.
#pragma once
#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <memory>
#include <string>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "mirror/lfs/blob_reader.hpp"
#include "mirror/lfs/download.hpp"

namespace hm::mirror {
class OnDemand {
 public:
  virtual ~OnDemand() = default;

  /// Makes sure that what git has of the repository is here and was compared with upstream's not longer ago than
  /// `max_age_ms`. All who ask for the same at once share one visit.
  /// @param revision "": all branches; else this one, published whatever it is: branch, tag, full ref, commit
  /// @param at_hand something can be served without an answer: waits shorter
  /// @returns NotFound, Gated: upstream says so, never from memory. Unreachable also when it takes too long; the visit
  /// goes on. Busy: too many are under way.
  virtual awaitable<Result<>> refresh(RepoId repo, std::string revision, std::int64_t max_age_ms, bool at_hand) = 0;

  /// [first, first + length) of a large file that is not in the store, whose download is begun or joined.
  /// @param key of the repository, into whose published revision `wanted.revision` the file is taken once it is here
  /// @returns when the first byte of it can be read. NotFound, Gated, Unreachable, NoSpace, … Busy: too many are under
  /// way.
  virtual awaitable<Result<std::unique_ptr<BlobReader>>> blob(RepoId repo, RepoKey key, WantedBlob wanted,
                                                              std::uint64_t first, std::uint64_t length) = 0;
};
}  // namespace hm::mirror
