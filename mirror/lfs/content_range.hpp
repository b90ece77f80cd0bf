// mirror/lfs/content_range.hpp: is this answer the bytes that were asked for? Decided from its head, before a byte of
// its body is used. Layer 4; pure functions.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "net/http_client.hpp"

namespace hm::mirror {
/// `bytes first-last/total`, both ends included; total is absent for `*`.
struct ContentRange {
  std::uint64_t first = 0, last = 0;
  std::optional<std::uint64_t> total;
};
/// @returns BadInput: another unit, an end before its beginning or beyond the total, anything that is not exactly this
/// form (also `bytes */N`).
Result<ContentRange> parse_content_range(std::string_view value);

/// Bytes [first, end) of a file of `size`; `ranged` when a Range header was sent, else it is the whole file.
struct AskedBytes {
  AskedBytes() = default;
  AskedBytes(std::uint64_t f, std::uint64_t e, std::uint64_t s, bool r) : first(f), end(e), size(s), ranged(r) {}
  std::uint64_t first = 0, end = 0, size = 0;
  bool ranged = false;
  std::string header() const;  ///< "bytes=first-last"
};

enum class Verdict : std::uint8_t {
  Use,        ///< the body is bytes [first, end) of the judgement
  NoRanges,   ///< 200 to a Range: the whole file from its beginning
  Again,      ///< a passing trouble (408, 429, 5xx, or an answer that contradicts itself)
  Stale,      ///< the location is no longer good, or never was: ask for a new one
  WrongSize,  ///< the file there is not as long as was announced: Corrupt
  Never,      ///< asking again will not help
};
struct Judgement {
  Judgement(Verdict v, std::uint64_t e) : verdict(v), end(e) {}
  Judgement(Verdict v, Error e) : verdict(v), error(std::move(e)) {}
  Verdict verdict;
  std::uint64_t end = 0;  ///< of Use: where the body ends; before asked.end when the server sends less at once
  Error error;            ///< of all but Use
};
Judgement judge_answer(const net::HttpResponse& response, const AskedBytes& asked);

/// What tells two versions of a file apart: its ETag, else its Last-Modified, else empty.
std::string validator_of(const net::Headers& headers);
}  // namespace hm::mirror
