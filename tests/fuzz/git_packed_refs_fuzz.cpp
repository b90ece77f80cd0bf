// packed-refs: what is read is written back with the same meaning, and only valid names are in it.
#include <cstdint>
#include <cstdlib>

#include "mirror/git/packed_refs.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace hm::mirror;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto read = parse_packed_refs(text)) {
    const PackedRefs& refs = read.assume_value();
    for (const auto& [name, ref] : refs) {
      if (!is_valid_ref_name(name)) std::abort();
    }
    const auto again = parse_packed_refs(render_packed_refs(refs));
    if (!again || again.assume_value() != refs) std::abort();
  }
  if (is_valid_ref_name(text) && (!text.starts_with("refs/") || text.find("..") != text.npos ||
                                  text.ends_with(".lock") || text.size() > kRefNameBytesMax))
    std::abort();
  return 0;
}
