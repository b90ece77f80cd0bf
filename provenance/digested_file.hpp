// provenance/digested_file.hpp: the digests of one model file's tensors as they are kept: a document, and the rows that
// follow from it. Layer 4; pure functions but for the look-ups. docs/formats/model_files.md
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "provenance/formats/byte_source.hpp"
#include "provenance/formats/tensor_digests.hpp"
#include "storage/index.hpp"
#include "storage/manifest.hpp"
#include "storage/rows.hpp"

namespace hm::provenance {
inline constexpr std::size_t kDigestedTensorsMax =
    100'000;  ///< of one file: bounds its document, and one batch of rows

struct DigestedFile {
  std::string format;  ///< "safetensors", "gguf"
  std::uint64_t size_bytes = 0;
  std::vector<formats::TensorDigest> tensors;  ///< in file order; names are printable
  std::uint64_t tensor_bytes() const;
};
/// By its name: *.safetensors, *.gguf.
bool is_tensor_file(const storage::ManifestFile& file);
/// Reads the header and then every tensor. @param path only its ending matters.
/// @returns BadInput: it is no such file, or has more than kDigestedTensorsMax tensors; else as digest_tensors().
Result<DigestedFile> digest_file(std::string_view path, const formats::ByteSource& source,
                                 formats::DigestOptions options);

std::string render_digests(const DigestedFile& file);
Result<DigestedFile> parse_digests(std::string_view document);  ///< @returns Corrupt
/// The rows of Family::Tensors for a file with these digests; those that are no evidence have none.
void put_tensor_rows(storage::Batch& batch, const Sha256& file, const DigestedFile& digests);

/// The model files of a published revision that have digests.
struct DigestedFiles {
  struct One {
    Sha256 file, document;
    bool operator==(const One&) const = default;
  };
  std::vector<One> digested;     ///< in path order, equal bytes once
  std::uint64_t undigested = 0;  ///< model files without
};
Result<DigestedFiles> digested_files_of(const storage::Index& index, const storage::SnapshotRow& snapshot);
/// The tensors of all of them, one after the other: one model. Without names, dtypes and dims, which no comparison
/// needs. @returns Corrupt.
Result<std::vector<formats::TensorDigest>> read_tensors(const storage::Index& index, const DigestedFiles& files);
}  // namespace hm::provenance
