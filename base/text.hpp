// base/text.hpp: small text tools. Layer 0; pure functions.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace hm {
/// For terminals and logs: control bytes, DEL, C1 controls and invalid UTF-8 become \xNN, so that a hostile name can
/// neither move a cursor nor forge a line.
std::string printable(std::string_view text);
/// The text as one word of a POSIX shell.
std::string shell_quoted(std::string_view text);
/// "1.5 GiB", "913 B". Binary units.
std::string human_bytes(std::uint64_t bytes);
/// The share `part` of `whole` in percent with one digit, "49.6"; halves go up. "-" of nothing.
std::string percent_text(std::uint64_t part, std::uint64_t whole);
/// "12 s", "3 min 05 s", "2 h 10 min".
std::string human_seconds(std::uint64_t seconds);
/// "200M", "1.5GiB", "4096" → bytes; k/M/G/T are powers of 1024. BadInput with an example otherwise.
Result<std::uint64_t> parse_bytes(std::string_view text);

/// "7B", "1.5M", "400000": powers of 1000 (k, M, B or G), as parameters are counted. BadInput with an example
/// otherwise.
Result<std::uint64_t> parse_count(std::string_view text);

/// RFC 3986: everything but unreserved bytes becomes %XX; '/' stays when `keep_slash`.
std::string percent_encode(std::string_view text, bool keep_slash = false);
/// Decodes %XX once; malformed escapes stay as they are. '+' is literal.
std::string percent_decode(std::string_view text);

bool ascii_equal_fold(std::string_view a, std::string_view b);
std::string ascii_lower(std::string_view text);
std::vector<std::string_view> split(std::string_view text, char separator);  ///< empty parts are kept
std::string_view trim(std::string_view text);                                ///< blanks, tabs, CR, LF
std::optional<std::uint64_t> parse_u64(std::string_view decimal);            ///< digits only, no sign, no overflow

/// Unicode case-folded and NFC-normalised form; two paths with equal folds are twins on macOS and Windows. Invalid
/// UTF-8 folds to itself.
std::string fold_path(std::string_view path);

/// Shell-like pattern over a whole path: '*' and '?' (also across '/', as Hub clients' fnmatch does), "[a-z]", "[!a]".
/// A pattern that ends in '/' means everything under it.
bool glob_match(std::string_view pattern, std::string_view path);

/// "2026-11-20T15:20:00.000Z" from POSIX milliseconds, and back (Hub form, fraction optional).
std::string iso8601(std::int64_t unix_ms);
std::optional<std::int64_t> parse_iso8601(std::string_view text);
/// "2026-11-20" (its beginning, UTC), "2026-11-20T15:20:00Z" → POSIX milliseconds. BadInput with an example otherwise.
Result<std::int64_t> parse_time(std::string_view text);
/// "45min", "12h", "90d", "2w" → milliseconds. BadInput with an example otherwise.
Result<std::int64_t> parse_duration(std::string_view text);
}  // namespace hm
