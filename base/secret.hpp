// base/secret.hpp: random bytes nobody can guess, and comparing without telling where two secrets differ. Layer 0;
// thread-safe.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/digest.hpp"

namespace hm {
/// From the system's generator (getrandom); aborts where there is none, since nothing may go on with bytes that can be
/// guessed.
void fill_random(std::span<std::uint8_t> into);
/// `length` characters of [0-9A-Za-z], each of them equally likely: 5.95 bits each.
std::string random_alphanumerics(std::size_t length);
/// HMAC-SHA256: names a text for whoever has the key, and tells others nothing about it.
Sha256 hmac_sha256(std::span<const std::uint8_t> key, std::string_view text);
/// Takes equally long wherever the two differ.
bool same_secret(const Sha256& a, const Sha256& b);
}  // namespace hm
