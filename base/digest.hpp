// base/digest.hpp: SHA-256 and git object ids as values. Layer 0; thread-compatible.
#pragma once
#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace hm {
std::string to_hex(std::span<const std::uint8_t> bytes);
/// Lowercase hex only, exactly 2·into.size() digits; false otherwise and `into` is unspecified.
bool from_hex(std::string_view hex, std::span<std::uint8_t> into);

template <std::size_t N, class Tag>
struct Digest {
  std::array<std::uint8_t, N> bytes{};
  static constexpr std::size_t kSize = N;
  static std::optional<Digest> parse(std::string_view hex) {
    Digest d;
    if (!from_hex(hex, d.bytes)) return std::nullopt;
    return d;
  }
  std::string hex() const { return to_hex(bytes); }
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes.data()), N}; }
  auto operator<=>(const Digest&) const = default;
};
struct Sha256Tag;
struct GitOidTag;
using Sha256 = Digest<32, Sha256Tag>;  ///< equals the LFS oid of the same bytes
using GitOid = Digest<20, GitOidTag>;  ///< sha1 git object id; SHA-256 repositories are refused elsewhere

/// Incremental SHA-256 whose state can be stored and taken up again, which is how an interrupted download goes on
/// without reading its bytes a second time. Uses OpenSSL's SHA256_CTX, whose assembly picks SHA-NI itself.
class Sha256Hasher {
 public:
  /// Whole 64-byte blocks only: `h` after `hashed_bytes` bytes. Format of docs/formats/partial_blob.md.
  struct Midstate {
    std::array<std::uint32_t, 8> h{};
    std::uint64_t hashed_bytes = 0;  ///< multiple of 64
  };
  Sha256Hasher();
  explicit Sha256Hasher(const Midstate& from);
  void update(std::span<const std::byte> bytes);
  std::uint64_t hashed_bytes() const { return hashed_bytes_; }
  /// nullopt unless hashed_bytes() is a multiple of 64.
  std::optional<Midstate> midstate() const;
  Sha256 finish();  ///< once; the object is spent afterwards

 private:
  alignas(8) std::array<std::uint8_t, 128> context_;  ///< a SHA256_CTX; its deprecated header stays out of ours
  std::uint64_t hashed_bytes_ = 0;
};
Sha256 sha256(std::span<const std::byte> bytes);
Sha256 sha256(std::string_view text);

/// sha1("<type> <size>\0" + bytes), type "blob", "tree", "commit" or "tag".
GitOid git_object_id(std::string_view type, std::span<const std::byte> bytes);
inline std::span<const std::byte> as_bytes(std::string_view s) { return std::as_bytes(std::span(s.data(), s.size())); }
}  // namespace hm

template <std::size_t N, class Tag>
struct std::hash<hm::Digest<N, Tag>> {  // a digest is already uniformly distributed: its first bytes are its hash
  std::size_t operator()(const hm::Digest<N, Tag>& d) const noexcept {
    std::size_t h = 0;
    for (std::size_t i = 0; i < sizeof h; ++i) h = (h << 8) | d.bytes[i];
    return h;
  }
};
