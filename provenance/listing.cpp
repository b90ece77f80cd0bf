#include "provenance/listing.hpp"

#include <boost/json/array.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <string_view>

#include "base/json_fields.hpp"
#include "base/text.hpp"
#include "provenance/lineage/edges.hpp"
#include "storage/key_space.hpp"

namespace hm::provenance {
using storage::Column;

namespace {
/// Popularity, and what a Hub works out about others' use of the repository.
constexpr std::array kVolatile{"downloads",   "downloadsAllTime",   "likes",
                               "likesRecent", "trendingScore",      "spaces",
                               "inference",   "childrenModelCount", "inferenceProviderMapping"};
constexpr std::size_t kTagsMax = 256, kBasesMax = 64;                  // kept for search; the facts keep all
constexpr std::size_t kColumnChangesMax = 64 * storage::kColumnChunk;  // of a rebuild, between two batches
constexpr std::string_view kLicenceTag = "license:";
constexpr std::size_t kLicencesMax = 33;       // one more than a declaration is read to, so that it shows
constexpr std::size_t kLicenceBytesMax = 256;  // the journal keeps them, and its entries are bounded

const json::value* find(const json::object& in, const char* name) { return in.if_contains(name); }
std::uint64_t count_of(const json::object& in, const char* name) {
  const json::value* v = find(in, name);
  if (v == nullptr) return 0;
  if (v->is_uint64()) return v->get_uint64();
  return v->is_int64() && v->get_int64() > 0 ? static_cast<std::uint64_t>(v->get_int64()) : 0;
}
/// A score as thousandths; the Hub sends integers and fractions.
std::uint64_t thousandths_of(const json::object& in, const char* name) {
  constexpr double kLargest = 1e12;
  const json::value* v = find(in, name);
  if (v == nullptr || !v->is_number()) return 0;
  const double score = v->is_double() ? v->get_double() : static_cast<double>(count_of(in, name));
  return std::isfinite(score) && score > 0 ? static_cast<std::uint64_t>(std::min(score, kLargest) * 1000) : 0;
}

BaseRelation relation_of(std::string_view word) {
  if (word == "finetune") return BaseRelation::Finetune;
  if (word == "adapter") return BaseRelation::Adapter;
  if (word == "quantized") return BaseRelation::Quantized;
  if (word == "merge") return BaseRelation::Merge;
  return BaseRelation::Unknown;
}

/// `{"relation": "finetune", "models": [{"_id": …, "id": …}]}`; names without an id lead nowhere here.
std::vector<Base> bases_of(const json::object& facts) {
  std::vector<Base> out;
  const json::value* const v = find(facts, "baseModels");
  if (v == nullptr || !v->is_object()) return out;
  const BaseRelation relation = relation_of(text_of(v->get_object(), "relation"));
  const json::value* const models = find(v->get_object(), "models");
  if (models == nullptr || !models->is_array()) return out;
  for (const json::value& model : models->get_array()) {
    if (!model.is_object() || out.size() == kBasesMax) continue;
    const auto rid = Rid::parse(text_of(model.get_object(), "_id"));
    if (rid) out.push_back({relation, {RepoKind::Model, *rid}});
  }
  return out;
}

/// One that is cut is no licence that anybody knows: what was cut off may restrict it.
std::string licence_word(std::string_view text) {
  if (text.size() <= kLicenceBytesMax) return std::string(text);
  return printable(text.substr(0, kLicenceBytesMax)) + " (cut)";
}

std::string visibility_of(const json::object& facts) {
  if (flag_of(facts, "private")) return "private";
  const std::string gated = text_of(facts, "gated");
  if (gated == "auto") return "gated-auto";
  return gated == "manual" ? "gated-manual" : "public";
}

std::uint64_t state_of(RepoKind kind, const storage::ListingRow& row, const ListingFacts& facts) {
  std::uint64_t state = storage::state_of(kind);
  if (facts.visibility.starts_with("gated")) state |= storage::kStateGated;
  if (facts.visibility == "gated-manual") state |= storage::kStateGatedManual;
  if (facts.visibility == "private") state |= storage::kStatePrivate;
  if (facts.disabled) state |= storage::kStateDisabled;
  if (row.gone_status != 0) state |= storage::kStateGone;
  return state;
}

std::uint32_t folded(std::string_view word) { return word.empty() ? 0 : storage::fold32(word); }
std::uint32_t licence_of(const ListingFacts& facts) {
  if (facts.licences.size() > 1) return storage::kFoldSeveral;
  return facts.licences.empty() ? 0 : folded(facts.licences.front());
}
std::string packed_tags(const std::vector<std::string>& tags) {
  std::string out;
  for (const std::string& tag : tags) {
    std::uint32_t fold = storage::fold32(tag);
    for (int byte = 0; byte < 4; ++byte, fold >>= 8) out.push_back(static_cast<char>(fold & 0xff));
  }
  return out;
}
std::string packed_bases(const std::vector<Base>& bases) {
  std::string out;
  for (const Base& base : bases) out.append(1, static_cast<char>(base.relation)).append(storage::key::repo(base.key));
  return out;
}
}  // namespace

std::uint64_t seconds_in_column(std::int64_t ms) {
  return static_cast<std::uint64_t>(std::clamp(ms / 1000, std::int64_t{0}, std::int64_t{0xffffffff}));
}

Listing read_listing(const RepoId& repo, const Rid& rid, json::object item) {
  const Popularity popularity{count_of(item, "downloads"), count_of(item, "likes"),
                              thousandths_of(item, "trendingScore")};
  for (const char* name : kVolatile) item.erase(name);
  std::string facts = json::serialize(item);
  return {repo, rid, popularity, std::move(item), std::move(facts)};  // fields that are assigned to would be copied
}

ListingFacts read_facts(const json::object& facts) {
  ListingFacts out;
  out.visibility = visibility_of(facts);
  out.disabled = flag_of(facts, "disabled");
  out.head = Commit::parse(text_of(facts, "sha"));
  out.created_ms = parse_iso8601(text_of(facts, "createdAt")).value_or(0);
  out.modified_ms = parse_iso8601(text_of(facts, "lastModified")).value_or(0);
  out.storage_bytes = count_of(facts, "usedStorage");
  out.library = text_of(facts, "library_name");
  out.task = text_of(facts, "pipeline_tag");
  for (const char* holder : {"safetensors", "gguf"}) {
    const json::value* v = find(facts, holder);
    if (out.parameters == 0 && v != nullptr && v->is_object()) out.parameters = count_of(v->get_object(), "total");
  }
  if (const json::value* tags = find(facts, "tags"); tags != nullptr && tags->is_array()) {
    for (const json::value& tag : tags->get_array()) {
      if (!tag.is_string()) continue;
      const std::string_view text = tag.get_string();
      if (text.starts_with(kLicenceTag) && out.licences.size() < kLicencesMax)
        out.licences.push_back(licence_word(text.substr(kLicenceTag.size())));
      if (out.tags.size() < kTagsMax) out.tags.emplace_back(text);
    }
  }
  out.bases = bases_of(facts);
  return out;
}

Result<> set_columns(storage::ColumnEditor& columns, const RepoKey& key, const storage::ListingRow& row,
                     const ListingFacts& facts) {
  const std::string owner = row.name.substr(0, std::min(row.name.find('/'), row.name.size()));
  const std::array<std::pair<Column, std::uint64_t>, 10> numbers{{
      {Column::State, state_of(key.kind, row, facts)},
      {Column::Source, storage::fold32(row.src)},
      {Column::Created, seconds_in_column(facts.created_ms)},
      {Column::Modified, seconds_in_column(facts.modified_ms)},
      {Column::Parameters, facts.parameters},
      {Column::Storage, facts.storage_bytes},
      {Column::Owner, folded(owner)},
      {Column::Library, folded(facts.library)},
      {Column::Task, folded(facts.task)},
      {Column::Licence, licence_of(facts)},
  }};
  for (const auto& [column, value] : numbers) {
    HM_TRY(columns.set(column, row.ordinal, value));
  }
  HM_TRY(columns.set(Column::Key, row.ordinal, storage::key::repo(key)));
  HM_TRY(columns.set(Column::Name, row.ordinal, ascii_lower(row.name)));
  HM_TRY(columns.set(Column::Tags, row.ordinal, packed_tags(facts.tags)));
  return columns.set(Column::Bases, row.ordinal, packed_bases(facts.bases));
}

Result<> derive_from_listings(storage::Index& index) {
  storage::ColumnEditor columns(index);
  std::optional<lineage::EdgeEditor> edges(std::in_place, index);
  storage::Batch batch;
  std::size_t since = 0;
  Result<> outcome = ok();
  auto flush = [&]() -> Result<> {
    columns.flush(batch);
    since = 0;
    HM_TRY(index.commit(batch));
    batch = storage::Batch{};
    edges.emplace(index);
    return ok();
  };
  auto one = [&](const RepoKey& key, const storage::ListingRow& row) -> Result<> {
    HM_TRY(const json::value facts, parse_json(row.facts));
    if (!facts.is_object()) return Error{Errc::Corrupt, "the facts of listing row " + key.text() + " are no object"};
    HM_TRY(set_columns(columns, key, row, read_facts(facts.get_object())));
    HM_TRY(edges->change(key, storage::EdgeOrigin::Listing, {},
                         {row.name, lineage::claims_of_listing(key.kind, facts.get_object())}, batch));
    return ++since < kColumnChangesMax ? Result<>(ok()) : flush();
  };
  HM_TRY(storage::each_listing(index, [&](const RepoKey& key, const storage::ListingRow& row) {
    outcome = one(key, row);
    return outcome.has_value();
  }));
  HM_TRY(std::move(outcome));
  return flush();
}
}  // namespace hm::provenance
