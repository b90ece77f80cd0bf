#include "tests/hub_at_scale/listing.hpp"

#include <algorithm>
#include <array>
#include <cstdint>

#include "base/text.hpp"

namespace hm::test::scale {
namespace {
constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

std::string base64(std::string_view bytes) {
  std::string out;
  for (std::size_t at = 0; at < bytes.size(); at += 3) {
    std::uint32_t group = 0;
    for (std::size_t i = 0; i < 3; ++i)
      group = group << 8 | (at + i < bytes.size() ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    for (std::size_t i = 0; i < 4; ++i) out += at + i > bytes.size() ? '=' : kBase64[group >> (18 - 6 * i) & 63];
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  std::string out;
  std::uint32_t bits = 0;
  int have = 0;
  while (text.ends_with('=')) text.remove_suffix(1);
  for (const char c : text) {
    const std::size_t digit = kBase64.find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    bits = (bits << 6 | static_cast<std::uint32_t>(digit)) & 0xffffff;
    if ((have += 6) >= 8) out += static_cast<char>(bits >> (have -= 8) & 0xff);
  }
  return out;
}

bool is_time(Sort sort) { return sort == Sort::CreatedAt || sort == Sort::LastModified; }

void append_value(std::string& out, Order order, std::uint32_t key) {
  const std::uint32_t value = order.ascending ? key : ~key;
  if (!is_time(order.sort)) {
    out += std::to_string(value);
    return;
  }
  append_time(out += '"', value);
  out += '"';
}

/// {"$or":[{"downloads":2,"_id":{"$gt":"6390…"}},{"downloads":{"$lt":2}},{"downloads":null}]}, in base64.
std::string render_cursor(Order order, const Position& at) {
  const std::string name(name_of(order.sort));
  std::string out = "{\"$or\":[{\"" + name + "\":";
  append_value(out, order, at.key);
  append_rid(out += ",\"_id\":{\"$gt\":\"", at.created_s, at.rest);
  out += "\"}},{\"" + name + (order.ascending ? "\":{\"$gt\":" : "\":{\"$lt\":");
  append_value(out, order, at.key);
  out += order.ascending ? "}}]}" : "}},{\"" + name + "\":null}]}";
  return base64(out);
}

std::optional<std::uint64_t> parse_hex_u64(std::string_view text) {
  std::uint64_t value = 0;
  for (const char c : text) {
    const std::size_t digit = std::string_view("0123456789abcdef").find(c);
    if (digit == std::string_view::npos) return std::nullopt;
    value = value << 4 | digit;
  }
  return value;
}

std::optional<Position> parse_cursor(Order order, std::string_view cursor) {
  const auto json = from_base64(cursor);
  if (!json) return std::nullopt;
  const std::string begin = "{\"$or\":[{\"" + std::string(name_of(order.sort)) + "\":";
  const std::string middle = ",\"_id\":{\"$gt\":\"";
  const std::size_t id = json->find(middle);
  if (!json->starts_with(begin) || id == std::string::npos || json->size() < id + middle.size() + 24)
    return std::nullopt;
  const std::string_view value = std::string_view(*json).substr(begin.size(), id - begin.size());
  const std::string_view rid = std::string_view(*json).substr(id + middle.size(), 24);
  std::optional<std::uint64_t> number;
  if (is_time(order.sort)) {
    if (value.size() < 2) return std::nullopt;
    const auto ms = parse_iso8601(value.substr(1, value.size() - 2));
    if (ms && *ms >= 0) number = static_cast<std::uint64_t>(*ms / 1000);
  } else {
    number = parse_u64(value);
  }
  const auto created_s = parse_hex_u64(rid.substr(0, 8));
  const auto rest = parse_hex_u64(rid.substr(8));
  if (!number || *number > UINT32_MAX || !created_s || !rest) return std::nullopt;
  Position at{static_cast<std::uint32_t>(*number), static_cast<std::uint32_t>(*created_s), *rest};
  if (!order.ascending) at.key = ~at.key;
  const std::string again = render_cursor(order, at);
  return again == cursor ? std::optional(at) : std::nullopt;  // one of this order and direction, and whole
}

/// author=, filter= and search=, all of which a row must meet.
class Filter {
 public:
  Filter(const Store& store, const Query& query) : store_(store), searches_(query.all("search")) {
    if (const auto author = query.get("author")) author_ = std::string(*author) + "/";
    for (const std::string_view tag : query.all("filter")) {
      tags_.push_back("\"" + std::string(tag) + "\"");
      for_derived_ |= tag.starts_with("base_model:");
    }
  }
  bool takes(std::uint32_t slot) {
    if (author_.empty() && tags_.empty() && searches_.empty()) return true;
    if (for_derived_ && store_.at(slot).parent == kNobody) return false;
    text_.clear();
    if (!author_.empty() || !searches_.empty()) store_.append_name(text_, slot);
    if (!text_.starts_with(author_)) return false;
    for (const std::string_view part : searches_)
      if (text_.find(part) == std::string::npos) return false;
    if (tags_.empty()) return true;
    text_.clear();
    append_tags(text_, store_, slot);
    return std::ranges::all_of(tags_, [&](const std::string& tag) { return text_.find(tag) != std::string::npos; });
  }

 private:
  const Store& store_;
  std::vector<std::string_view> searches_;
  std::string author_;
  std::vector<std::string> tags_;
  bool for_derived_ = false;
  std::string text_;
};

Result<Order> parse_order(const Query& query, RepoKind kind, const HubTraits& traits) {
  Order order;
  const std::string_view sort = query.get("sort").value_or(name_of(Sort::TrendingScore));
  bool known = false;
  for (std::size_t i = 0; i < kSorts; ++i) {
    if (name_of(static_cast<Sort>(i)) != sort) continue;
    order.sort = static_cast<Sort>(i);
    known = kind != RepoKind::Space || order.sort != Sort::Downloads;
  }
  if (!known || (traits.only_created_at && query.get("sort") && order.sort != Sort::CreatedAt))
    return Error(Errc::BadInput, "Invalid sort parameter");
  if (const auto direction = query.get("direction")) {
    if (traits.direction_refused || (*direction != "1" && *direction != "-1"))
      return Error(Errc::BadInput, "Invalid direction parameter");
    order.ascending = *direction == "1";
  }
  return order;
}

bool is_true(std::optional<std::string_view> value) {
  return value && (ascii_equal_fold(*value, "true") || *value == "1");
}
}  // namespace

std::optional<std::string_view> Query::get(std::string_view key) const {
  for (const auto& [k, value] : params)
    if (k == key) return value;
  return std::nullopt;
}

std::vector<std::string_view> Query::all(std::string_view key) const {
  std::vector<std::string_view> out;
  for (const auto& [k, value] : params) {
    std::string_view name = k;
    if (name.ends_with("[]")) name.remove_suffix(2);
    if (name == key) out.push_back(value);
  }
  return out;
}

Query parse_query(std::string_view target) {
  Query query;
  const std::size_t mark = std::min(target.find('?'), target.size());
  query.path = target.substr(0, mark);
  if (mark == target.size()) return query;
  for (const std::string_view part : split(target.substr(mark + 1), '&')) {
    if (part.empty()) continue;
    const std::size_t equals = std::min(part.find('='), part.size());
    const std::string_view value = part.substr(std::min(equals + 1, part.size()));
    query.params.emplace_back(percent_decode(part.substr(0, equals)), percent_decode(value));
  }
  return query;
}

Result<std::optional<Fields>> parse_expands(const Query& query, RepoKind kind, const HubTraits& traits) {
  std::optional<Fields> fields;
  for (const std::string_view name : query.all("expand")) {
    const auto field = parse_expand(kind, name);
    if (!field || traits.refused_expand.contains(std::string(name))) return Error(Errc::BadInput, expand_refusal(kind));
    if (!fields) fields.emplace();
    fields->add(*field);
  }
  return fields;
}

Result<Page> list_page(Store& store, RepoKind kind, const Query& query, const HubTraits& traits) {
  HM_TRY(const Order order, parse_order(query, kind, traits));
  HM_TRY(auto expanded, parse_expands(query, kind, traits));
  if (expanded && order.sort == Sort::TrendingScore) expanded->add(Field::TrendingScore);
  const Fields fields = expanded ? *expanded : is_true(query.get("full")) ? full_fields(kind) : default_fields(kind);
  std::size_t limit = traits.page_cap;
  if (const auto text = query.get("limit")) {
    const auto number = parse_u64(*text);
    if (!number || *number == 0) return Error(Errc::BadInput, "Invalid limit parameter");
    limit = static_cast<std::size_t>(std::min<std::uint64_t>(*number, traits.page_cap));
  }
  std::optional<Position> after;
  if (const auto cursor = query.get("cursor"); cursor && traits.cursors) {
    after = parse_cursor(order, *cursor);
    if (!after) return Error(Errc::BadInput, "Invalid cursor parameter");
  }
  Page page;
  page.rows.reserve(limit * 512 + 64);
  page.rows = "[";
  Filter filter(store, query);
  RowStyle style;
  style.with_rid = !traits.no_rid;
  std::uint32_t last = kNobody;
  store.order(kind, order).walk(after, [&](std::uint32_t slot) {
    if (!filter.takes(slot)) return true;
    if (page.count == limit) {
      if (traits.cursors) page.cursor = render_cursor(order, store.position_of(last, order));
      return false;
    }
    if (page.count++ != 0) page.rows += ',';
    append_row(page.rows, store, slot, fields, style);
    last = slot;
    return true;
  });
  page.rows += ']';
  return page;
}
}  // namespace hm::test::scale
