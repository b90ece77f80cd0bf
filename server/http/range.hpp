// server/http/range.hpp: Range, If-Range and If-None-Match against a body of known size and entity tag. Layer 5; pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "server/http/request.hpp"
#include "server/http/response.hpp"

namespace hm::server {
enum class RangeOutcome : std::uint8_t { Whole, Part, Unsatisfiable };
struct WantedRange {
  RangeOutcome outcome = RangeOutcome::Whole;
  std::uint64_t first = 0, length = 0;
};
/// One byte range (RFC 9110 §14.2). Several ranges, other units and what cannot be read are answered whole.
WantedRange wanted_range(std::string_view range, std::uint64_t size);
/// The request's Range, unless If-Range names another representation than `etag` (unquoted).
WantedRange wanted_range(const Request& request, std::string_view etag, std::uint64_t size);
/// If-None-Match names `etag` (unquoted) or is "*"; weak comparison.
bool matches_etag(std::string_view list, std::string_view etag, bool strongly = false);
/// Makes `answer`, a 200 with its fields, what the request's If-None-Match, Range and If-Range want: 200, 206, 304 or
/// 416. @returns the range to send; nullopt when there is none (304, 416).
std::optional<WantedRange> apply_conditions(const Request& request, std::string_view etag, std::uint64_t size,
                                            Response& answer);
}  // namespace hm::server
