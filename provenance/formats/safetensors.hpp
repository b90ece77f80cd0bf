// provenance/formats/safetensors.hpp: the header of a safetensors file, and the index of a sharded model. Layer 4; pure
// but for the source.
//
//   u64 length N of the header, little-endian · N bytes of JSON, maybe padded with blanks · data
//   "name": {"dtype": …, "shape": […], "data_offsets": [begin, end]}      "__metadata__": {"key": "text"}
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "provenance/formats/byte_source.hpp"
#include "provenance/formats/model_header.hpp"

namespace hm::provenance::formats {
inline constexpr std::uint64_t kSafetensorsHeaderBytesMax = 100'000'000;  ///< of the format itself
inline constexpr std::uint64_t kShardIndexBytesMax = 64 * 1024 * 1024;
inline constexpr std::size_t kShardsMax = 4'096;

/// Strict: no name twice, ranges that tile the data without hole or overlap, sizes that follow from dtype and shape,
/// nothing behind the data. @returns BadInput with what is wrong; `into` then holds the metadata read before. Errors of
/// the source as they come.
Result<> read_safetensors(const ByteSource& source, ModelHeader& into);

/// `model.safetensors.index.json`
struct ShardIndex {
  std::vector<std::string> files;  ///< each once, in the order of their first tensor; untrusted paths
  std::uint64_t tensor_count = 0;
  std::uint64_t total_bytes = 0;  ///< metadata.total_size; 0: not said
  Findings findings;              ///< paths that leave the folder
};
/// @returns BadInput with what is wrong; `into` then holds what was read before. Errors of the source as they come.
Result<> read_shard_index(const ByteSource& source, ShardIndex& into);
}  // namespace hm::provenance::formats
