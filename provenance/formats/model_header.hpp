// provenance/formats/model_header.hpp: what the header of a weight file says, in one form for safetensors, GGUF and
// ONNX. Layer 4; values. Names, paths and texts are those of a stranger: as written, of bounded length, not printable.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace hm::provenance::formats {
inline constexpr std::size_t kTensorsMax = 500'000;  ///< of one file; the largest seen have a hundred thousand
inline constexpr std::size_t kMetadataMax = 65'536;  ///< keys of one file
inline constexpr std::size_t kMetadataTextBytesMax = 64 * 1024;    ///< kept of one value: a long chat template
inline constexpr std::size_t kMetadataBytesMax = 4 * 1024 * 1024;  ///< kept of all values of one file
inline constexpr std::size_t kFindingsMax = 64, kFindingBytesMax = 512;

enum class Placement : std::uint8_t {
  InFile,    ///< `offset_bytes` and `length_bytes` are a range of the file, shown to lie within it
  External,  ///< in the file that `external` names, which was not looked at; nothing is shown of the range
  Opaque,    ///< packed in another form (ONNX varints), or of a type whose size is not known
};
struct Tensor {
  std::string name;
  std::string dtype;                ///< as the format calls it: "BF16", "Q4_K", "FLOAT"
  std::vector<std::uint64_t> dims;  ///< in file order: GGUF has the innermost first, the others last
  Placement placement = Placement::InFile;
  std::uint64_t offset_bytes = 0;  ///< from the beginning of the file
  std::uint64_t length_bytes = 0;
  std::string external;  ///< untrusted path, relative to the folder of the file if it is honest
  bool operator==(const Tensor&) const = default;
};
struct Metadata {
  std::string key;
  std::string type;                 ///< GGUF's ("u32", "string", "array of string"); "string" elsewhere
  std::vector<std::string> values;  ///< one for a scalar, the first ones of an array
  std::uint64_t count = 1;          ///< of the array's elements
  bool cut = false;                 ///< text or elements beyond a bound were not kept
};

/// Oddities that do not keep a file from being read: printable, cut, counted beyond the bound.
class Findings {
 public:
  Findings() = default;
  explicit Findings(std::vector<std::string> list) : list_(std::move(list)) {}
  void note(std::string_view text);  ///< the same text is noted once
  const std::vector<std::string>& list() const { return list_; }
  bool empty() const { return list_.empty(); }
  std::vector<std::string> take() && { return std::move(list_); }

 private:
  std::vector<std::string> list_;
};

struct ModelHeader {
  std::string format;              ///< "safetensors", "gguf", "onnx"
  std::uint64_t version = 0;       ///< of GGUF; IR version of ONNX
  bool big_endian = false;         ///< GGUF: so are the tensors' bytes
  std::vector<Tensor> tensors;     ///< in file order
  std::vector<Metadata> metadata;  ///< in file order
  Findings findings;
  std::uint64_t metadata_bytes = 0;  ///< kept so far, see kMetadataBytesMax
};
/// Keeps a value as far as the bounds allow.
void keep_value(ModelHeader& header, Metadata& entry, std::string_view value);
/// nullptr when the key is absent; the first of several.
const Metadata* find_metadata(const ModelHeader& header, std::string_view key);
/// The text of a scalar; "" when absent.
std::string_view metadata_text(const ModelHeader& header, std::string_view key);
/// A name or key that occurs twice; nullptr when all differ.
const std::string* duplicate_name(const std::vector<Tensor>& tensors);
const std::string* duplicate_key(const std::vector<Metadata>& metadata);

/// How the values of a type lie in bytes.
struct TypeSize {
  std::uint32_t elements = 1;  ///< of a block
  std::uint32_t bits = 8;      ///< of a block
};
/// BadInput when a product overflows, or the number of innermost elements is no multiple of the block.
/// @param innermost index of the dimension whose elements lie next to each other; ignored without dimensions
Result<std::uint64_t> tensor_bytes(TypeSize type, std::span<const std::uint64_t> dims, std::size_t innermost);

/// "tensor \"x\"" with a name that may be printed.
std::string tensor_called(std::string_view name);
Error bad_file(std::string what);  ///< BadInput
/// True when a path in a file names a file below the folder of that file, on every system: relative, no "..", no
/// backslash, no drive.
bool is_contained_path(std::string_view path);
}  // namespace hm::provenance::formats
