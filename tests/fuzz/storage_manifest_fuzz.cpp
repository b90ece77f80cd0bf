// A manifest that is accepted renders to the bytes it was read from, and survives being packed.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "storage/manifest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto manifest = hm::storage::parse_manifest(text)) {
    if (hm::storage::render_manifest(manifest.assume_value()) != text) std::abort();
    const auto id = hm::storage::manifest_id(text);
    if (!hm::storage::unpack_manifest(hm::storage::pack_manifest(manifest.assume_value()), id)) std::abort();
  }
  (void)hm::storage::unpack_manifest(text, {}).has_value();
  return 0;
}
