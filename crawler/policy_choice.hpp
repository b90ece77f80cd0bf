// crawler/policy_choice.hpp: which repositories a mirroring policy means today, by what the listings told. Layer 5.
// Threads: safe; calls block on the index, some seconds at most; no network.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/result.hpp"
#include "config/mirror_policy.hpp"
#include "storage/index.hpp"

namespace hm::crawler {
/// One repository at one revision: a repository that is named with two revisions is chosen twice.
struct ChosenRepo {
  std::optional<RepoKey> key;           ///< none: no listing named it; the Hub is asked by name
  RepoId repo;                          ///< by its present name
  std::optional<std::string> revision;  ///< none: all heads
  std::vector<std::string> why;  ///< "selected", "our_models.tsv:12", "base of org/x", …: the first few, never none
  // What was last listed; 0 or none = not known.
  std::uint64_t downloads = 0, likes = 0;
  std::uint64_t parameters = 0;
  std::uint64_t storage_bytes = 0;  ///< all revisions and all files
  std::int64_t modified_ms = 0;
  std::vector<std::string> licences;
  bool gated = false;
};
struct SkippedRepo {
  RepoId repo;
  std::string why;           ///< "excluded: owner \"org\"", "gone upstream (404)", …
  std::string wanted;        ///< what it would have been chosen for first, as ChosenRepo::why
  bool over_limits = false;  ///< for limits.repos_max
};
struct PolicyChoice {
  std::vector<ChosenRepo> chosen;    ///< in the policy's order
  std::vector<SkippedRepo> skipped;  ///< each repository once
  std::vector<std::string> notes;    ///< where the choice may not be what was meant: one sentence each
};
/// Conditions, then `top`, the repositories named, the closure, what is excluded, the order, limits.repos_max. The
/// other limits are for whoever knows the files.
/// @returns Refused when the conditions select more than a million repositories; Corrupt, Io.
Result<PolicyChoice> choose(const storage::Index& index, const config::MirrorPolicy& policy, std::int64_t now_ms);
}  // namespace hm::crawler
