#include "provenance/lineage/claims.hpp"

#include <algorithm>
#include <array>
#include <boost/json/array.hpp>

#include "base/json_fields.hpp"
#include "base/text.hpp"

namespace hm::provenance::lineage {
using storage::EdgeTarget;
using storage::Evidence;
using storage::Relation;

namespace {
constexpr std::size_t kTextBytesMax = 256;  // a name has two segments of 96
constexpr std::array<std::string_view, 4> kPagesOfARepository{"tree", "blob", "resolve", "raw"};

Relation relation_of(std::string_view word) {
  if (word == "finetune") return Relation::Finetune;
  if (word == "adapter") return Relation::Adapter;
  if (word == "quantized") return Relation::Quantized;
  if (word == "merge") return Relation::Merge;
  return Relation::DerivedFrom;
}

bool take_prefix(std::string_view& text, std::string_view prefix) {
  if (text.size() < prefix.size() || !ascii_equal_fold(text.substr(0, prefix.size()), prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}
/// Takes the Hub's address off the front, with or without a scheme. False: it is no address of the Hub.
bool take_hub_address(std::string_view& text) {
  std::string_view rest = text;
  if (!take_prefix(rest, "https://")) take_prefix(rest, "http://");
  take_prefix(rest, "www.");
  if (!take_prefix(rest, "huggingface.co/") && !take_prefix(rest, "hf.co/")) return false;
  text = rest.substr(0, rest.find_first_of("?#"));
  return true;
}

/// Names a repository at its beginning: "ns/name/tree/main" → "ns/name", "name/tree/main" → "name".
std::string_view name_in(std::string_view path) {
  const std::vector<std::string_view> parts = split(path, '/');
  const auto is_page = [&](std::size_t i) {
    return i < parts.size() &&
           std::find(kPagesOfARepository.begin(), kPagesOfARepository.end(), parts[i]) != kPagesOfARepository.end();
  };
  if (parts.size() < 2 || (parts.size() > 2 && is_page(1) && !is_page(2))) return parts[0];
  return path.substr(0, parts[0].size() + 1 + parts[1].size());
}

class Claims {
 public:
  void add(const EdgeTarget& to, Relation relation, std::string field, std::string_view text,
           Evidence evidence = Evidence::Declared) {
    if (out_.size() == kClaimsMax || (to.name.empty() && !to.rid)) return;
    for (const Claim& claim : out_)
      if (claim.relation == relation && claim.to == to && claim.evidence == evidence) return;
    out_.push_back({to, relation, evidence, std::move(field), printable(text.substr(0, kTextBytesMax))});
  }
  void add_text(RepoKind expected, Relation relation, std::string field, std::string_view text,
                Evidence evidence = Evidence::Declared) {
    if (!trim(text).empty()) add(reference_of(expected, text), relation, std::move(field), text, evidence);
  }
  bool empty() const { return out_.empty(); }
  std::vector<Claim> take() { return std::move(out_); }

 private:
  std::vector<Claim> out_;
};

/// `{"relation": …, "models": [{"_id": …, "id": …}]}`, or a list of names.
void add_base_models(const json::object& facts, Claims& out) {
  const json::value* const v = facts.if_contains("baseModels");
  if (v == nullptr) return;
  const json::value* models = v;
  Relation relation = Relation::DerivedFrom;
  if (v->is_object()) {
    relation = relation_of(text_of(v->get_object(), "relation"));
    models = v->get_object().if_contains("models");
  }
  if (models == nullptr || !models->is_array()) return;
  for (const json::value& model : models->get_array()) {
    if (model.is_string()) out.add_text(RepoKind::Model, relation, "baseModels", model.get_string());
    if (!model.is_object()) continue;
    const std::string id = text_of(model.get_object(), "id");
    if (const auto rid = Rid::parse(text_of(model.get_object(), "_id")))
      out.add(storage::target_of(RepoKey{RepoKind::Model, *rid}), relation, "baseModels", id);
    else
      out.add_text(RepoKind::Model, relation, "baseModels", id);
  }
}

/// "base_model:finetune:ns/name" and "base_model:ns/name": the Hub gives both of each.
void add_base_tag(std::string_view rest, Claims& out) {
  const std::size_t colon = rest.find(':');
  const Relation relation =
      colon == std::string_view::npos ? Relation::DerivedFrom : relation_of(rest.substr(0, colon));
  if (relation != Relation::DerivedFrom) out.add_text(RepoKind::Model, relation, "tags", rest.substr(colon + 1));
}

/// "ns/name", "extended|ns/name"; "original", "extended" and "other" name none.
void add_source(const char* field, std::string_view text, Claims& out) {
  constexpr std::string_view kExtended = "extended|";
  std::string_view name = trim(text);
  if (name.starts_with(kExtended)) name.remove_prefix(kExtended.size());
  if (trim(name).empty() || name == "original" || name == "extended" || name == "other") return;
  out.add(reference_of(RepoKind::Dataset, name), Relation::FromDataset, field, text);
}

void add_tags(RepoKind kind, const json::object& facts, bool with_bases, Claims& out) {
  constexpr std::string_view kBase = "base_model:", kDataset = "dataset:", kSource = "source_datasets:";
  const json::value* const tags = facts.if_contains("tags");
  if (tags == nullptr || !tags->is_array()) return;
  for (const json::value& v : tags->get_array()) {
    if (!v.is_string()) continue;
    std::string_view tag = v.get_string();
    if (with_bases && tag.starts_with(kBase)) add_base_tag(tag.substr(kBase.size()), out);
    if (tag.starts_with(kDataset) && kind != RepoKind::Dataset)
      out.add_text(RepoKind::Dataset, kind == RepoKind::Model ? Relation::TrainedOn : Relation::Uses, "tags",
                   tag.substr(kDataset.size()));
    if (tag.starts_with(kSource) && kind == RepoKind::Dataset) add_source("tags", tag.substr(kSource.size()), out);
  }
}

/// A space tells what it uses, by name or as {"_id": …, "id": …}.
void add_used(const json::object& facts, const char* field, RepoKind kind, Claims& out) {
  const json::value* const list = facts.if_contains(field);
  if (list == nullptr || !list->is_array()) return;
  for (const json::value& v : list->get_array()) {
    if (v.is_string()) out.add_text(kind, Relation::Uses, field, v.get_string());
    if (v.is_object()) out.add_text(kind, Relation::Uses, field, text_of(v.get_object(), "id"));
  }
}
}  // namespace

EdgeTarget reference_of(RepoKind expected, std::string_view text) {
  std::string_view rest = trim(text);
  const bool on_hub = take_hub_address(rest);
  while (rest.ends_with('/')) rest.remove_suffix(1);
  EdgeTarget out{expected, std::nullopt, {}};
  for (const RepoKind kind : {RepoKind::Model, RepoKind::Dataset, RepoKind::Space}) {
    const std::string prefix = std::string(api_segment(kind)) + "/";
    if (!rest.starts_with(prefix)) continue;
    // "models/x" alone is somebody's folder or a namespace; before a whole name it is the Hub's prefix, and so it is
    // in the address of what has no namespace.
    const bool whole = rest.find('/', prefix.size()) != std::string_view::npos;
    if (!whole && (!on_hub || kind == RepoKind::Model)) continue;
    rest.remove_prefix(prefix.size());
    out.kind = kind;
    break;
  }
  const std::string_view name = on_hub ? name_in(rest) : rest;
  out.name = ascii_lower(is_valid_repo_name(name) ? std::string(name) : printable(rest.substr(0, kTextBytesMax)));
  return out;
}

std::vector<Claim> claims_of_listing(RepoKind kind, const json::object& facts) {
  Claims out;
  if (kind == RepoKind::Model) add_base_models(facts, out);
  add_tags(kind, facts, kind == RepoKind::Model && out.empty(), out);
  if (kind == RepoKind::Space) {
    add_used(facts, "models", RepoKind::Model, out);
    add_used(facts, "datasets", RepoKind::Dataset, out);
  }
  return out.take();
}

std::vector<Claim> claims_of_card(RepoKind kind, const storage::CardFacts& card) {
  Claims out;
  if (kind == RepoKind::Model) {
    const Relation stated = relation_of(card.base_model_relation);
    // The Hub takes several bases for a merge where the card says nothing.
    const bool several = card.base_models.size() > 1 && stated == Relation::DerivedFrom;
    for (const std::string& base : card.base_models)
      out.add_text(RepoKind::Model, several ? Relation::Merge : stated, "base_model", base);
  }
  for (const std::string& dataset : card.datasets)
    out.add_text(RepoKind::Dataset, kind == RepoKind::Model ? Relation::TrainedOn : Relation::Uses, "datasets",
                 dataset);
  for (const std::string& dataset : card.evaluated_on)
    if (kind == RepoKind::Model) out.add_text(RepoKind::Dataset, Relation::EvaluatedOn, "model-index", dataset);
  for (const std::string& source : card.source_datasets)
    if (kind == RepoKind::Dataset) add_source("source_datasets", source, out);
  for (const std::string& model : card.models)
    if (kind == RepoKind::Space) out.add_text(RepoKind::Model, Relation::Uses, "models", model);
  out.add_text(kind, Relation::SupersededBy, "new_version", card.new_version);
  return out.take();
}
namespace {
void add_file_claim(const formats::Claim& claim, Claims& out) {
  using formats::ClaimKind;
  const std::string field = claim.file + " " + claim.field;
  const auto derived = [&](RepoKind kind, Relation relation) {
    out.add_text(kind, relation, field, claim.text, Evidence::Derived);
  };
  switch (claim.kind) {
    case ClaimKind::Base:
      return derived(RepoKind::Model, Relation::DerivedFrom);
    case ClaimKind::AdapterBase:
      return derived(RepoKind::Model, Relation::Adapter);
    case ClaimKind::MergeParent:
      return derived(RepoKind::Model, Relation::Merge);
    case ClaimKind::ConvertedFrom:
      return derived(RepoKind::Model, Relation::Converted);
    case ClaimKind::Dataset:
      return derived(RepoKind::Dataset, Relation::TrainedOn);
    case ClaimKind::LoadedFrom:
      if (is_valid_repo_name(trim(claim.text)) && claim.text.find('/') != std::string::npos)
        out.add_text(RepoKind::Model, Relation::DerivedFrom, field, claim.text, Evidence::Inferred);
      return;
    case ClaimKind::RemoteCode:
      if (const std::size_t end = claim.text.find("--"); end != std::string::npos)  // of another repository
        out.add_text(RepoKind::Model, Relation::Uses, field, claim.text.substr(0, end), Evidence::Derived);
      return;
    default:
      return;
  }
}
}  // namespace

std::vector<Claim> claims_of_files(RepoKind kind, const FileFacts& facts) {
  Claims out;
  if (kind == RepoKind::Model)
    for (const formats::FileClaims& file : facts.files)
      for (const formats::Claim& claim : file.claims) add_file_claim(claim, out);
  return out.take();
}
}  // namespace hm::provenance::lineage
