// storage/tensor_rows.hpp: which files have digests of their tensors, and which files have a tensor of a digest. Layer
// 3; values, rows in Family::Tensors. docs/formats/index_keys.md
//
// What is said of a file is true of its bytes, whoever holds them, so rows name a file by its SHA-256. Only the rows
// `0` know repositories.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/index.hpp"

namespace hm::storage {
inline constexpr std::size_t kTensorPrefixBytes = 16;  ///< of a digest in a key; who wants certainty reads the document

namespace key {
std::string digested_file(const Sha256& file);  ///< prefix: all repositories in which it was digested
std::string digested_file(const Sha256& file, const RepoKey& repo);  ///< → the document, 32 bytes
std::string tensor(const Sha256& digest);                            ///< prefix: all files with such a tensor
std::string tensor(const Sha256& digest, const Sha256& file);        ///< → u64 length of the tensor in bytes
}  // namespace key

/// The document with the digests of a file's tensors; nullopt: it has none. @param repo only as digested in this one
Result<std::optional<Sha256>> digests_document(const Index& index, const Sha256& file,
                                               const std::optional<RepoKey>& repo = std::nullopt);
/// The repositories in which a file was digested, ascending.
Result<std::vector<RepoKey>> digested_in(const Index& index, const Sha256& file);
/// Files with a tensor whose digest begins as this one, ascending; at most `count_max`.
Result<std::vector<Sha256>> files_with_tensor(const Index& index, const Sha256& digest, std::size_t count_max);
}  // namespace hm::storage
