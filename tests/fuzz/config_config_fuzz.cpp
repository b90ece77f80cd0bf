// Any bytes as a configuration file: refused with one printable line, or accepted, in bounds and printable back to the
// same settings.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/text.hpp"
#include "config/config.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto parsed =
      hm::config::parse_config(std::string_view(reinterpret_cast<const char*>(data), size), "fuzz.toml");
  if (!parsed) {
    if (hm::printable(parsed.assume_error().what) != parsed.assume_error().what) std::abort();
    return 0;
  }
  if (!hm::config::check_config(parsed.assume_value()) && parsed.assume_value().mirror.include.empty() &&
      parsed.assume_value().mirror.exclude.empty())
    std::abort();
  if (!parsed.assume_value().upstream.proxy.empty()) return 0;  // printed without its password
  const std::string text = hm::config::print_config(parsed.assume_value());
  const auto back = hm::config::parse_config(text, "printed.toml");
  if (!back || hm::config::print_config(back.assume_value()) != text) std::abort();
  return 0;
}
