// storage/access_rows.hpp: the tokens of this mirror: who holds one, until when, and what it lets its holder read.
// Layer 3; values; rows in Family::Meta. docs/formats/index_keys.md "meta". A token itself is stored nowhere, only its
// SHA-256: it is made of 256 random bits, so there is no dictionary to try, and a slow hash would only cost time.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/index.hpp"

namespace hm::storage {
/// A row stays after its end: a token that was taken back must not pass for somebody's Hub token, and an auditor asks.
struct TokenRow {
  Sha256 hash;                                                  ///< of the token
  std::string name;                                             ///< whose or what for, as the operator called it
  std::int64_t created_ms = 0, expires_ms = 0, revoked_ms = 0;  ///< 0: never
  /// Globs over RepoId::text(), without case. `repos`: what it sees, empty: all that is public. `gated`: of which gated
  /// repositories it gets files. `private_repos`: which private ones it sees, files and all.
  std::vector<std::string> repos, gated, private_repos;

  /// The first 12 digits of the hash: names a token in commands and logs, and tells nothing of it.
  std::string id() const;
  bool revoked() const { return revoked_ms != 0; }
  bool in_force(std::int64_t now_ms) const { return !revoked() && (expires_ms == 0 || now_ms < expires_ms); }
  bool operator==(const TokenRow&) const = default;
};

inline constexpr std::string_view kTokenPrefix = "hf_mirror";  ///< a Hub's begin like this once in 5e10
/// A new token: what clients of the Hub take for one ("hf_", letters and digits, 37 to 256 in all), 256 random bits.
std::string make_token();
/// Made by a mirror, this one or another; such a token is no business of the upstream.
inline bool is_mirror_token(std::string_view token) { return token.starts_with(kTokenPrefix); }

/// Whether a glob of the list means the repository.
bool any_glob_matches(const std::vector<std::string>& globs, const RepoId& repo);

void put_token(Batch& batch, const TokenRow& row);
/// In no order that means anything. @returns Corrupt.
Result<std::vector<TokenRow>> list_tokens(const Index& index);
}  // namespace hm::storage
