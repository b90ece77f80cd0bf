// app/daemon/notify.hpp: tells the service manager how things stand, as sd_notify(3) does: one datagram to
// $NOTIFY_SOCKET. Layer 6. Threads: safe.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hm::app {
class ServiceManager {
 public:
  /// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID; without them nobody is told anything.
  ServiceManager();
  /// "READY=1", "STOPPING=1", "WATCHDOG=1", lines.
  void tell(std::string_view lines) const;
  /// RELOADING=1 with the time that the protocol wants.
  void tell_reloading() const;
  /// How often it wants to hear WATCHDOG=1 at least; nullopt: never.
  std::optional<std::int64_t> watchdog_ms() const { return watchdog_ms_; }

 private:
  std::string socket_;
  std::optional<std::int64_t> watchdog_ms_;
};
}  // namespace hm::app
