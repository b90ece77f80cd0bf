#include "mirror/git/pack_entries.hpp"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.hpp"

namespace hm::mirror {
namespace {
constexpr std::size_t kInputBytes = 128U << 10;
constexpr std::size_t kBaseIdBytes = 20, kHeadBytesMax = 10 + kBaseIdBytes;  // a size; what names a delta's base
constexpr unsigned kTypeOfsDelta = 6, kTypeRefDelta = 7;

Error corrupt(std::string why) { return {Errc::Corrupt, std::move(why)}; }

/// Seven bits a byte, the highest says that more follow.
class HeadReader {
 public:
  explicit HeadReader(std::span<const std::byte> bytes) : bytes_(bytes) {}
  Result<unsigned> next() {
    if (at_ == bytes_.size()) return corrupt("its head is cut off");
    return std::to_integer<unsigned>(bytes_[at_++]);
  }
  Result<> skip(std::size_t count) {
    if (bytes_.size() - at_ < count) return corrupt("its head is cut off");
    at_ += count;
    return ok();
  }
  std::size_t size() const { return at_; }

 private:
  const std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};
}  // namespace

PackEntries::PackEntries(std::unique_ptr<File> pack, std::uint64_t size_bytes, const std::atomic<bool>& stop)
    : pack_(std::move(pack)),
      size_bytes_(size_bytes),
      stop_(stop),
      input_(std::make_unique_for_overwrite<std::byte[]>(kInputBytes)),
      output_(std::make_unique_for_overwrite<std::byte[]>(kKeptBytesMax)) {}

PackEntries::~PackEntries() { inflateEnd(&inflater_); }

Result<std::unique_ptr<PackEntries>> PackEntries::open(std::unique_ptr<File> pack, const std::atomic<bool>& stop) {
  HM_TRY(const std::uint64_t size, pack->size());
  if (size < kPackHeaderBytes + kPackTrailerBytes) return corrupt("too short for a pack");
  std::unique_ptr<PackEntries> out(new PackEntries(std::move(pack), size, stop));
  if (inflateInit(&out->inflater_) != Z_OK) return Error{Errc::Internal, "zlib cannot begin"};
  return out;
}

/// Bytes of the entry: at least `wanted`, unless it or the file ends before.
Result<std::span<const std::byte>> PackEntries::bytes_at(std::uint64_t offset, std::size_t wanted) {
  if (offset < input_begin_ || std::min(offset + wanted, entry_end_) > input_end_) {
    const auto room = static_cast<std::size_t>(std::min<std::uint64_t>(kInputBytes, end() - offset));
    input_begin_ = input_end_ = offset;
    HM_TRY(const std::size_t got, pack_->read_at(offset, {input_.get(), room}));
    input_end_ += got;
  }
  const std::uint64_t last = std::max(offset, std::min(entry_end_, input_end_));
  return std::span<const std::byte>(input_.get() + (offset - input_begin_), static_cast<std::size_t>(last - offset));
}

Result<PackEntry> PackEntries::go_to(std::uint64_t begin, std::uint64_t end) {
  if (begin < kPackHeaderBytes || begin >= end || end > this->end()) return corrupt("it lies outside of the pack");
  entry_end_ = end;
  HM_TRY(const auto bytes, bytes_at(begin, kHeadBytesMax));
  HeadReader head(bytes.first(std::min(bytes.size(), kHeadBytesMax)));
  HM_TRY(unsigned byte, head.next());
  const unsigned type = byte >> 4 & 7U;
  PackEntry entry;
  entry.data_bytes = byte & 15U;
  for (unsigned shift = 4; (byte & 0x80U) != 0; shift += 7) {
    if (shift > 64 - 7) return corrupt("its size is larger than any");
    HM_TRY(byte, head.next());
    entry.data_bytes |= std::uint64_t{byte & 0x7fU} << shift;
  }
  if (type >= 1 && type <= 4) {
    entry.kind = static_cast<ObjectKind>(type);
  } else if (type == kTypeRefDelta) {
    HM_TRY(head.skip(kBaseIdBytes));
  } else if (type == kTypeOfsDelta) {
    HM_TRY(byte, head.next());
    std::uint64_t distance = byte & 0x7fU;
    while ((byte & 0x80U) != 0) {
      if (distance >= begin) break;  // no base lies that far back, and so it never overflows
      HM_TRY(byte, head.next());
      distance = (distance + 1) << 7 | (byte & 0x7fU);
    }
    if (distance == 0 || distance >= begin) return corrupt("its base lies outside of the pack");
    entry.base_offset = begin - distance;
  } else {
    return corrupt("it is of no known type");
  }
  data_begin_ = begin + head.size();
  data_bytes_ = entry.data_bytes;
  return entry;
}

Result<std::optional<std::string_view>> PackEntries::read_data() {
  HM_CHECK(inflateReset(&inflater_) == Z_OK);
  std::uint64_t at = data_begin_, inflated = 0;
  for (int rc = Z_OK; rc != Z_STREAM_END;) {
    if (stop_) return Error{Errc::Cancelled, "examination stopped"};
    HM_TRY(const auto compressed, bytes_at(at, 1));
    // What fits the buffer lies in it from its beginning; of what does not, later pieces replace earlier ones.
    const std::uint64_t filled = data_bytes_ < kKeptBytesMax ? inflated : 0;
    const auto room = static_cast<uInt>(std::min(kKeptBytesMax - filled, data_bytes_ - inflated + 1));
    inflater_.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(compressed.data()));  // zlib only reads it
    inflater_.avail_in = static_cast<uInt>(compressed.size());
    inflater_.next_out = reinterpret_cast<Bytef*>(output_.get() + filled);
    inflater_.avail_out = room;
    rc = inflate(&inflater_, Z_NO_FLUSH);
    at += compressed.size() - inflater_.avail_in;
    inflated += room - inflater_.avail_out;
    if (inflated > data_bytes_) return corrupt("its data goes on behind its stated size");
    if (rc == Z_BUF_ERROR) return corrupt("its data does not end where the next entry begins");
    if (rc != Z_OK && rc != Z_STREAM_END) return corrupt("its data cannot be inflated");
  }
  if (inflated < data_bytes_) return corrupt("its data ends before its stated size");
  if (at != entry_end_) return corrupt("bytes that belong to no entry follow it");
  if (data_bytes_ >= kKeptBytesMax) return std::optional<std::string_view>();
  return std::optional<std::string_view>({reinterpret_cast<const char*>(output_.get()), data_bytes_});
}
}  // namespace hm::mirror
