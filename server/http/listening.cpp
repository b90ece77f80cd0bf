#include "server/http/listening.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <optional>

#include "base/text.hpp"

namespace hm::server {
namespace {
constexpr int kBacklog = 4096;
constexpr int kFirstHandedOver = 3;  // SD_LISTEN_FDS_START

struct Endpoint {
  sockaddr_storage address{};
  socklen_t size = 0;
};

std::string text_of(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> host{};
  if (address.ss_family == AF_INET) {
    const auto* in = reinterpret_cast<const sockaddr_in*>(&address);
    ::inet_ntop(AF_INET, &in->sin_addr, host.data(), host.size());
    return std::string(host.data()) + ":" + std::to_string(ntohs(in->sin_port));
  }
  if (address.ss_family == AF_INET6) {
    const auto* in = reinterpret_cast<const sockaddr_in6*>(&address);
    ::inet_ntop(AF_INET6, &in->sin6_addr, host.data(), host.size());
    return "[" + std::string(host.data()) + "]:" + std::to_string(ntohs(in->sin6_port));
  }
  if (address.ss_family == AF_UNIX) {
    const auto* un = reinterpret_cast<const sockaddr_un*>(&address);
    return "unix:" + std::string(un->sun_path, ::strnlen(un->sun_path, sizeof un->sun_path));
  }
  return "unknown";
}

std::optional<Endpoint> parse_ip(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return std::nullopt;
  const auto port = parse_u64(std::string_view(text).substr(colon + 1));
  if (!port || *port > 65535) return std::nullopt;
  std::string host = text.substr(0, colon);
  if (host == "localhost") host = "127.0.0.1";
  Endpoint out;
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    auto* in = reinterpret_cast<sockaddr_in6*>(&out.address);
    in->sin6_family = AF_INET6;
    in->sin6_port = htons(static_cast<std::uint16_t>(*port));
    out.size = sizeof *in;
    if (::inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &in->sin6_addr) != 1) return std::nullopt;
  } else {
    auto* in = reinterpret_cast<sockaddr_in*>(&out.address);
    in->sin_family = AF_INET;
    in->sin_port = htons(static_cast<std::uint16_t>(*port));
    out.size = sizeof *in;
    if (::inet_pton(AF_INET, host.c_str(), &in->sin_addr) != 1) return std::nullopt;
  }
  return out;
}

std::optional<Endpoint> parse_unix(const std::string& path) {
  Endpoint out;
  auto* un = reinterpret_cast<sockaddr_un*>(&out.address);
  if (path.empty() || path.front() != '/' || path.size() >= sizeof un->sun_path) return std::nullopt;
  un->sun_family = AF_UNIX;
  std::memcpy(un->sun_path, path.c_str(), path.size() + 1);
  out.size = sizeof *un;
  return out;
}

/// A process that was killed leaves its socket file; one that lives answers. What is no socket is somebody's.
void remove_if_dead(const Endpoint& endpoint, const std::string& path) {
  struct stat there{};
  if (::lstat(path.c_str(), &there) != 0 || !S_ISSOCK(there.st_mode)) return;
  const int probe = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (probe < 0) return;
  if (::connect(probe, reinterpret_cast<const sockaddr*>(&endpoint.address), endpoint.size) != 0 &&
      errno == ECONNREFUSED)
    ::unlink(path.c_str());
  ::close(probe);
}
}  // namespace

Result<ListeningSocket> ListeningSocket::bind(const std::string& text) {
  const bool is_unix = text.starts_with("unix:");
  const std::string path = is_unix ? text.substr(5) : "";
  const auto endpoint = is_unix ? parse_unix(path) : parse_ip(text);
  if (!endpoint)
    return Error{Errc::BadInput, "\"" + printable(text) +
                                     "\" is no address to listen on; write \"127.0.0.1:8080\", \"[::]:8080\" or "
                                     "\"unix:/run/hubmirror/http.sock\""};
  const int family = endpoint->address.ss_family;
  const int fd = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno_error("listen on", printable(text), errno);
  ListeningSocket out(fd, text, "");
  const int one = 1;
  if (!is_unix) ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (family == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
  if (is_unix) remove_if_dead(*endpoint, path);
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&endpoint->address), endpoint->size) != 0)
    return errno_error("listen on", printable(text), errno);
  if (is_unix) out.path_ = path;
  if (::listen(fd, kBacklog) != 0) return errno_error("listen on", printable(text), errno);
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (!is_unix && ::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) == 0) out.address_ = text_of(bound);
  return out;
}

std::vector<ListeningSocket> ListeningSocket::handed_over() {
  std::vector<ListeningSocket> out;
  const char* pid = std::getenv("LISTEN_PID");
  const char* count = std::getenv("LISTEN_FDS");
  const auto for_pid = parse_u64(pid ? pid : ""), fds = parse_u64(count ? count : "");
  if (!for_pid || *for_pid != static_cast<std::uint64_t>(::getpid()) || !fds || *fds > 64) return out;
  for (const char* name : {"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"}) ::unsetenv(name);
  for (int fd = kFirstHandedOver; fd < kFirstHandedOver + static_cast<int>(*fds); ++fd) {
    sockaddr_storage bound{};
    socklen_t size = sizeof bound;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&bound), &size) != 0) continue;
    int listens = 0;
    socklen_t listens_size = sizeof listens;
    if (::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &listens_size) != 0 || listens == 0) continue;
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
    out.push_back(ListeningSocket(fd, text_of(bound), ""));
  }
  return out;
}

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), address_(std::move(other.address_)), path_(std::exchange(other.path_, {})) {}

ListeningSocket::~ListeningSocket() { close(); }

void ListeningSocket::close() {
  if (fd_ < 0) return;
  if (!path_.empty()) ::unlink(path_.c_str());
  ::close(std::exchange(fd_, -1));
}

std::string peer_of(const void* address) {
  const auto* storage = static_cast<const sockaddr_storage*>(address);
  std::array<char, INET6_ADDRSTRLEN> host{};
  if (storage->ss_family == AF_INET) {
    ::inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(storage)->sin_addr, host.data(), host.size());
    return host.data();
  }
  if (storage->ss_family == AF_INET6) {
    const auto* in = reinterpret_cast<const sockaddr_in6*>(storage);
    ::inet_ntop(AF_INET6, &in->sin6_addr, host.data(), host.size());
    const std::string text = host.data();
    return text.starts_with("::ffff:") && text.find('.') != std::string::npos ? text.substr(7) : text;
  }
  return "unix";
}

std::string counted_client(const std::string& peer) {
  in6_addr address{};
  if (::inet_pton(AF_INET6, peer.c_str(), &address) != 1) return peer;
  std::fill(std::begin(address.s6_addr) + 8, std::end(address.s6_addr), std::uint8_t{0});
  std::array<char, INET6_ADDRSTRLEN> network{};
  ::inet_ntop(AF_INET6, &address, network.data(), network.size());
  return std::string(network.data()) + "/64";
}
}  // namespace hm::server
