// provenance/licence/acceptance.hpp: whether an institution's licence policy accepts what a verdict says. Layer 4;
// values and pure functions. Examples: config/licences/policies/.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "provenance/licence/judge.hpp"
#include "provenance/licence/lineage.hpp"

namespace hm::provenance::licence {
struct LicencePolicy {
  std::string description;
  Flags refuse_restrictions = 0, refuse_duties = 0;
  std::vector<std::string> refuse_licences, accept_licences;  ///< identifiers
  enum class OnPossible : std::uint8_t { Refuse, Undecided, Accept } possible_conflict = OnPossible::Undecided;
  bool data_counts = false;  ///< refuse_restrictions and refuse_licences hold for training data too
  bool refuse_drift = false;
};
/// @returns BadInput with file, line, what and why; licences that are not in the catalogue are errors too.
Result<LicencePolicy> parse_licence_policy(const Catalogue& catalogue, std::string_view text, std::string_view source);
Result<LicencePolicy> load_licence_policy(const Catalogue& catalogue, const std::string& path);  ///< also Io

struct Acceptance {
  enum class Decision : std::uint8_t { Accepted, Undecided, Refused } decision = Decision::Accepted;
  std::vector<std::string> reasons;  ///< of Refused and Undecided: "non-commercial: CC-BY-NC-4.0 (inherited)"
};
/// Refused outweighs Undecided. Of an expression with a choice the alternative is taken that is accepted.
Acceptance accept(const LicencePolicy& policy, const Verdict& verdict, Judge& judge);
}  // namespace hm::provenance::licence
