// Header lines of a response, in whatever order and form: limits hold, and a complete head has a final status.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "net/response_head.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  hm::net::ResponseHead head;
  while (!input.empty()) {
    const std::size_t line_end = std::min(input.find('\n'), input.size() - 1);
    if (!head.feed(input.substr(0, line_end + 1))) return 0;
    input.remove_prefix(line_end + 1);
    if (head.headers().all().size() > hm::net::kHeaderFieldsMax) std::abort();
    if (head.complete() && (head.status() < 200 || head.status() > 999)) std::abort();
  }
  return 0;
}
