// storage/edge_lists_format.hpp: bytes of the lists of edges, for those who write and read them. Layer 3.
// docs/formats/index_keys.md
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.hpp"
#include "storage/edge_lists.hpp"
#include "storage/edge_row.hpp"
#include "storage/index.hpp"
#include "storage/key_space.hpp"

namespace hm::storage::edge_lists {
// What keys begin with, in a family where edges and former names begin with 1, 2 and 3.
inline constexpr char kState = 0, kChunk = 4, kDirectory = 5, kHead = 6, kChanged = 7;
/// Which walks care for the change of a row: kChanged has it behind the number.
enum class ChangeOf : char { Lineage = 0, FormerName, Other };
/// Of the prefix of an edge's key: a walk along descent reads it.
inline bool is_lineage(std::string_view prefix) {
  return !prefix.empty() && prefix.back() == static_cast<char>(EdgeClass::Lineage);
}
/// Of a row of an edge or of a former name.
ChangeOf change_of(std::string_view row_key);
/// Of a key of the family: it is of no row.
inline bool is_of_lists(std::string_view k) { return k[0] == kState || (k[0] >= kChunk && k[0] <= kChanged); }
inline constexpr std::size_t kNumberBytes = 4;
inline constexpr std::size_t kChunkBytes = 64U << 10;  ///< of a chunk, before its last edge

/// Takes it from the front of `bytes`; nullopt when they are too few.
std::optional<std::uint32_t> take_number(std::string_view& bytes);

/// Which lists there are; 0 for none.
struct State {
  std::uint32_t begun = 0;  ///< the last that were begun: marks have this number
  std::uint32_t ready = 0;  ///< those that are read
};
Result<State> read_state(const Index& index);
std::string pack_state(const State& state);

inline std::string key_of(char what, std::uint32_t number) { return std::string(1, what) + key::u32(number); }
std::string changed_key(std::uint32_t number, std::string_view row_key);
/// Of a key of kChanged.
struct Changed {
  std::uint32_t number = 0;
  ChangeOf what = ChangeOf::Lineage;
  std::string_view row_key;
};
std::optional<Changed> parse_changed(std::string_view k);
Error corrupt();

/// One edge of a list.
std::string pack(const EdgeView& edge, const EdgeLists::Below& below);
/// Takes it from the front of `bytes`; nullopt when it is none.
std::optional<std::pair<EdgeView, EdgeLists::Below>> take_edge(std::string_view& bytes);
/// Edges of one list, or some of them, in a chunk.
struct Run {
  std::uint32_t list = 0;
  bool goes_on = false;  ///< in the next chunk
  std::string_view edges;
};
std::string pack_run_head(std::uint32_t list, bool goes_on, std::size_t edge_bytes);
std::optional<Run> take_run(std::string_view& bytes);
}  // namespace hm::storage::edge_lists
