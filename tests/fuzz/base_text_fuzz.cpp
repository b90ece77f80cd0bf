// Text tools that see names and times of strangers: what they return has the promised form.
#include <cstdint>
#include <cstdlib>

#include "base/text.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const std::string shown = hm::printable(text);
  for (const char c : shown)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) std::abort();
  if (hm::printable(shown) != shown) std::abort();
  if (hm::percent_decode(hm::percent_encode(text)) != text) std::abort();
  if (hm::fold_path(hm::fold_path(text)) != hm::fold_path(text)) std::abort();
  if (const auto ms = hm::parse_iso8601(text); ms && hm::parse_iso8601(hm::iso8601(*ms)) != ms) std::abort();
  if (const auto bytes = hm::parse_bytes(text); bytes && bytes.assume_value() > 9'100'000'000'000'000'000ULL)
    std::abort();
  const std::size_t half = size / 2;
  (void)hm::glob_match(text.substr(0, half), text.substr(half));
  if (!hm::glob_match("*", text)) std::abort();
  return 0;
}
