#include "provenance/formats/byte_source.hpp"

#include <algorithm>
#include <cstring>

#include "base/check.hpp"

namespace hm::provenance::formats {
Result<std::size_t> MemorySource::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  if (offset >= bytes_.size() || into.empty()) return std::size_t{0};
  const auto from = bytes_.subspan(static_cast<std::size_t>(offset));
  const std::size_t count = std::min(from.size(), into.size());
  std::memcpy(into.data(), from.data(), count);
  return count;
}

Result<FileSource> FileSource::of(const File& file) {
  HM_TRY(const std::uint64_t size, file.size());
  return FileSource(file, size);
}

Result<std::size_t> FileSource::read_at(std::uint64_t offset, std::span<std::byte> into) const {
  if (offset >= size_bytes_) return std::size_t{0};
  return file_->read_at(
      offset, into.first(static_cast<std::size_t>(std::min<std::uint64_t>(into.size(), size_bytes_ - offset))));
}

Error ByteCursor::ends_early(std::uint64_t wanted) const {
  return {Errc::BadInput, "ends too early: " + std::to_string(wanted) + " bytes are wanted at offset " +
                              std::to_string(at_) + ", " + std::to_string(remaining()) + " are there"};
}

/// Makes the next `count` ≤ remaining() bytes lie in the window.
Result<> ByteCursor::fill(std::size_t count) {
  HM_CHECK(count <= kWindowMax && count <= remaining());
  const std::uint64_t window_end = window_begin_ + window_.size();
  if (at_ >= window_begin_ && at_ <= window_end && window_end - at_ >= count) return ok();
  if (at_ < window_begin_ || at_ > window_end) next_window_ = kWindowMin;
  const std::size_t size =
      static_cast<std::size_t>(std::min<std::uint64_t>(std::max(next_window_, count), remaining()));
  window_.resize(size);
  window_begin_ = at_;
  auto read = source_->read_at(at_, window_);
  if (!read || read.assume_value() < count) {
    window_.clear();
    if (!read) return std::move(read).as_failure();
    return Error{Errc::Io,
                 "the source ends at offset " + std::to_string(at_ + read.assume_value()) + ", before its size"};
  }
  window_.resize(read.assume_value());
  next_window_ = std::min(next_window_ * 2, kWindowMax);
  return ok();
}

Result<> ByteCursor::skip(std::uint64_t count) {
  if (count > remaining()) return ends_early(count);
  at_ += count;
  return ok();
}

Result<std::span<const std::byte>> ByteCursor::take(std::size_t count) {
  if (count > remaining()) return ends_early(count);
  HM_TRY(fill(count));
  const auto out = std::span<const std::byte>(window_).subspan(static_cast<std::size_t>(at_ - window_begin_), count);
  at_ += count;
  return out;
}

Result<std::uint8_t> ByteCursor::peek() {
  HM_TRY(const std::uint8_t byte, u8());
  --at_;
  return byte;
}

Result<std::span<const std::byte>> ByteCursor::take_some() {
  if (remaining() == 0) return std::span<const std::byte>{};
  HM_TRY(fill(1));
  const std::uint64_t in_window = window_begin_ + window_.size() - at_;
  return take(static_cast<std::size_t>(std::min(in_window, remaining())));
}

Result<std::string> ByteCursor::text(std::uint64_t count, std::size_t keep_bytes) {
  if (count > remaining()) return ends_early(count);
  const std::size_t kept = static_cast<std::size_t>(std::min<std::uint64_t>({count, keep_bytes, kWindowMax}));
  HM_TRY(const auto bytes, take(kept));
  std::string out(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  HM_TRY(skip(count - kept));
  return out;
}

Result<std::uint64_t> ByteCursor::number(std::size_t bytes, bool big_endian) {
  HM_TRY(const auto from, take(bytes));
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i)
    value = value << 8 | std::to_integer<std::uint64_t>(from[big_endian ? i : bytes - 1 - i]);
  return value;
}
Result<std::uint8_t> ByteCursor::u8() {
  HM_TRY(const std::uint64_t value, number(1, false));
  return static_cast<std::uint8_t>(value);
}
Result<std::uint32_t> ByteCursor::u32(bool big_endian) {
  HM_TRY(const std::uint64_t value, number(4, big_endian));
  return static_cast<std::uint32_t>(value);
}
Result<std::uint64_t> ByteCursor::u64(bool big_endian) { return number(8, big_endian); }
}  // namespace hm::provenance::formats
