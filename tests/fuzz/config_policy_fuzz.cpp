// Any bytes as a stored file selection: what is accepted renders to the same bytes, judges paths without harm and
// unites with others into what is accepted again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "config/policy.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using hm::config::Selection;
  constexpr std::string_view kPath = "folder/pytorch_model-00001-of-00002.bin";
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto parsed = Selection::parse(text);
  if (!parsed) return 0;
  const Selection& selection = parsed.assume_value();
  if (selection.text() != text) std::abort();
  Selection other;
  other.formats = {"gguf"};
  const Selection both = hm::config::united(selection, other);
  if (both.wants(kPath, 1 << 20) != (selection.wants(kPath, 1 << 20) || other.wants(kPath, 1 << 20))) std::abort();
  if (hm::config::united(both, selection).text() != both.text()) std::abort();
  if (const auto again = Selection::parse(both.text());
      again ? again.assume_value().text() != both.text() : bool(hm::config::check_selection(both)))
    std::abort();
  return 0;
}
