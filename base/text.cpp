#include "base/text.hpp"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <memory>

namespace hm {
std::string printable(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size();) {
    utf8proc_int32_t rune = -1;
    const auto n = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data() + i),
                                    static_cast<utf8proc_ssize_t>(text.size() - i), &rune);
    const bool bidi =
        (rune >= 0x202a && rune <= 0x202e) || (rune >= 0x2066 && rune <= 0x2069);  // can reorder what a person reads
    if (n > 0 && rune >= 0x20 && rune != 0x7f && !(rune >= 0x80 && rune < 0xa0) && !bidi) {
      out.append(text.substr(i, static_cast<std::size_t>(n)));
      i += static_cast<std::size_t>(n);
      continue;
    }
    for (std::size_t k = 0, m = n > 0 ? static_cast<std::size_t>(n) : 1; k < m; ++k, ++i) {
      std::array<char, 5> hex;
      std::snprintf(hex.data(), hex.size(), "\\x%02x", static_cast<unsigned char>(text[i]));
      out += hex.data();
    }
  }
  return out;
}

std::string human_bytes(std::uint64_t bytes) {
  static constexpr std::array<const char*, 7> kUnits{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  if (bytes < 1024) return std::to_string(bytes) + " B";
  double value = static_cast<double>(bytes);
  std::size_t unit = 0;
  while (value >= 1023.95 && unit + 1 < kUnits.size()) value /= 1024, ++unit;
  std::array<char, 32> out;
  std::snprintf(out.data(), out.size(), "%.1f %s", value, kUnits[unit]);
  return out.data();
}

std::string percent_text(std::uint64_t part, std::uint64_t whole) {
  if (whole == 0) return "-";
  using Wide = unsigned __int128;
  const auto tenths = static_cast<std::uint64_t>((Wide{part} * 2000 + whole) / (Wide{whole} * 2));
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10);
}

std::string human_seconds(std::uint64_t s) {
  std::array<char, 48> out;
  if (s < 60) return std::to_string(s) + " s";
  if (s < 3600)
    std::snprintf(out.data(), out.size(), "%llu min %02llu s", static_cast<unsigned long long>(s / 60),
                  static_cast<unsigned long long>(s % 60));
  else
    std::snprintf(out.data(), out.size(), "%llu h %02llu min", static_cast<unsigned long long>(s / 3600),
                  static_cast<unsigned long long>(s / 60 % 60));
  return out.data();
}

Result<std::uint64_t> parse_bytes(std::string_view text) {
  const std::string_view given = text;
  auto bad = [&] {
    return Error{Errc::BadInput, "\"" + printable(given) + "\" is not a size; write e.g. 4096, 200M or 1.5GiB"};
  };
  text = trim(text);
  double value = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  if (ec != std::errc{} || text[0] < '0' || text[0] > '9') return bad();  // from_chars reads "-1", "inf" and "nan" too
  std::string unit = ascii_lower(trim(text.substr(static_cast<std::size_t>(end - text.data()))));
  if (unit.ends_with("ib"))
    unit.resize(unit.size() - 2);
  else if (unit.ends_with("b"))
    unit.resize(unit.size() - 1);
  static constexpr std::string_view kUnits = "kmgtp";
  double factor = 1;
  if (unit.size() > 1) return bad();
  if (unit.size() == 1) {
    const auto at = kUnits.find(unit[0]);
    if (at == kUnits.npos) return bad();
    for (std::size_t i = 0; i <= at; ++i) factor *= 1024;
  }
  const double bytes = value * factor;
  if (bytes > 9.0e18) return bad();
  return static_cast<std::uint64_t>(bytes);
}

Result<std::uint64_t> parse_count(std::string_view text) {
  const Error bad{Errc::BadInput, "\"" + printable(text) + "\" is not a count; write e.g. 7B, 1.5M or 400000"};
  std::uint64_t unit = 1;
  std::string_view digits = trim(text);
  for (const auto& [letter, factor] :
       {std::pair{'k', 1'000U}, std::pair{'m', 1'000'000U}, std::pair{'b', 1'000'000'000U}, {'g', 1'000'000'000U}})
    if (!digits.empty() && ascii_lower(digits.substr(digits.size() - 1))[0] == letter) unit = factor;
  if (unit != 1) digits.remove_suffix(1);
  const std::size_t dot = digits.find('.');
  const auto whole = parse_u64(digits.substr(0, dot));
  if (!whole || *whole > UINT64_MAX / unit - 1) return bad;  // room for a fraction of less than one unit
  std::uint64_t value = *whole * unit;
  if (dot == std::string_view::npos) return value;
  for (const char c : digits.substr(dot + 1)) {
    unit /= 10;
    if (c < '0' || c > '9' || unit == 0) return bad;
    value += static_cast<std::uint64_t>(c - '0') * unit;
  }
  return value;
}

std::string percent_encode(std::string_view text, bool keep_slash) {
  static constexpr char kDigits[] = "0123456789ABCDEF";
  std::string out;
  for (char c : text) {
    const auto u = static_cast<unsigned char>(c);
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
                       c == '.' || c == '_' || c == '~' || (keep_slash && c == '/');
    if (plain)
      out.push_back(c);
    else
      out.push_back('%'), out.push_back(kDigits[u >> 4]), out.push_back(kDigits[u & 15]);
  }
  return out;
}

std::string percent_decode(std::string_view text) {
  auto digit = [](char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int high = text[i] == '%' && text.size() - i > 2 ? digit(text[i + 1]) : -1;
    const int low = high >= 0 ? digit(text[i + 2]) : -1;
    if (low < 0)
      out.push_back(text[i]);
    else
      out.push_back(static_cast<char>(high * 16 + low)), i += 2;
  }
  return out;
}

std::string ascii_lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return out;
}
bool ascii_equal_fold(std::string_view a, std::string_view b) {
  return a.size() == b.size() && ascii_lower(a) == ascii_lower(b);
}

std::vector<std::string_view> split(std::string_view text, char separator) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto at = text.find(separator);
    parts.push_back(text.substr(0, at));
    if (at == text.npos) return parts;
    text.remove_prefix(at + 1);
  }
}
std::string_view trim(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}
std::optional<std::uint64_t> parse_u64(std::string_view decimal) {
  std::uint64_t value = 0;
  const auto [end, ec] = std::from_chars(decimal.data(), decimal.data() + decimal.size(), value);
  if (ec != std::errc{} || end != decimal.data() + decimal.size() || decimal.empty()) return std::nullopt;
  return value;
}

namespace {
/// One pass of utf8proc over `text`; nothing when `text` is not UTF-8.
std::optional<std::string> map_utf8(std::string_view text, int options) {
  utf8proc_uint8_t* raw = nullptr;
  const auto n =
      utf8proc_map(reinterpret_cast<const utf8proc_uint8_t*>(text.data()), static_cast<utf8proc_ssize_t>(text.size()),
                   &raw, static_cast<utf8proc_option_t>(options | UTF8PROC_STABLE));
  const std::unique_ptr<utf8proc_uint8_t, void (*)(void*)> owned(raw, std::free);
  if (n < 0) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(raw), static_cast<std::size_t>(n));
}
}  // namespace

std::string fold_path(std::string_view path) {
  // Canonical caseless matching (Unicode D145) decomposes before it folds: U+0345 stands behind other marks before the
  // folding and is a letter of its own after it.
  auto folded = map_utf8(path, UTF8PROC_DECOMPOSE);
  if (folded) folded = map_utf8(*folded, UTF8PROC_COMPOSE | UTF8PROC_CASEFOLD);
  return folded ? *std::move(folded) : std::string(path);
}

namespace {
/// Matches one "[…]" at `p` (which stands behind the bracket); returns the position behind it, or npos when there is no
/// closing bracket.
std::size_t match_class(std::string_view pattern, std::size_t p, char c, bool& matched) {
  const bool negate = p < pattern.size() && (pattern[p] == '!' || pattern[p] == '^');
  if (negate) ++p;
  matched = false;
  for (bool first = true; p < pattern.size() && (first || pattern[p] != ']'); first = false, ++p) {
    if (pattern.size() - p > 2 && pattern[p + 1] == '-' && pattern[p + 2] != ']') {
      matched |= static_cast<unsigned char>(pattern[p]) <= static_cast<unsigned char>(c) &&
                 static_cast<unsigned char>(c) <= static_cast<unsigned char>(pattern[p + 2]);
      p += 2;
    } else {
      matched |= pattern[p] == c;
    }
  }
  if (p >= pattern.size()) return pattern.npos;
  matched ^= negate;
  return p + 1;
}
}  // namespace

bool glob_match(std::string_view pattern, std::string_view path) {
  std::string under;
  if (pattern.ends_with('/')) pattern = under = std::string(pattern) + "*";
  // Linear in |pattern|·|path|: only the last '*' is ever retried, so a hostile pattern cannot explode.
  std::size_t p = 0, t = 0, star = pattern.npos, star_t = 0;
  while (t < path.size()) {
    std::size_t next = pattern.npos;
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++, star_t = t;
      continue;
    }
    if (p < pattern.size() && pattern[p] == '?')
      next = p + 1;
    else if (p < pattern.size() && pattern[p] == '[') {
      bool matched = false;
      const auto behind = match_class(pattern, p + 1, path[t], matched);
      if (behind == pattern.npos)
        next = path[t] == '[' ? p + 1 : pattern.npos;  // no closing bracket: a literal one
      else if (matched)
        next = behind;
    } else if (p < pattern.size() && pattern[p] == path[t])
      next = p + 1;
    if (next != pattern.npos)
      p = next, ++t;
    else if (star != pattern.npos)
      p = star + 1, t = ++star_t;
    else
      return false;
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

std::string iso8601(std::int64_t unix_ms) {
  std::time_t seconds = unix_ms / 1000;
  std::int64_t ms = unix_ms % 1000;
  if (ms < 0) ms += 1000, --seconds;
  std::tm t{};
  gmtime_r(&seconds, &t);
  std::array<char, 96> out;
  // Not strftime: its %Y gives the year 26 two digits.
  std::snprintf(out.data(), out.size(), "%04d-%02d-%02dT%02d:%02d:%02d.%03dZ", t.tm_year + 1900, t.tm_mon + 1,
                t.tm_mday, t.tm_hour, t.tm_min, t.tm_sec, static_cast<int>(ms));
  return out.data();
}

std::optional<std::int64_t> parse_iso8601(std::string_view text) {
  static constexpr std::string_view kForm = "0000-00-00T00:00:00";
  if (text.size() > 40 || text.size() <= kForm.size()) return std::nullopt;
  for (std::size_t i = 0; i < kForm.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kForm[i] == '0' ? !digit : text[i] != kForm[i]) return std::nullopt;
  }
  auto number = [&](std::size_t at, std::size_t digits) {
    return static_cast<int>(*parse_u64(text.substr(at, digits)));
  };
  std::tm t{};
  t.tm_year = number(0, 4) - 1900, t.tm_mon = number(5, 2) - 1, t.tm_mday = number(8, 2);
  t.tm_hour = number(11, 2), t.tm_min = number(14, 2), t.tm_sec = number(17, 2);
  const std::tm given = t;
  const std::time_t seconds = timegm(&t);  // normalises 31 November to 1 December: such a date is none
  if (t.tm_mon != given.tm_mon || t.tm_mday != given.tm_mday || t.tm_hour != given.tm_hour ||
      t.tm_min != given.tm_min || t.tm_sec != given.tm_sec)
    return std::nullopt;
  std::int64_t ms = 0;
  std::string_view rest = text.substr(kForm.size());
  if (rest.starts_with('.')) {
    rest.remove_prefix(1);
    int digits = 0;
    for (; !rest.empty() && rest[0] >= '0' && rest[0] <= '9'; rest.remove_prefix(1), ++digits)
      if (digits < 3) ms = ms * 10 + (rest[0] - '0');
    for (; digits < 3; ++digits) ms *= 10;
  }
  if (rest != "Z") return std::nullopt;
  return static_cast<std::int64_t>(seconds) * 1000 + ms;
}

Result<std::int64_t> parse_time(std::string_view text) {
  constexpr std::size_t kDay = std::string_view("2026-11-20").size();
  const auto ms = parse_iso8601(text.size() == kDay ? std::string(text) + "T00:00:00Z" : std::string(text));
  if (ms) return *ms;
  return Error{Errc::BadInput,
               "\"" + printable(text) + "\" is not a time; write e.g. 2026-11-20 or 2026-11-20T15:20:00Z"};
}

Result<std::int64_t> parse_duration(std::string_view text) {
  constexpr std::int64_t kMinute = 60'000, kHour = 60 * kMinute, kDay = 24 * kHour;
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_u64(text.substr(0, digits));
  for (const auto& [name, unit] : {std::pair{"min", kMinute}, {"h", kHour}, {"d", kDay}, {"w", 7 * kDay}})
    if (number && text.substr(digits) == name && *number <= static_cast<std::uint64_t>(INT64_MAX / unit))
      return static_cast<std::int64_t>(*number) * unit;
  return Error{Errc::BadInput, "\"" + printable(text) + "\" is not a duration; write e.g. 45min, 12h, 90d or 2w"};
}

std::string shell_quoted(std::string_view text) {
  const bool plain = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("/._-+:@%=").find(c) != std::string_view::npos;
  });
  if (plain) return std::string(text);
  std::string out = "'";
  for (const char c : text) {
    if (c == '\'')
      out += "'\\''";
    else
      out += c;
  }
  return out + "'";
}
}  // namespace hm
