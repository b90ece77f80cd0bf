#include "storage/access_rows.hpp"

#include <algorithm>

#include "base/canonical_json.hpp"
#include "base/secret.hpp"
#include "base/text.hpp"
#include "storage/rows.hpp"

namespace hm::storage {
namespace {
constexpr std::string_view kKeyPrefix = "access/token/";
constexpr std::size_t kRandomCharacters = 43;  // of 5.95 bits each: 256 bits
constexpr std::size_t kIdDigits = 12;

json::array array_of(const std::vector<std::string>& texts) {
  json::array out;
  for (const std::string& text : texts) out.emplace_back(text);
  return out;
}

Error wrong_row() {
  return {Errc::Corrupt, "a token's row in the index cannot be read; put back index/ from a backup"};
}

bool read_texts(const json::object& row, const char* field, std::vector<std::string>& into) {
  const json::value* value = row.if_contains(field);
  if (value == nullptr || !value->is_array()) return false;
  for (const json::value& item : value->get_array()) {
    if (!item.is_string()) return false;
    into.emplace_back(item.get_string());
  }
  return true;
}
bool read_time(const json::object& row, const char* field, std::int64_t& into) {
  const json::value* value = row.if_contains(field);
  if (value == nullptr || !value->is_int64() || value->get_int64() < 0) return false;
  into = value->get_int64();
  return true;
}

/// Strict: a row that lost a field must not become a token that may more, or for longer.
Result<TokenRow> unpack_token(std::string_view key, std::string_view bytes) {
  TokenRow row;
  HM_TRY(const auto value, parse_json(bytes));
  key.remove_prefix(kKeyPrefix.size());
  const json::object* object = value.if_object();
  const json::value* name = object != nullptr ? object->if_contains("name") : nullptr;
  if (key.size() != Sha256::kSize || name == nullptr || !name->is_string()) return wrong_row();
  std::copy(key.begin(), key.end(), row.hash.bytes.begin());
  row.name = name->get_string();
  const bool whole = read_time(*object, "created", row.created_ms) && read_time(*object, "expires", row.expires_ms) &&
                     read_time(*object, "revoked", row.revoked_ms) && read_texts(*object, "repos", row.repos) &&
                     read_texts(*object, "gated", row.gated) && read_texts(*object, "private", row.private_repos);
  if (!whole) return wrong_row();
  return row;
}
}  // namespace

std::string TokenRow::id() const { return hash.hex().substr(0, kIdDigits); }

std::string make_token() { return std::string(kTokenPrefix) + random_alphanumerics(kRandomCharacters); }

bool any_glob_matches(const std::vector<std::string>& globs, const RepoId& repo) {
  if (globs.empty()) return false;
  const std::string name = ascii_lower(repo.text());
  return std::any_of(globs.begin(), globs.end(),
                     [&](const std::string& glob) { return glob_match(ascii_lower(glob), name); });
}

void put_token(Batch& batch, const TokenRow& row) {
  batch.put(Family::Meta, std::string(kKeyPrefix).append(row.hash.view()),
            pack({{"name", row.name},
                  {"created", row.created_ms},
                  {"expires", row.expires_ms},
                  {"revoked", row.revoked_ms},
                  {"repos", array_of(row.repos)},
                  {"gated", array_of(row.gated)},
                  {"private", array_of(row.private_repos)}}));
}

Result<std::vector<TokenRow>> list_tokens(const Index& index) {
  std::vector<TokenRow> rows;
  Result<> outcome = ok();
  HM_TRY(index.scan(Family::Meta, kKeyPrefix, [&](std::string_view key, std::string_view bytes) {
    auto row = unpack_token(key, bytes);
    if (row)
      rows.push_back(std::move(row).assume_value());
    else
      outcome = wrong_row();
    return bool(outcome);
  }));
  HM_TRY(std::move(outcome));
  return rows;
}
}  // namespace hm::storage
