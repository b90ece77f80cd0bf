// mirror/git/history.hpp: the commits of a repository as its web pages and API show them, on libgit2. Layer 4.
// Threads: as Repository: one thread at a time, calls block: use the git pool.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/digest.hpp"
#include "base/result.hpp"
#include "mirror/git/repository.hpp"

namespace hm::mirror {
/// Texts are as the committer wrote them: any bytes, not always UTF-8.
struct CommitFacts {
  GitOid id;
  std::string title;    ///< first line of the message
  std::string message;  ///< the rest, without the title, the blank lines behind it and those at the end
  std::string author;
  std::int64_t time_ms = 0;  ///< of the commit, not of its writing
};
Result<CommitFacts> commit_facts(const Repository& repository, const GitOid& commit);

struct CommitPage {
  std::vector<CommitFacts> commits;
  std::uint64_t total = 0;  ///< all that can be reached
};
/// `limit` commits reachable from `tip`, newest first, after the first `skip`. Walks all of them for the total.
Result<CommitPage> commits_from(const Repository& repository, const GitOid& tip, std::uint64_t skip,
                                std::uint64_t limit);

/// So many commits are looked at for last_changes(): about a second of work on large trees, and more than all but a
/// handful of the Hub's repositories have.
inline constexpr std::size_t kLastChangeCommitsMax = 10'000;

/// For each of `paths` the commit that gave it what it has in `commit`, as `git log -1 <commit> -- <path>` says: a
/// merge counts only where it differs from all its parents, and otherwise the first parent that is the same is
/// followed. Directories count as changed with anything in them. Nullopt for what is not there. When `commits_max` is
/// used up, the oldest commit reached is given: the change is not newer than that.
Result<std::vector<std::optional<CommitFacts>>> last_changes(const Repository& repository, const GitOid& commit,
                                                             const std::vector<std::string>& paths,
                                                             std::size_t commits_max = kLastChangeCommitsMax);
}  // namespace hm::mirror
