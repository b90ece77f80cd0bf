// base/words.hpp: pieces of sentences. Layer 0; pure functions.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hm {
/// The texts with `between` between them; "" for none.
std::string joined(const std::vector<std::string>& texts, std::string_view between);
/// "1 file", "3 files", "2 repositories".
std::string counted(std::uint64_t count, std::string_view noun);
/// The word that goes with so many: agreed(1, "is", "are") is "is".
inline std::string agreed(std::uint64_t count, std::string_view one, std::string_view many) {
  return std::string(count == 1 ? one : many);
}
}  // namespace hm
