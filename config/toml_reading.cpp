#include "config/toml_reading.hpp"

#include <toml++/toml.h>

namespace hm::config {
namespace {
std::string place_of(std::string_view source, const toml::source_region& region) {
  return std::string(source) + ":" + std::to_string(region.begin.line) + ":" + std::to_string(region.begin.column) +
         ": ";
}

Result<Raw> raw_of(const toml::node& node) {
  Raw raw;  // one for all: g++ 12 with sanitizers takes temporaries of a variant for uninitialised
  const auto* array = node.as_array();
  if (const auto* b = node.as_boolean())
    raw = b->get();
  else if (const auto* i = node.as_integer())
    raw = i->get();
  else if (const auto* f = node.as_floating_point())
    raw = f->get();
  else if (const auto* s = node.as_string())
    raw = s->get();
  if (node.is_value() && !node.is_date() && !node.is_time() && !node.is_date_time()) return raw;
  if (!array)
    return Error{Errc::BadInput,
                 node.is_table() ? "must be a value, not a section" : "must be a value, not a date or time"};
  std::vector<std::string> list;
  for (const toml::node& entry : *array) {
    const auto* s = entry.as_string();
    if (!s) return Error{Errc::BadInput, "must be a list of texts only"};
    list.push_back(s->get());
  }
  raw = std::move(list);
  return raw;
}

TomlKey key_of(std::string_view source, const toml::key& key, const toml::node& node) {
  return {std::string(key.str()), place_of(source, key.source()), place_of(source, node.source()), raw_of(node)};
}
}  // namespace

Result<TomlFile> read_toml(std::string_view text, std::string_view source_name) {
  if (text.size() > kTomlBytesMax)
    return Error{Errc::BadInput, std::string(source_name) + ": larger than " + human_bytes(kTomlBytesMax)};
  const std::string source = printable(source_name);
  TomlFile file;
  try {
    const toml::table root = toml::parse(text, source);
    for (const auto& [name, node] : root) {
      const auto* table = node.as_table();
      if (table == nullptr) {
        file.outside.push_back(key_of(source, name, node));
        continue;
      }
      TomlSection& section = file.sections.emplace_back();
      section.name = name.str();
      section.place = place_of(source, name.source());
      for (const auto& [key, value] : *table) section.keys.push_back(key_of(source, key, value));
    }
  } catch (const toml::parse_error& e) {
    return Error{Errc::BadInput, place_of(source, e.source()) + printable(e.description())};
  }
  return file;
}
}  // namespace hm::config
