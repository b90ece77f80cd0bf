#include "app/settings.hpp"

#include "base/log.hpp"

namespace hm::app {
namespace {
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

void start_log(const config::Log& settings) {
  LogLevel level = LogLevel::Warning;
  bool off = false;
  if (parse_log_level(settings.level, level, off)) set_up_log(level, settings.format == "json", off);
}
}  // namespace hm::app
