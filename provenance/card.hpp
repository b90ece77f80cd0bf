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
/// The YAML between the first "---" line and the next; "" when the text does not begin with one (a BOM and blank lines
/// before it are tolerated, as the Hub's client does).
std::string front_matter(std::string_view readme);
/// Reads the declared facts. Scalars stay strings as written (`language: no` is Norwegian); a string where a list is
/// usual counts as a list of one. Never fails: what could not be read is said in CardFacts::problem, facts read before
/// the trouble are kept out then.
storage::CardFacts parse_card(std::string_view front_matter_yaml);
}  // namespace hm::provenance
