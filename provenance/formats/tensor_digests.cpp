#include "provenance/formats/tensor_digests.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstring>
#include <mutex>
#include <numeric>
#include <thread>
#include <unordered_map>

#include "base/text.hpp"

namespace hm::provenance::formats {
static_assert(std::endian::native == std::endian::little, "tensors are little-endian, and are converted as they lie");
std::uint16_t bf16_of(std::uint32_t bits) {
  const bool nan = (bits & 0x7fffffffU) > 0x7f800000U;
  const std::uint32_t rounded = (bits + 0x7fffU + (bits >> 16 & 1U)) >> 16;
  return static_cast<std::uint16_t>(nan ? 0x7fc0U : rounded);
}

std::uint16_t f16_of(std::uint32_t bits) {
  // The processor rounds: scaled so that its last kept bit is that of an F16, a value loses the others in an addition.
  const float magnitude = std::bit_cast<float>(bits & 0x7fffffffU);
  const std::uint32_t twice = bits + bits;
  const std::uint32_t bias = std::max(twice & 0xff000000U, 0x71000000U);
  const float base = magnitude * 0x1.0p+112F * 0x1.0p-110F;  // infinite from 65536 on
  const std::uint32_t sum = std::bit_cast<std::uint32_t>(std::bit_cast<float>((bias >> 1) + 0x07800000U) + base);
  const std::uint32_t unsigned_bits = twice > 0xff000000U ? 0x7e00U : (sum >> 13 & 0x7c00U) + (sum & 0x0fffU);
  return static_cast<std::uint16_t>((bits >> 16 & 0x8000U) | unsigned_bits);
}

std::uint32_t f32_of_f16(std::uint16_t half) {
  const std::uint32_t sign = (half & 0x8000U) << 16, exponent = half >> 10 & 0x1fU, mantissa = half & 0x3ffU;
  if (exponent == 0x1f) return sign | 0x7f800000U | mantissa << 13;
  if (exponent != 0) return sign | (exponent + 112) << 23 | mantissa << 13;
  return sign |
         std::bit_cast<std::uint32_t>(static_cast<float>(mantissa) * 0x1.0p-24F);  // zero, or below F16's normals
}

namespace {
std::uint32_t f32_of_bf16(std::uint16_t bits) { return std::uint32_t{bits} << 16; }

constexpr std::size_t kChunkBytes = 256 * 1024;  // stays in the second-level cache between reading and hashing

enum class Float : std::uint8_t { Other, F32, F16, BF16 };
Float float_of(std::string_view dtype) {
  if (dtype == "F32" || dtype == "FLOAT") return Float::F32;
  if (dtype == "F16" || dtype == "FLOAT16") return Float::F16;
  return dtype == "BF16" || dtype == "BFLOAT16" ? Float::BF16 : Float::Other;
}

/// Names that some library computes at load and others store.
bool is_known_buffer(std::string_view name) {
  for (const std::string_view part : split(name, '.'))
    if (part == "inv_freq" || part == "position_ids" || part == "causal_mask" || part.starts_with("rotary") ||
        part == "rope_freqs")
      return true;
  return false;
}

std::string typed_prefix(const Tensor& tensor) {
  constexpr char kNul = '\0';
  std::string out = std::string("tensor-v1") + kNul + tensor.dtype + kNul;
  for (std::size_t i = 0; i < tensor.dims.size(); ++i) out += (i == 0 ? "" : ",") + std::to_string(tensor.dims[i]);
  return out + kNul;
}

/// In blocks of a fixed number of elements, which g++ turns into vector instructions at -O2 as well.
template <auto one, class From, class To = decltype(one(From{}))>
std::span<const std::byte> convert(std::span<const std::byte> in, std::vector<std::byte>& out) {
  constexpr std::size_t kBlock = 64;
  const std::size_t count = in.size() / sizeof(From);
  out.resize(count * sizeof(To));
  std::array<From, kBlock> from{};
  std::array<To, kBlock> to;
  for (std::size_t done = 0; done < count; done += kBlock) {
    const std::size_t some = std::min(kBlock, count - done);
    std::memcpy(from.data(), in.data() + done * sizeof(From), some * sizeof(From));
    for (std::size_t i = 0; i < kBlock; ++i) to[i] = one(from[i]);
    std::memcpy(out.data() + done * sizeof(To), to.data(), some * sizeof(To));
  }
  return out;
}

/// Sees whether all elements of `element_bytes` are equal, chunk by chunk.
class ConstantCheck {
 public:
  explicit ConstantCheck(std::size_t element_bytes) : element_bytes_(element_bytes) {}
  void update(std::span<const std::byte> chunk) {
    if (!constant_ || chunk.empty()) return;
    if (seen_ == 0)
      first_.assign(chunk.begin(), chunk.begin() + static_cast<std::ptrdiff_t>(std::min(element_bytes_, chunk.size())));
    const std::size_t phase = static_cast<std::size_t>(seen_ % element_bytes_),
                      head = std::min(element_bytes_, chunk.size());
    for (std::size_t i = 0; i < head; ++i) constant_ = constant_ && chunk[i] == first_[(phase + i) % first_.size()];
    constant_ = constant_ && std::memcmp(chunk.data(), chunk.data() + head, chunk.size() - head) == 0;
    seen_ += chunk.size();
  }
  bool is_constant() const { return constant_; }

 private:
  std::size_t element_bytes_;
  std::vector<std::byte> first_;
  std::uint64_t seen_ = 0;
  bool constant_ = true;
};

/// Bytes of an element. Quantised types, whose elements are no whole bytes: of 256 elements or 32, whole blocks of all
/// of them but for a few.
std::size_t element_bytes(const Tensor& tensor) {
  std::uint64_t count = 1;
  for (const std::uint64_t dim : tensor.dims) count *= dim;  // wraps only where the reader refused the dims
  for (const std::uint64_t elements : {1U, 256U, 32U})
    if (count != 0 && count % elements == 0 && tensor.length_bytes % (count / elements) == 0)
      return static_cast<std::size_t>(std::clamp<std::uint64_t>(tensor.length_bytes / (count / elements), 1, 4'096));
  return 1;
}

/// The digest of a conversion. One whose elements came out all equal (numbers too small for F16) says nothing.
struct CastHasher {
  explicit CastHasher(std::size_t element) : constant(element) {}
  void update(std::span<const std::byte> converted) {
    hasher.update(converted);
    constant.update(converted);
  }
  std::optional<Sha256> finish() { return constant.is_constant() ? std::nullopt : std::optional(hasher.finish()); }
  Sha256Hasher hasher;
  ConstantCheck constant;
};

/// One thread's buffers.
struct Scratch {
  std::vector<std::byte> chunk = std::vector<std::byte>(kChunkBytes), converted;
};

Result<TensorDigest> digest_tensor(const ByteSource& source, const Tensor& tensor, const DigestOptions& options,
                                   Scratch& scratch) {
  const Float kind = float_of(tensor.dtype);
  TensorDigest out{tensor.name, tensor.dtype, tensor.dims, tensor.length_bytes};
  Sha256Hasher content, typed;
  CastHasher bf16(2), f16(2), value32(4);
  const bool casts = options.casts && kind == Float::F32,
             widen = options.value32 && (kind == Float::F16 || kind == Float::BF16);
  if (options.typed) typed.update(as_bytes(typed_prefix(tensor)));
  ConstantCheck constant(element_bytes(tensor));
  for (std::uint64_t done = 0; done < tensor.length_bytes;) {
    if (options.stop.stop_requested()) return Error{Errc::Cancelled, "the digests are no longer wanted"};
    const auto chunk =
        std::span(scratch.chunk)
            .first(static_cast<std::size_t>(std::min<std::uint64_t>(kChunkBytes, tensor.length_bytes - done)));
    HM_TRY(const std::size_t count, source.read_at(tensor.offset_bytes + done, chunk));
    if (count < chunk.size()) return Error{Errc::Io, "the source ends before its size"};
    content.update(chunk);
    if (options.typed) typed.update(chunk);
    if (casts) {
      bf16.update(convert<bf16_of, std::uint32_t>(chunk, scratch.converted));
      f16.update(convert<f16_of, std::uint32_t>(chunk, scratch.converted));
    }
    if (widen)
      value32.update(kind == Float::F16 ? convert<f32_of_f16, std::uint16_t>(chunk, scratch.converted)
                                        : convert<f32_of_bf16, std::uint16_t>(chunk, scratch.converted));
    constant.update(chunk);
    done += count;
  }
  out.content = content.finish();
  if (options.typed) out.typed = typed.finish();
  if (casts) out.as_bf16 = bf16.finish(), out.as_f16 = f16.finish();
  if (widen) out.value32 = value32.finish();
  out.excluded = tensor.length_bytes < kEvidenceBytesMin ? Excluded::Small
                 : constant.is_constant()                ? Excluded::Constant
                 : is_known_buffer(tensor.name)          ? Excluded::Buffer
                                                         : Excluded::No;
  return out;
}
}  // namespace

Result<std::vector<TensorDigest>> digest_tensors(const ByteSource& source, std::span<const Tensor> tensors,
                                                 const DigestOptions& options) {
  std::vector<const Tensor*> wanted;
  std::uint64_t left = source.size_bytes();
  for (const Tensor& tensor : tensors) {
    if (tensor.placement != Placement::InFile) continue;
    if (tensor.offset_bytes > source.size_bytes() || tensor.length_bytes > source.size_bytes() - tensor.offset_bytes)
      return bad_file(tensor_called(tensor.name) + " does not lie within the file");
    if (tensor.length_bytes > left) return bad_file("the tensors overlap: together they are larger than the file");
    left -= tensor.length_bytes;
    wanted.push_back(&tensor);
  }
  std::vector<std::uint32_t> order(wanted.size());  // the largest first, so that the threads end together
  std::iota(order.begin(), order.end(), 0U);
  std::sort(order.begin(), order.end(), [&](auto a, auto b) {
    return std::pair(wanted[b]->length_bytes, a) < std::pair(wanted[a]->length_bytes, b);
  });

  std::vector<TensorDigest> out(wanted.size());
  std::atomic<std::size_t> next = 0;
  std::mutex mutex;
  std::optional<Error> failure;
  auto work = [&] {
    Scratch scratch;
    for (std::size_t i = 0; (i = next++) < order.size();) {
      const Tensor& tensor = *wanted[order[i]];
      auto digest = within(digest_tensor(source, tensor, options, scratch),
                           [&] { return "digesting " + tensor_called(tensor.name); });
      if (digest) {
        out[order[i]] = std::move(digest).assume_value();
        continue;
      }
      next = order.size();
      const std::lock_guard lock(mutex);
      if (!failure) failure = std::move(digest).assume_error();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 1; i < std::min(options.threads, wanted.size()); ++i) threads.emplace_back(work);
    work();
  }
  if (failure) return *std::move(failure);
  return out;
}

namespace {
/// Evidence of one model: each content once.
struct Evidence {
  std::vector<std::size_t> tensors;
  std::uint64_t bytes = 0;
  std::unordered_map<Sha256, std::size_t> by_digest;  ///< of content, and of casts and widened values
};

Evidence evidence_of(std::span<const TensorDigest> model) {
  Evidence out;
  for (std::size_t i = 0; i < model.size(); ++i) {
    if (model[i].excluded != Excluded::No || !out.by_digest.emplace(model[i].content, i).second) continue;
    out.tensors.push_back(i);
    out.bytes += model[i].length_bytes;
  }
  for (const std::size_t i : out.tensors)  // what is there as it is goes before what could be made from it
    for (const auto* digest : {&model[i].as_bf16, &model[i].as_f16, &model[i].value32})
      if (*digest) out.by_digest.emplace(**digest, i);
  return out;
}

/// A tensor of `other` with the same values, if its dtype can tell.
std::optional<std::size_t> find_in(const Evidence& other, const TensorDigest& tensor) {
  if (const auto it = other.by_digest.find(tensor.content); it != other.by_digest.end()) return it->second;
  for (const auto* digest : {&tensor.as_bf16, &tensor.as_f16, &tensor.value32})
    if (*digest)
      if (const auto it = other.by_digest.find(**digest); it != other.by_digest.end()) return it->second;
  return std::nullopt;
}
}  // namespace

Share share(std::span<const TensorDigest> a, std::span<const TensorDigest> b) {
  const Evidence in_a = evidence_of(a), in_b = evidence_of(b);
  const bool a_is_smaller = in_a.bytes <= in_b.bytes;
  const Evidence &smaller = a_is_smaller ? in_a : in_b, &larger = a_is_smaller ? in_b : in_a;
  const auto small_model = a_is_smaller ? a : b, large_model = a_is_smaller ? b : a;
  Share out;
  out.smaller_bytes = smaller.bytes;
  for (const std::size_t i : smaller.tensors) {
    const auto found = find_in(larger, small_model[i]);
    if (!found) continue;
    out.common_bytes += small_model[i].length_bytes;
    const auto by =
        small_model[i].content == large_model[*found].content ? SharedTensor::By::Content : SharedTensor::By::Cast;
    out.tensors.push_back({by, a_is_smaller ? i : *found, a_is_smaller ? *found : i});
  }
  return out;
}
}  // namespace hm::provenance::formats
