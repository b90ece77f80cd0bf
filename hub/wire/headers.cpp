#include "hub/wire/headers.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"

namespace hm::hub {
namespace {
/// Cuts at `separator` outside of quoted strings (and of <…> when `angles`); a backslash in a quoted string hides the
/// next byte.
std::vector<std::string_view> split_outside_quotes(std::string_view text, char separator, bool angles) {
  std::vector<std::string_view> parts;
  std::size_t begin = 0;
  bool quoted = false, angled = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        quoted = false;
    } else if (angled) {
      angled = c != '>';
    } else if (c == '"') {
      quoted = true;
    } else if (c == '<' && angles) {
      angled = true;
    } else if (c == separator) {
      parts.push_back(trim(text.substr(begin, i - begin)));
      begin = i + 1;
    }
  }
  parts.push_back(trim(text.substr(begin)));
  return parts;
}

std::string_view unquoted(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return text;
}

/// `name = value` → {name, value}, blanks around both dropped.
std::pair<std::string_view, std::string_view> parameter(std::string_view text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return {trim(text), {}};
  return {trim(text.substr(0, equals)), trim(text.substr(equals + 1))};
}

/// rel="next", rel=next, rel="last next": relation types are separated by blanks and compare without case.
bool is_next(std::string_view rel) {
  for (std::string_view type : split(unquoted(rel), ' '))
    if (ascii_equal_fold(trim(type), "next")) return true;
  return false;
}

std::optional<std::string_view> next_of_link(std::string_view link) {
  const auto parts = split_outside_quotes(link, ';', true);
  const std::string_view target = parts[0];
  if (target.size() < 3 || target.front() != '<' || target.back() != '>') return std::nullopt;
  for (std::size_t i = 1; i < parts.size(); ++i) {
    const auto [name, value] = parameter(parts[i]);
    if (ascii_equal_fold(name, "rel"))
      return is_next(value) ? std::optional(target.substr(1, target.size() - 2)) : std::nullopt;
  }
  return std::nullopt;
}

std::optional<Bucket> bucket_of_name(std::string_view quoted_name) {
  for (std::size_t i = 0; i < kBuckets; ++i)
    if (unquoted(quoted_name) == name_of(static_cast<Bucket>(i))) return static_cast<Bucket>(i);
  return std::nullopt;
}

/// One item of RateLimit or of RateLimit-Policy: the bucket is whichever quoted name is one; a policy has a label
/// before it.
struct RateItem {
  std::optional<Bucket> bucket;
  std::optional<std::uint64_t> r, t, q, w;
};
RateItem parse_rate_item(std::string_view text) {
  RateItem item;
  for (std::string_view part : split_outside_quotes(text, ';', false)) {
    const auto [name, value] = parameter(part);
    if (value.empty()) {
      if (const auto bucket = bucket_of_name(name)) item.bucket = bucket;
    } else if (name == "r") {
      item.r = parse_u64(value);
    } else if (name == "t") {
      item.t = parse_u64(value);
    } else if (name == "q") {
      item.q = parse_u64(value);
    } else if (name == "w") {
      item.w = parse_u64(value);
    }
  }
  return item;
}

template <class F>
void for_each_rate_item(const net::Headers& headers, std::string_view header, F&& use) {
  for (const auto& [name, value] : headers.all())
    if (ascii_equal_fold(name, header))
      for (std::string_view text : split_outside_quotes(value, ',', false)) use(parse_rate_item(text));
}

/// "Wed, 21 Oct 2015 07:28:00 GMT", the one form that servers send, as POSIX milliseconds.
std::optional<std::int64_t> parse_http_date(std::string_view text) {
  static constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                               "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (text.size() != 29 || text.substr(3, 2) != ", " || !text.ends_with(" GMT")) return std::nullopt;
  const auto month = std::find(kMonths.begin(), kMonths.end(), text.substr(8, 3));
  const auto day = parse_u64(text.substr(5, 2)), year = parse_u64(text.substr(12, 4));
  if (month == kMonths.end() || !day || !year || text[7] != ' ' || text[11] != ' ' || text[16] != ' ')
    return std::nullopt;
  const auto number = static_cast<unsigned>(month - kMonths.begin() + 1);
  std::string iso(text.substr(12, 4));
  iso.append(number < 10 ? "-0" : "-").append(std::to_string(number)).append("-").append(text.substr(5, 2));
  iso.append("T").append(text.substr(17, 8)).append("Z");
  return parse_iso8601(iso);
}
}  // namespace

std::string normalized_etag(std::string_view value) {
  value = trim(value);
  if (value.starts_with("W/") || value.starts_with("w/")) value.remove_prefix(2);
  return std::string(unquoted(value));
}

std::optional<GitOid> repo_commit(const net::Headers& headers) {
  const auto value = headers.get("X-Repo-Commit");
  return value ? GitOid::parse(*value) : std::nullopt;
}

std::optional<std::uint64_t> linked_size(const net::Headers& headers) {
  const auto value = headers.get("X-Linked-Size");
  return value ? parse_u64(*value) : std::nullopt;
}

std::string next_link(const net::Headers& headers) {
  for (const auto& [name, value] : headers.all()) {
    if (!ascii_equal_fold(name, "Link")) continue;
    for (std::string_view link : split_outside_quotes(value, ',', true))
      if (const auto target = next_of_link(link)) return std::string(*target);
  }
  return {};
}

Result<std::string> next_page(const net::Headers& headers, const net::Url& page, const net::Url& upstream) {
  const std::string target = next_link(headers);
  if (target.empty()) return std::string();
  HM_TRY(const net::Url next, net::resolve_reference(page, target));
  if (!next.same_origin(upstream))
    return Error{Errc::Refused,
                 "the next page would come from " + printable(next.origin()) + " and not from " + upstream.origin()};
  if (next.text() == page.text())
    return Error{Errc::Refused, "the next page is the same page: the listing would never end"};
  return next.text();
}

std::string_view name_of(Bucket bucket) {
  switch (bucket) {
    case Bucket::Api:
      return "api";
    case Bucket::Resolvers:
      return "resolvers";
    case Bucket::Pages:
      break;
  }
  return "pages";
}

std::vector<RateLimit> parse_rate_limits(const net::Headers& headers) {
  std::array<std::optional<RateLimit>, kBuckets> found;
  for_each_rate_item(headers, "RateLimit", [&](const RateItem& item) {
    if (!item.bucket || !item.r || !item.t) return;
    RateLimit& limit = found[static_cast<std::size_t>(*item.bucket)].emplace();
    limit.bucket = *item.bucket;
    limit.remaining = *item.r;
    limit.reset_s = std::min(*item.t, kRateWindowMaxS);
  });
  for_each_rate_item(headers, "RateLimit-Policy", [&](const RateItem& item) {
    if (!item.bucket) return;
    auto& limit = found[static_cast<std::size_t>(*item.bucket)];
    if (!limit) return;
    limit->quota = item.q;
    if (item.w) limit->window_s = std::min(*item.w, kRateWindowMaxS);
  });
  std::vector<RateLimit> limits;
  for (const auto& limit : found)
    if (limit) limits.push_back(*limit);
  return limits;
}

std::optional<std::int64_t> parse_retry_after(std::string_view value, std::int64_t now_unix_ms) {
  value = trim(value);
  if (const auto seconds = parse_u64(value)) {
    constexpr std::uint64_t kYearS =
        366ULL * 86'400;  // anything longer is refused all the same; keeps the product in range
    return static_cast<std::int64_t>(std::min(*seconds, kYearS)) * 1000;
  }
  const auto date = parse_http_date(value);
  if (!date) return std::nullopt;
  return std::max<std::int64_t>(0, *date - now_unix_ms);
}

std::optional<std::int64_t> asked_wait_ms(const net::Headers& headers, std::int64_t now_unix_ms) {
  for (const RateLimit& limit : parse_rate_limits(headers))
    if (limit.remaining == 0) return static_cast<std::int64_t>(limit.reset_s + 1) * 1000;  // t is rounded down
  const auto retry_after = headers.get("Retry-After");
  return retry_after ? parse_retry_after(*retry_after, now_unix_ms) : std::nullopt;
}
}  // namespace hm::hub
