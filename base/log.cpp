#include "base/log.hpp"

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <atomic>

#include "base/text.hpp"

namespace hm {
namespace {
std::atomic<bool> json_lines{false};
/// One for the process; what is set of it may change while others write.
spdlog::logger& logger() {
  static const auto instance = [] {
    auto made = std::make_shared<spdlog::logger>("hubmirror", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_level(spdlog::level::off);
    made->flush_on(spdlog::level::debug);
    return made;
  }();
  return *instance;
}
spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::Debug:
      return spdlog::level::debug;
    case LogLevel::Info:
      return spdlog::level::info;
    case LogLevel::Warning:
      return spdlog::level::warn;
    case LogLevel::Error:
      return spdlog::level::err;
  }
  return spdlog::level::info;
}
bool needs_quotes(std::string_view value) { return value.empty() || value.find_first_of(" =\"") != value.npos; }
}  // namespace

void set_up_log(LogLevel least, bool json, bool off) {
  spdlog::logger& out = logger();
  json_lines = json;
  out.set_pattern(json ? "%v" : "%Y-%m-%dT%H:%M:%S.%eZ %L %v", spdlog::pattern_time_type::utc);
  out.set_level(off ? spdlog::level::off : level_of(least));
}

void log(LogLevel level, std::string_view event, std::initializer_list<LogField> fields) {
  spdlog::logger& out = logger();
  if (!out.should_log(level_of(level))) return;
  if (json_lines) {
    namespace json = boost::json;
    static constexpr const char* kNames[] = {"debug", "info", "warning", "error"};
    const auto now =
        std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
            .count();
    json::object line{{"time", iso8601(now)},
                      {"level", kNames[static_cast<int>(level)]},
                      {"event", json::string(event.data(), event.size())}};
    for (const LogField& f : fields) line[json::string_view(f.key.data(), f.key.size())] = printable(f.value);
    out.log(level_of(level), "{}", json::serialize(line));
    return;
  }
  std::string line(event);
  for (const LogField& f : fields) {
    const std::string value = printable(f.value);
    line.append(" ").append(f.key).append("=");
    if (needs_quotes(value))
      line.append("\"").append(value).append("\"");
    else
      line.append(value);
  }
  out.log(level_of(level), "{}", line);
}

bool parse_log_level(std::string_view text, LogLevel& into, bool& off) {
  off = text == "off";
  if (off) return true;
  if (text == "debug")
    into = LogLevel::Debug;
  else if (text == "info")
    into = LogLevel::Info;
  else if (text == "warning" || text == "warn")
    into = LogLevel::Warning;
  else if (text == "error")
    into = LogLevel::Error;
  else
    return false;
  return true;
}
}  // namespace hm
