#include "mirror/git/pack_index.hpp"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <utility>

#include "base/file.hpp"

namespace hm::mirror {
namespace {
constexpr std::size_t kHeaderBytes = 8, kFanoutBytes = 256 * 4, kTrailerBytes = 40;
constexpr std::size_t kBytesPerObject = GitOid::kSize + 4 + 4;  // id, crc, offset
constexpr std::uint32_t kLargeOffsetBit = 0x80000000U;

std::uint32_t read_be32(const std::uint8_t* p) {
  std::uint32_t v = 0;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap32(v);
}
std::uint64_t read_be64(const std::uint8_t* p) {
  std::uint64_t v = 0;
  std::memcpy(&v, p, sizeof v);
  return __builtin_bswap64(v);
}
Error corrupt(const std::string& path, std::string_view why) { return {Errc::Corrupt, path + ": " + std::string(why)}; }
}  // namespace

Result<PackIndex> PackIndex::open(const std::string& path) {
  HM_TRY(const auto file, real_file_system().open_read(path));
  HM_TRY(const std::uint64_t size, file->size());
  if (size < kHeaderBytes + kFanoutBytes + kTrailerBytes) return corrupt(path, "too short for a pack index");
  PackIndex index;
  void* map = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file->native_handle(), 0);
  if (map == MAP_FAILED) return errno_error("map", path, errno);
  index.map_ = static_cast<const std::uint8_t*>(map);
  index.map_bytes_ = size;
  constexpr std::uint8_t kVersion2[kHeaderBytes] = {0xff, 't', 'O', 'c', 0, 0, 0, 2};
  if (std::memcmp(index.map_, kVersion2, kHeaderBytes) != 0) return corrupt(path, "not a pack index of version 2");
  std::uint32_t last = 0;
  for (std::size_t i = 0; i < 256; ++i) {
    const std::uint32_t n = read_be32(index.map_ + kHeaderBytes + i * 4);
    if (n < last) return corrupt(path, "fan-out table decreases");
    last = n;
  }
  index.count_ = last;
  const std::size_t fixed = kHeaderBytes + kFanoutBytes + kTrailerBytes + std::size_t{index.count_} * kBytesPerObject;
  if (size < fixed || (size - fixed) % 8 != 0) return corrupt(path, "size does not fit the number of objects");
  index.ids_ = index.map_ + kHeaderBytes + kFanoutBytes;
  index.offsets_ = index.ids_ + std::size_t{index.count_} * (GitOid::kSize + 4);
  index.large_offsets_ = index.offsets_ + std::size_t{index.count_} * 4;
  for (std::uint32_t i = 0; i < index.count_; ++i) {
    const std::uint32_t offset = read_be32(index.offsets_ + std::size_t{i} * 4);
    if ((offset & kLargeOffsetBit) != 0 && (offset & ~kLargeOffsetBit) >= (size - fixed) / 8)
      return corrupt(path, "offset outside its table");
  }
  return index;
}

PackIndex::PackIndex(PackIndex&& o) noexcept
    : map_(std::exchange(o.map_, nullptr)),
      map_bytes_(o.map_bytes_),
      ids_(o.ids_),
      offsets_(o.offsets_),
      large_offsets_(o.large_offsets_),
      count_(o.count_) {}

PackIndex::~PackIndex() {
  if (map_ != nullptr) ::munmap(const_cast<std::uint8_t*>(map_), map_bytes_);
}

GitOid PackIndex::id(std::uint32_t position) const {
  GitOid out;
  std::memcpy(out.bytes.data(), id_bytes(position), GitOid::kSize);
  return out;
}

std::uint64_t PackIndex::pack_offset(std::uint32_t position) const {
  const std::uint32_t offset = read_be32(offsets_ + std::size_t{position} * 4);
  if ((offset & kLargeOffsetBit) == 0) return offset;
  return read_be64(large_offsets_ + std::size_t{offset & ~kLargeOffsetBit} * 8);
}

std::optional<std::uint32_t> PackIndex::find(const std::uint8_t* oid) const {
  const std::uint8_t* fanout = map_ + kHeaderBytes;
  std::uint32_t low = oid[0] == 0 ? 0 : read_be32(fanout + (oid[0] - 1U) * 4), high = read_be32(fanout + oid[0] * 4U);
  // Ids are uniform within a bucket, so the next four bytes tell where to look; a bucket that a stranger filled
  // unevenly falls back to halving.
  bool interpolate = true;
  while (low < high) {
    std::uint32_t middle = low + (high - low) / 2;
    if (interpolate) {
      const std::uint64_t key = read_be32(oid + 1), first = read_be32(id_bytes(low) + 1),
                          last = read_be32(id_bytes(high - 1) + 1);
      if (key < first || key > last) return std::nullopt;
      if (last > first) middle = low + static_cast<std::uint32_t>((key - first) * (high - 1 - low) / (last - first));
    }
    const int order = std::memcmp(oid, id_bytes(middle), GitOid::kSize);
    if (order == 0) return middle;
    const std::uint32_t before = high - low;
    if (order < 0)
      high = middle;
    else
      low = middle + 1;
    interpolate = high - low < before / 2;
  }
  return std::nullopt;
}

std::vector<std::uint32_t> PackIndex::by_pack_offset() const {
  std::vector<std::uint64_t> offsets(count_);
  std::vector<std::uint32_t> order(count_);
  std::iota(order.begin(), order.end(), 0U);
  for (std::uint32_t i = 0; i < count_; ++i) offsets[i] = pack_offset(i);
  std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) { return offsets[a] < offsets[b]; });
  return order;
}
}  // namespace hm::mirror
