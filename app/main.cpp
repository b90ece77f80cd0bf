// The only main() of the product.
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <iostream>

#include "app/cli.hpp"

namespace {
/// A standard stream that was closed would be the next file that is opened: a list would be read from a signal
/// descriptor, and a message written into LOCK. Opened the wrong way round, so that using it fails as a closed one
/// does.
void open_standard_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    if (::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd) ::_exit(3);
  }
}
}  // namespace

int main(int argc, char** argv) {
  open_standard_streams();
  // Two malloc arenas instead of eight per core: freed buffers of one thread serve the others, which keeps the process
  // small.
  ::mallopt(M_ARENA_MAX, 2);
  // Large buffers go back to the system when they are freed, whatever their history.
  ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
  ::signal(SIGPIPE, SIG_IGN);  // a closed pipe or socket is an error of that write, not the end of the process
  ::signal(SIGXFSZ, SIG_IGN);  // likewise a file beyond the limit on file sizes (ulimit -f)
  std::ios::sync_with_stdio(false);
  hm::app::Streams streams{std::cin, std::cout, std::cerr, ::isatty(STDIN_FILENO) == 1, ::isatty(STDERR_FILENO) == 1};
  return static_cast<int>(hm::app::run(argc, argv, streams));
}
