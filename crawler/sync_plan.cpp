#include "crawler/sync_plan.hpp"

#include <boost/asio/this_coro.hpp>

#include <algorithm>
#include <map>
#include <unordered_map>

#include "base/run_on.hpp"
#include "base/text.hpp"
#include "crawler/exclusion.hpp"
#include "crawler/survey.hpp"
#include "hub/lfs_batch.hpp"
#include "mirror/lfs/tasks.hpp"

namespace hm::crawler {
namespace asio = boost::asio;

namespace {
// What one changed repository takes beside its blobs: repository info; git's greeting, list of refs, pack.
constexpr std::uint64_t kApiCalls = 1, kGitCalls = 3;
constexpr int kRoundsMax = 20;      // each learns of repositories that the one before led to: bases of bases
constexpr int kUnreachableMax = 3;  // in a row: then the upstream is away, not one repository

bool ends_planning(const Error& error) {
  switch (error.code) {
    case Errc::Cancelled:
    case Errc::RateLimited:
    case Errc::NoSpace:
    case Errc::Io:
    case Errc::Busy:
      return true;
    default:
      return false;
  }
}

std::string identity(const ChosenRepo& repo, const std::string& revision) {
  return (repo.key ? repo.key->text() : ascii_lower(repo.repo.text())) + "@" + revision;
}
}  // namespace

/// The commits that are wanted, each with all who want it.
struct Planner::Figuring {
  struct Wanted {
    storage::TargetRow target;
    config::Selection selection;
    std::string survey_revision;
    std::uint64_t history_bytes = 0;  ///< of large files of older revisions
  };
  std::vector<Wanted> wanted;
  std::map<std::pair<RepoKey, Commit>, std::size_t> places;
  std::set<Sha256> fetched;  ///< of the policy under consideration
};

/// The surveys under way: what is left, and what ended them.
struct Planner::Asking {
  std::vector<std::vector<Candidate*>> questions;  ///< candidates that wait for the same answer
  std::size_t next = 0;
  std::uint64_t done = 0;
  std::map<std::string, std::string> problems;  ///< of repositories and revisions that were asked for in vain
  std::optional<Error> first_problem;           ///< of these
  bool learnt = false;                          ///< in this round, of a repository that no listing had told of
  int unreachable_in_a_row = 0;
  std::optional<Error> problem;
  mirror::TaskScope* scope = nullptr;
};

Result<std::vector<Planner::Candidate>> Planner::candidates(const std::vector<config::MirrorPolicy>& policies,
                                                            SyncPlan& plan) const {
  std::vector<Candidate> out;
  for (std::size_t i = 0; i < policies.size(); ++i) {
    HM_TRY(PolicyChoice choice, within(choose(p_.index, policies[i], p_.clock.unix_ms()),
                                       [&] { return "choosing the repositories of policy " + policies[i].name; }));
    PolicyPlan& policy = plan.policies.emplace_back();
    policy.name = policies[i].name;
    policy.notes = std::move(choice.notes);
    for (SkippedRepo& skipped : choice.skipped) {
      policy.over_limits += skipped.over_limits ? 1 : 0;
      policy.skipped.push_back({std::move(skipped.repo), policy.name, std::move(skipped.why), false});
    }
    policy.chosen = choice.chosen;
    for (ChosenRepo& repo : choice.chosen) {
      Candidate candidate{i, std::move(repo), "", false, false, ""};
      candidate.by_name = !candidate.repo.key;
      candidate.revision = candidate.repo.revision.value_or("");
      if (candidate.repo.key) {
        HM_TRY(const auto kept,
               fresh_survey(p_.index, p_.src, *candidate.repo.key, candidate.revision, p_.clock.unix_ms()));
        candidate.surveyed = kept.has_value();
      }
      out.push_back(std::move(candidate));
    }
  }
  return out;
}

awaitable<void> Planner::ask_more(Asking& asking, SurveyParts& surveys) const {
  co_await asio::this_coro::throw_if_cancelled(false);
  while (asking.next < asking.questions.size() && !asking.problem && !asking.scope->cancelled()) {
    const std::vector<Candidate*>& waiting = asking.questions[asking.next++];
    const std::string revision = waiting.front()->revision;
    RepoId repo = waiting.front()->repo.repo;
    auto answer = co_await survey(surveys.api, std::move(repo), revision, p_.clock.unix_ms());
    if (answer) {
      storage::Batch batch;
      auto keep = [&]() -> Result<> {
        const Surveyed& told = answer.assume_value();
        HM_TRY(storage::put_survey(surveys.index, batch, told.key, revision, told.row));
        HM_TRY(surveys.index.commit(batch));
        HM_TRY(const bool learnt,
               record_unlisted(p_.index, surveys.recorder, p_.src, told.key, told.repo, told.info_json));
        asking.learnt = asking.learnt || learnt;
        return ok();
      };
      const auto kept = co_await run_on(surveys.disk, keep);
      if (!kept) answer = kept.error();
    }
    const bool unreachable = !answer && answer.assume_error().code == Errc::Unreachable;
    asking.unreachable_in_a_row = unreachable ? asking.unreachable_in_a_row + 1 : 0;
    if (!answer && (ends_planning(answer.assume_error()) || asking.unreachable_in_a_row >= kUnreachableMax)) {
      if (!asking.problem) asking.problem = answer.assume_error();
      break;
    }
    if (!answer && !asking.first_problem) asking.first_problem = answer.assume_error();
    for (Candidate* candidate : waiting) {
      if (!answer) {
        candidate->problem = "the Hub was asked for its files: " + answer.assume_error().what;
        asking.problems[identity(candidate->repo, candidate->revision)] = candidate->problem;
        continue;
      }
      candidate->surveyed = true;
      candidate->repo.key = answer.assume_value().key;
      candidate->repo.repo = answer.assume_value().repo;
    }
    ++asking.done;
    if (surveys.progress) surveys.progress(asking.done, asking.questions.size());
  }
}

awaitable<Result<>> Planner::ask_for(std::vector<Candidate>& candidates, SurveyParts& surveys, Asking& asking) const {
  asking.questions.clear();
  asking.next = 0;
  asking.done = 0;
  asking.learnt = false;
  std::unordered_map<std::string, std::size_t> known;
  for (Candidate& candidate : candidates) {
    if (candidate.surveyed) continue;
    const std::string name = identity(candidate.repo, candidate.revision);
    if (const auto in_vain = asking.problems.find(name); in_vain != asking.problems.end()) {
      candidate.problem = in_vain->second;
      continue;
    }
    const auto [place, is_new] = known.try_emplace(name, asking.questions.size());
    if (is_new) asking.questions.emplace_back();
    asking.questions[place->second].push_back(&candidate);
  }
  mirror::TaskScope scope(co_await asio::this_coro::executor);
  asking.scope = &scope;
  for (int n = 0; n < surveys.parallel; ++n) scope.spawn(ask_more(asking, surveys));
  co_await scope.join();
  if (asking.problem) co_return *asking.problem;
  if (scope.cancelled()) co_return Error(Errc::Cancelled, "stopped");
  if (scope.failed()) co_return Error(Errc::Internal, "a survey ended by an exception");
  co_return ok();
}

/// True when the revision is published as it is wanted, under the ref that names it. `newest`: what git has of the
/// repository already, for the size of what it will bring.
Result<bool> Planner::is_here(const storage::TargetRow& target, std::optional<storage::Manifest>& newest) const {
  HM_TRY(const auto row, p_.catalog.find(target.key));
  if (!row || row->removed) return false;
  HM_TRY(const auto revisions, p_.catalog.revisions(target.key));
  if (!revisions.empty()) {
    HM_TRY(newest, p_.catalog.manifest(revisions.front().snapshot.manifest));
  }
  const auto view = std::find_if(revisions.begin(), revisions.end(),
                                 [&](const mirror::RevisionView& v) { return v.snapshot.commit == target.commit; });
  if (view == revisions.end() || target.all_history) return false;
  if (view->snapshot.partial() && view->snapshot.selection != target.selection) return false;
  if (is_commit_hex(target.revision)) return true;
  const auto names = [&](const std::string& ref) {
    return target.revision.empty() ? ref == row->head
                                   : ref == target.revision || ref == "refs/heads/" + target.revision ||
                                         ref == "refs/tags/" + target.revision;
  };
  return std::any_of(view->refs.begin(), view->refs.end(), names);
}

/// Fills in the target's figures and adds them to `figures`. `fetched` knows the blobs that are counted already.
Result<> Planner::add_up(storage::TargetRow& target, const storage::SurveyRow& survey,
                         const config::Selection& selection, std::uint64_t history_bytes, std::set<Sha256>& fetched,
                         PlanFigures& figures) const {
  std::optional<storage::Manifest> newest;
  HM_TRY(bool here, is_here(target, newest));
  std::set<std::pair<std::string_view, std::uint64_t>> in_git;
  if (newest)
    for (const storage::ManifestFile& file : newest->files)
      if (!file.is_lfs) in_git.emplace(file.path, file.size_bytes);
  target.files = target.bytes = target.bytes_to_fetch = 0;
  std::uint64_t blobs = 0, here_bytes = 0;
  for (const storage::SurveyedFile& file : survey.files) {
    // Git brings its files whatever the selection says.
    const bool wanted = selection.wants(file.path, file.size_bytes);
    if (!file.large) {
      if (!in_git.contains({file.path, file.size_bytes}))
        target.bytes_to_fetch += file.size_bytes;
      else
        here_bytes += wanted ? file.size_bytes : 0;
    }
    if (!wanted) continue;
    ++target.files;
    target.bytes += file.size_bytes;
    if (!file.large) continue;
    HM_TRY(const auto size, p_.blobs.find(*file.large));
    if (size) {
      here_bytes += file.size_bytes;
      continue;
    }
    here = false;
    if (!fetched.insert(*file.large).second) continue;
    ++blobs;
    target.bytes_to_fetch += file.size_bytes;
  }
  target.bytes += history_bytes;
  target.bytes_to_fetch += history_bytes;
  ++figures.repos;
  figures.files += target.files;
  figures.bytes += target.bytes;
  figures.bytes_here += here_bytes;
  target.state = here ? storage::TargetState::Published : storage::TargetState::Pending;
  target.settled_ms = here ? p_.clock.unix_ms() : 0;
  if (here) {
    target.bytes_to_fetch = 0;
    ++figures.unchanged;
    return ok();
  }
  figures.bytes_to_fetch += target.bytes_to_fetch;
  figures.api_calls += kApiCalls;
  figures.other_calls += kGitCalls + (blobs + hub::kLfsBatchMax - 1) / hub::kLfsBatchMax;
  return ok();
}

/// One repository for one policy: its limits, its figures, and the target that it shares with other policies.
Result<> Planner::consider(const config::MirrorPolicy& policy, const Candidate& candidate, PolicyPlan& plan,
                           Figuring& figuring) const {
  auto skip = [&](std::string why) {
    plan.skipped.push_back({candidate.repo.repo, policy.name, std::move(why), false});
    return ok();
  };
  if (!candidate.problem.empty()) {
    ++plan.unanswered;
    plan.skipped.push_back({candidate.repo.repo, policy.name, candidate.problem, true});
    return ok();
  }
  std::optional<storage::SurveyRow> survey;
  if (candidate.surveyed) {
    HM_TRY(survey, storage::find_survey(p_.index, *candidate.repo.key, candidate.revision));
  }
  if (survey && candidate.by_name) {  // what forbids it was not known before the Hub was asked
    HM_TRY(const auto found, provenance::find_listed(p_.index, *candidate.repo.key));
    std::string reason = found ? Exclusion(policy.exclude).reason(candidate.repo.repo, &*found) : std::string();
    if (!reason.empty()) return skip(std::move(reason));
  }
  if (!survey) {
    ++plan.not_surveyed;
    plan.not_surveyed_bytes += candidate.repo.storage_bytes;
    return skip("its files are not known here; plan without --offline to ask the Hub");
  }
  std::uint64_t files = 0, large_bytes = 0;
  for (const storage::SurveyedFile& file : survey->files) {
    if (!policy.files.wants(file.path, file.size_bytes)) continue;
    ++files;
    if (file.large) large_bytes += file.size_bytes;
  }
  // Of older revisions all that is known is what the Hub says that the whole repository takes.
  const std::uint64_t of_history = policy.revisions.all_history && candidate.repo.storage_bytes > large_bytes
                                       ? candidate.repo.storage_bytes - large_bytes
                                       : 0;
  large_bytes += of_history;
  auto over = [&](std::uint64_t limit, std::uint64_t value) { return limit != 0 && value > limit; };
  const config::PolicyLimits& limits = policy.limits;
  std::string too_much;
  if (over(limits.files_max, files))
    too_much = std::to_string(files) + " files, more than limits.files_max = " + std::to_string(limits.files_max);
  if (over(limits.repo_bytes_max, large_bytes))
    too_much = human_bytes(large_bytes) + ", more than limits.repo_bytes_max = " + human_bytes(limits.repo_bytes_max);
  if (over(limits.bytes_max, plan.large_bytes + large_bytes))
    too_much = human_bytes(large_bytes) + " more would exceed limits.bytes_max = " + human_bytes(limits.bytes_max);
  if (!too_much.empty()) {
    ++plan.over_limits;
    return skip(std::move(too_much));
  }
  plan.large_bytes += large_bytes;

  storage::TargetRow target;
  target.repo = candidate.repo.repo;
  target.key = *candidate.repo.key;
  target.commit = survey->commit;
  target.revision = candidate.revision;
  target.selection = policy.files.text();
  target.all_history = policy.revisions.all_history;
  target.pull_requests = policy.revisions.pull_requests;
  target.policies = {policy.name};
  HM_TRY(add_up(target, *survey, policy.files, of_history, figuring.fetched, plan.figures));

  const auto [place, is_new] = figuring.places.try_emplace({target.key, target.commit}, figuring.wanted.size());
  if (is_new) {
    figuring.wanted.push_back({std::move(target), policy.files, candidate.revision, of_history});
    return ok();
  }
  Figuring::Wanted& shared = figuring.wanted[place->second];
  shared.history_bytes = std::max(shared.history_bytes, of_history);
  shared.selection = config::united(shared.selection, policy.files);
  shared.target.selection = shared.selection.text();
  shared.target.all_history = shared.target.all_history || target.all_history;
  shared.target.pull_requests = shared.target.pull_requests || target.pull_requests;
  if (shared.target.policies.back() != policy.name) shared.target.policies.push_back(policy.name);
  // Of a name and the commit that it stands for, the name says more.
  if (is_commit_hex(shared.target.revision)) shared.target.revision = target.revision;
  return ok();
}

Result<SyncPlan> Planner::figure(const std::vector<config::MirrorPolicy>& policies,
                                 const std::vector<Candidate>& candidates, SyncPlan plan) const {
  Figuring figuring;
  std::size_t policy = policies.size();
  for (const Candidate& candidate : candidates) {
    if (candidate.policy != policy) figuring.fetched.clear();
    policy = candidate.policy;
    HM_TRY(consider(policies[policy], candidate, plan.policies[policy], figuring));
  }
  figuring.fetched.clear();
  for (Figuring::Wanted& wanted : figuring.wanted) {
    HM_TRY(within(config::check_selection(wanted.selection),
                  [&] { return "joining the file filters of the policies for " + wanted.target.repo.text(); }));
    HM_TRY(const auto survey, storage::find_survey(p_.index, wanted.target.key, wanted.survey_revision));
    if (!survey) return Error{Errc::Internal, "a survey is gone while a plan was made of it"};
    HM_TRY(add_up(wanted.target, *survey, wanted.selection, wanted.history_bytes, figuring.fetched, plan.total));
    wanted.target.place = static_cast<std::uint32_t>(plan.targets.size());
    plan.targets.push_back(std::move(wanted.target));
  }
  HM_TRY(storage::each_generation(p_.index, [&](const storage::GenerationRow& row) {
    const bool tells = row.fetching_ms > 0 && row.bytes_fetched > 0;
    if (tells) plan.bytes_per_second = row.bytes_fetched * 1000 / static_cast<std::uint64_t>(row.fetching_ms);
    return !tells;
  }));
  return plan;
}

awaitable<Result<SyncPlan>> Planner::plan(std::vector<config::MirrorPolicy> policies, SurveyParts surveys) {
  co_await asio::this_coro::throw_if_cancelled(false);
  SyncPlan plan;
  std::vector<Candidate> found;
  Asking asking;
  std::uint64_t calls = 0;
  for (int round = 0; round == 0 || (asking.learnt && round < kRoundsMax); ++round) {
    plan = {};
    HM_CO_TRY(found, co_await run_on(surveys.disk, [&] { return candidates(policies, plan); }));
    HM_CO_TRY(co_await ask_for(found, surveys, asking));
    calls += asking.done;
  }
  plan.survey_calls = calls;
  const bool knows_any = std::ranges::any_of(found, [](const Candidate& c) { return c.surveyed; });
  if (!knows_any && asking.problems.size() > 1 && asking.first_problem->code != Errc::NotFound)
    co_return Error(asking.first_problem->code,
                    "the Hub gave none of the " + std::to_string(asking.problems.size()) +
                        " repositories it was asked for; the first: " + asking.first_problem->what);
  co_return co_await run_on(surveys.disk, [&] { return figure(policies, found, std::move(plan)); });
}

Result<SyncPlan> Planner::plan_offline(const std::vector<config::MirrorPolicy>& policies) {
  SyncPlan plan;
  HM_TRY(const auto found, candidates(policies, plan));
  return figure(policies, found, std::move(plan));
}
}  // namespace hm::crawler
