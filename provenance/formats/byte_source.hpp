// provenance/formats/byte_source.hpp: where a reader of model files takes its bytes from. Layer 4. Calls block.
// Readers ask for the ranges they need and no others, so that a header can be served by ranges over HTTP.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.hpp"
#include "base/result.hpp"

namespace hm::provenance::formats {
/// Bytes of one file, of known size. Thread-safe. A source that cannot deliver answers with any code but BadInput:
/// BadInput is what readers say of the bytes themselves.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  virtual std::uint64_t size_bytes() const = 0;
  /// Reads until `into` is full or the source ends; @returns the number of bytes read.
  virtual Result<std::size_t> read_at(std::uint64_t offset_bytes, std::span<std::byte> into) const = 0;
};

/// Bytes that outlive the source.
class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::span<const std::byte> bytes) : bytes_(bytes) {}
  explicit MemorySource(std::string_view text) : bytes_(std::as_bytes(std::span(text.data(), text.size()))) {}
  std::uint64_t size_bytes() const override { return bytes_.size(); }
  Result<std::size_t> read_at(std::uint64_t offset_bytes, std::span<std::byte> into) const override;

 private:
  std::span<const std::byte> bytes_;
};

/// An open file that outlives the source and whose size does not change.
class FileSource final : public ByteSource {
 public:
  static Result<FileSource> of(const File& file);
  std::uint64_t size_bytes() const override { return size_bytes_; }
  Result<std::size_t> read_at(std::uint64_t offset_bytes, std::span<std::byte> into) const override;

 private:
  FileSource(const File& file, std::uint64_t size_bytes) : file_(&file), size_bytes_(size_bytes) {}
  const File* file_;
  std::uint64_t size_bytes_;
};

/// Reads a range of a source from its beginning to its end. The window it reads ahead doubles from 64 KiB to 4 MiB
/// while bytes are taken one after the other, and starts anew behind a gap: a header of ten megabytes takes eight
/// reads, and nobody fetches the payload that is skipped. One thread. Failures: what the source answers, or BadInput
/// with the place where the file ends too early.
class ByteCursor {
 public:
  /// `end_bytes` at most the size of the source, which outlives the cursor.
  ByteCursor(const ByteSource& source, std::uint64_t begin_bytes, std::uint64_t end_bytes)
      : source_(&source), at_(begin_bytes), end_(end_bytes) {}
  explicit ByteCursor(const ByteSource& source) : ByteCursor(source, 0, source.size_bytes()) {}

  std::uint64_t offset() const { return at_; }
  std::uint64_t remaining() const { return end_ - at_; }
  /// From now on the range ends after `count` ≤ remaining() bytes.
  void limit(std::uint64_t count) { end_ = at_ + count; }
  Result<> skip(std::uint64_t count);
  Result<std::uint8_t> peek();  ///< the next byte, which stays
  /// The next `count` ≤ kWindowMax bytes; valid until the next call.
  Result<std::span<const std::byte>> take(std::size_t count);
  /// At least one byte unless the end is reached, and at most what one read brings; valid until the next call.
  Result<std::span<const std::byte>> take_some();
  /// Up to `keep_bytes` of the next `count` bytes; the others are skipped.
  Result<std::string> text(std::uint64_t count, std::size_t keep_bytes);
  Result<std::uint8_t> u8();
  Result<std::uint32_t> u32(bool big_endian = false);
  Result<std::uint64_t> u64(bool big_endian = false);

  static constexpr std::size_t kWindowMin = 64 * 1024, kWindowMax = 4 * 1024 * 1024;

 private:
  Error ends_early(std::uint64_t wanted) const;
  Result<> fill(std::size_t count);
  Result<std::uint64_t> number(std::size_t bytes, bool big_endian);

  const ByteSource* source_;
  std::uint64_t at_, end_;
  std::vector<std::byte> window_;
  std::uint64_t window_begin_ = 0;
  std::size_t next_window_ = kWindowMin;
};
}  // namespace hm::provenance::formats
