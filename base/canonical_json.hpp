// base/canonical_json.hpp: the one byte form of a JSON value that is hashed, journalled and compared. Layer 0; pure
// functions. RFC 8785 without fractions: keys sorted by code point (= by UTF-8 bytes), no blanks, minimal escapes,
// integers only.
#pragma once
#include <boost/json/value.hpp>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace hm {
namespace json = boost::json;
/// @returns BadInput for doubles and for invalid UTF-8.
Result<std::string> canonical_json(const json::value& value);
/// Parses and checks that `text` is exactly the canonical form of its value. BadInput otherwise.
Result<json::value> parse_canonical_json(std::string_view text);
/// Bounded parse of anybody's JSON: depth ≤ 64, no trailing bytes, valid UTF-8. BadInput with position and reason.
Result<json::value> parse_json(std::string_view text, json::storage_ptr storage = {});
/// Human form: two blanks per level, keys in their order, newline at the end.
std::string pretty_json(const json::value& value);
}  // namespace hm
