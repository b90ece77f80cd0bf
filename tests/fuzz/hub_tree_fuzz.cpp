// A page of a tree: every entry that comes out has a path, and hashes of the right length.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "hub/wire/tree.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto entries = hm::hub::parse_tree({reinterpret_cast<const char*>(data), size});
  if (!entries) {
    if (entries.assume_error().code != hm::Errc::BadInput) std::abort();
    return 0;
  }
  for (const hm::hub::TreeEntry& entry : entries.assume_value())
    if (entry.path.empty() || (!entry.xet_hash.empty() && entry.xet_hash.size() != 64)) std::abort();
  return 0;
}
