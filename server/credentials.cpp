#include "server/credentials.hpp"

#include <algorithm>
#include <cstddef>
#include <optional>

#include "base/text.hpp"

namespace hm::server {
namespace {
constexpr std::size_t kTokenBytesMax = 4'096;  // the Hub's are 37; signed ones of other identity services have 2 KB
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool is_token(std::string_view text) {
  static constexpr std::string_view kPunctuation = "-._~+/=";
  return !text.empty() && text.size() <= kTokenBytesMax && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           kPunctuation.find(c) != std::string_view::npos;
  });
}

/// RFC 4648 §4; without padding too, as some clients send it.
std::optional<std::string> decode_base64(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const std::size_t value = kBase64.find(c);
    if (value == std::string_view::npos) return std::nullopt;
    bits = (bits << 6) | static_cast<std::uint32_t>(value);
    held += 6;
    if (held >= 8) out.push_back(static_cast<char>((bits >> (held -= 8)) & 0xff));
  }
  return held < 6 ? std::optional(std::move(out)) : std::nullopt;  // a lone last character says nothing
}

/// What stands behind the user name.
std::optional<std::string> password_of(std::string_view encoded) {
  auto pair = decode_base64(encoded);
  const std::size_t colon = pair ? pair->find(':') : std::string::npos;
  if (colon == std::string::npos) return std::nullopt;
  return pair->substr(colon + 1);
}
}  // namespace

Credentials credentials_of(const Request& request) {
  const std::size_t fields = request.count_fields("Authorization");
  if (fields == 0) return {};
  Credentials out;
  out.kind = Credentials::Kind::Malformed;
  if (fields > 1) return out;
  const std::string_view value = trim(request.header("Authorization"));
  const std::size_t blank = std::min(value.find(' '), value.size());
  const std::string_view scheme = value.substr(0, blank), rest = trim(value.substr(blank));
  std::optional<std::string> token;
  if (ascii_equal_fold(scheme, "Bearer")) token.emplace(rest);
  if (ascii_equal_fold(scheme, "Basic") && rest.size() <= 2 * kTokenBytesMax) token = password_of(rest);
  if (!token || !is_token(*token)) return out;
  out.kind = Credentials::Kind::Token;
  out.token = std::move(*token);
  return out;
}
}  // namespace hm::server
