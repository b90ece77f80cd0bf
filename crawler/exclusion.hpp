// crawler/exclusion.hpp: what a mirroring policy excludes, ready to be asked. Layer 5; values, pure functions.
#pragma once
#include <map>
#include <string>

#include "base/ids.hpp"
#include "config/mirror_policy.hpp"
#include "provenance/selection.hpp"

namespace hm::crawler {
class Exclusion {
 public:
  /// @param exclude outlives the Exclusion.
  explicit Exclusion(const config::PolicyExclude& exclude);
  /// What excludes it: "excluded: owner \"org\""; "" when nothing does. @param found nullptr: its name is all that is
  /// known.
  std::string reason(const RepoId& repo, const provenance::Found* found) const;

 private:
  std::string reason_by_name(const RepoId& repo) const;
  std::string reason_by_facts(const provenance::Found& found) const;
  const config::PolicyExclude& exclude_;
  std::map<std::string, std::string> repos_;  ///< name in lower case, or id → where it stands
};
}  // namespace hm::crawler
