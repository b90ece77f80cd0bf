// Any bytes as a stored file selection: what is accepted renders to the same bytes and judges paths without harm.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/policy.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = hm::config::Selection::parse(text);
  if (!parsed) return 0;
  if (parsed.assume_value().text() != text) std::abort();
  (void)parsed.assume_value().wants("folder/pytorch_model-00001-of-00002.bin", 1 << 20);
  return 0;
}
