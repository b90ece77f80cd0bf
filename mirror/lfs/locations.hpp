// mirror/lfs/locations.hpp: where the blobs of one fetch are: from the LFS batch API, a hundred at a time, or from
// resolve, one by one. Layer 4. Threads: the network executor.
#pragma once
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "hub/api.hpp"
#include "mirror/lfs/blob_transfer.hpp"

namespace hm::mirror {
/// Objects of one batch call: what git-lfs itself asks for, so every server takes it; few enough that the signed URLs
/// are used while they are fresh.
inline constexpr std::size_t kBatchObjects = 100;

enum class Route : std::uint8_t { Batch, Resolve };
inline Route other(Route r) { return r == Route::Batch ? Route::Resolve : Route::Batch; }

class Locations {
 public:
  /// @param scope where calls made ahead of need run. All arguments outlive the object.
  Locations(hub::Api& api, const RepoId& repo, const std::vector<WantedBlob>& wanted, TaskScope& scope,
            boost::asio::any_io_executor executor);
  /// The blobs that will be asked for, in this order: located in chunks, the next chunk while the last one is being
  /// used.
  void plan(const std::vector<std::size_t>& order);
  /// Where `wanted[index]` is. The first call by Batch takes the chunk's answer, later ones ask anew. When the server
  /// has no batch API that works, or gives no way to this object, resolve answers instead. @returns NotFound, Gated,
  /// Corrupt (another digest or size is announced), … Cancelled.
  awaitable<Result<Location>> locate(std::size_t index, Route route);

 private:
  struct Chunk {
    enum class State : std::uint8_t { Idle, Asking, Done };
    State state = State::Idle;
    std::vector<std::size_t> members;
    std::unordered_map<std::size_t, hub::LfsObject> answers;  // each leaves with its first use
  };
  awaitable<void> ask(std::size_t chunk);
  void begin(std::size_t chunk);
  awaitable<std::optional<Result<Location>>> by_batch(std::size_t index);
  awaitable<Result<Location>> by_resolve(std::size_t index);
  std::optional<Result<Location>> read(const hub::LfsObject& object) const;

  hub::Api& api_;
  const RepoId& repo_;
  const std::vector<WantedBlob>& wanted_;
  TaskScope& scope_;
  std::vector<Chunk> chunks_;
  std::unordered_map<std::size_t, std::size_t> chunk_of_;  // of blobs whose first answer was not used yet
  bool batch_works_ = true;
  Signal answered_;
};
}  // namespace hm::mirror
