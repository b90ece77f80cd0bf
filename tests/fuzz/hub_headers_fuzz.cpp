// Response headers, one `Name: value` a line: waits are never negative, windows are bounded, and a next page is on the
// upstream.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "hub/wire/headers.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static const hm::net::Url page = hm::net::parse_url("https://huggingface.co/api/models?limit=1000").value();
  hm::net::Headers headers;
  for (std::string_view line : hm::split(text, '\n')) {
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos)
      headers.add(std::string(line.substr(0, colon)), std::string(line.substr(colon + 1)));
  }
  constexpr std::int64_t kNow = 1'800'000'000'000;
  const auto limits = hm::hub::parse_rate_limits(headers);
  if (limits.size() > hm::hub::kBuckets) std::abort();
  for (const hm::hub::RateLimit& limit : limits)
    if (limit.reset_s > hm::hub::kRateWindowMaxS || limit.window_s.value_or(0) > hm::hub::kRateWindowMaxS) std::abort();
  if (hm::hub::asked_wait_ms(headers, kNow).value_or(0) < 0 || hm::hub::parse_retry_after(text, kNow).value_or(0) < 0)
    std::abort();
  const auto next = hm::hub::next_page(headers, page, page);
  if (next && !next.assume_value().empty()) {
    const auto url = hm::net::parse_url(next.assume_value());
    if (!url || !url.assume_value().same_origin(page)) std::abort();
  }
  (void)hm::hub::normalized_etag(text);
  (void)hm::hub::repo_commit(headers);
  (void)hm::hub::linked_size(headers);
  return 0;
}
