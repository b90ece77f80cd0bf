// base/embedded.hpp: files that the build has put into the program (cmake/embed.cmake). Layer 0; values.
#pragma once
#include <cstddef>
#include <string_view>

namespace hm {
struct EmbeddedFile {
  std::string_view name;  ///< of the file, without its folder
  std::string_view bytes;
};
}  // namespace hm
