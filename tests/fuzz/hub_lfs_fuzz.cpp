// LFS pointers and batch answers. A pointer that is read and rendered is the same pointer, and no other form of it is
// much shorter; an object of an answer has a download or an error, and what it wants sent along cannot smuggle a
// line.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "hub/lfs_batch.hpp"
#include "net/url.hpp"

namespace {
constexpr std::size_t kShorterVersionBytes = 11;  // what the oldest version URL has less than today's

void check_pointer(std::string_view text) {
  const auto pointer = hm::hub::parse_lfs_pointer(text);
  if (!pointer) return;
  const std::string rendered = hm::hub::render_lfs_pointer(*pointer);
  if (text.size() > hm::hub::kLfsPointerBytesMax || hm::hub::parse_lfs_pointer(rendered) != pointer) std::abort();
  if (text.size() < rendered.size() - 1 - kShorterVersionBytes ||
      text.find(pointer->oid.hex()) == std::string_view::npos)
    std::abort();
}

bool has_line_end(std::string_view text) {
  return text.find_first_of("\r\n") != std::string_view::npos || text.find('\0') != std::string_view::npos;
}

void check_batch(std::string_view text) {
  const auto objects = hm::hub::parse_lfs_batch(text, 1'800'000'000'000);
  if (!objects) {
    if (objects.assume_error().code != hm::Errc::BadInput) std::abort();
    return;
  }
  for (const hm::hub::LfsObject& object : objects.assume_value()) {
    if (object.download.has_value() == (object.error_code != 0)) std::abort();
    if (!object.download) continue;
    if (!hm::net::parse_url(object.download->href)) std::abort();
    for (const auto& [name, value] : object.download->headers.all())
      if (name.empty() || has_line_end(name) || has_line_end(value)) std::abort();
  }
}
}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_pointer(text);
  check_batch(text);
  return 0;
}
