// app/daemon/socket.hpp: the Unix socket in the data directory, and one conversation over it. Layer 6.
// Whoever listens holds LOCK, so a socket that nobody answers at is a dead process's. Threads: as said at each.
#pragma once
#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <optional>
#include <stop_token>
#include <string>
#include <thread>
#include <utility>

#include "app/daemon/frames.hpp"
#include "base/result.hpp"

namespace hm::app {
/// An open descriptor; closed by the destructor.
class Descriptor {
 public:
  explicit Descriptor(int fd = -1) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&& other) noexcept {
    std::swap(fd_, other.fd_);
    return *this;
  }
  ~Descriptor();
  int get() const { return fd_; }
  explicit operator bool() const { return fd_ >= 0; }

 private:
  int fd_;
};
/// Wakes a poll(). @returns Io.
Result<Descriptor> make_wake_descriptor();
void wake(const Descriptor& descriptor);
void clear_wake(const Descriptor& descriptor);

std::string daemon_socket_path(const std::string& data_dir);
/// Mode 0600; takes the place of one that is there. @pre this process holds the writer's lock. @returns Io.
Result<Descriptor> listen_in(const std::string& data_dir);
/// nullopt when nobody listens there, or this user may not ask.
std::optional<Descriptor> connect_in(const std::string& data_dir);
/// The next connection of this user or root, from a listening socket that is ready; nullopt: of somebody else, or gone.
std::optional<Descriptor> accept_from(const Descriptor& listening);

/// The daemon's end of a connection. One thread of its own reads and writes, so that a client that does not read holds
/// up nobody but its own command, and that only by what it prints on standard output.
class Conversation {
 public:
  explicit Conversation(Descriptor socket);
  /// As close().
  ~Conversation();
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;

  /// Blocks. @returns Cancelled: the client went away, or `stop` fired; Refused: it does not speak our language.
  Result<DaemonRequest> request(const std::stop_token& stop);
  /// Waits for room, unless the client is gone.
  void out(std::string_view bytes);
  /// Never waits: what a client does not read in time is lost to it. For progress, from any thread.
  void err(std::string_view bytes);
  /// Asks the client for input and blocks. "" at its end, when the client is gone or wants to stop.
  std::string input();
  void exit(int code);
  /// Blocks until what was said is sent, at most kFarewellMs. The last call.
  void close();
  /// Fires when the client wants the command to end, or is gone.
  std::stop_token stopped() const { return stop_.get_token(); }
  std::stop_source stop_source() const { return stop_; }

 private:
  void run();
  bool read_some();
  bool write_some();
  void take(Frame frame);
  void push(FrameKind kind, std::string_view bytes);
  void hang_up();

  const Descriptor socket_;
  Descriptor wake_;
  std::stop_source stop_;
  FrameReader reader_;  ///< of the thread
  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::string outbox_;
  std::optional<Result<DaemonRequest>> request_;
  std::optional<std::string> input_;
  bool gone_ = false, ending_ = false;
  std::thread thread_;
};
inline constexpr std::size_t kOutboxBytesMax = 4U << 20;
inline constexpr int kFarewellMs = 5'000;
}  // namespace hm::app
