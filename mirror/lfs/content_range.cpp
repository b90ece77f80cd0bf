#include "mirror/lfs/content_range.hpp"

#include "base/text.hpp"
#include "hub/retry.hpp"

namespace hm::mirror {
namespace {
Error bad_range(std::string_view value, std::string_view why) {
  // A header of any length may come: its beginning is enough to recognise it by.
  constexpr std::size_t kShownMax = 80;
  return {Errc::BadInput, "Content-Range \"" + printable(value.substr(0, kShownMax)) + "\": " + std::string(why)};
}

Judgement judge_partial(const net::HttpResponse& response, const AskedBytes& asked) {
  if (!asked.ranged) return {Verdict::Again, Error(Errc::BadInput, "206 to a request without Range")};
  const auto header = response.headers.get("Content-Range");
  if (!header) return {Verdict::Again, Error(Errc::BadInput, "206 without Content-Range")};
  const auto range = parse_content_range(*header);
  if (!range) return {Verdict::Again, range.assume_error()};
  const auto& r = range.assume_value();
  if (r.total && *r.total != asked.size) {
    return {Verdict::WrongSize, Error(Errc::Corrupt, "size differs: announced " + std::to_string(asked.size) +
                                                         " bytes, the server has " + std::to_string(*r.total))};
  }
  if (r.first != asked.first || r.last >= asked.end)
    return {Verdict::Again, bad_range(*header, "asked for " + asked.header())};
  if (response.content_length && *response.content_length != r.last - r.first + 1) {
    return {Verdict::Again, bad_range(*header, "but Content-Length is " + std::to_string(*response.content_length))};
  }
  return {Verdict::Use, r.last + 1};
}

Judgement judge_whole(const net::HttpResponse& response, const AskedBytes& asked) {
  if (response.content_length && *response.content_length != asked.size) {
    return {Verdict::WrongSize,
            Error(Errc::Corrupt, "size differs: announced " + std::to_string(asked.size) + " bytes, the server sends " +
                                     std::to_string(*response.content_length))};
  }
  if (asked.ranged)
    return {Verdict::NoRanges, Error(Errc::BadInput, "200 to a Range request: the server knows no ranges")};
  return {Verdict::Use, asked.size};
}
}  // namespace

Result<ContentRange> parse_content_range(std::string_view value) {
  constexpr std::string_view kUnit = "bytes ";
  if (value.size() < kUnit.size() || !ascii_equal_fold(value.substr(0, kUnit.size()), kUnit))
    return bad_range(value, "not in bytes");
  const std::string_view rest = trim(value.substr(kUnit.size()));
  const auto dash = rest.find('-');
  const auto slash = rest.find('/');
  if (dash == std::string_view::npos || slash == std::string_view::npos || slash < dash)
    return bad_range(value, "expected first-last/total");
  const auto first = parse_u64(rest.substr(0, dash));
  const auto last = parse_u64(rest.substr(dash + 1, slash - dash - 1));
  if (!first || !last) return bad_range(value, "expected first-last/total");
  ContentRange range;
  range.first = *first;
  range.last = *last;
  if (rest.substr(slash + 1) != "*") {
    range.total = parse_u64(rest.substr(slash + 1));
    if (!range.total) return bad_range(value, "expected a total");
    if (range.last >= *range.total) return bad_range(value, "ends beyond its total");
  }
  if (range.first > range.last || range.last == UINT64_MAX) return bad_range(value, "ends before it begins");
  return range;
}

std::string AskedBytes::header() const { return "bytes=" + std::to_string(first) + "-" + std::to_string(end - 1); }

Judgement judge_answer(const net::HttpResponse& response, const AskedBytes& asked) {
  const int status = response.status;
  const std::string shown = "the download host answered " + std::to_string(status);
  if (status == 200 || status == 206) {
    const auto encoding = response.headers.get("Content-Encoding");
    if (encoding && !encoding->empty() && !ascii_equal_fold(*encoding, "identity")) {
      return {Verdict::Never, Error(Errc::Refused, "Content-Encoding " + printable(encoding->substr(0, 40)) +
                                                       " on a blob, which is asked for as it is")};
    }
    return status == 206 ? judge_partial(response, asked) : judge_whole(response, asked);
  }
  switch (status) {
    case 401:
    case 403:
      return {Verdict::Stale, Error(Errc::Gated, shown)};
    case 404:
    case 410:
      return {Verdict::Stale, Error(Errc::NotFound, shown)};
    case 416:
      return {Verdict::WrongSize,
              Error(Errc::Corrupt, shown + " to " + asked.header() + ": the file there is shorter than announced")};
    default:
      break;
  }
  if (hub::is_retried_status(status))
    return {Verdict::Again, Error(status == 429 ? Errc::RateLimited : Errc::Unreachable, shown)};
  return {Verdict::Never, Error(status >= 500 ? Errc::Unreachable : Errc::Refused, shown)};
}

std::string validator_of(const net::Headers& headers) {
  if (const auto etag = headers.get("ETag"); etag && !etag->empty()) return std::string(*etag);
  if (const auto modified = headers.get("Last-Modified")) return std::string(*modified);
  return {};
}
}  // namespace hm::mirror
