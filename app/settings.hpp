// app/settings.hpp: what is configured: file, environment and command line as one. Layer 6; values.
#pragma once
#include <string>
#include <string_view>

#include "app/cli.hpp"
#include "base/result.hpp"
#include "config/config.hpp"

namespace hm::app {
struct Settings {
  config::Config config;    ///< checked
  std::string config_file;  ///< where it came from; "" when there is none
  std::string data_dir;     ///< absolute
};
/// Reads them. @returns BadInput naming the file and line, the variable or the option; NotFound, Io: the file.
Result<Settings> load_settings(const GlobalOptions& options);
/// What only a new process can take. @param who "daemon", "server". @returns BadInput naming the setting.
Result<> check_change(const Settings& before, const Settings& after, std::string_view who);
/// From here on log lines are as configured.
void start_log(const config::Log& settings);
}  // namespace hm::app
