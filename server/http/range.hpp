// server/http/range.hpp: Range, If-Range and If-None-Match against a body of known size and entity tag. Layer 5; pure.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "server/http/request.hpp"

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
bool matches_etag(std::string_view if_none_match, std::string_view etag);
}  // namespace hm::server
