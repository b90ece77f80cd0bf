// storage/generation_rows.hpp: one run of `sync`: which revisions it is to bring, and what became of each. Layer 3;
// values, rows in Family::Generations. docs/formats/index_keys.md
#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/index.hpp"

namespace hm::storage {
struct GenerationRow {
  std::uint32_t number = 0;
  std::string src;                    ///< host of the upstream
  std::vector<std::string> policies;  ///< their names
  std::int64_t began_ms = 0;
  std::int64_t ended_ms = 0;  ///< 0: not all targets are settled
  std::uint64_t targets = 0, skipped = 0;
  // What the plan said.
  std::uint64_t files = 0, bytes = 0;            ///< of all targets
  std::uint64_t bytes_to_fetch = 0;              ///< each blob once, and the small files in git
  std::uint64_t api_calls = 0, other_calls = 0;  ///< to the upstream, by rate bucket
  // What was done, over all processes that worked on it.
  std::uint64_t bytes_fetched = 0, git_bytes = 0;
  std::uint64_t api_calls_done = 0, other_calls_done = 0;
  std::int64_t fetching_ms = 0;  ///< time spent at it
  bool operator==(const GenerationRow&) const = default;
};

enum class TargetState : std::uint8_t { Pending, Published, Failed };
std::string_view name_of(TargetState state);

/// One revision that a generation is to bring.
struct TargetRow {
  RepoId repo;  ///< its name when the target was fixed
  RepoKey key;
  Commit commit;
  std::string revision;   ///< as the policy names it; "" = the default branch
  std::string selection;  ///< config::Selection::text()
  bool all_history = false, pull_requests = false;
  std::vector<std::string> policies;  ///< those that want it
  std::uint32_t place = 0;            ///< in the order of the policies
  std::uint64_t files = 0, bytes = 0, bytes_to_fetch = 0;
  TargetState state = TargetState::Pending;
  std::string failure, reason;  ///< kind and text, when it failed
  std::int64_t settled_ms = 0;
  std::uint64_t bytes_fetched = 0, git_bytes = 0;  ///< by attempts that came to an end
  bool operator==(const TargetRow&) const = default;
};
/// A repository that a policy would have brought but for a reason.
struct SkippedRow {
  RepoId repo;
  std::string policy, why;
  bool unanswered = false;  ///< the Hub did not give what it was asked for; else it is left out on purpose
  bool operator==(const SkippedRow&) const = default;
};

std::string pack_generation(const GenerationRow& row);
Result<GenerationRow> unpack_generation(std::string_view bytes);  ///< @returns Corrupt
std::string pack_target(const TargetRow& row);
Result<TargetRow> unpack_target(std::string_view bytes);  ///< @returns Corrupt

std::string generation_key(std::uint32_t number);
std::string target_key(std::uint32_t number, const RepoKey& repo, const Commit& commit);
std::string skipped_key(std::uint32_t number, const SkippedRow& row);
std::string pack_skipped(const SkippedRow& row);

Result<std::optional<GenerationRow>> find_generation(const Index& index, std::uint32_t number);
/// Newest first, until `visit` returns false.
Result<> each_generation(const Index& index, const std::function<bool(const GenerationRow&)>& visit);
/// Those of one repository.
Result<std::vector<TargetRow>> targets_of_repo(const Index& index, std::uint32_t number, const RepoKey& repo);
/// In key order, until `visit` returns false.
Result<> each_target(const Index& index, std::uint32_t number, const std::function<bool(const TargetRow&)>& visit);
Result<std::optional<TargetRow>> find_target(const Index& index, std::uint32_t number, const RepoKey& repo,
                                             const Commit& commit);
Result<> each_skipped(const Index& index, std::uint32_t number, const std::function<bool(const SkippedRow&)>& visit);
}  // namespace hm::storage
