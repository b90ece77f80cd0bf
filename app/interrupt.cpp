#include "app/interrupt.hpp"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>

#include "app/cli.hpp"
#include "base/check.hpp"

namespace hm::app {
namespace {
/// As a process ends that does nothing about the signal: a shell that runs it in a loop sees that it is to stop too.
[[noreturn]] void die_of(int number) {
  ::signal(number, SIG_DFL);
  sigset_t one;
  ::sigemptyset(&one);
  ::sigaddset(&one, number);
  ::pthread_sigmask(SIG_UNBLOCK, &one, nullptr);
  ::raise(number);
  ::_exit(static_cast<int>(Exit::CannotContinue));
}
}  // namespace

Signals::Signals() {
  sigset_t wanted;
  ::sigemptyset(&wanted);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction present{};
    ::sigaction(number, nullptr, &present);
    if (present.sa_handler != SIG_IGN) ::sigaddset(&wanted, number);
  }
  ::pthread_sigmask(SIG_BLOCK, &wanted, nullptr);
  const int signals_fd = ::signalfd(-1, &wanted, SFD_CLOEXEC);
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC);
  HM_CHECK(signals_fd >= 0 && wake_fd_ >= 0);
  thread_ = std::thread([this, signals_fd] { watch(signals_fd); });
}

Signals::~Signals() {
  const std::uint64_t one = 1;
  while (::write(wake_fd_, &one, sizeof one) < 0 && errno == EINTR) {
  }
  thread_.join();
  ::close(wake_fd_);
}

void Signals::on_hangup(std::function<void()> call) {
  const std::lock_guard lock(hangup_mutex_);
  hangup_ = std::move(call);
}

bool Signals::is_hangup_for_somebody(int number) {
  const std::lock_guard lock(hangup_mutex_);
  if (number != SIGHUP || !hangup_) return false;
  hangup_();
  return true;
}

void Signals::watch(int signals_fd) {
  for (;;) {
    std::array<pollfd, 2> watched{pollfd{signals_fd, POLLIN, 0}, pollfd{wake_fd_, POLLIN, 0}};
    if (::poll(watched.data(), watched.size(), -1) < 0) continue;  // EINTR
    if (watched[1].revents != 0) break;
    signalfd_siginfo info{};
    if (::read(signals_fd, &info, sizeof info) != sizeof info) continue;
    if (is_hangup_for_somebody(static_cast<int>(info.ssi_signo))) continue;
    if (!taken_over_) die_of(static_cast<int>(info.ssi_signo));
    if (stop_.stop_requested()) ::_exit(static_cast<int>(Exit::CannotContinue));
    stop_.request_stop();
  }
  ::close(signals_fd);
}
}  // namespace hm::app
