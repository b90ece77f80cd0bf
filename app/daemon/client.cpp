#include "app/daemon/client.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <ostream>

#include "base/text.hpp"

namespace hm::app {
namespace {
Result<> send_frame(const Descriptor& socket, FrameKind kind, std::string_view payload) {
  const std::string bytes = pack_frame(kind, payload);
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t n = ::send(socket.get(), bytes.data() + done, bytes.size() - done, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return errno_error("send", "the daemon", errno);
    done += static_cast<std::size_t>(n);
  }
  return ok();
}

/// Passes bytes on until the daemon says how it ended.
class Client {
 public:
  Client(Descriptor socket, Streams& io, int input) : socket_(std::move(socket)), io_(io), input_(input) {}

  Result<Exit> run(const DaemonRequest& request, const std::stop_token& stop) {
    HM_TRY(const Descriptor woken, make_wake_descriptor());
    HM_TRY(send_frame(socket_, FrameKind::Request, pack_request(request)));
    const std::stop_callback on_stop(stop, [&woken] { wake(woken); });
    while (!exit_) {
      std::array<pollfd, 3> watched{pollfd{socket_.get(), POLLIN, 0}, pollfd{woken.get(), POLLIN, 0},
                                    pollfd{wants_input_ ? input_ : -1, POLLIN, 0}};
      if (::poll(watched.data(), watched.size(), -1) < 0) continue;  // EINTR
      if (watched[1].revents != 0) {
        clear_wake(woken);
        HM_TRY(send_frame(socket_, FrameKind::Stop, {}));
      }
      if (watched[2].revents != 0) {
        HM_TRY(pass_input());
      }
      if (watched[0].revents != 0) {
        HM_TRY(read_some());
      }
    }
    return *exit_;
  }

 private:
  Result<> pass_input() {
    std::array<char, 65536> bytes;
    const ssize_t n = ::read(input_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) return ok();
    wants_input_ = false;
    return send_frame(socket_, FrameKind::Input, {bytes.data(), n > 0 ? static_cast<std::size_t>(n) : 0});
  }
  Result<> read_some() {
    std::array<char, 65536> bytes;
    const ssize_t n = ::read(socket_.get(), bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) return ok();
    if (n <= 0)
      return Error{Errc::Cancelled,
                   "the daemon ended before the command did; what is here is kept, run the command again"};
    reader_.add({bytes.data(), static_cast<std::size_t>(n)});
    for (;;) {
      HM_TRY(const auto frame, reader_.next());
      if (!frame) return ok();
      take(*frame);
    }
  }
  void take(const Frame& frame) {
    switch (frame.kind) {
      case FrameKind::Out:
        io_.out << frame.payload << std::flush;
        return;
      case FrameKind::Err:
        io_.err << frame.payload << std::flush;
        return;
      case FrameKind::WantInput:
        wants_input_ = true;
        return;
      case FrameKind::Exit:
        exit_ = static_cast<Exit>(parse_u64(frame.payload).value_or(static_cast<int>(Exit::CannotContinue)));
        return;
      default:
        return;
    }
  }

  const Descriptor socket_;
  Streams& io_;
  const int input_;
  FrameReader reader_;
  bool wants_input_ = false;
  std::optional<Exit> exit_;
};

std::string working_directory() {
  std::error_code ignored;
  return std::filesystem::current_path(ignored).string();
}
}  // namespace

Exit run_in_the_daemon(Context& context, Descriptor daemon, const Command& command,
                       const std::vector<std::string>& arguments) {
  DaemonRequest request;
  request.arguments = arguments;
  request.directory = working_directory();
  request.in_is_terminal = context.io.in_is_terminal;
  request.err_is_terminal = context.io.err_is_terminal;
  Descriptor list;
  if (const auto* mirror = std::get_if<MirrorCommand>(&command);
      mirror != nullptr && !mirror->from.empty() && mirror->from != "-") {
    list = Descriptor(::open(mirror->from.c_str(), O_RDONLY | O_CLOEXEC));
    std::error_code ignored;
    if (!list || std::filesystem::is_directory(mirror->from, ignored))
      return report({Errc::BadInput,
                     "--from: cannot read " + printable(mirror->from) + "; give a file with one repository per line"},
                    Exit::Usage, context.io, context.options.json);
    request.input_name = mirror->from;
  }
  Client client(std::move(daemon), context.io, list ? list.get() : STDIN_FILENO);
  const auto exit = client.run(request, context.interrupt.take_over());
  if (!exit) return report(exit.error(), exit_of(exit.error()), context.io, context.options.json);
  return exit.assume_value();
}

Result<Exit> ask_the_daemon(Context& context, std::string what) {
  auto daemon = connect_in(context.data_dir);
  if (!daemon)
    return Error{Errc::NotFound, "no daemon holds " + context.data_dir + "; begin one with: hubmirror daemon"};
  DaemonRequest request;
  request.what = std::move(what);
  Client client(std::move(*daemon), context.io, STDIN_FILENO);
  return client.run(request, context.interrupt.take_over());
}
}  // namespace hm::app
