#include "base/canonical_json.hpp"

#include <utf8proc.h>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <vector>

namespace hm {
namespace {
bool is_utf8(std::string_view s) {
  for (std::size_t i = 0; i < s.size();) {
    if (static_cast<unsigned char>(s[i]) < 0x80) {  // nearly all of it
      ++i;
      continue;
    }
    utf8proc_int32_t rune = 0;
    const auto n = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(s.data() + i),
                                    static_cast<utf8proc_ssize_t>(s.size() - i), &rune);
    if (n <= 0) return false;
    i += static_cast<std::size_t>(n);
  }
  return true;
}

Result<> append_string(std::string& out, std::string_view s) {
  if (!is_utf8(s)) return Error{Errc::BadInput, "a string is not UTF-8"};
  static constexpr char kDigits[] = "0123456789abcdef";
  out.push_back('"');
  auto plain = [](char c) { return static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\'; };
  for (std::size_t i = 0; i < s.size(); ++i) {
    const std::size_t run = static_cast<std::size_t>(
        std::find_if_not(s.begin() + static_cast<std::ptrdiff_t>(i), s.end(), plain) - s.begin());
    out.append(s.substr(i, run - i));
    if ((i = run) == s.size()) break;
    const char c = s[i];
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        out += "\\u00";
        out.push_back(kDigits[c >> 4]);
        out.push_back(kDigits[c & 15]);
    }
  }
  out.push_back('"');
  return ok();
}

Result<> append(std::string& out, const json::value& v);

Result<> append_object(std::string& out, const json::object& object) {
  std::vector<const json::key_value_pair*> members;
  members.reserve(object.size());
  for (const auto& member : object) members.push_back(&member);
  std::sort(members.begin(), members.end(),
            [](auto* a, auto* b) { return std::string_view(a->key()) < std::string_view(b->key()); });
  out.push_back('{');
  for (bool first = true; const auto* member : members) {
    if (!std::exchange(first, false)) out.push_back(',');
    HM_TRY(append_string(out, member->key()));
    out.push_back(':');
    HM_TRY(append(out, member->value()));
  }
  out.push_back('}');
  return ok();
}

Result<> append(std::string& out, const json::value& v) {
  switch (v.kind()) {
    case json::kind::null:
      out += "null";
      return ok();
    case json::kind::bool_:
      out += v.get_bool() ? "true" : "false";
      return ok();
    case json::kind::int64:
      out += std::to_string(v.get_int64());
      return ok();
    case json::kind::uint64:
      out += std::to_string(v.get_uint64());
      return ok();
    case json::kind::double_:
      return Error{Errc::BadInput, "canonical JSON holds integers only"};
    case json::kind::string:
      return append_string(out, v.get_string());
    case json::kind::object:
      return append_object(out, v.get_object());
    case json::kind::array:
      break;
  }
  out.push_back('[');
  for (bool first = true; const json::value& item : v.get_array()) {
    if (!std::exchange(first, false)) out.push_back(',');
    HM_TRY(append(out, item));
  }
  out.push_back(']');
  return ok();
}

void append_pretty(std::string& out, const json::value& v, std::size_t indent) {
  const bool object = v.is_object(), empty = object ? v.get_object().empty() : v.is_array() && v.get_array().empty();
  if ((!object && !v.is_array()) || empty) {
    out += json::serialize(v);
    return;
  }
  out.push_back(object ? '{' : '[');
  bool first = true;
  auto open_line = [&] {
    if (!std::exchange(first, false)) out.push_back(',');
    out.append("\n").append(indent + 2, ' ');
  };
  if (object)
    for (const auto& member : v.get_object())
      open_line(), out += json::serialize(json::string(member.key())) + ": ",
          append_pretty(out, member.value(), indent + 2);
  else
    for (const json::value& item : v.get_array()) open_line(), append_pretty(out, item, indent + 2);
  out.append("\n").append(indent, ' ').push_back(object ? '}' : ']');
}
}  // namespace

Result<std::string> canonical_json(const json::value& value) {
  std::string out;
  HM_TRY(append(out, value));
  return out;
}

Result<json::value> parse_json(std::string_view text, json::storage_ptr storage) {
  constexpr std::size_t kDepthMax = 64;  // the Hub nests about 10 deep; recursion stays bounded
  json::parse_options options;
  options.max_depth = kDepthMax;
  json::error_code ec;
  json::value value = json::parse(json::string_view(text.data(), text.size()), ec, std::move(storage), options);
  if (ec)
    return Error{Errc::BadInput, "not valid JSON (" + ec.message() + ", " + std::to_string(text.size()) + " bytes)"};
  return value;
}

Result<json::value> parse_canonical_json(std::string_view text) {
  HM_TRY(auto value, parse_json(text));
  HM_TRY(const std::string again, canonical_json(value));
  if (again != text) return Error{Errc::BadInput, "JSON is not in canonical form"};
  return value;
}

std::string pretty_json(const json::value& value) {
  std::string out;
  append_pretty(out, value, 0);
  out.push_back('\n');
  return out;
}
}  // namespace hm
