// tests/support/hang_guard.cpp: a test program that hangs says where, before ctest ends it. Linked into every C++ test.
// Nothing is measured by it: the time is many times what the slowest needs.
#include <execinfo.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>

namespace {
constexpr unsigned kHangSeconds = 800;  // ctest ends it after 900

/// Only what a signal handler may do.
void tell(int) {
  constexpr char kWord[] = "\nhang guard: this program has run for 800 s; it is here, among these processes:\n";
  (void)!::write(STDERR_FILENO, kWord, sizeof kWord - 1);
  std::array<void*, 64> frames{};
  ::backtrace_symbols_fd(frames.data(), ::backtrace(frames.data(), static_cast<int>(frames.size())), STDERR_FILENO);
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(STDERR_FILENO, STDOUT_FILENO);
    ::execlp("ps", "ps", "-eo", "pid,ppid,stat,wchan:24,etime,args", nullptr);
    ::_exit(127);
  }
  ::waitpid(child, nullptr, 0);
}

const bool armed = [] {
  std::array<void*, 1> frame{};
  ::backtrace(frame.data(), 1);  // loads libgcc now: in the handler it could not allocate
  ::signal(SIGALRM, tell);
  ::alarm(kHangSeconds);
  return true;
}();
}  // namespace
