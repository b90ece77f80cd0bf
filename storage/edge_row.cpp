#include "storage/edge_row.hpp"

#include <algorithm>
#include <array>

#include "base/text.hpp"
#include "storage/key_space.hpp"

namespace hm::storage {
namespace {
constexpr std::array<std::string_view, kRelationCount> kRelations{
    "base",         "finetune",      "adapter", "quantized",    "merge",        "converted",      "trained-on",
    "evaluated-on", "superseded-by", "uses",    "from-dataset", "shares-files", "shares-tensors", "distilled-from"};
constexpr std::array<std::string_view, 5> kEvidence{"inferred", "declared", "files", "signed", "identical"};

constexpr char kEndOfName = '\0';  // no name has it

Error corrupt() { return {Errc::Corrupt, "the index holds a malformed edge; run: hubmirror index rebuild"}; }

/// From key::edges_to().
std::optional<EdgeTarget> parse_target(std::string_view prefix) {
  if (!prefix.empty()) prefix.remove_suffix(1);  // the class
  if (prefix.size() == 1 + kRepoKeyBytes && prefix[0] == kEdgesById) {
    const auto repo = key::parse_repo(prefix.substr(1));
    return repo ? std::optional(target_of(*repo)) : std::nullopt;
  }
  if (prefix.size() < 3 || prefix[0] != kEdgesByName || prefix.back() != kEndOfName) return std::nullopt;
  return EdgeTarget{static_cast<RepoKind>(prefix[1]), std::nullopt, std::string(prefix.substr(2, prefix.size() - 3))};
}
}  // namespace

std::string_view name_of(Relation relation) { return kRelations[static_cast<std::size_t>(relation)]; }
std::optional<Relation> parse_relation(std::string_view name) {
  for (std::size_t i = 0; i < kRelations.size(); ++i)
    if (kRelations[i] == name) return static_cast<Relation>(i);
  return std::nullopt;
}
bool is_lineage(Relation relation) {
  return relation != Relation::EvaluatedOn && relation != Relation::SupersededBy && relation != Relation::Uses;
}
std::string_view name_of(Evidence evidence) { return kEvidence[static_cast<std::size_t>(evidence)]; }
std::optional<Evidence> parse_evidence(std::string_view name) {
  for (std::size_t i = 0; i < kEvidence.size(); ++i)
    if (kEvidence[i] == name) return static_cast<Evidence>(i);
  return std::nullopt;
}

EdgeTarget target_of(const RepoKey& key) { return {key.kind, key.rid, {}}; }
EdgeTarget target_of(const RepoId& name) { return {name.kind, std::nullopt, ascii_lower(name.name)}; }

namespace {
std::string named_bases(const RepoId& base_name) {
  return std::string(1, kNamedBases) + key::name(base_name) + kEndOfName;
}
}  // namespace

namespace key {
std::string edges_to(const EdgeTarget& target, EdgeClass edges) {
  if (target.rid) return edges_to_stored(repo({target.kind, *target.rid}), edges);
  std::string out = std::string(1, kEdgesByName) + name({target.kind, target.name}) + kEndOfName;
  out.push_back(static_cast<char>(edges));
  return out;
}
std::string edges_to_stored(std::string_view repo_key, EdgeClass edges) {
  std::string out = std::string(1, kEdgesById).append(repo_key);
  out.push_back(static_cast<char>(edges));
  return out;
}
std::string edge(const EdgeRow& row) {
  std::string out = edges_to(row.to, class_of(row.relation)) + repo(row.from);
  out.push_back(static_cast<char>(row.origin));
  out.push_back(static_cast<char>(row.relation));
  return out;
}
std::size_t edges_to_bytes(std::string_view edge_key) {
  if (edge_key.empty()) return 0;
  std::size_t class_at = 0;
  if (edge_key[0] == kEdgesById) class_at = 1 + kRepoKeyBytes;
  if (edge_key[0] == kEdgesByName) class_at = edge_key.find(kEndOfName) + 1;  // 0 when there is none
  return class_at == 0 || class_at >= edge_key.size() ? 0 : class_at + 1;
}
std::string former_names_stored(std::string_view repo_key) { return std::string(1, kFormerNames).append(repo_key); }
std::string former_names(const RepoKey& repo_key) { return former_names_stored(repo(repo_key)); }
std::string former_name(const RepoKey& repo_key, std::string_view name) {
  return former_names(repo_key) + ascii_lower(name);
}
std::string named_base(const RepoId& base_name, const RepoKey& base, const RepoKey& child) {
  return named_bases(base_name) + repo(base) + repo(child);
}
std::string_view prefix_of(std::string_view row_key) {
  const bool is_former = !row_key.empty() && row_key[0] == kFormerNames && row_key.size() > kRepoKeyBytes;
  return row_key.substr(0, is_former ? 1 + kRepoKeyBytes : edges_to_bytes(row_key));
}
std::string_view target_in(std::string_view prefix) {
  if (prefix.empty()) return {};
  if (prefix[0] != kEdgesByName) return prefix.substr(1, kRepoKeyBytes);
  return prefix.size() < 4
             ? std::string_view()
             : prefix.substr(2, prefix.size() - 4);  // between the kind, and the end of the name with the class
}
}  // namespace key

std::string pack_edge(const EdgeRow& row) {
  return std::string(1, static_cast<char>(row.evidence)).append(row.from_name);
}

std::optional<EdgeView> edge_of(std::string_view from, unsigned char origin, unsigned char relation,
                                unsigned char evidence, std::string_view from_name) {
  if (origin < 1 || origin > 2 || relation >= kRelationCount || evidence >= kEvidence.size()) return std::nullopt;
  return EdgeView{from, static_cast<EdgeOrigin>(origin), static_cast<Relation>(relation),
                  static_cast<Evidence>(evidence), from_name};
}
std::string tail_of(const EdgeView& edge) {
  std::string out(edge.from);
  out.push_back(static_cast<char>(edge.origin));
  out.push_back(static_cast<char>(edge.relation));
  return out;
}

Result<EdgeView> unpack_edge(std::string_view target_prefix, std::string_view key, std::string_view value) {
  if (target_prefix.empty() || key.size() != target_prefix.size() + kEdgeTailBytes || value.empty()) return corrupt();
  const std::string_view tail = key.substr(target_prefix.size());
  const auto byte = [](char c) { return static_cast<unsigned char>(c); };
  const auto out = edge_of(tail.substr(0, kRepoKeyBytes), byte(tail[kRepoKeyBytes]), byte(tail[kRepoKeyBytes + 1]),
                           byte(value[0]), value.substr(1));
  if (!out || static_cast<char>(class_of(out->relation)) != target_prefix.back()) return corrupt();
  return *out;
}

Result<std::optional<RepoKey>> find_named_base(const Index& index, const RepoId& name) {
  const std::string prefix = named_bases(name);
  HM_TRY(const auto last, index.last(Family::Edges, prefix));
  if (!last) return std::optional<RepoKey>();
  const auto base = key::parse_repo(std::string_view(last->first).substr(prefix.size()));
  return base ? Result<std::optional<RepoKey>>(base) : corrupt();
}

Result<> each_edge(const Index& index, const std::function<bool(const EdgeTarget& to, const EdgeView& edge)>& visit) {
  std::string prefix;
  EdgeTarget target;
  Result<> outcome = ok();
  bool goes_on = true;
  for (const char first : {kEdgesById, kEdgesByName}) {
    if (!goes_on) break;
    HM_TRY(index.scan(Family::Edges, std::string(1, first), [&](std::string_view k, std::string_view value) {
      const std::string_view to = k.substr(0, k.size() - std::min(kEdgeTailBytes, k.size()));
      if (to != prefix) {
        const auto parsed = parse_target(to);
        if (!parsed) {
          outcome = corrupt();
          return false;
        }
        prefix = to;
        target = *parsed;
      }
      const auto edge = unpack_edge(prefix, k, value);
      if (!edge) {
        outcome = edge.error();
        return false;
      }
      return goes_on = visit(target, edge.assume_value());
    }));
    HM_TRY(Result<>(outcome));
  }
  return ok();
}
}  // namespace hm::storage
