// provenance/formats/gguf.hpp: the header of a GGUF file. Layer 4; pure but for the source.
//
//   "GGUF" · u32 version · u64 tensor count · u64 key count · keys · tensor infos · padding to the alignment · data
//   key:         string name · u32 type · value        string: u64 length · bytes
//   tensor info: string name · u32 n · u64 dims[n] · u32 type · u64 offset in the data
//
// Versions 2 and 3; 3 also big-endian. Dims have the innermost first: those of PyTorch, reversed.
#pragma once
#include <cstdint>
#include <string_view>

#include "base/result.hpp"
#include "provenance/formats/byte_source.hpp"
#include "provenance/formats/model_header.hpp"

namespace hm::provenance::formats {
inline constexpr std::uint64_t kGgufHeaderBytesMax =
    100'000'000;  ///< as of safetensors; the largest vocabularies need 20 MB
inline constexpr int kGgufArrayDepthMax = 4;
inline constexpr std::size_t kGgufArrayKept = 64;  ///< elements of an array that are kept; vocabularies have more

/// @returns BadInput with what is wrong and where; `into` then holds what was read before, so that the keys of a file
/// with broken tensor infos are not lost. Errors of the source as they come.
Result<> read_gguf(const ByteSource& source, ModelHeader& into);
/// "Q4_K_M" for the value 15 of `general.file_type`; "" for a number that is not known.
std::string_view gguf_file_type(std::uint64_t file_type);
/// True when a file type or a tensor type keeps values in blocks of fewer bits.
bool is_gguf_quantized(std::string_view type_name);
}  // namespace hm::provenance::formats
