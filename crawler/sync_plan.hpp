// crawler/sync_plan.hpp: what bringing the selection of some policies up to date takes, before a byte moves: which
// revisions, how many files and bytes, how much of that is here, how many calls. Layer 5. Threads: planning is a
// coroutine on the network executor, its index work on SurveyParts::disk; the rest are values.
#pragma once
#include <boost/asio/any_io_executor.hpp>
#include <cstdint>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.hpp"
#include "base/result.hpp"
#include "config/mirror_policy.hpp"
#include "crawler/policy_choice.hpp"
#include "hub/api.hpp"
#include "mirror/catalog.hpp"
#include "provenance/record.hpp"
#include "storage/blob_store.hpp"
#include "storage/generation_rows.hpp"
#include "storage/index.hpp"
#include "storage/survey_row.hpp"

namespace hm::crawler {
using net::awaitable;

/// Figures of a set of targets. Bytes are those of the files that are wanted; each blob counts once as "to fetch".
struct PlanFigures {
  std::uint64_t repos = 0, files = 0, bytes = 0;
  std::uint64_t bytes_here = 0;      ///< also through other repositories
  std::uint64_t bytes_to_fetch = 0;  ///< small files, which git brings, included
  std::uint64_t api_calls = 0, other_calls = 0;
  std::uint64_t unchanged = 0;  ///< repositories that are here as they are wanted: they cost no call
};
struct PolicyPlan {
  std::string name;
  PlanFigures figures;                       ///< of this policy alone
  std::vector<ChosenRepo> chosen;            ///< and why, whether skipped later or not
  std::vector<storage::SkippedRow> skipped;  ///< and why
  std::vector<std::string> notes;            ///< where the choice may not be what was meant
  std::uint64_t large_bytes = 0;             ///< of large files that it wants: what its limits count
  std::uint64_t unanswered = 0;              ///< of the skipped: the Hub gave no files
  std::uint64_t over_limits = 0;             ///< of the skipped: for the policy's own limits
  std::uint64_t not_surveyed = 0;            ///< of the skipped: the Hub was not asked for their files
  std::uint64_t not_surveyed_bytes = 0;      ///< what listings say that these hold, all revisions and files
};
struct SyncPlan {
  std::vector<PolicyPlan> policies;
  std::vector<storage::TargetRow> targets;  ///< of all policies, each revision once, in the order of the policies
  PlanFigures total;
  std::uint64_t survey_calls = 0;      ///< API calls that planning took
  std::uint64_t bytes_per_second = 0;  ///< as the last generation was fetched; 0 = not known
};

struct PlanParts {  ///< everything outlives the planner
  const storage::Index& index;
  const mirror::Catalog& catalog;
  const storage::BlobStore& blobs;
  const Clock& clock;
  std::string src;  ///< host of the upstream
};
/// Where the answers about files come from when none is kept.
struct SurveyParts {
  hub::Api& api;
  storage::Index& index;
  provenance::Recorder& recorder;
  boost::asio::any_io_executor disk;  ///< where blocking calls are made
  int parallel = 8;
  std::function<void(std::uint64_t done, std::uint64_t total)> progress;  ///< network thread
};

class Planner {
 public:
  explicit Planner(PlanParts parts) : p_(std::move(parts)) {}
  /// Which repositories the policies mean; then the Hub is asked for the files of those that are not known or may have
  /// changed; then the figures. @returns Unreachable, RateLimited, Cancelled when the Hub cannot be asked at all;
  /// Corrupt, Io; as choose(). A repository that the Hub does not give is skipped with the reason.
  awaitable<Result<SyncPlan>> plan(std::vector<config::MirrorPolicy> policies, SurveyParts surveys);
  /// The same from what is kept; blocks. Repositories whose files are not known are counted as skipped.
  Result<SyncPlan> plan_offline(const std::vector<config::MirrorPolicy>& policies);

 private:
  /// One repository as one policy wants it.
  struct Candidate {
    std::size_t policy = 0;
    ChosenRepo repo;
    std::string revision;   ///< "" = the default branch
    bool surveyed = false;  ///< what is kept under repo.key and revision holds
    bool by_name = false;   ///< no listing knew it under the name that the policy gives
    std::string problem;    ///< why it is skipped
  };
  struct Figuring;
  struct Asking;
  Result<std::vector<Candidate>> candidates(const std::vector<config::MirrorPolicy>& policies, SyncPlan& plan) const;
  awaitable<Result<>> ask_for(std::vector<Candidate>& candidates, SurveyParts& surveys, Asking& asking) const;
  awaitable<void> ask_more(Asking& asking, SurveyParts& surveys) const;
  Result<SyncPlan> figure(const std::vector<config::MirrorPolicy>& policies, const std::vector<Candidate>& candidates,
                          SyncPlan plan) const;
  Result<> consider(const config::MirrorPolicy& policy, const Candidate& candidate, PolicyPlan& plan,
                    Figuring& figuring) const;
  Result<> add_up(storage::TargetRow& target, const storage::SurveyRow& survey, const config::Selection& selection,
                  std::uint64_t history_bytes, std::set<Sha256>& fetched, PlanFigures& figures) const;
  Result<bool> is_here(const storage::TargetRow& target, std::optional<storage::Manifest>& newest) const;

  PlanParts p_;
};
}  // namespace hm::crawler
