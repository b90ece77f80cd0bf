// The only main() of the product.
#include <malloc.h>
#include <unistd.h>

#include <csignal>
#include <iostream>

#include "app/cli.hpp"

int main(int argc, char** argv) {
  // Two malloc arenas instead of eight per core: freed buffers of one thread serve the others, which keeps the process
  // small.
  ::mallopt(M_ARENA_MAX, 2);
  // Large buffers go back to the system when they are freed, whatever their history.
  ::mallopt(M_MMAP_THRESHOLD, 1 << 20);
  ::signal(SIGPIPE, SIG_IGN);  // a closed pipe or socket is an error of that write, not the end of the process
  std::ios::sync_with_stdio(false);
  hm::app::Streams streams{std::cin, std::cout, std::cerr, ::isatty(STDIN_FILENO) == 1, ::isatty(STDERR_FILENO) == 1};
  return static_cast<int>(hm::app::run(argc, argv, streams));
}
