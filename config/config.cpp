#include "config/config.hpp"

#include <algorithm>
#include <filesystem>
#include <sstream>
#include <type_traits>

#include "base/file.hpp"
#include "base/text.hpp"
#include "config/policy.hpp"
#include "config/settings.hpp"
#include "config/toml_reading.hpp"
#include "config/value.hpp"

namespace hm::config {
namespace {
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

std::string named_or_beside(const std::string& setting, const std::string& config_file, std::string_view name) {
  if (!setting.empty() || config_file.empty()) return setting;
  const std::string beside =
      parent_directory(std::filesystem::absolute(config_file).lexically_normal().string()) + "/" + std::string(name);
  std::error_code ignored;
  return std::filesystem::exists(beside, ignored) ? beside : std::string();
}

Result<Config> parse_config(std::string_view text, std::string_view source_name) {
  HM_TRY(const TomlFile file, read_toml(text, source_name));
  Config config;
  TomlReader reader(config, [](Config& into, auto&& visit) { each_setting(into, visit); });
  if (!file.outside.empty()) {
    const TomlKey& key = file.outside.front();
    const std::string home = reader.home_of(key.name);
    return Error{Errc::BadInput, key.key_place + "\"" + printable(key.name) + "\" stands outside of any section" +
                                     (home.empty() ? "; keys belong into sections like [upstream]" : home)};
  }
  HM_TRY(reader.read(file.sections));
  return config;
}

Result<Config> load_config_file(const std::string& path) {
  HM_TRY(within(check_expanded(path), [] { return "reading the configuration"; }));
  auto text = read_operators_file(path, kTomlBytesMax);
  if (!text) {
    Error error = std::move(text.assume_error());
    error.what = "configuration: " + error.what;
    return error;
  }
  HM_TRY(Config config, parse_config(text.assume_value(), path));
  const std::string folder = parent_directory(std::filesystem::absolute(path).lexically_normal().string());
  each_setting(config, [&](std::string_view, std::string_view, auto& member, const Rule& rule) {
    if constexpr (std::is_same_v<std::decay_t<decltype(member)>, std::string>) {
      if (rule.form == Form::Path && !member.empty()) member = path_beside(folder, member);
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
