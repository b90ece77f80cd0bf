#include "storage/file_hash.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <optional>
#include <vector>

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ 22  // Linux 5.14; older kernels answer EINVAL and the file is read instead
#endif

namespace hm::storage {
namespace {
constexpr std::uint64_t kWindowBytes =
    8U << 20;  // mapped at a time: large enough to hide the calls, small in resident memory
constexpr std::uint64_t kMapBytesMin = 64U << 10;    // below, one pread is cheaper than a mapping
constexpr std::size_t kReadBlockBytes = 256U << 10;  // stays in the second-level cache between pread and hash
constexpr std::size_t kPageBytes = 4096;
constexpr std::size_t kCacheLineBytes = 64;
constexpr std::size_t kLinesAhead =
    8;  // the hardware prefetcher stops at every page: the first lines of the next one are asked for by hand

class Mapping {
 public:
  static std::optional<Mapping> of(int fd, std::uint64_t begin, std::size_t length) {
    void* const at = ::mmap(nullptr, length, PROT_READ, MAP_SHARED, fd, static_cast<off_t>(begin));
    if (at == MAP_FAILED) return std::nullopt;
    return Mapping(at, length);
  }
  Mapping(Mapping&& other) noexcept : at_(std::exchange(other.at_, nullptr)), length_(other.length_) {}
  Mapping& operator=(Mapping&&) = delete;
  ~Mapping() {
    if (at_ != nullptr) ::munmap(at_, length_);
  }
  /// Sequential: the kernel reads ahead behind the window while it is hashed. Without, it reads around each fault;
  /// asking by WILLNEED instead measured a third slower, because two files read at once then cut each other's runs
  /// short.
  bool bring_in() const {
    (void)::madvise(at_, length_, MADV_SEQUENTIAL);
    return ::madvise(at_, length_, MADV_POPULATE_READ) == 0;
  }
  std::span<const std::byte> bytes() const { return {static_cast<const std::byte*>(at_), length_}; }

 private:
  Mapping(void* at, std::size_t length) : at_(at), length_(length) {}
  void* at_;
  std::size_t length_;
};

void hash_pages(std::span<const std::byte> bytes, Sha256Hasher& hasher) {
  while (!bytes.empty()) {
    const std::size_t n = std::min(bytes.size(), kPageBytes);
    if (bytes.size() >= 2 * kPageBytes) {
      for (std::size_t line = 0; line < kLinesAhead; ++line)
        __builtin_prefetch(bytes.data() + kPageBytes + line * kCacheLineBytes);
    }
    hasher.update(bytes.first(n));
    bytes = bytes.subspan(n);
  }
}

Result<> hash_by_reading(const File& file, std::uint64_t from, std::uint64_t to, Sha256Hasher& hasher) {
  std::vector<std::byte> buffer(static_cast<std::size_t>(std::min<std::uint64_t>(kReadBlockBytes, to - from)));
  while (from < to) {
    const std::span<std::byte> block(buffer.data(),
                                     static_cast<std::size_t>(std::min<std::uint64_t>(buffer.size(), to - from)));
    HM_TRY(const std::size_t n, file.read_at(from, block));
    hasher.update(block.first(n));
    from += n;
    if (n < block.size())
      return Error{Errc::Io,
                   "the file ends at byte " + std::to_string(from) + ", " + std::to_string(to - from) + " bytes early"};
  }
  return ok();
}

/// True when the window was hashed; false leaves `hasher` as it was.
bool hash_mapped(int fd, std::uint64_t begin, std::uint64_t end, Sha256Hasher& hasher) {
  const std::uint64_t aligned = begin - begin % kPageBytes;
  const auto mapping = Mapping::of(fd, aligned, static_cast<std::size_t>(end - aligned));
  if (!mapping) return false;
  if (!mapping->bring_in()) return false;
  hash_pages(mapping->bytes().subspan(static_cast<std::size_t>(begin - aligned)), hasher);
  return true;
}
}  // namespace

Result<> hash_range(const File& file, std::uint64_t from, std::uint64_t to, Sha256Hasher& hasher,
                    const HashProgress& more) {
  const int fd = file.native_handle();
  bool mappable = fd >= 0;
  if (mappable) {
    HM_TRY(const std::uint64_t size,
           file.size());  // what is mapped behind the end cannot be brought in, but must not be touched either
    mappable = size >= to;
    (void)::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);  // twice the read-ahead that the device is set to
  }
  while (from < to) {
    const std::uint64_t end = std::min(to, from - from % kWindowBytes + kWindowBytes);
    if (!mappable || end - from < kMapBytesMin || !hash_mapped(fd, from, end, hasher)) {
      HM_TRY(hash_by_reading(file, from, end, hasher));
    }
    if (more && !more(end - from)) return Error{Errc::Cancelled, "stopped while hashing"};
    from = end;
  }
  return ok();
}
}  // namespace hm::storage
