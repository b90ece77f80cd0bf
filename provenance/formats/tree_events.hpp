// provenance/formats/tree_events.hpp: strangers' JSON and YAML as one stream of events under a budget, without a tree
// in memory. Layer 4; no threads of its own.
//
// YAML through libyaml's event API: an alias is followed only to a scalar, so nothing expands; scalars stay text as
// written (`language: no` is Norwegian) but for plain nulls; one document. A mapping or a list that serves as a key
// becomes a key "".
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

#include "base/result.hpp"
#include "provenance/formats/byte_source.hpp"

namespace hm::provenance::formats {
struct TreeEvent {
  enum class Kind : std::uint8_t { ObjectBegin, ObjectEnd, ListBegin, ListEnd, Key, Text, Number, Bool, Null };
  Kind kind;
  std::string_view text;         ///< key, scalar as text; valid during the call
  std::uint64_t text_bytes = 0;  ///< of the whole text; larger than text.size() when the budget cut it
  bool is_integer = false;       ///< of a Number, and it is not negative and below 2^64
  std::uint64_t integer = 0;
};
/// Takes the next event; an error ends the reading and is its answer.
using TreeSink = std::function<Result<>(const TreeEvent&)>;

struct JsonBudget {
  std::size_t depth_max = 32;
  std::size_t key_bytes_max = 4 * 1024;    ///< a longer key is refused
  std::size_t text_bytes_max = 64 * 1024;  ///< a longer text is cut
  bool python_numbers = false;             ///< NaN and Infinity, which Python writes and JSON has not, are read as 0
};
/// Reads one JSON document from the rest of the cursor, as it comes, in memory that the budget bounds. @returns
/// BadInput with the offset, or what source or sink said.
Result<> read_json(ByteCursor& cursor, const JsonBudget& budget, const TreeSink& sink);

struct YamlBudget {
  int depth_max = 32;
  int events_max = 50'000;
};
/// @returns BadInput with the line, or what the sink said.
Result<> read_yaml(std::string_view text, const YamlBudget& budget, const TreeSink& sink);
}  // namespace hm::provenance::formats
