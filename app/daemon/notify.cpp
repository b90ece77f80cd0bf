#include "app/daemon/notify.hpp"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "app/daemon/socket.hpp"
#include "base/clock.hpp"
#include "base/text.hpp"

namespace hm::app {
namespace {
std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? value : "";
}
}  // namespace

ServiceManager::ServiceManager() : socket_(variable("NOTIFY_SOCKET")) {
  const auto microseconds = parse_u64(variable("WATCHDOG_USEC"));
  const auto pid = parse_u64(variable("WATCHDOG_PID"));
  if (microseconds && *microseconds != 0 && (!pid || *pid == static_cast<std::uint64_t>(::getpid())))
    watchdog_ms_ = static_cast<std::int64_t>(*microseconds / 1000);
}

void ServiceManager::tell(std::string_view lines) const {
  sockaddr_un address{};
  if (socket_.empty() || socket_.size() >= sizeof address.sun_path) return;
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, socket_.data(), socket_.size());
  if (address.sun_path[0] == '@') address.sun_path[0] = '\0';  // a name without a file
  const Descriptor socket(::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return;
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + socket_.size());
  const auto* plain = reinterpret_cast<const sockaddr*>(&address);  // NOLINT: what the call wants
  const ssize_t ignored = ::sendto(socket.get(), lines.data(), lines.size(), MSG_NOSIGNAL, plain, size);
  static_cast<void>(ignored);  // a manager that does not listen is no reason to stop working
}

void ServiceManager::tell_reloading() const {
  tell("RELOADING=1\nMONOTONIC_USEC=" + std::to_string(system_clock().monotonic_ms() * 1000));
}
}  // namespace hm::app
