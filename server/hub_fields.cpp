#include "server/hub_fields.hpp"

#include <algorithm>
#include <array>

#include "base/canonical_json.hpp"

namespace hm::server {
namespace {
// The Hub's own lists of October 2026.
constexpr std::array<std::string_view, 31> kModel{
    "author",       "baseModels",   "cardData",      "childrenModelCount", "config",
    "createdAt",    "disabled",     "downloads",     "downloadsAllTime",   "evalResults",
    "gated",        "gguf",         "gitalyUid",     "inference",          "inferenceProviderMapping",
    "lastModified", "library_name", "likes",         "mask_token",         "model-index",
    "pipeline_tag", "private",      "resourceGroup", "safetensors",        "sha",
    "siblings",     "spaces",       "tags",          "transformersInfo",   "trendingScore",
    "usedStorage"};
constexpr std::array<std::string_view, 2> kModelToo{"widgetData", "xetEnabled"};
constexpr std::array<std::string_view, 22> kDataset{
    "author",    "cardData",          "citation",    "createdAt",     "description",  "disabled",
    "downloads", "downloadsAllTime",  "gated",       "gitalyUid",     "lastModified", "likes",
    "mainSize",  "paperswithcode_id", "private",     "resourceGroup", "sha",          "siblings",
    "tags",      "trendingScore",     "usedStorage", "xetEnabled"};
constexpr std::array<std::string_view, 21> kSpace{
    "author", "cardData", "createdAt", "datasets", "disabled",      "gitalyUid",   "lastModified",
    "likes",  "models",   "private",   "region",   "resourceGroup", "runtime",     "sdk",
    "sha",    "siblings", "subdomain", "tags",     "trendingScore", "usedStorage", "xetEnabled"};

constexpr std::array<std::string_view, 8> kModelListing{"private", "downloads",    "likes",        "trendingScore",
                                                        "tags",    "pipeline_tag", "library_name", "createdAt"};
constexpr std::array<std::string_view, 12> kDatasetListing{"author", "private",   "downloads",    "likes",
                                                           "tags",   "createdAt", "lastModified", "sha",
                                                           "gated",  "disabled",  "description",  "trendingScore"};
constexpr std::array<std::string_view, 6> kSpaceListing{"private",   "likes", "tags",
                                                        "createdAt", "sdk",   "trendingScore"};
constexpr std::array<std::string_view, 5> kModelFull{"author", "sha", "lastModified", "siblings", "gated"};
constexpr std::array<std::string_view, 1> kDatasetFull{"cardData"};
constexpr std::array<std::string_view, 5> kSpaceFull{"author", "sha", "lastModified", "siblings", "cardData"};

std::vector<std::string_view> expandable(RepoKind kind) {
  std::vector<std::string_view> out;
  if (kind == RepoKind::Model) {
    out.assign(kModel.begin(), kModel.end());
    out.insert(out.end(), kModelToo.begin(), kModelToo.end());
  }
  if (kind == RepoKind::Dataset) out.assign(kDataset.begin(), kDataset.end());
  if (kind == RepoKind::Space) out.assign(kSpace.begin(), kSpace.end());
  return out;
}
}  // namespace

bool is_expandable(RepoKind kind, std::string_view field) {
  const auto all = expandable(kind);
  return std::find(all.begin(), all.end(), field) != all.end();
}

Response unknown_field(RepoKind kind, std::string_view field) {
  std::string allowed;
  for (const std::string_view one : expandable(kind))
    allowed += (allowed.empty() ? "\"" : "|\"") + std::string(one) + "\"";
  return hub_error(400, "", "Invalid option \"" + std::string(field.substr(0, 64)) + "\", expected one of " + allowed);
}

std::span<const std::string_view> listing_fields(RepoKind kind) {
  if (kind == RepoKind::Dataset) return kDatasetListing;
  if (kind == RepoKind::Space) return kSpaceListing;
  return kModelListing;
}
std::span<const std::string_view> full_listing_fields(RepoKind kind) {
  if (kind == RepoKind::Dataset) return kDatasetFull;
  if (kind == RepoKind::Space) return kSpaceFull;
  return kModelFull;
}

json::object listed_json(const provenance::Found& found) {
  json::object out{{"_id", found.key.rid.text()}, {"id", found.row.name}};
  if (found.key.kind == RepoKind::Model) out["modelId"] = found.row.name;
  if (const std::size_t slash = found.row.name.find('/'); slash != std::string::npos)
    out["author"] = found.row.name.substr(0, slash);
  out["downloads"] = found.popularity.downloads;
  out["likes"] = found.popularity.likes;
  out["trendingScore"] = static_cast<double>(found.popularity.trending) / 1000;
  if (found.popularity.trending % 1000 == 0) out["trendingScore"] = found.popularity.trending / 1000;
  if (auto facts = parse_json(found.row.facts); facts && facts.assume_value().is_object())
    for (auto& field : facts.assume_value().get_object())
      if (!out.contains(field.key())) out[field.key()] = std::move(field.value());
  out["private"] = found.facts.visibility == "private";
  for (const char* field : {"xetEnabled", "inferenceProviderMapping", "resourceGroup"}) out.erase(field);
  return out;
}
}  // namespace hm::server
