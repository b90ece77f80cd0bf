// base/log.hpp: one line per event, without the cost of spdlog's headers in every file. Layer 0; thread-safe.
// Set up by app/, and again when the configuration changes; until then lines go nowhere. Values are made printable;
// secrets never reach a log call.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>

namespace hm {
enum class LogLevel { Debug, Info, Warning, Error };
struct LogField {
  std::string_view key;
  std::string value;
};
/// "fetched  repo=org/name bytes=123" in text, one object in JSON.
void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields = {});
/// @param json one JSON object per line instead of text. Lines go to standard error, so standard output stays for
/// facts. @param off no lines at all
void set_up_log(LogLevel least, bool json, bool off = false);
bool parse_log_level(std::string_view text, LogLevel& into, bool& off);  ///< debug, info, warning, error, off
}  // namespace hm
