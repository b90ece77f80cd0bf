#include "crawler/retention.hpp"

#include <algorithm>

#include "base/text.hpp"
#include "crawler/by_hand.hpp"
#include "crawler/frontier.hpp"
#include "provenance/selection.hpp"
#include "storage/task_queue.hpp"

namespace hm::crawler {
namespace {
constexpr std::int64_t kDayMs = 24LL * 3600 * 1000;
constexpr std::size_t kNamedMax = 3;  // policies in a sentence
/// What a policy leaves out is told of so many times at most, crawler/policy_choice.cpp: then a repository may be among
/// those that were not told of.
constexpr std::size_t kSkippedToldMax = 10'000;

bool contains(const std::vector<std::string>& list, const std::string& word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}
std::int64_t longer(std::int64_t a, std::int64_t b) { return a < 0 || b < 0 ? -1 : std::max(a, b); }

std::string named(const std::vector<std::string>& policies) {
  std::string out = policies.size() == 1 ? "policy " : "policies ";
  for (std::size_t i = 0; i < std::min(policies.size(), kNamedMax); ++i) out += (i == 0 ? "" : ", ") + policies[i];
  return policies.size() <= kNamedMax ? out : out + " and " + std::to_string(policies.size() - kNamedMax) + " more";
}

std::string protection(const Evidence& e) {
  if (e.pinned) return "pinned";
  if (e.leased) return "something is at work on it, or was when it was killed";
  if (e.gone || (!e.mentions.empty() && e.mentions.front().gone))
    return "upstream does not show it any more, and cannot delete here";
  return e.by_hand ? "mirrored by hand" : "";
}

/// Which of the policies that ever wanted it keeps it; "" when all let go. @param days the longest of their times
std::string keeping_policy(const RetentionRules& rules, const std::set<std::string>& policies, std::int64_t& days) {
  days = 0;
  for (const std::string& name : policies) {
    const auto policy = rules.policies.find(name);
    if (policy == rules.policies.end()) return "policy " + name + " wanted it, and its file is not there any more";
    if (const auto hold = rules.holds.find(name); hold != rules.holds.end())
      return "policy " + name + " " + hold->second;
    if (policy->second.unwanted_days < 0) return "policy " + name + " lets nothing go (retention.unwanted_days is -1)";
    days = longer(days, policy->second.unwanted_days);
  }
  return {};
}

Unwanted judge_unwanted(const RetentionRules& rules, const Evidence& e, std::int64_t now_ms) {
  Unwanted out;
  std::set<std::string> wanted, brought;
  for (const Mention& mention : e.mentions) {
    wanted.insert(mention.wanted_by.begin(), mention.wanted_by.end());
    brought.insert(mention.published_for.begin(), mention.published_for.end());
  }
  out.brought_by.assign(brought.begin(), brought.end());
  if (!e.mentions.empty()) {
    out.generation = e.mentions.front().number;
    out.since_ms = e.mentions.front().began_ms;
  }
  out.why = protection(e);
  if (out.why.empty() && brought.empty()) out.why = "no policy brought it";
  if (!out.why.empty()) return out;
  std::int64_t days = 0;
  out.why = keeping_policy(rules, wanted, days);
  if (!out.why.empty()) return out;
  const std::string last =
      "generation " + std::to_string(out.generation) + ", begun " + iso8601(out.since_ms) + ", was the last to want it";
  out.goes = now_ms - out.since_ms > days * kDayMs;
  out.why = "brought by " + named(out.brought_by) + "; " + last +
            (out.goes ? "" : ", it may go after " + iso8601(out.since_ms + days * kDayMs)) +
            " (retention.unwanted_days is " + std::to_string(days) + ")";
  return out;
}
}  // namespace

Fate judge(const RetentionRules& rules, const Evidence& evidence, std::int64_t now_ms) {
  Fate fate;
  std::set<std::string> wanted(evidence.claimed_by.begin(), evidence.claimed_by.end());
  for (const Mention& mention : evidence.mentions) {
    fate.at_work = fate.at_work || !mention.ended;
    for (const std::string& policy : mention.newest_of)
      if (contains(mention.wanted_by, policy)) wanted.insert(policy);
  }
  std::erase_if(wanted, [&](const std::string& policy) { return !rules.policies.contains(policy); });
  fate.wanted_by.assign(wanted.begin(), wanted.end());
  fate.superseded_days = wanted.empty() ? rules.superseded_days : 0;
  for (const std::string& policy : wanted)
    fate.superseded_days = longer(fate.superseded_days,
                                  rules.policies.find(policy)->second.superseded_days.value_or(rules.superseded_days));
  if (wanted.empty() && !fate.at_work) fate.unwanted = judge_unwanted(rules, evidence, now_ms);
  return fate;
}

Result<Retention> Retention::read(const storage::Index& index, const mirror::Catalog& catalog,
                                  std::vector<config::MirrorPolicy> policies, std::int64_t superseded_days) {
  Retention out(index, catalog, std::move(policies));
  out.rules_.superseded_days = superseded_days;
  for (const config::MirrorPolicy& policy : out.policies_) {
    out.rules_.policies.emplace(policy.name, policy.retention);
    for (const config::ListedRepo& listed : policy.select.repos)
      out.claim(listed.spec.rid ? RepoKey{listed.spec.repo.kind, *listed.spec.rid}.text()
                                : ascii_lower(listed.spec.repo.text()),
                policy.name);
  }
  HM_TRY(out.read_generations());
  return out;
}

Result<> Retention::read_generations() {
  std::set<std::pair<std::string, std::string>> seen;  // upstream and policy: each upstream has repositories of its own
  HM_TRY(storage::each_generation(index_, [&](const storage::GenerationRow& row) {
    Mention generation;
    generation.number = row.number;
    generation.began_ms = row.began_ms;
    generation.ended = row.ended_ms != 0;
    for (const std::string& policy : row.policies)
      if (generation.ended && seen.emplace(row.src, policy).second) generation.newest_of.push_back(policy);
    if (!generation.ended || !generation.newest_of.empty()) current_.push_back(generation);
    all_.push_back(std::move(generation));
    return true;
  }));
  std::set<std::string> choosing;
  for (const Mention& generation : current_) {
    if (!generation.ended) continue;
    HM_TRY(read_targets(generation, choosing));
    HM_TRY(read_skipped(generation));
  }
  for (const auto& [policy, retention] : rules_.policies)
    if (!choosing.contains(policy))
      rules_.holds.emplace(policy, "chose nothing at all the last time, which is more often a slip than meant");
  return ok();
}

/// Adds the policies of which it is the newest generation and that have a target in it.
Result<> Retention::read_targets(const Mention& generation, std::set<std::string>& choosing) const {
  std::set<std::string> missing(generation.newest_of.begin(), generation.newest_of.end());
  HM_TRY(storage::each_target(index_, generation.number, [&](const storage::TargetRow& target) {
    for (const std::string& policy : target.policies)
      if (missing.erase(policy) != 0) choosing.insert(policy);
    return !missing.empty();
  }));
  return ok();
}

/// What did not fit, what the Hub did not answer for, what is gone: the policy wants it all the same.
Result<> Retention::read_skipped(const Mention& generation) {
  std::map<std::string, std::size_t> counts;
  HM_TRY(storage::each_skipped(index_, generation.number, [&](const storage::SkippedRow& skipped) {
    if (!contains(generation.newest_of, skipped.policy)) return true;
    claim(ascii_lower(skipped.repo.text()), skipped.policy);
    ++counts[skipped.policy];
    return true;
  }));
  for (const auto& [policy, count] : counts)
    if (count >= kSkippedToldMax) rules_.holds.emplace(policy, "left out more than is told of one by one");
  return ok();
}

Result<std::vector<Mention>> Retention::mentions_of(const RepoKey& key, const std::vector<Mention>& generations) const {
  std::vector<Mention> out;
  for (const Mention& generation : generations) {
    HM_TRY(const auto targets, storage::targets_of_repo(index_, generation.number, key));
    if (targets.empty()) continue;
    Mention mention = generation;
    for (const storage::TargetRow& target : targets) {
      mention.wanted_by.insert(mention.wanted_by.end(), target.policies.begin(), target.policies.end());
      if (target.state == storage::TargetState::Published)
        mention.published_for.insert(mention.published_for.end(), target.policies.begin(), target.policies.end());
      mention.gone = mention.gone || target.failure == name_of(FailureClass::Gone);
    }
    out.push_back(std::move(mention));
  }
  return out;
}

Result<std::vector<std::string>> Retention::claims_on(const storage::RepoRow& row) const {
  const RepoKey key{row.repo.kind, row.rid};
  std::vector<std::string> names{key.text(), ascii_lower(row.repo.text())};
  for (const std::string& former : row.former_names) names.push_back(ascii_lower(RepoId{row.repo.kind, former}.text()));
  std::set<std::string> claiming;
  for (const std::string& name : names)
    if (const auto claims = claims_.find(name); claims != claims_.end())
      claiming.insert(claims->second.begin(), claims->second.end());
  std::vector<std::string> out;
  if (claiming.empty()) return out;
  HM_TRY(const auto found, provenance::find_listed(index_, key));
  for (const config::MirrorPolicy& policy : policies_) {
    if (!claiming.contains(policy.name)) continue;
    const bool excluded = !Exclusion(policy.exclude).reason(row.repo, found ? &*found : nullptr).empty();
    if (!excluded) out.push_back(policy.name);
  }
  return out;
}

Result<> Retention::look_for_protection(const storage::RepoRow& row, Evidence& evidence) const {
  const RepoKey key{row.repo.kind, row.rid};
  evidence.pinned = !row.pins.empty();
  HM_TRY(storage::each_task_of(index_, key, [&](const storage::Task& task) {
    evidence.leased = task.state == storage::TaskState::Leased;
    return !evidence.leased;
  }));
  HM_TRY(const bool has_its_name, catalog_.has_its_name(row));
  HM_TRY(const auto found, provenance::find_listed(index_, key));
  evidence.gone = row.gone_status != 0 || row.visibility == "private" || !has_its_name ||
                  (found && (found->row.gone_status != 0 || found->row.missing_since_ms != 0 ||
                             found->facts.visibility == "private" || found->facts.disabled));
  HM_TRY(evidence.by_hand, is_by_hand(index_, row));
  return ok();
}

Result<Fate> Retention::fate_of(const storage::RepoRow& row, std::int64_t now_ms) const {
  const RepoKey key{row.repo.kind, row.rid};
  Evidence evidence;
  HM_TRY(evidence.mentions, mentions_of(key, current_));
  HM_TRY(evidence.claimed_by, claims_on(row));
  Fate fate = judge(rules_, evidence, now_ms);
  if (!fate.unwanted) return fate;
  HM_TRY(look_for_protection(row, evidence));
  if (!evidence.is_protected()) {
    HM_TRY(evidence.mentions, mentions_of(key, all_));
  }
  return judge(rules_, evidence, now_ms);
}
}  // namespace hm::crawler
