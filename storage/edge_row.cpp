#include "storage/edge_row.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include "base/text.hpp"
#include "storage/columns.hpp"
#include "storage/key_space.hpp"

namespace hm::storage {
namespace {
constexpr std::array<std::string_view, kRelationCount> kRelations{
    "base",         "finetune",      "adapter", "quantized",    "merge",        "converted",      "trained-on",
    "evaluated-on", "superseded-by", "uses",    "from-dataset", "shares-files", "shares-tensors", "distilled-from"};
constexpr std::array<std::string_view, 5> kEvidence{"inferred", "declared", "files", "signed", "identical"};

// What a key of the family begins with.
constexpr char kFilter = 0, kByRid = 1, kByName = 2, kFormer = 3;
constexpr std::size_t kRepoBytes = 13;
constexpr std::size_t kTailBytes = kRepoBytes + 2;  // who says it, origin, relation
constexpr char kEndOfName = '\0';                   // no name has it

std::string filter_key(std::uint32_t chunk) { return std::string(1, kFilter) + key::u32(chunk); }
Error corrupt() { return {Errc::Corrupt, "the index holds a malformed edge; run: hubmirror index rebuild"}; }

/// From key::edges_to().
std::optional<EdgeTarget> parse_target(std::string_view prefix) {
  if (prefix.size() == 1 + kRepoBytes && prefix[0] == kByRid) {
    const auto repo = key::parse_repo(prefix.substr(1));
    return repo ? std::optional(target_of(*repo)) : std::nullopt;
  }
  if (prefix.size() < 3 || prefix[0] != kByName || prefix.back() != kEndOfName) return std::nullopt;
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

namespace key {
std::string edges_to(const EdgeTarget& target) {
  if (target.rid) return edges_to_stored(repo({target.kind, *target.rid}));
  return std::string(1, kByName) + name({target.kind, target.name}) + kEndOfName;
}
std::string edges_to_stored(std::string_view repo_key) { return std::string(1, kByRid).append(repo_key); }
std::string edge(const EdgeRow& row) {
  std::string out = edges_to(row.to) + repo(row.from);
  out.push_back(static_cast<char>(row.origin));
  out.push_back(static_cast<char>(row.relation));
  return out;
}
std::string former_names(const RepoKey& repo_key) { return std::string(1, kFormer).append(repo(repo_key)); }
std::string former_name(const RepoKey& repo_key, std::string_view name) {
  return former_names(repo_key) + ascii_lower(name);
}
}  // namespace key

std::string pack_edge(const EdgeRow& row) {
  return std::string(1, static_cast<char>(row.evidence)).append(row.from_name);
}

Result<EdgeView> unpack_edge(std::string_view target_prefix, std::string_view key, std::string_view value) {
  if (key.size() != target_prefix.size() + kTailBytes || value.empty()) return corrupt();
  const std::string_view tail = key.substr(target_prefix.size());
  const auto origin = static_cast<unsigned char>(tail[kRepoBytes]),
             relation = static_cast<unsigned char>(tail[kRepoBytes + 1]),
             evidence = static_cast<unsigned char>(value[0]);
  if (origin < 1 || origin > 2 || relation >= kRelationCount || evidence >= kEvidence.size()) return corrupt();
  return EdgeView{tail.substr(0, kRepoBytes), static_cast<EdgeOrigin>(origin), static_cast<Relation>(relation),
                  static_cast<Evidence>(evidence), value.substr(1)};
}

Result<> each_edge(const Index& index, const std::function<bool(const EdgeTarget& to, const EdgeView& edge)>& visit) {
  std::string prefix;
  EdgeTarget target;
  Result<> outcome = ok();
  bool goes_on = true;
  for (const char first : {kByRid, kByName}) {
    if (!goes_on) break;
    HM_TRY(index.scan(Family::Edges, std::string(1, first), [&](std::string_view k, std::string_view value) {
      const std::string_view to = k.substr(0, k.size() - std::min(kTailBytes, k.size()));
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

namespace {
bool is_set(const char* chunk, std::uint16_t bit) {
  return (static_cast<unsigned char>(chunk[bit / 8]) >> (bit % 8) & 1) != 0;
}
}  // namespace

namespace {
/// FNV-1a, 64 bit.
class PrefixHash {
 public:
  void add(std::string_view bytes) {
    for (const char c : bytes) add(c);
  }
  void add(char c) { hash_ = (hash_ ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL; }
  EdgeFilter::Place place() const {
    std::uint64_t mixed = (hash_ ^ (hash_ >> 29)) * 0x9e3779b97f4a7c15ULL;
    mixed ^= mixed >> 32;
    EdgeFilter::Place out;
    out.chunk = static_cast<std::uint32_t>(mixed >> 50);
    for (std::uint16_t& bit : out.bits) {
      bit = static_cast<std::uint16_t>(mixed & (EdgeFilter::kChunkBytes * 8 - 1));
      mixed >>= 10;
    }
    return out;
  }

 private:
  std::uint64_t hash_ = 0xcbf29ce484222325ULL;
};
}  // namespace

EdgeFilter::Place EdgeFilter::place_of(std::string_view prefix) {
  PrefixHash hash;
  hash.add(prefix);
  return hash.place();
}

Result<EdgeFilter> EdgeFilter::read(const Index& index) {
  EdgeFilter out;
  out.bits_.assign(std::size_t{kChunks} * kChunkBytes, '\0');
  bool whole = true;
  HM_TRY(index.scan(Family::Edges, std::string(1, kFilter), [&](std::string_view k, std::string_view bytes) {
    const auto chunk = key::parse_u64(std::string(4, '\0').append(k.substr(1)));
    whole = chunk && *chunk < kChunks && bytes.size() == kChunkBytes;
    if (whole) out.bits_.replace(*chunk * kChunkBytes, kChunkBytes, bytes);
    return whole;
  }));
  if (!whole) return corrupt();
  return out;
}

bool EdgeFilter::has(const Place& place) const {
  const char* const chunk = bits_.data() + std::size_t{place.chunk} * kChunkBytes;
  return std::all_of(place.bits.begin(), place.bits.end(), [&](std::uint16_t bit) { return is_set(chunk, bit); });
}
bool EdgeFilter::may_have(std::string_view prefix) const { return has(place_of(prefix)); }

// Asked for each of a hundred thousand leaves: the prefixes are hashed without being made.
namespace {
EdgeFilter::Place place_of(char form, std::string_view repo_key) {
  PrefixHash hash;
  hash.add(form);
  hash.add(repo_key);
  return hash.place();
}
EdgeFilter::Place place_of_name(char kind, std::string_view name) {
  PrefixHash hash;
  hash.add(kByName);
  hash.add(kind);
  for (const char c : name) hash.add(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  hash.add(kEndOfName);
  return hash.place();
}
}  // namespace
bool EdgeFilter::may_be_named(std::string_view repo_key, std::string_view name) const {
  // With a former name the bits of the id are set too.
  return has(hm::storage::place_of(kByRid, repo_key)) || has(place_of_name(repo_key.front(), name));
}
bool EdgeFilter::may_have_names(std::string_view repo_key, std::string_view name) const {
  return has(hm::storage::place_of(kFormer, repo_key)) || has(place_of_name(repo_key.front(), name));
}

Result<> EdgeFilterEditor::add(std::string_view prefix) {
  const EdgeFilter::Place place = EdgeFilter::place_of(prefix);
  auto [at, is_new] = chunks_.try_emplace(place.chunk);
  if (is_new) {
    HM_TRY(auto stored, index_.get(Family::Edges, filter_key(place.chunk)));
    if (stored && stored->size() != EdgeFilter::kChunkBytes) return corrupt();
    at->second.bytes = stored ? std::move(*stored) : std::string(EdgeFilter::kChunkBytes, '\0');
  }
  for (const std::uint16_t bit : place.bits) {
    if (is_set(at->second.bytes.data(), bit)) continue;
    char& byte = at->second.bytes[bit / 8];
    byte = static_cast<char>(static_cast<unsigned char>(byte) | (1U << (bit % 8)));
    at->second.changed = true;
  }
  return ok();
}

void EdgeFilterEditor::flush(Batch& batch) {
  for (auto& [number, chunk] : chunks_)
    if (std::exchange(chunk.changed, false)) batch.put(Family::Edges, filter_key(number), chunk.bytes);
}
}  // namespace hm::storage
