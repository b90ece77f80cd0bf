#include "crawler/listers/traits.hpp"

#include <boost/json/array.hpp>

#include <algorithm>

#include "base/canonical_json.hpp"
#include "base/check.hpp"
#include "base/json_fields.hpp"

namespace hm::crawler {
namespace {
constexpr char kTraits[] = "traits";
constexpr std::size_t kTailRows = 200;  // of a tail's page: what changes in a minute and in the overlap, with room

}  // namespace

// `siblings`, `cardData`, `gguf` and `description` are left out: they are most of a page's bytes, and a visit reads
// them.
ListingTraits usual_traits(RepoKind kind) {
  ListingTraits traits;
  traits.expand = {"createdAt", "disabled", "lastModified",  "likes",      "private",
                   "sha",       "tags",     "trendingScore", "usedStorage"};
  auto add = [&](std::initializer_list<const char*> more) {
    traits.expand.insert(traits.expand.end(), more.begin(), more.end());
  };
  switch (kind) {
    case RepoKind::Model:
      add({"baseModels", "downloads", "gated", "library_name", "pipeline_tag", "safetensors"});
      break;
    case RepoKind::Dataset:
      add({"downloads", "gated", "mainSize"});
      break;
    case RepoKind::Space:
      add({"datasets", "models", "sdk"});
      break;
  }
  return traits;
}

std::string listing_query(const ListingTraits& traits, Order order) {
  const std::size_t rows = order == Order::Modified ? std::min(traits.page, kTailRows) : traits.page;
  std::string query = "limit=" + std::to_string(rows);
  switch (order) {
    case Order::Created:
      if (traits.sorts_by_created) query += "&sort=createdAt";
      if (traits.sorts_by_created && traits.direction) query += "&direction=1";
      break;
    case Order::Modified:
      query += traits.sorts_by_modified ? "&sort=lastModified" : "&sort=createdAt";
      break;
    case Order::Downloads:
      query += "&sort=downloads";
      break;
    case Order::Trending:
      query += "&sort=trendingScore";
      break;
  }
  if (traits.expand.empty()) query += "&full=true";
  for (const std::string& field : traits.expand) query += "&expand=" + field;
  return query;
}

std::string crawl_key(const std::string& src, RepoKind kind, std::string_view what) {
  return std::string("crawl/").append(src).append("/").append(name_of(kind)).append("/").append(what);
}

void save_traits(storage::Batch& batch, const std::string& src, RepoKind kind, const ListingTraits& traits) {
  json::array expand;
  for (const std::string& field : traits.expand) expand.emplace_back(field);
  auto text = canonical_json(json::object{{"expand", std::move(expand)},
                                          {"page", traits.page},
                                          {"created", traits.sorts_by_created},
                                          {"modified", traits.sorts_by_modified},
                                          {"direction", traits.direction},
                                          {"cursors", traits.cursors}});
  HM_CHECK(text.has_value());
  batch.put(storage::Family::Meta, crawl_key(src, kind, kTraits), std::move(text).assume_value());
}

Result<ListingTraits> load_traits(const storage::Index& index, const std::string& src, RepoKind kind) {
  HM_TRY(const auto bytes, index.get(storage::Family::Meta, crawl_key(src, kind, kTraits)));
  ListingTraits traits = usual_traits(kind);
  if (!bytes) return traits;
  HM_TRY(const json::value value, parse_json(*bytes));
  const json::object* row = value.if_object();
  const json::value* page = row ? row->if_contains("page") : nullptr;
  const json::value* expand = row ? row->if_contains("expand") : nullptr;
  if (page == nullptr || !page->is_int64() || page->get_int64() < 1 || expand == nullptr || !expand->is_array())
    return Error{Errc::Corrupt,
                 "what was learnt of the listings of " + src + " is stored in a form that nobody writes"};
  traits.page = static_cast<std::size_t>(page->get_int64());
  traits.sorts_by_created = flag_of(*row, "created");
  traits.sorts_by_modified = flag_of(*row, "modified");
  traits.direction = flag_of(*row, "direction");
  traits.cursors = flag_of(*row, "cursors");
  traits.expand.clear();
  for (const json::value& field : expand->get_array())
    if (field.is_string()) traits.expand.emplace_back(field.get_string());
  return traits;
}
}  // namespace hm::crawler
