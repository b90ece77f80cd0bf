// Manifests, in their canonical and in their stored form: one that is read is written back to the same bytes.
#include <cstdint>
#include <cstdlib>

#include "base/ids.hpp"
#include "storage/manifest.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto read = hm::storage::parse_manifest(text)) {
    const hm::storage::Manifest& manifest = read.assume_value();
    if (hm::storage::render_manifest(manifest) != text) std::abort();
    for (const hm::storage::ManifestFile& file : manifest.files) {
      if (!hm::is_safe_repo_path(file.path)) std::abort();
    }
    const auto again = hm::storage::unpack_manifest(hm::storage::pack_manifest(manifest), hm::storage::manifest_id(text));
    if (!again || again.assume_value().files != manifest.files) std::abort();
  }
  // Whatever the stored bytes say: they are accepted only when their canonical part has the digest that was asked for.
  const hm::Sha256 asked = size > 8 ? hm::sha256(text.substr(8, text.size() - 8 - (size - 8) / 64)) : hm::sha256(text);
  if (const auto stored = hm::storage::unpack_manifest(text, asked)) {
    if (hm::storage::manifest_id(hm::storage::render_manifest(stored.assume_value())) != asked) std::abort();
  }
  return 0;
}
