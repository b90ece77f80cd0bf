// crawler/file_reading.hpp: what the files of a revision say, read from where they lie: git or the blob store. Layer 5.
// Threads: blocking, on the git pool.
#pragma once
#include "base/result.hpp"
#include "mirror/git/repository.hpp"
#include "provenance/file_facts.hpp"
#include "storage/blob_store.hpp"
#include "storage/manifest.hpp"

namespace hm::crawler {
/// All blobs of the manifest are here. @returns Io, Corrupt.
Result<provenance::FileFacts> read_files(provenance::FileReader& reader, const storage::Manifest& manifest,
                                         const mirror::Repository& repository, const storage::BlobStore& blobs);
}  // namespace hm::crawler
