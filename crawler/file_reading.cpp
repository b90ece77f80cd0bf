#include "crawler/file_reading.hpp"

#include <memory>
#include <string>
#include <utility>

namespace hm::crawler {
namespace {
using provenance::formats::ByteSource;

class BlobSource final : public ByteSource {
 public:
  BlobSource(const storage::BlobStore& blobs, const Sha256& id, std::uint64_t size_bytes)
      : blobs_(blobs), id_(id), size_bytes_(size_bytes) {}
  std::uint64_t size_bytes() const override { return size_bytes_; }
  Result<std::size_t> read_at(std::uint64_t offset_bytes, std::span<std::byte> into) const override {
    return blobs_.read(id_, offset_bytes, into);
  }

 private:
  const storage::BlobStore& blobs_;
  const Sha256 id_;
  const std::uint64_t size_bytes_;
};

class TextSource final : public ByteSource {
 public:
  explicit TextSource(std::string text) : text_(std::move(text)), memory_(text_) {}
  std::uint64_t size_bytes() const override { return memory_.size_bytes(); }
  Result<std::size_t> read_at(std::uint64_t offset_bytes, std::span<std::byte> into) const override {
    return memory_.read_at(offset_bytes, into);
  }

 private:
  const std::string text_;
  const provenance::formats::MemorySource memory_;
};
}  // namespace

std::unique_ptr<ByteSource> blob_source(const storage::BlobStore& blobs, const storage::ManifestFile& file) {
  return std::make_unique<BlobSource>(blobs, file.sha256, file.size_bytes);
}

Result<std::unique_ptr<ByteSource>> git_source(const mirror::Repository& repository, const storage::ManifestFile& file,
                                               std::uint64_t size_max) {
  HM_TRY(std::string text, repository.read_blob(file.git_oid, size_max));
  return std::unique_ptr<ByteSource>(std::make_unique<TextSource>(std::move(text)));
}

Result<provenance::FileFacts> read_files(provenance::FileReader& reader, const storage::Manifest& manifest,
                                         const mirror::Repository& repository, const storage::BlobStore& blobs) {
  return reader.read(manifest, [&](const storage::ManifestFile& file) -> Result<std::unique_ptr<ByteSource>> {
    if (file.is_lfs) return blob_source(blobs, file);
    return git_source(repository, file, file.size_bytes);
  });
}
}  // namespace hm::crawler
