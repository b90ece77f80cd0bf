#include "config/config.hpp"

#include <toml++/toml.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <type_traits>

#include "base/file.hpp"
#include "base/text.hpp"
#include "config/policy.hpp"
#include "config/settings.hpp"
#include "config/suggest.hpp"
#include "config/value.hpp"

namespace hm::config {
namespace {
constexpr std::size_t kConfigBytesMax = 1 << 20;  // a configuration file is written by hand

std::vector<std::string> section_names() {
  std::vector<std::string> names;
  Config any;
  each_setting(any, [&](std::string_view section, std::string_view, auto&, const Rule&) {
    if (names.empty() || names.back() != section) names.emplace_back(section);
  });
  return names;
}
std::vector<std::string> key_names(std::string_view wanted) {
  std::vector<std::string> names;
  Config any;
  each_setting(any, [&](std::string_view section, std::string_view key, auto&, const Rule&) {
    if (section == wanted) names.emplace_back(key);
  });
  return names;
}
/// "; it belongs into [mirror]" when another section has that key.
std::string home_of(std::string_view wanted) {
  std::string found;
  Config any;
  each_setting(any, [&](std::string_view section, std::string_view key, auto&, const Rule&) {
    if (key == wanted && found.empty()) found = "; it belongs into [" + std::string(section) + "]";
  });
  return found;
}

Error at(std::string_view source, const toml::source_region& region, const std::string& what) {
  return {Errc::BadInput, std::string(source) + ":" + std::to_string(region.begin.line) + ":" +
                              std::to_string(region.begin.column) + ": " + what};
}

Result<Raw> raw_of(const toml::node& node) {
  if (const auto* b = node.as_boolean()) return Raw(b->get());
  if (const auto* i = node.as_integer()) return Raw(i->get());
  if (const auto* f = node.as_floating_point()) return Raw(f->get());
  if (const auto* s = node.as_string()) return Raw(s->get());
  const auto* array = node.as_array();
  if (!array)
    return Error{Errc::BadInput,
                 node.is_table() ? "must be a value, not a section" : "must be a value, not a date or time"};
  std::vector<std::string> list;
  for (const toml::node& entry : *array) {
    const auto* s = entry.as_string();
    if (!s) return Error{Errc::BadInput, "must be a list of texts only"};
    list.push_back(s->get());
  }
  return Raw(std::move(list));
}

Result<> read_key(Config& config, std::string_view section, std::string_view key, const toml::node& node,
                  const toml::source_region& key_place, std::string_view source) {
  bool known = false;
  Result<> result = ok();
  each_setting(config, [&](std::string_view s, std::string_view k, auto& member, const Rule& rule) {
    if (s != section || k != key) return;
    known = true;
    auto raw = raw_of(node);
    result = raw ? assign(member, rule, raw.assume_value()) : Result<>(raw.assume_error());
    if (!result)
      result =
          at(source, node.source(), std::string(section) + "." + std::string(key) + " " + result.assume_error().what);
  });
  if (known) return result;
  std::string hint = home_of(key);
  if (hint.empty()) hint = did_you_mean(key, key_names(section));
  return at(source, key_place, "unknown key \"" + printable(key) + "\" in [" + std::string(section) + "]" + hint);
}

Result<> read_sections(Config& config, const toml::table& root, std::string_view source) {
  const std::vector<std::string> sections = section_names();
  for (const auto& [section, node] : root) {
    const std::string_view name = section.str();
    const auto* table = node.as_table();
    if (!table) {
      const std::string home = home_of(name);
      return at(source, section.source(),
                "\"" + printable(name) + "\" stands outside of any section" +
                    (home.empty() ? "; keys belong into sections like [upstream]" : home));
    }
    if (std::find(sections.begin(), sections.end(), name) == sections.end()) {
      return at(source, section.source(), "unknown section [" + printable(name) + "]" + did_you_mean(name, sections));
    }
    for (const auto& [key, value] : *table) {
      HM_TRY(read_key(config, name, key.str(), value, key.source(), source));
    }
  }
  return ok();
}

/// "--data-dir=~/x" and quoted words reach us with the tilde: a folder named "~" is not what was meant.
Result<> check_expanded(std::string_view path) {
  if (path != "~" && !path.starts_with("~/")) return ok();
  return Error{Errc::BadInput,
               "\"" + printable(path) + "\": ~ is expanded by the shell, not here; write the full path"};
}

std::string toml_text(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + "\"";
}
std::string without_credentials(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t start = scheme == std::string::npos ? 0 : scheme + 3;
  const std::size_t end = std::min(url.find_first_of("/?#", start), url.size());
  const std::size_t sign = url.rfind('@', end);
  return sign == std::string::npos || sign < start ? url : url.substr(0, start) + "***" + url.substr(sign);
}
std::string toml_value(bool value, const Rule&) { return value ? "true" : "false"; }
std::string toml_value(const std::string& value, const Rule& rule) {
  return toml_text(rule.form == Form::Proxy ? without_credentials(value) : value);
}
std::string toml_value(const std::vector<std::string>& list, const Rule&) {
  std::string out = "[";
  for (const std::string& text : list) out += (out.size() > 1 ? ", " : "") + toml_text(text);
  return out + "]";
}
template <class T>
std::string toml_value(T value, const Rule&) {
  return std::to_string(value);
}
}  // namespace

Result<Config> parse_config(std::string_view text, std::string_view source_name) {
  if (text.size() > kConfigBytesMax)
    return Error{Errc::BadInput, std::string(source_name) + ": larger than " + human_bytes(kConfigBytesMax)};
  const std::string source = printable(source_name);
  Config config;
  try {
    const toml::table root = toml::parse(text, source);
    HM_TRY(read_sections(config, root, source));
  } catch (const toml::parse_error& e) {
    return at(source, e.source(), printable(e.description()));
  }
  return config;
}

Result<Config> load_config_file(const std::string& path) {
  HM_TRY(within(check_expanded(path), [] { return "reading the configuration"; }));
  auto text = read_operators_file(path, kConfigBytesMax);
  if (!text) {
    Error error = std::move(text.assume_error());
    error.what = "configuration: " + error.what;
    return error;
  }
  HM_TRY(Config config, parse_config(text.assume_value(), path));
  const std::string folder = parent_directory(std::filesystem::absolute(path).lexically_normal().string());
  const char* home = std::getenv("HOME");
  each_setting(config, [&](std::string_view, std::string_view, auto& member, const Rule& rule) {
    if constexpr (std::is_same_v<std::decay_t<decltype(member)>, std::string>) {
      if (rule.form != Form::Path || member.empty() || member.starts_with('/')) return;
      if (member.starts_with("~/"))
        member = (home ? std::string(home) : std::string()) + member.substr(1);
      else
        member = folder + "/" + member;
    }
  });
  return config;
}

Result<> check_config(const Config& config) {
  Result<> result = ok();
  each_setting(config, [&](std::string_view section, std::string_view key, const auto& member, const Rule& rule) {
    if (!result) return;
    result = check_value(member, rule);
    if constexpr (std::is_same_v<std::decay_t<decltype(member)>, std::string>) {
      if (result && rule.form == Form::Path) result = check_expanded(member);  // in a file "~/" was the home directory
    }
    if (!result)
      result.assume_error().what = std::string(section) + "." + std::string(key) + " " + result.assume_error().what;
  });
  if (!result) return result;
  HM_TRY(ceilings_of(config));
  Selection selection;
  selection.include = config.mirror.include;
  selection.exclude = config.mirror.exclude;
  selection.formats = config.mirror.formats;
  return within(check_selection(selection), [] { return "checking [mirror]"; });
}

Result<CeilingPlan> ceilings_of(const Config& config) {
  const Budget& budget = config.budget;
  HM_TRY(within(check_bytes_per_second(budget.bytes_per_second_max),
                [] { return "reading budget.bytes_per_second_max"; }));
  Ceilings usual;
  usual.requests_per_second = budget.requests_per_second_max;
  usual.bytes_per_second = budget.bytes_per_second_max;
  return within(CeilingPlan::parse(usual, budget.hours, budget.time_zone == "utc" ? TimeZone::Utc : TimeZone::Machine),
                [] { return "checking budget.hours"; });
}

std::string print_config(const Config& config) {
  std::ostringstream out;
  std::string_view open;
  each_setting(config, [&](std::string_view section, std::string_view key, const auto& member, const Rule& rule) {
    if (section != open) out << (open.empty() ? "" : "\n") << "[" << section << "]\n";
    open = section;
    out << key << " = " << toml_value(member, rule) << "\n";
  });
  return out.str();
}
}  // namespace hm::config
