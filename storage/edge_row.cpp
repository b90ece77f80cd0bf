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
  if (!prefix.empty()) prefix.remove_suffix(1);  // the class
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
std::string edges_to(const EdgeTarget& target, EdgeClass edges) {
  if (target.rid) return edges_to_stored(repo({target.kind, *target.rid}), edges);
  std::string out = std::string(1, kByName) + name({target.kind, target.name}) + kEndOfName;
  out.push_back(static_cast<char>(edges));
  return out;
}
std::string edges_to_stored(std::string_view repo_key, EdgeClass edges) {
  std::string out = std::string(1, kByRid).append(repo_key);
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
  if (edge_key[0] == kByRid) class_at = 1 + kRepoBytes;
  if (edge_key[0] == kByName) class_at = edge_key.find(kEndOfName) + 1;  // 0 when there is none
  return class_at == 0 || class_at >= edge_key.size() ? 0 : class_at + 1;
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
  if (target_prefix.empty() || key.size() != target_prefix.size() + kTailBytes || value.empty()) return corrupt();
  const std::string_view tail = key.substr(target_prefix.size());
  const auto origin = static_cast<unsigned char>(tail[kRepoBytes]),
             relation = static_cast<unsigned char>(tail[kRepoBytes + 1]),
             evidence = static_cast<unsigned char>(value[0]);
  if (origin < 1 || origin > 2 || relation >= kRelationCount || evidence >= kEvidence.size()) return corrupt();
  if (static_cast<char>(class_of(static_cast<Relation>(relation))) != target_prefix.back()) return corrupt();
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
std::uint64_t mixed(std::uint64_t h) {
  h *= 0x9e3779b97f4a7c15ULL;
  return h ^ (h >> 32);
}
/// Little-endian, whatever the machine is; compilers make one load of it.
std::uint64_t load(const char* bytes, std::size_t size) {
  std::uint64_t out = 0;
  for (std::size_t i = 0; i < size; ++i) out |= std::uint64_t{static_cast<unsigned char>(bytes[i])} << (8 * i);
  return out;
}
}  // namespace

EdgeFilter::Place EdgeFilter::place_of(std::string_view prefix) {
  std::uint64_t h = prefix.size();
  std::size_t at = 0;
  for (; at + 8 <= prefix.size(); at += 8) h = mixed(h ^ load(prefix.data() + at, 8));
  h = mixed(h ^ load(prefix.data() + at, prefix.size() - at));
  h = mixed(h);
  const bool is_other =
      !prefix.empty() && prefix.front() != kFormer && prefix.back() == static_cast<char>(EdgeClass::Other);
  constexpr std::uint32_t kLineBits = kChunkBytes * 8 / 2;
  Place out;
  out.chunk = static_cast<std::uint32_t>(h >> 51) + (is_other ? kChunks / 2 : 0);
  const std::uint64_t line = (h >> 50 & 1) * kLineBits;
  for (std::uint16_t& bit : out.bits) {
    bit = static_cast<std::uint16_t>(line + (h & (kLineBits - 1)));
    h >>= 9;
  }
  return out;
}

Result<EdgeFilter> EdgeFilter::read(const Index& index, bool lineage_only) {
  const std::uint32_t chunks = lineage_only ? kChunks / 2 : kChunks;
  EdgeFilter out;
  out.bits_.assign(std::size_t{chunks} * kChunkBytes, '\0');
  bool whole = true;
  HM_TRY(index.scan(Family::Edges, std::string(1, kFilter), [&](std::string_view k, std::string_view bytes) {
    const auto chunk = key::parse_u64(std::string(4, '\0').append(k.substr(1)));
    whole = chunk && *chunk < kChunks && bytes.size() == kChunkBytes;
    if (!whole || *chunk >= chunks) return false;
    std::copy(bytes.begin(), bytes.end(), out.bits_.begin() + static_cast<std::ptrdiff_t>(*chunk * kChunkBytes));
    return true;
  }));
  if (!whole) return corrupt();
  return out;
}

bool EdgeFilter::has(const Place& place) const {
  if (bits_.empty()) return true;
  const char* const chunk = bits_.data() + std::size_t{place.chunk} * kChunkBytes;
  bool all = true;  // no short cut: the loads wait for memory together
  for (const std::uint16_t bit : place.bits) all &= is_set(chunk, bit);
  return all;
}

// Asked for each of a hundred thousand leaves: their prefixes are put together without being allocated.
EdgeFilter::Question EdgeFilter::ask(std::string_view repo_key, std::string_view name, EdgeClass edges) const {
  constexpr std::size_t kNameBytesUsual = 112;
  const auto class_byte = static_cast<char>(edges);
  std::array<char, 1 + kRepoBytes + 1> by_id{kByRid};
  std::copy_n(repo_key.data(), std::min(repo_key.size(), kRepoBytes), by_id.data() + 1);
  by_id.back() = class_byte;
  Question out;
  out.by_id = place_of({by_id.data(), by_id.size()});
  if (name.size() <= kNameBytesUsual) {
    std::array<char, kNameBytesUsual + 4> by_name;  // not filled: it is longer than most names
    by_name[0] = kByName;
    by_name[1] = repo_key.front();
    std::transform(name.begin(), name.end(), by_name.begin() + 2,
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    by_name[name.size() + 2] = kEndOfName;
    by_name[name.size() + 3] = class_byte;
    out.by_name = place_of({by_name.data(), name.size() + 4});
  } else {
    out.by_name = place_of(key::edges_to({static_cast<RepoKind>(repo_key.front()), {}, ascii_lower(name)}, edges));
  }
  for (const Place* place : {&out.by_id, &out.by_name})
    __builtin_prefetch(bits_.data() + std::size_t{place->chunk} * kChunkBytes + place->bits[0] / 8);
  return out;
}
EdgeFilter::Found EdgeFilter::answer(const Question& question, std::string_view repo_key) const {
  Found out{has(question.by_id), has(question.by_name)};
  if (out.by_id && !out.by_name) {  // with a former name the bits of the id are set too
    std::array<char, 1 + kRepoBytes> former{kFormer};
    std::copy_n(repo_key.data(), std::min(repo_key.size(), kRepoBytes), former.data() + 1);
    out.by_name = may_have({former.data(), former.size()});
  }
  return out;
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
