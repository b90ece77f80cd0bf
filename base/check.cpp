#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace hm {
void check_failed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "hubmirror: broken invariant: %s (%s:%d). This is a bug; what is on disk stays consistent.\n",
               condition, file, line);
  std::abort();
}
}  // namespace hm
