#include "base/secret.hpp"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <sys/random.h>

#include <array>
#include <cerrno>

#include "base/check.hpp"

namespace hm {
void fill_random(std::span<std::uint8_t> into) {
  while (!into.empty()) {
    const ssize_t got = ::getrandom(into.data(), into.size(), 0);
    HM_CHECK(got > 0 || (got < 0 && errno == EINTR));
    if (got > 0) into = into.subspan(static_cast<std::size_t>(got));
  }
}

std::string random_alphanumerics(std::size_t length) {
  static constexpr std::string_view kCharacters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  constexpr std::uint8_t kEven = 256 / kCharacters.size() * kCharacters.size();  // bytes from here on would favour some
  std::string out;
  out.reserve(length);
  std::array<std::uint8_t, 64> bytes;
  while (out.size() < length) {
    fill_random(bytes);
    for (const std::uint8_t byte : bytes)
      if (byte < kEven && out.size() < length) out.push_back(kCharacters[byte % kCharacters.size()]);
  }
  return out;
}

Sha256 hmac_sha256(std::span<const std::uint8_t> key, std::string_view text) {
  Sha256 out;
  unsigned size = 0;
  const auto* made = ::HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
                            reinterpret_cast<const unsigned char*>(text.data()), text.size(), out.bytes.data(), &size);
  HM_CHECK(made != nullptr && size == Sha256::kSize);
  return out;
}

bool same_secret(const Sha256& a, const Sha256& b) {
  return CRYPTO_memcmp(a.bytes.data(), b.bytes.data(), Sha256::kSize) == 0;
}
}  // namespace hm
