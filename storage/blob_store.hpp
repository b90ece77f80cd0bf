// storage/blob_store.hpp: immutable bytes named by their SHA-256. Layer 3. Interface; filesystem backend in
// blob_store_local.hpp. Disk layout: docs/formats/blob_store.md. What every backend owes:
// tests/contract/blob_store_contract.hpp. Threads: BlobStore is thread-safe; calls block on disk: make them on the
// blocking pool.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/file.hpp"
#include "base/result.hpp"

namespace hm::storage {
using BlobId = Sha256;

/// A blob that is being fetched, in fixed segments, resumable after a kill. docs/formats/partial_blob.md.
/// At most one per blob exists at a time (partial() answers Busy). Not yet visible under its name.
/// Threads: write() of disjoint ranges may run concurrently; everything else is serialised inside.
class PartialBlob {
 public:
  virtual ~PartialBlob() = default;  ///< keeps what is on disk, for the next attempt
  virtual const BlobId& id() const = 0;
  virtual std::uint64_t size_bytes() const = 0;
  virtual std::uint32_t segment_bytes() const = 0;  ///< the last segment may be shorter
  virtual std::uint64_t segment_count() const = 0;
  virtual bool has_segment(std::uint64_t index) const = 0;  ///< recorded as complete, by this or an earlier process
  /// Bytes of the range, which lies within one segment; in any order between segments, ascending within one.
  virtual Result<> write(std::uint64_t offset_bytes, std::span<const std::byte> bytes) = 0;
  /// All bytes of the segment were written: records it (survives SIGKILL; power loss may undo it, never corrupt) and
  /// lets the hash follow.
  virtual Result<> complete_segment(std::uint64_t index) = 0;
  /// Forgets all segments, e.g. because upstream's bytes changed in the middle.
  virtual Result<> restart() = 0;
  /// Its bytes so far, to be read beside the writing; what was not written reads as anything. Stays readable after
  /// publish(), and after the partial is gone.
  virtual Result<std::unique_ptr<File>> open_data() const = 0;
};

struct BlobInfo {
  BlobId id;
  std::uint64_t size_bytes = 0;
};

class BlobStore {
 public:
  virtual ~BlobStore() = default;
  /// Size of the blob, or nullopt. A blob whose size is wrong on disk is still listed here; verify finds it.
  virtual Result<std::optional<std::uint64_t>> find(const BlobId& id) const = 0;
  /// Opens or takes up the download of one blob. @returns Busy when this process already holds it; NoSpace when the
  /// free space would fall under the reserve; BadInput when an earlier attempt announced another size (that attempt is
  /// dropped then by restart).
  virtual Result<std::unique_ptr<PartialBlob>> partial(const BlobId& id, std::uint64_t size_bytes) = 0;
  /// Hashes what is left to hash, compares, makes the bytes durable and gives them their names: all of `done` in one
  /// group, which costs little more than one. Each result stands for the partial at its place: ok, Corrupt (both
  /// digests named; bytes moved to quarantine), NoSpace, Io.
  /// @post an ok blob survives power loss: its file and its directory were synced.
  virtual std::vector<Result<>> publish(std::vector<std::unique_ptr<PartialBlob>> done) = 0;
  /// Stores bytes at hand, e.g. of a small file; same guarantees. Present already is success.
  virtual Result<> put(const BlobId& id, std::span<const std::byte> bytes) = 0;
  /// Reads until `into` is full or the blob ends. NotFound; Io.
  virtual Result<std::size_t> read(const BlobId& id, std::uint64_t offset_bytes, std::span<std::byte> into) const = 0;
  /// Path of the file for callers that hand it to other programs (CLI `path`, sendfile). NotFound.
  virtual Result<std::string> path(const BlobId& id) const = 0;
  /// Moves the bytes under this name away into quarantine (they were found bad). NotFound.
  virtual Result<> quarantine(const BlobId& id, std::string_view reason) = 0;
  /// Removes a blob for good; only gc calls it. NotFound.
  virtual Result<> remove(const BlobId& id) = 0;
  /// Calls `visit` for each blob file in digest order, until it returns false. Names that are no blobs go to `foreign`
  /// (path relative to the data directory).
  virtual Result<> each(const std::function<bool(const BlobInfo&)>& visit,
                        const std::function<void(const std::string&)>& foreign) const = 0;
  /// Downloads that were not finished: id, announced size, bytes already complete.
  struct Unfinished {
    BlobId id;
    std::uint64_t size_bytes = 0, complete_bytes = 0;
    std::int64_t last_write_unix_ms = 0;
  };
  virtual Result<std::vector<Unfinished>> unfinished() const = 0;
  virtual Result<> remove_unfinished(const BlobId& id) = 0;
  /// NoSpace, with figures and what to do, when `more_bytes` would leave less than the reserve free.
  virtual Result<> check_space(std::uint64_t more_bytes) const = 0;
};
}  // namespace hm::storage
