// Expressions and declarations come from strangers: what is read is printed so that it is read again as the same, and
// nothing unreadable becomes a permission.
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "base/text.hpp"
#include "provenance/licence/normalise.hpp"
#include "provenance/licence/spdx.hpp"

using namespace hm::provenance::licence;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Catalogue catalogue = Catalogue::built_in().value();
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto parsed = parse_expression(text)) {
    const std::string printed = to_string(parsed.value());
    const auto again = parse_expression(printed);
    if (!again || !(again.value() == parsed.value())) std::abort();
    if (const auto choices = alternatives_of(parsed.value()); choices && choices->size() > kExpressionAlternatives)
      std::abort();
  }
  Declared declared;
  const auto lines = hm::split(text, '\n');
  for (std::size_t i = 0; i < lines.size(); ++i) {
    if (i == 0)
      declared.name = lines[i];
    else if (i == 1)
      declared.link = lines[i];
    else
      declared.ids.emplace_back(lines[i]);
  }
  const Normalised n = normalise(catalogue, declared);
  if (!parse_expression(n.expression)) std::abort();
  for (const ClaimFinding& f : n.findings)
    if (f.what != hm::printable(f.what)) std::abort();
  return 0;
}
