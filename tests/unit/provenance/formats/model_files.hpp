// tests/unit/provenance/formats/model_files.hpp: small safetensors and GGUF files, made in memory. Tests only.
#pragma once
#include <cstdint>
#include <cstring>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace hm::provenance::formats {
struct MadeTensor {
  std::string name, dtype;
  std::vector<std::uint64_t> dims;
  std::string bytes;
};

template <class T>
std::string little_endian(T value) {
  return {reinterpret_cast<const char*>(&value), sizeof value};
}
inline std::string joined(const std::vector<std::uint64_t>& dims) {
  std::string out;
  for (std::size_t i = 0; i < dims.size(); ++i) out += (i == 0 ? "" : ",") + std::to_string(dims[i]);
  return out;
}
inline std::string with_length(std::string_view header, std::string_view data = {}) {
  return little_endian<std::uint64_t>(header.size()) + std::string(header) + std::string(data);
}

inline std::string make_safetensors(const std::vector<MadeTensor>& tensors,
                                    std::string_view metadata = R"({"format":"pt"})") {
  std::string header = R"({"__metadata__":)" + std::string(metadata), data;
  for (const MadeTensor& tensor : tensors) {
    header += ",\"" + tensor.name + R"(":{"dtype":")" + tensor.dtype + R"(","shape":[)" + joined(tensor.dims) +
              R"(],"data_offsets":[)" + std::to_string(data.size()) + ",";
    data += tensor.bytes;
    header += std::to_string(data.size()) + "]}";
  }
  return with_length(header + "}", data);
}

inline std::string gguf_string(std::string_view text) {
  return little_endian<std::uint64_t>(text.size()) + std::string(text);
}
inline std::string gguf_text(std::string_view key, std::string_view value) {
  return gguf_string(key) + little_endian<std::uint32_t>(8) + gguf_string(value);
}
inline std::string gguf_u32(std::string_view key, std::uint32_t value) {
  return gguf_string(key) + little_endian<std::uint32_t>(4) + little_endian(value);
}
inline std::string gguf_head(std::uint64_t tensors, std::uint64_t keys, std::uint32_t version = 3) {
  return "GGUF" + little_endian(version) + little_endian(tensors) + little_endian(keys);
}
/// `tensors` with dims in GGUF's order and the ggml type as dtype, a number; `keys` as gguf_text and the like make
/// them.
inline std::string make_gguf(const std::vector<MadeTensor>& tensors, const std::vector<std::string>& keys = {}) {
  std::string out = gguf_head(tensors.size(), keys.size()), data;
  for (const std::string& key : keys) out += key;
  for (const MadeTensor& tensor : tensors) {
    out += gguf_string(tensor.name) + little_endian(static_cast<std::uint32_t>(tensor.dims.size()));
    for (const std::uint64_t dim : tensor.dims) out += little_endian(dim);
    out +=
        little_endian(static_cast<std::uint32_t>(std::stoul(tensor.dtype))) + little_endian<std::uint64_t>(data.size());
    data += tensor.bytes;
    data.resize((data.size() + 31) / 32 * 32);
  }
  out.resize((out.size() + 31) / 32 * 32);
  return out + data;
}

/// `count` values as a fine model has them, the same for the same seed.
inline std::string random_f32(std::size_t count, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::string out;
  for (std::size_t i = 0; i < count; ++i)
    out += little_endian((static_cast<float>(random()) / 4294967296.0F - 0.5F) / 16.0F);
  return out;
}
}  // namespace hm::provenance::formats
