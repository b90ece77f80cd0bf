// server/http/listening.hpp: sockets to accept from: bound here, or handed over by systemd. Layer 5.
#pragma once
#include <string>
#include <vector>

#include "base/result.hpp"

namespace hm::server {
/// A listening socket; closed by the destructor, and its path removed when it made one.
class ListeningSocket {
 public:
  /// "address:port", "[v6]:port" or "unix:/path". A socket file that nobody listens on any more is replaced.
  /// @returns BadInput for what is no address; Io naming it when it cannot be bound.
  static Result<ListeningSocket> bind(const std::string& text);
  /// Those of LISTEN_FDS that listen, when they are meant for this process (sd_listen_fds(3)); the variables are
  /// removed.
  static std::vector<ListeningSocket> handed_over();
  ListeningSocket(ListeningSocket&& other) noexcept;
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  ~ListeningSocket();
  int fd() const { return fd_; }
  /// "127.0.0.1:8080" with the port it got, "[::1]:8080", "unix:/path".
  const std::string& address() const { return address_; }
  bool is_unix() const { return address_.starts_with("unix:"); }
  void close();

 private:
  ListeningSocket(int fd, std::string address, std::string path)
      : fd_(fd), address_(std::move(address)), path_(std::move(path)) {}
  int fd_;
  std::string address_, path_;
};
/// Address of the other end of an accepted socket: "192.0.2.1", "2001:db8::1", "unix".
std::string peer_of(const void* sockaddr_storage);
/// The client that a peer's connections are counted for: its address; of IPv6 its /64, which is what one customer has.
std::string counted_client(const std::string& peer);
}  // namespace hm::server
