#include "base/digest.hpp"

#define OPENSSL_SUPPRESS_DEPRECATED  // SHA256_CTX: EVP contexts cannot be stored (OpenSSL 3.0)
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <cstring>
#include <new>

#include "base/check.hpp"

namespace hm {
namespace {
SHA256_CTX* context(std::array<std::uint8_t, 128>& bytes) {
  return std::launder(reinterpret_cast<SHA256_CTX*>(bytes.data()));
}
const SHA256_CTX* context(const std::array<std::uint8_t, 128>& bytes) {
  return std::launder(reinterpret_cast<const SHA256_CTX*>(bytes.data()));
}
static_assert(sizeof(SHA256_CTX) <= 128 && alignof(SHA256_CTX) <= 8);
}  // namespace

std::string to_hex(std::span<const std::uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (std::uint8_t b : bytes) out.push_back(kDigits[b >> 4]), out.push_back(kDigits[b & 15]);
  return out;
}

bool from_hex(std::string_view hex, std::span<std::uint8_t> into) {
  if (hex.size() != into.size() * 2) return false;
  auto digit = [](char c) { return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1; };
  for (std::size_t i = 0; i < into.size(); ++i) {
    const int high = digit(hex[2 * i]), low = digit(hex[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    into[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}

Sha256Hasher::Sha256Hasher() {
  new (context_.data()) SHA256_CTX{};
  SHA256_Init(context(context_));
}

Sha256Hasher::Sha256Hasher(const Midstate& from) : Sha256Hasher() {
  HM_CHECK(from.hashed_bytes % 64 == 0);
  SHA256_CTX* c = context(context_);
  for (std::size_t i = 0; i < 8; ++i) c->h[i] = from.h[i];
  const std::uint64_t bits = from.hashed_bytes * 8;
  c->Nl = static_cast<SHA_LONG>(bits & 0xffffffffU);
  c->Nh = static_cast<SHA_LONG>(bits >> 32);
  hashed_bytes_ = from.hashed_bytes;
}

void Sha256Hasher::update(std::span<const std::byte> bytes) {
  SHA256_Update(context(context_), bytes.data(), bytes.size());
  hashed_bytes_ += bytes.size();
}

std::optional<Sha256Hasher::Midstate> Sha256Hasher::midstate() const {
  if (hashed_bytes_ % 64 != 0) return std::nullopt;
  Midstate m;
  for (std::size_t i = 0; i < 8; ++i) m.h[i] = context(context_)->h[i];
  m.hashed_bytes = hashed_bytes_;
  return m;
}

Sha256 Sha256Hasher::finish() {
  Sha256 out;
  SHA256_Final(out.bytes.data(), context(context_));
  return out;
}

Sha256 sha256(std::span<const std::byte> bytes) {
  Sha256Hasher h;
  h.update(bytes);
  return h.finish();
}
Sha256 sha256(std::string_view text) { return sha256(as_bytes(text)); }

GitOid git_object_id(std::string_view type, std::span<const std::byte> bytes) {
  SHA_CTX c;
  SHA1_Init(&c);
  const std::string head = std::string(type) + " " + std::to_string(bytes.size());
  SHA1_Update(&c, head.c_str(), head.size() + 1);  // the NUL belongs to the header
  SHA1_Update(&c, bytes.data(), bytes.size());
  GitOid out;
  SHA1_Final(out.bytes.data(), &c);
  return out;
}
}  // namespace hm
