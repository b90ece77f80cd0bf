#include "base/crash_point.hpp"

#ifdef HM_CRASH_POINTS
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>

namespace hm {
namespace {
void note(const char* name) {
  static const int log = [] {
    const char* const path = std::getenv("HUBMIRROR_CRASH_LOG");
    return path == nullptr ? -1 : ::open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  }();
  if (log < 0) return;
  const std::string line = std::string(name) + "\n";
  (void)!::write(log, line.data(), line.size());
}
}  // namespace

void crash_point(const char* name) {
  note(name);
  static const char* const armed = std::getenv("HUBMIRROR_CRASH_AT");
  if (armed == nullptr) return;
  static const std::string spec = armed;
  static const auto colon = spec.rfind(':');
  static const std::string wanted = spec.substr(0, colon);
  static std::atomic<long> left = colon == std::string::npos ? 1 : std::strtol(spec.c_str() + colon + 1, nullptr, 10);
  if (wanted == name && --left == 0) ::kill(::getpid(), SIGKILL);
}
}  // namespace hm
#endif
