// Listings and searches: /api/models, /api/datasets, /api/spaces. docs/hub_protocol.md
#include <algorithm>
#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include "base/run_on.hpp"
#include "base/text.hpp"
#include "provenance/selection.hpp"
#include "server/hub_call.hpp"
#include "server/hub_fields.hpp"

namespace hm::server {
namespace {
using provenance::Found;
using provenance::SortBy;
constexpr std::size_t kPageMax = 1000;
constexpr std::size_t kLookedAtMax = 20'000;  // rows of one page that the caller may not see

struct Question {
  provenance::Filter filter;
  provenance::Order order{SortBy::Trending};
  std::size_t limit = kPageMax;
  std::vector<std::string> fields;
  bool expanded = false;  ///< `fields` are all that was asked for
};

std::optional<SortBy> sort_of(std::string_view name) {
  if (name == "createdAt") return SortBy::Created;
  if (name == "lastModified") return SortBy::Modified;
  if (name == "downloads") return SortBy::Downloads;
  if (name == "likes" || name == "likes30d") return SortBy::Likes;
  if (name == "trendingScore" || name == "trending") return SortBy::Trending;
  if (name == "num_parameters" || name == "mainSize") return SortBy::Parameters;
  return std::nullopt;
}

/// "1234.567": value and ordinal of the last one of the page before.
std::optional<provenance::Place> place_from(const std::string& cursor) {
  const std::size_t dot = cursor.find('.');
  const auto value = parse_u64(cursor.substr(0, dot));
  if (dot == std::string::npos || !value) return std::nullopt;
  const auto ordinal = parse_u64(cursor.substr(dot + 1));
  if (!ordinal || *ordinal > UINT32_MAX) return std::nullopt;
  return provenance::Place{*value, static_cast<std::uint32_t>(*ordinal)};
}

/// "min:6B,max:128B"
bool read_parameter_bounds(const std::string& text, provenance::Filter& filter) {
  for (const std::string_view part : split(text, ',')) {
    const bool is_min = part.starts_with("min:"), is_max = part.starts_with("max:");
    const auto count = is_min || is_max ? parse_count(part.substr(4)) : Result<std::uint64_t>(Error{});
    if (!count) return false;
    (is_min ? filter.parameters_min : filter.parameters_max) = count.assume_value();
  }
  return true;
}

void add_all(std::vector<std::string>& to, std::vector<std::string> more) {
  to.insert(to.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
}

std::optional<Response> read_filter(const std::vector<Parameter>& query, RepoKind kind, provenance::Filter& filter) {
  filter.kind = kind;
  for (const std::string& text : values_of(query, "search"))
    for (const std::string_view word : split(text, ' '))
      if (!word.empty()) filter.words.emplace_back(word);
  add_all(filter.owners, values_of(query, "author"));
  for (const std::string& several : values_of(query, "filter"))
    for (const std::string_view tag : split(several, ','))
      if (!tag.empty()) filter.tags.emplace_back(tag);
  add_all(filter.tasks, values_of(query, "pipeline_tag"));
  add_all(filter.libraries, values_of(query, "library"));
  for (const auto& [name, prefix] : {std::pair{"license", "license:"},
                                     {"language", ""},
                                     {"other", ""},
                                     {"trained_dataset", "dataset:"},
                                     {"apps", ""},
                                     {"tags", ""}})
    for (const std::string& value : values_of(query, name)) filter.tags.push_back(prefix + value);
  if (value_of(query, "gated")) filter.gated = is_true(query, "gated");
  if (const auto bounds = value_of(query, "num_parameters"); bounds && !read_parameter_bounds(*bounds, filter))
    return hub_error(400, "", "num_parameters is written min:6B,max:128B");
  return std::nullopt;
}

std::optional<Response> read_order(const std::vector<Parameter>& query, Question& out) {
  if (const auto limit = value_of(query, "limit")) {
    const auto number = parse_u64(*limit);
    if (!number || *number == 0) return hub_error(400, "", "limit must be a whole number from 1 on");
    out.limit = std::min<std::uint64_t>(*number, kPageMax);
  }
  const auto sort = sort_of(value_of(query, "sort").value_or("trendingScore"));
  if (!sort)
    return hub_error(400, "",
                     "sort must be one of createdAt, lastModified, downloads, likes, trendingScore, "
                     "num_parameters");
  const std::string direction = value_of(query, "direction").value_or("-1");
  if (direction != "1" && direction != "-1") return hub_error(400, "", "direction must be 1 or -1");
  out.order = provenance::Order(*sort, direction == "1");
  if (const auto cursor = value_of(query, "cursor")) {
    out.order.after = place_from(*cursor);
    if (!out.order.after) return hub_error(400, "", "this cursor is none of ours");
  }
  return std::nullopt;
}

std::optional<Response> read_fields(const std::vector<Parameter>& query, RepoKind kind, Question& out) {
  out.fields = values_of(query, "expand");
  out.expanded = !out.fields.empty();
  for (const std::string& field : out.fields)
    if (!is_expandable(kind, field)) return unknown_field(kind, field);
  if (out.expanded) return std::nullopt;
  for (const std::string_view field : listing_fields(kind)) out.fields.emplace_back(field);
  if (is_true(query, "full"))
    for (const std::string_view field : full_listing_fields(kind)) out.fields.emplace_back(field);
  for (const char* more : {"cardData", "config"})
    if (is_true(query, more)) out.fields.emplace_back(more);
  return std::nullopt;
}

json::object item_of(const Found& found, const Question& question) {
  json::object all = listed_json(found);
  json::object out{{"_id", all["_id"]}, {"id", all["id"]}};
  if (found.key.kind == RepoKind::Model && !question.expanded) out["modelId"] = all["id"];
  for (const std::string& field : question.fields)
    if (json::value* value = all.if_contains(field)) out[field] = std::move(*value);
  return out;
}

/// A visit may have seen what the newest listing did not.
Result<bool> may_be_named(const mirror::Catalog& catalog, const Found& found, const Caller& caller) {
  HM_TRY(const auto row, catalog.find(found.key));
  return caller.may_list({found.key.kind, found.row.name}, row ? row->visibility : found.facts.visibility);
}

Result<CachedAnswer> render(const mirror::Catalog& catalog, const storage::Index& index, Question question,
                            const Caller& caller) {
  CachedAnswer out;
  json::array rows;
  std::size_t looked_at = 0;
  bool more = true;
  while (more && rows.size() < question.limit && looked_at < kLookedAtMax) {
    const std::size_t wanted = question.limit - rows.size();
    HM_TRY(const auto found, provenance::search(index, question.filter, question.order, wanted + 1));
    more = found.size() > wanted;
    looked_at += found.size();
    for (std::size_t i = 0; i < std::min(found.size(), wanted); ++i) {
      question.order.after = provenance::place_of(found[i], question.order.by);
      HM_TRY(const bool named, may_be_named(catalog, found[i], caller));
      if (named) rows.push_back(item_of(found[i], question));
    }
  }
  if (more)
    out.next = std::to_string(question.order.after->value) + "." + std::to_string(question.order.after->ordinal);
  out.body = json::serialize(rows);
  return out;
}
}  // namespace

awaitable<Response> answer_listing(const HubParts& parts, const Request& request, const HubPath& path,
                                   std::shared_ptr<const Caller> caller, std::string base_url) {
  if (path.kernel) co_return json_response(std::string("[]"));
  const auto query = parse_form(request.query());
  Question question;
  if (auto no = read_filter(query, path.kind, question.filter)) co_return std::move(*no);
  if (auto no = read_order(query, question)) co_return std::move(*no);
  if (auto no = read_fields(query, path.kind, question)) co_return std::move(*no);
  auto ask = [&] { return render(parts.published.catalog(), parts.published.index(), question, *caller); };
  auto rendered = co_await run_on(parts.published.pool(), std::move(ask));
  if (!rendered) co_return failed(rendered.error(), "searching");
  const std::string next = std::move(rendered.assume_value().next);
  Response out = json_response(std::move(rendered.assume_value().body));
  if (!next.empty()) out.add("Link", "<" + next_url(request, base_url, next) + ">; rel=\"next\"");
  co_return out;
}
}  // namespace hm::server
