// base/json_fields.hpp: single fields of a JSON object that is already known to be ours, or whose wrong fields count as
// absent. Layer 0; pure functions. What a stranger must have right is read with hub/wire/json_reader.hpp.
#pragma once
#include <boost/json/object.hpp>
#include <cstdint>
#include <string>

namespace hm {
/// "" when it is absent or no string.
inline std::string text_of(const boost::json::object& object, const char* field) {
  const auto* v = object.if_contains(field);
  return v != nullptr && v->is_string() ? std::string(v->get_string()) : std::string();
}
/// 0 when it is absent or no integer.
inline std::int64_t number_of(const boost::json::object& object, const char* field) {
  const auto* v = object.if_contains(field);
  return v != nullptr && v->is_int64() ? v->get_int64() : 0;
}
/// False when it is absent or no boolean.
inline bool flag_of(const boost::json::object& object, const char* field) {
  const auto* v = object.if_contains(field);
  return v != nullptr && v->is_bool() && v->get_bool();
}
}  // namespace hm
