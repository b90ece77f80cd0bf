#include "app/settings.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <variant>
#include <vector>

#include "base/log.hpp"
#include "config/settings.hpp"

namespace hm::app {
namespace {
/// What is opened once: connections, the index and its place, the server's sockets and threads.
constexpr std::array<std::string_view, 3> kFixedSections{"upstream", "network", "storage"};
constexpr std::array<std::string_view, 3> kFixedKeys{"mirror.bytes_in_flight_max", "serve.listen", "serve.threads"};

using Value = std::variant<bool, int, std::int64_t, std::uint64_t, std::string, std::vector<std::string>>;
std::map<std::string, Value> fixed_settings(const config::Config& config) {
  std::map<std::string, Value> out;
  config::each_setting(config, [&](std::string_view section, std::string_view key, const auto& member, const auto&) {
    const std::string name = std::string(section) + "." + std::string(key);
    if (std::ranges::find(kFixedSections, section) != kFixedSections.end() ||
        std::ranges::find(kFixedKeys, name) != kFixedKeys.end())
      out.emplace(name, Value(member));
  });
  return out;
}

Result<> apply_options(config::Config& config, const GlobalOptions& options) {
  if (options.data_dir && options.data_dir->empty())
    return Error{Errc::BadInput, "--data-dir is empty; write the path of the data directory, or leave the option out"};
  if (options.data_dir) config.storage.data_dir = *options.data_dir;
  if (options.upstream) config.upstream.url = *options.upstream;
  if (options.log_level) config.log.level = *options.log_level;
  if (options.log_format) config.log.format = *options.log_format;
  if (options.jobs) config.mirror.repos_parallel = *options.jobs;
  for (const std::string& host : options.allow_private) config.upstream.allow_private.push_back(host);
  return within(config::check_config(config), [] { return "reading the command line"; });
}
}  // namespace

Result<Settings> load_settings(const GlobalOptions& options) {
  Settings settings;
  settings.config_file = options.config_file ? *options.config_file : config::find_config_file();
  if (!settings.config_file.empty()) {
    HM_TRY(settings.config, config::load_config_file(settings.config_file));
  }
  HM_TRY(config::apply_environment(settings.config));
  HM_TRY(apply_options(settings.config, options));
  HM_TRY(settings.data_dir, config::data_dir_of(settings.config));
  return settings;
}

Result<> check_change(const Settings& before, const Settings& after, std::string_view who) {
  auto refuse = [who](const std::string& what, const char* or_else) {
    return Error{Errc::BadInput, what + " cannot change while the " + std::string(who) + " runs; restart it" + or_else};
  };
  if (before.data_dir != after.data_dir) return refuse("the data directory", "");
  const auto now = fixed_settings(before.config), then = fixed_settings(after.config);
  for (const auto& [name, value] : now)
    if (then.at(name) != value) return refuse(name, ", or take the change back");
  return ok();
}

void start_log(const config::Log& settings) {
  LogLevel level = LogLevel::Warning;
  bool off = false;
  if (parse_log_level(settings.level, level, off)) set_up_log(level, settings.format == "json", off);
}
}  // namespace hm::app
