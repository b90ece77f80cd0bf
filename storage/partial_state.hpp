// storage/partial_state.hpp: the log that says how much of an unfinished download can be trusted. Layer 3; values and
// pure functions. docs/formats/partial_blob.md has the bytes. Appending to the file is partial_blob_local.cpp's
// business.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"

namespace hm::storage {
inline constexpr std::uint32_t kPartialStateVersion = 1;
inline constexpr std::size_t kPartialHeaderBytes = 96;
inline constexpr std::size_t kPartialRecordBytes = 48;
inline constexpr std::size_t kBootIdBytes = 36;  ///< text of a UUID
inline constexpr std::uint64_t kSegmentsMax =
    1ULL << 22;  ///< 64 TiB in segments of 16 MiB; bounds what a hostile header can make us allocate
inline constexpr std::uint32_t kSegmentBytesMin = 4096;
inline constexpr std::uint32_t kSegmentBytesMax = 1U << 30;
/// Three records per segment at most, and the header.
inline constexpr std::size_t kPartialStateBytesMax = kPartialHeaderBytes + kPartialRecordBytes * 3 * kSegmentsMax;

/// A blob cut into segments of equal length; the last may be shorter, a blob of 0 bytes has none.
struct SegmentLayout {
  std::uint64_t size_bytes = 0;
  std::uint32_t segment_bytes = 1;
  std::uint64_t count() const { return size_bytes / segment_bytes + (size_bytes % segment_bytes != 0); }
  std::uint64_t begin(std::uint64_t index) const { return index * segment_bytes; }
  std::uint64_t end(std::uint64_t index) const {
    return index + 1 >= count() ? size_bytes : (index + 1) * segment_bytes;
  }
  std::uint64_t length(std::uint64_t index) const { return end(index) - begin(index); }
};

struct PartialHeader {
  Sha256 id;
  SegmentLayout layout;
  std::string boot_id;  ///< kBootIdBytes
};

/// What a log says, cut down to what may be believed.
struct PartialState {
  PartialHeader header;
  std::vector<bool> complete;                      ///< one per segment
  std::optional<Sha256Hasher::Midstate> midstate;  ///< of a prefix made of complete segments
  bool clean = false;         ///< same boot and no byte was left out: the log may be appended to as it is
  std::uint64_t records = 0;  ///< believed ones
  std::uint32_t chain = 0;    ///< when clean: checksum of the last of them, from which the next one goes on
  std::uint64_t complete_bytes() const;
};

/// Renders a log. Each checksum covers the one before it, so that no record of an older log can follow one of this.
class PartialLogWriter {
 public:
  explicit PartialLogWriter(std::uint32_t chain = 0) : chain_(chain) {}
  std::string header(const PartialHeader& header);
  std::string segment(std::uint64_t index);                      ///< "this segment is complete"
  std::string midstate(const Sha256Hasher::Midstate& midstate);  ///< "the hash of this prefix"
  std::string synced(std::uint64_t records);  ///< "the data of the first `records` records was on the medium"
  std::uint32_t chain() const { return chain_; }

 private:
  std::string sealed(std::string body);
  std::uint32_t chain_;
};

/// Reads a log. In the boot it was begun in everything up to the first damaged record is believed: the page cache
/// outlives a killed process. In another boot only what a later "synced" record covers.
/// @returns Refused for another version; Corrupt for a damaged header.
Result<PartialState> parse_partial_state(std::string_view bytes, std::string_view boot_id);

/// The believed part as a fresh log for this boot; what was synced stays so when `synced` is set.
std::string render_partial_state(const PartialState& state, std::string_view boot_id, bool synced);

/// Castagnoli CRC, of `bytes` after `seed`.
std::uint32_t crc32c(std::uint32_t seed, std::string_view bytes);
}  // namespace hm::storage
