#include "storage/edge_lists_format.hpp"

#include <utility>

namespace hm::storage::edge_lists {
namespace {
constexpr std::size_t kEdgeBytesMin =
    kRepoKeyBytes + 6;  // then origin, relation, evidence, flags, length of the name (2)
constexpr std::size_t kRunHeadBytes = 9;
// Flags of an edge.
constexpr unsigned kHasById = 1, kHasByName = 2, kHasOthersById = 4, kHasOthersByName = 8, kHasFormerNames = 16;

std::uint32_t number_at(std::string_view bytes, std::size_t at) {
  std::uint32_t out = 0;
  for (std::size_t i = at; i < at + kNumberBytes; ++i) out = out << 8 | static_cast<unsigned char>(bytes[i]);
  return out;
}
/// kNone when the flag does not say that it is there.
std::optional<std::uint32_t> take_list(std::string_view& bytes, bool is_there) {
  return is_there ? take_number(bytes) : std::optional(EdgeLists::kNone);
}
}  // namespace

std::optional<std::uint32_t> take_number(std::string_view& bytes) {
  if (bytes.size() < kNumberBytes) return std::nullopt;
  const std::uint32_t out = number_at(bytes, 0);
  bytes.remove_prefix(kNumberBytes);
  return out;
}

Error corrupt() { return {Errc::Corrupt, "the index holds a malformed list of edges; run: hubmirror index rebuild"}; }

Result<State> read_state(const Index& index) {
  HM_TRY(const auto bytes, index.get(Family::Edges, std::string(1, kState)));
  if (!bytes) return State{};
  if (bytes->size() != 2 * kNumberBytes) return corrupt();
  return State{number_at(*bytes, 0), number_at(*bytes, kNumberBytes)};
}
std::string pack_state(const State& state) { return key::u32(state.begun) + key::u32(state.ready); }

ChangeOf change_of(std::string_view row_key) {
  if (!row_key.empty() && row_key[0] == kFormerNames) return ChangeOf::FormerName;
  return is_lineage(key::prefix_of(row_key)) ? ChangeOf::Lineage : ChangeOf::Other;
}
std::string changed_key(std::uint32_t number, std::string_view row_key) {
  std::string out = key_of(kChanged, number);
  out.push_back(static_cast<char>(change_of(row_key)));
  return out.append(row_key);
}
std::optional<Changed> parse_changed(std::string_view k) {
  constexpr std::size_t kHeadBytes = 1 + kNumberBytes + 1;
  if (k.size() < kHeadBytes || k[kHeadBytes - 1] > static_cast<char>(ChangeOf::Other)) return std::nullopt;
  return Changed{number_at(k, 1), static_cast<ChangeOf>(k[kHeadBytes - 1]), k.substr(kHeadBytes)};
}

std::string pack(const EdgeView& edge, const EdgeLists::Below& below) {
  unsigned flags = 0;
  if (below.by_id != EdgeLists::kNone) flags |= kHasById;
  if (below.by_name != EdgeLists::kNone) flags |= kHasByName;
  if (below.others_by_id) flags |= kHasOthersById;
  if (below.others_by_name) flags |= kHasOthersByName;
  if (below.former_names) flags |= kHasFormerNames;
  std::string out(edge.from);
  out.push_back(static_cast<char>(edge.origin));
  out.push_back(static_cast<char>(edge.relation));
  out.push_back(static_cast<char>(edge.evidence));
  out.push_back(static_cast<char>(flags));
  out.push_back(static_cast<char>(edge.from_name.size() >> 8));
  out.push_back(static_cast<char>(edge.from_name.size()));
  out.append(edge.from_name);
  if (below.by_id != EdgeLists::kNone) out += key::u32(below.by_id);
  if (below.by_name != EdgeLists::kNone) out += key::u32(below.by_name);
  return out;
}

std::optional<std::pair<EdgeView, EdgeLists::Below>> take_edge(std::string_view& bytes) {
  if (bytes.size() < kEdgeBytesMin) return std::nullopt;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[kRepoKeyBytes + i]); };
  const auto edge = edge_of(bytes.substr(0, kRepoKeyBytes), byte(0), byte(1), byte(2), bytes.substr(kEdgeBytesMin));
  const unsigned flags = byte(3);
  const std::size_t name_bytes = std::size_t{byte(4)} << 8 | byte(5);
  if (!edge || bytes.size() < kEdgeBytesMin + name_bytes) return std::nullopt;
  std::pair<EdgeView, EdgeLists::Below> out{*edge, {}};
  out.first.from_name = bytes.substr(kEdgeBytesMin, name_bytes);
  bytes.remove_prefix(kEdgeBytesMin + name_bytes);
  const auto by_id = take_list(bytes, (flags & kHasById) != 0), by_name = take_list(bytes, (flags & kHasByName) != 0);
  if (!by_id || !by_name) return std::nullopt;
  out.second = {*by_id, *by_name, (flags & kHasOthersById) != 0, (flags & kHasOthersByName) != 0,
                (flags & kHasFormerNames) != 0};
  return out;
}

std::string pack_run_head(std::uint32_t list, bool goes_on, std::size_t edge_bytes) {
  std::string out = key::u32(list) + key::u32(static_cast<std::uint32_t>(edge_bytes));
  out.push_back(goes_on ? '\1' : '\0');
  return out;
}
std::optional<Run> take_run(std::string_view& bytes) {
  if (bytes.size() < kRunHeadBytes) return std::nullopt;
  const std::size_t edge_bytes = number_at(bytes, kNumberBytes);
  if (bytes.size() - kRunHeadBytes < edge_bytes) return std::nullopt;
  const Run out{number_at(bytes, 0), bytes[kRunHeadBytes - 1] != '\0', bytes.substr(kRunHeadBytes, edge_bytes)};
  bytes.remove_prefix(kRunHeadBytes + edge_bytes);
  return out;
}
}  // namespace hm::storage::edge_lists
