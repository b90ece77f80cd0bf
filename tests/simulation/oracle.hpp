// tests/simulation/oracle.hpp: what must be true of an index and its journal, by what the Hub knows of itself. Findings
// are sentences; none is good. Threads: none.
#pragma once
#include <array>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "storage/index.hpp"
#include "tests/hub_at_scale/world.hpp"

namespace hm::test::sim {
using Findings = std::vector<std::string>;

/// Of a Hub that has been quiet for two sweeps, a day apart: everything that is there is known as it is, nothing that
/// is not there is taken to be there, and the journal tells how it came to that.
/// @param changes all that happened to the Hub, in order
Findings check_at_rest(const scale::World& world, const storage::Index& index,
                       const std::vector<scale::Mutation>& changes);
/// The journal by itself: each entry follows from the one before, and none says what was known.
Findings check_journal(const storage::Index& index);

/// A tail that succeeds has found every commit that was made before it began.
class TailOracle {
 public:
  explicit TailOracle(const scale::World& world) : world_(world) {}
  void changed(const scale::Mutation& change);
  void tail_begins(RepoKind kind);  ///< the Hub answers its first page
  Findings tail_ended(RepoKind kind, const storage::Index& index);

 private:
  struct Kind {
    std::set<Rid> before, since;  ///< changed before the tail that is under way began, and since then
    bool has_mark = false;        ///< a tail has succeeded; the first one reads one page only
  };
  const scale::World& world_;
  std::array<Kind, scale::kKinds> kinds_;
};
}  // namespace hm::test::sim
