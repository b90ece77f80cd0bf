// crawler/file_reading.hpp: what the files of a revision say, read from where they lie: git or the blob store. Layer 5.
// Threads: blocking, on the git pool; a large file's source on any thread.
#pragma once
#include <cstdint>
#include <memory>

#include "base/result.hpp"
#include "mirror/git/repository.hpp"
#include "provenance/file_facts.hpp"
#include "storage/blob_store.hpp"
#include "storage/manifest.hpp"

namespace hm::crawler {
/// A large file. @param blobs outlives it.
std::unique_ptr<provenance::formats::ByteSource> blob_source(const storage::BlobStore& blobs,
                                                             const storage::ManifestFile& file);
/// A file that git holds, read into memory. @returns Refused when it is larger than `size_max`; Io, Corrupt.
Result<std::unique_ptr<provenance::formats::ByteSource>> git_source(const mirror::Repository& repository,
                                                                    const storage::ManifestFile& file,
                                                                    std::uint64_t size_max);
/// All blobs of the manifest are here. @returns Io, Corrupt.
Result<provenance::FileFacts> read_files(provenance::FileReader& reader, const storage::Manifest& manifest,
                                         const mirror::Repository& repository, const storage::BlobStore& blobs);
}  // namespace hm::crawler
