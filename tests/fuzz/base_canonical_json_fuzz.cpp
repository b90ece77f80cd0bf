// JSON of strangers: what parses has at most one canonical form, and that form is a fixed point.
#include <cstdint>
#include <cstdlib>

#include "base/canonical_json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto value = hm::parse_json(text);
  if (!value) return 0;
  (void)hm::pretty_json(value.assume_value());
  const auto canonical = hm::canonical_json(value.assume_value());
  if (!canonical) return 0;  // a fraction, for example
  const auto again = hm::parse_canonical_json(canonical.assume_value());
  if (!again) std::abort();
  return 0;
}
