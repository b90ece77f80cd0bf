// mirror/git/pack_entries.hpp: the entries of a new pack, each exactly as long as it says, with nothing between them.
// Layer 4; private to this folder. libgit2's indexer takes an object's data up to the stated size and does not look
// whether it ends there; git refuses to read such an object. Buffers have a fixed size, whatever a pack states. Form:
// gitformat-pack(5). Threads: blocks; one thread at a time (the git pool).
#pragma once
#include <zlib.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "base/file.hpp"
#include "base/result.hpp"
#include "mirror/git/object_check.hpp"

namespace hm::mirror {
inline constexpr std::uint64_t kPackHeaderBytes = 12, kPackTrailerBytes = 20;

/// What stands at the head of an entry.
struct PackEntry {
  ObjectKind kind = ObjectKind::None;        ///< None: a delta
  std::uint64_t data_bytes = 0;              ///< inflated; of a delta the instructions, not what they make
  std::optional<std::uint64_t> base_offset;  ///< of a delta that says where its base begins
};

class PackEntries {
 public:
  static constexpr std::size_t kKeptBytesMax = 32U << 10;

  /// @param stop set to end read_data() early: Cancelled. @returns Corrupt: too short for a pack.
  static Result<std::unique_ptr<PackEntries>> open(std::unique_ptr<File> pack, const std::atomic<bool>& stop);
  ~PackEntries();
  PackEntries(const PackEntries&) = delete;
  PackEntries& operator=(const PackEntries&) = delete;

  /// Where the last entry has to end: at the trailer.
  std::uint64_t end() const { return size_bytes_ - kPackTrailerBytes; }
  /// Goes to the entry at `begin`, which has to end at `end`, where the next one or the trailer begins. Entries asked
  /// for in ascending order cost one reading of the file. @returns Corrupt: no head of an entry.
  Result<PackEntry> go_to(std::uint64_t begin, std::uint64_t end);
  /// Inflates the data of that entry, once, to one byte behind its stated size at most. @returns the data, valid until
  /// the next call, or nullopt if it has kKeptBytesMax or more. Corrupt: it is shorter or longer than stated, or
  /// does not fill the entry.
  Result<std::optional<std::string_view>> read_data();

 private:
  PackEntries(std::unique_ptr<File> pack, std::uint64_t size_bytes, const std::atomic<bool>& stop);
  Result<std::span<const std::byte>> bytes_at(std::uint64_t offset, std::size_t wanted);

  const std::unique_ptr<File> pack_;  // read, not mapped: where the medium fails, a map raises SIGBUS
  const std::uint64_t size_bytes_;
  const std::atomic<bool>& stop_;
  z_stream inflater_{};
  const std::unique_ptr<std::byte[]> input_, output_;
  std::uint64_t input_begin_ = 0, input_end_ = 0;                  // what of the pack is in input_
  std::uint64_t data_begin_ = 0, data_bytes_ = 0, entry_end_ = 0;  // of the entry gone to
};
}  // namespace hm::mirror
