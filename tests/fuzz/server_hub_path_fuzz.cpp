// Paths of requests: what is given back lies within the path, and no path of a file leaves its repository.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "server/http/range.hpp"
#include "server/hub_path.hpp"

namespace {
bool within(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string path = "/" + std::string(reinterpret_cast<const char*>(data), size);
  const hm::server::HubPath got = hm::server::parse_hub_path(path);
  if (!within(got.rest, path) || !within(got.tail, path)) std::abort();
  if (!got.above.empty() && !path.starts_with(got.above)) std::abort();
  const auto parts = hm::server::decoded_parts(got.rest);
  for (std::size_t from = 0; from < parts.size() && from < 4; ++from)
    if (const auto file = hm::server::repo_path(parts, from)) {
      const std::string slashed = "/" + *file + "/";
      if (file->empty() || file->front() == '/' || slashed.find("/../") != std::string::npos ||
          slashed.find("//") != std::string::npos || file->find('\0') != std::string::npos)
        std::abort();
    }
  constexpr std::uint64_t kSize = 1000;
  const auto range = hm::server::wanted_range(std::string_view(path).substr(1), kSize);
  if (range.first > kSize || range.length > kSize - range.first) std::abort();
  for (const auto& parameter : hm::server::parse_form(path, 100))
    if (parameter.name.size() + parameter.value.size() > path.size()) std::abort();
  return 0;
}
