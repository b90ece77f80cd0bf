// provenance/formats/tensor_digests.hpp: digests of single tensors, and what two models share by them. Layer 4. Blocks;
// works on threads of its own while it runs.
//
// Equal bytes prove a common origin whatever the files are called, however they are cut into shards, whichever format
// holds them. Names, dtypes and dims are hints: the digest decides. What it cannot see: rows that a converter permuted
// (q and k of llama models in GGUF), projections fused or split, transposed layouts, vocabularies padded anew. Reversed
// dims are no obstacle: GGUF turns round the list of dims, not the bytes.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "provenance/formats/byte_source.hpp"
#include "provenance/formats/model_header.hpp"

namespace hm::provenance::formats {
/// Why a tensor is no evidence.
enum class Excluded : std::uint8_t {
  No,
  Small,     ///< under kEvidenceBytesMin: equal by chance or by custom
  Constant,  ///< all elements equal, e.g. a norm of ones
  Buffer,    ///< computed from the architecture: inv_freq, position_ids, causal_mask, rotary tables
};
inline constexpr std::uint64_t kEvidenceBytesMin = 4 * 1024;

struct TensorDigest {
  std::string name, dtype;
  std::vector<std::uint64_t> dims;  ///< in file order
  std::uint64_t length_bytes = 0;
  Sha256 content;                         ///< of the bytes
  std::optional<Sha256> typed;            ///< of "tensor-v1" NUL dtype NUL dims with commas NUL, then the bytes
  std::optional<Sha256> as_bf16, as_f16;  ///< of an F32 tensor rounded to nearest even: `content` of such a copy
  std::optional<Sha256> value32;          ///< of an F16 or BF16 tensor widened to F32: `content` of such a copy
  Excluded excluded = Excluded::No;
};

/// Each digest is one more pass of SHA-256 over as many bytes as it covers, which is where the time goes.
///
/// `content` is always made, and by default the casts of F32, which are half the bytes each; other tensors, nearly all
/// there are, cost one pass. Not by default: `typed`, a second pass that tells nothing which content, dtype and dims,
/// all of them stored, do not tell together; `value32`, two passes more, because an F32 copy of a BF16 tensor is found
/// from the other side: its own cast to BF16 is exact.
struct DigestOptions {
  bool typed = false;
  bool casts = true;
  bool value32 = false;
  std::size_t threads = 1;  ///< the calling one included; each holds about 1 MiB
  std::stop_token stop;     ///< Cancelled soon after it is requested
};

/// Digests of the tensors that lie in the file itself, in their order; the others are left out.
/// @returns what the source answers, Cancelled, BadInput when a tensor does not lie within it or all of them are larger
/// than it: a small file must not make work for hours.
Result<std::vector<TensorDigest>> digest_tensors(const ByteSource& source, std::span<const Tensor> tensors,
                                                 const DigestOptions& options);

/// Rounding of one value as the casts do it; NaN becomes 0x7fc0, in F16 the sign and 0x7e00.
std::uint16_t bf16_of(std::uint32_t f32_bits);
std::uint16_t f16_of(std::uint32_t f32_bits);
/// Widening of one F16 value, exact; a NaN keeps its payload.
std::uint32_t f32_of_f16(std::uint16_t f16_bits);

struct SharedTensor {
  enum class By : std::uint8_t { Content, Cast } by = By::Content;
  std::size_t in_a = 0, in_b = 0;  ///< indices
};
struct Share {
  std::uint64_t common_bytes = 0;   ///< of the smaller model, found in the other one
  std::uint64_t smaller_bytes = 0;  ///< of the smaller model's evidence
  std::vector<SharedTensor> tensors;
  /// 1: the same weights. From 0.5: partly fine-tuned, merged by layers, a head or a vision tower added. Small: shared
  /// embeddings or encoder. 0 says nothing: a full fine-tune and a quantisation change every tensor.
  double ratio() const {
    return smaller_bytes == 0 ? 0 : static_cast<double>(common_bytes) / static_cast<double>(smaller_bytes);
  }
};
/// What two models share. A model of several files is the digests of all of them, one after the other. Excluded tensors
/// do not count; content that a model holds twice, as tied embeddings, counts once.
Share share(std::span<const TensorDigest> a, std::span<const TensorDigest> b);
}  // namespace hm::provenance::formats
