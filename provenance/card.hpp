// provenance/card.hpp: what a repository card (README.md) declares. Layer 4; pure functions, no I/O; the input comes
// from strangers. YAML through libyaml's event API under a budget: 256 KiB, depth 32, 50,000 events; aliases only of
// scalars; a duplicate key keeps the last value.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "storage/rows.hpp"

namespace hm::provenance {
inline constexpr std::size_t kFrontMatterBytesMax = 256 * 1024;
/// The YAML between the first "---" line and the next; "" when the text does not begin with one. The Hub's rule: a BOM,
/// blanks and empty lines may stand before the first, blanks behind the second, and nothing else.
std::string front_matter(std::string_view readme);
/// Reads the declared facts. Scalars stay strings as written (`language: no` is Norwegian); a string where a list is
/// usual counts as a list of one, licences and languages by configuration as one list. Never fails: of a broken card
/// each top-level key that can be read alone is read, and CardFacts::problem says what is wrong and what is left out.
storage::CardFacts parse_card(std::string_view front_matter_yaml);
}  // namespace hm::provenance
