#include "server/http/range.hpp"

#include <algorithm>
#include <string>

#include "base/text.hpp"

namespace hm::server {
namespace {
/// A position may have any number of digits (RFC 9110 §14.1.1); behind the end is behind the end.
std::optional<std::uint64_t> position(std::string_view digits) {
  const bool is_number =
      !digits.empty() && std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; });
  if (!is_number) return std::nullopt;
  return parse_u64(digits).value_or(UINT64_MAX);
}
}  // namespace

WantedRange wanted_range(std::string_view range, std::uint64_t size) {
  const WantedRange whole{RangeOutcome::Whole, 0, size};
  range = trim(range);
  if (range.size() < 6 || !ascii_equal_fold(range.substr(0, 6), "bytes=")) return whole;
  const std::string_view spec = trim(range.substr(6));
  const std::size_t dash = spec.find('-');
  if (dash == std::string_view::npos || spec.find(',') != std::string_view::npos) return whole;
  const std::string_view left = trim(spec.substr(0, dash)), right = trim(spec.substr(dash + 1));
  const auto first = position(left), last = position(right);
  if ((!left.empty() && !first) || (!right.empty() && !last) || (left.empty() && right.empty())) return whole;
  if (left.empty()) {  // the last so many bytes
    if (*last == 0 || size == 0) return {RangeOutcome::Unsatisfiable, 0, 0};
    const std::uint64_t length = std::min(*last, size);
    return {RangeOutcome::Part, size - length, length};
  }
  if (last && *last < *first) return whole;
  if (*first >= size) return {RangeOutcome::Unsatisfiable, 0, 0};
  const std::uint64_t end = last ? std::min(*last, size - 1) : size - 1;
  return {RangeOutcome::Part, *first, end - *first + 1};
}

WantedRange wanted_range(const Request& request, std::string_view etag, std::uint64_t size) {
  const std::string_view range = request.header("Range");
  if (range.empty()) return {RangeOutcome::Whole, 0, size};
  const std::string_view condition = trim(request.header("If-Range"));
  const bool same = condition.empty() || (condition.size() == etag.size() + 2 && condition.front() == '"' &&
                                          condition.back() == '"' && condition.substr(1, etag.size()) == etag);
  return same ? wanted_range(range, size) : WantedRange{RangeOutcome::Whole, 0, size};
}

bool matches_etag(std::string_view list, std::string_view etag, bool strongly) {
  for (std::string_view one : split(list, ',')) {
    one = trim(one);
    if (one == "*") return true;
    if (!strongly && one.starts_with("W/")) one.remove_prefix(2);
    if (one.size() == etag.size() + 2 && one.front() == '"' && one.back() == '"' && one.substr(1, etag.size()) == etag)
      return true;
  }
  return false;
}

std::optional<WantedRange> apply_conditions(const Request& request, std::string_view etag, std::uint64_t size,
                                            Response& answer) {
  if (request.has_header("If-Match") && !matches_etag(request.header("If-Match"), etag, /*strongly=*/true)) {
    answer.status = 412;
    return std::nullopt;
  }
  if (matches_etag(request.header("If-None-Match"), etag)) {
    answer.status = 304;
    return std::nullopt;
  }
  const WantedRange range = wanted_range(request, etag, size);
  if (range.outcome == RangeOutcome::Unsatisfiable) {
    answer.status = 416;
    answer.add("Content-Range", "bytes */" + std::to_string(size));
    return std::nullopt;
  }
  if (range.outcome == RangeOutcome::Part) {
    answer.status = 206;
    answer.add("Content-Range", "bytes " + std::to_string(range.first) + "-" +
                                    std::to_string(range.first + range.length - 1) + "/" + std::to_string(size));
  }
  return range;
}
}  // namespace hm::server
