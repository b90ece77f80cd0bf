#include "app/daemon/socket.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>

#include "base/clock.hpp"

namespace hm::app {
namespace {
constexpr char kName[] = "daemon.sock";
constexpr int kBacklog = 64;

/// By way of the open directory: the name of a data directory may be longer than that of a socket may be.
struct Place {
  Descriptor directory;
  sockaddr_un address{};
};
Result<Place> place_in(const std::string& data_dir) {
  Place place;
  place.directory = Descriptor(::open(data_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!place.directory) return errno_error("open", data_dir, errno);
  const std::string path = "/proc/self/fd/" + std::to_string(place.directory.get()) + "/" + kName;
  place.address.sun_family = AF_UNIX;
  std::memcpy(place.address.sun_path, path.c_str(), path.size() + 1);
  return place;
}
Descriptor unix_socket(int flags) { return Descriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | flags, 0)); }
const sockaddr* plain(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);  // NOLINT: what the call wants
}
}  // namespace

Descriptor::~Descriptor() {
  if (fd_ >= 0) ::close(fd_);
}

Result<Descriptor> make_wake_descriptor() {
  Descriptor made(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!made) return errno_error("eventfd", "", errno);
  return made;
}
void wake(const Descriptor& descriptor) {
  const std::uint64_t one = 1;
  while (::write(descriptor.get(), &one, sizeof one) < 0 && errno == EINTR) {
  }
}
void clear_wake(const Descriptor& descriptor) {
  std::uint64_t count = 0;
  while (::read(descriptor.get(), &count, sizeof count) < 0 && errno == EINTR) {
  }
}

std::string daemon_socket_path(const std::string& data_dir) { return data_dir + "/" + kName; }

Result<Descriptor> listen_in(const std::string& data_dir) {
  const std::string path = daemon_socket_path(data_dir);
  HM_TRY(const Place place, place_in(data_dir));
  Descriptor socket = unix_socket(SOCK_NONBLOCK);
  if (!socket) return errno_error("socket", path, errno);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return errno_error("unlink", path, errno);
  // Linux makes the name with the mode of the socket, so that nobody comes in before it is right.
  if (::fchmod(socket.get(), S_IRUSR | S_IWUSR) != 0) return errno_error("fchmod", path, errno);
  if (::bind(socket.get(), plain(place.address), sizeof place.address) != 0) return errno_error("bind", path, errno);
  if (::listen(socket.get(), kBacklog) != 0) return errno_error("listen", path, errno);
  return socket;
}

std::optional<Descriptor> connect_in(const std::string& data_dir) {
  const auto place = place_in(data_dir);
  if (!place) return std::nullopt;
  Descriptor socket = unix_socket(0);
  if (!socket) return std::nullopt;
  const sockaddr_un& address = place.assume_value().address;
  while (::connect(socket.get(), plain(address), sizeof address) != 0)
    if (errno != EINTR) return std::nullopt;
  return socket;
}

std::optional<Descriptor> accept_from(const Descriptor& listening) {
  Descriptor socket(::accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket) return std::nullopt;
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket.get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return std::nullopt;
  if (peer.uid != ::geteuid() && peer.uid != 0) return std::nullopt;
  return socket;
}

Conversation::Conversation(Descriptor socket) : socket_(std::move(socket)) {
  auto made = make_wake_descriptor();
  if (made) wake_ = std::move(made).assume_value();
  gone_ = !wake_;  // no descriptor is left: nothing is said
  if (!gone_) thread_ = std::thread([this] { run(); });
}

Conversation::~Conversation() { close(); }

void Conversation::close() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  if (!thread_.joinable()) return;
  wake(wake_);
  thread_.join();
}

void Conversation::run() {
  std::optional<std::int64_t> end_ms;
  for (;;) {
    bool to_write = false, ending = false;
    {
      const std::lock_guard lock(mutex_);
      to_write = !outbox_.empty();
      ending = ending_;
    }
    const std::int64_t now_ms = system_clock().monotonic_ms();
    if (ending && !end_ms) end_ms = now_ms + kFarewellMs;
    if (ending && (!to_write || now_ms >= *end_ms)) break;
    std::array<pollfd, 2> watched{pollfd{socket_.get(), static_cast<short>(POLLIN | (to_write ? POLLOUT : 0)), 0},
                                  pollfd{wake_.get(), POLLIN, 0}};
    const int wait_ms = end_ms ? static_cast<int>(std::max<std::int64_t>(*end_ms - now_ms, 0)) : -1;
    if (::poll(watched.data(), watched.size(), wait_ms) < 0) continue;  // EINTR
    if (watched[1].revents != 0) clear_wake(wake_);
    if ((watched[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !read_some()) break;
    if ((watched[0].revents & POLLOUT) != 0 && !write_some()) break;
  }
  hang_up();
}

bool Conversation::read_some() {
  std::array<char, 65536> bytes;
  const ssize_t n = ::read(socket_.get(), bytes.data(), bytes.size());
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  if (n == 0) return false;
  reader_.add({bytes.data(), static_cast<std::size_t>(n)});
  for (;;) {
    auto frame = reader_.next();
    if (!frame) return false;
    if (!frame.assume_value()) return true;
    take(std::move(*frame.assume_value()));
  }
}

bool Conversation::write_some() {
  const std::lock_guard lock(mutex_);
  const ssize_t n = ::send(socket_.get(), outbox_.data(), outbox_.size(), MSG_NOSIGNAL);
  if (n < 0) return errno == EINTR || errno == EAGAIN;
  outbox_.erase(0, static_cast<std::size_t>(n));
  changed_.notify_all();
  return true;
}

void Conversation::take(Frame frame) {
  if (frame.kind == FrameKind::Stop) {
    stop_.request_stop();
    return;
  }
  const std::lock_guard lock(mutex_);
  if (frame.kind == FrameKind::Request && !request_) request_ = unpack_request_frame(frame.payload);
  if (frame.kind == FrameKind::Input) input_ = std::move(frame.payload);
  changed_.notify_all();
}

void Conversation::hang_up() {
  stop_.request_stop();
  const std::lock_guard lock(mutex_);
  gone_ = true;
  outbox_.clear();
  changed_.notify_all();
}

void Conversation::push(FrameKind kind, std::string_view bytes) {
  if (!gone_) outbox_ += pack_frame(kind, bytes);
  wake(wake_);
}

Result<DaemonRequest> Conversation::request(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, stop, [this] { return gone_ || request_.has_value(); });
  if (!request_) return Error{Errc::Cancelled, "the client went away"};
  return *request_;
}

void Conversation::out(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::string_view part = bytes.substr(0, kOutboxBytesMax);
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return gone_ || outbox_.size() < kOutboxBytesMax; });
    push(FrameKind::Out, part);
    bytes.remove_prefix(part.size());
  }
}

void Conversation::err(std::string_view bytes) {
  const std::lock_guard lock(mutex_);
  if (outbox_.size() < kOutboxBytesMax) push(FrameKind::Err, bytes.substr(0, kOutboxBytesMax));
}

std::string Conversation::input() {
  std::unique_lock lock(mutex_);
  input_.reset();
  push(FrameKind::WantInput, {});
  changed_.wait(lock, stop_.get_token(), [this] { return gone_ || input_.has_value(); });
  return std::exchange(input_, std::nullopt).value_or(std::string());
}

void Conversation::exit(int code) {
  const std::lock_guard lock(mutex_);
  push(FrameKind::Exit, std::to_string(code));
}
}  // namespace hm::app
