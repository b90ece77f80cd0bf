// mirror/git/git_program.hpp: how git is started where libgit2 does not do: packing for clients and repacking. Layer 4.
// docs/decisions/0012-git-program.md. Threads: run_git() blocks: git pool.
#pragma once
#include <atomic>
#include <string>
#include <vector>

#include "base/process.hpp"
#include "base/result.hpp"

namespace hm::mirror {
/// `git --git-dir=<repository> <arguments>` that reads no configuration but the repository's and ours, runs no hook,
/// asks nobody, reaches no other place and speaks English; limits and descriptors are the caller's.
Program git_program(const std::string& repository_path, const std::vector<std::string>& arguments);

/// Runs it to its end and returns what it wrote, which must be little. @param stop looked at ten times a second.
/// @returns NotFound without git; Cancelled; Internal with git's own words.
Result<std::string> run_git(Program program, const std::string& input, const std::atomic<bool>& stop);
}  // namespace hm::mirror
