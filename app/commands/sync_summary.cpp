#include "app/commands/sync_summary.hpp"

#include <algorithm>

#include "app/facts.hpp"
#include "app/output.hpp"
#include "base/text.hpp"

namespace hm::app {
namespace {
constexpr std::size_t kLabel = 14;  // columns

void add_figures(std::string& out, const crawler::PlanFigures& f) {
  add_field(out, kLabel, "wanted",
            counted(f.repos, "revision") + ", " + counted(f.files, "file") + ", " + human_bytes(f.bytes));
  add_field(out, kLabel, "here", human_bytes(f.bytes_here) + "; " + counted(f.unchanged, "revision") + " as wanted");
  add_field(out, kLabel, "to fetch", human_bytes(f.bytes_to_fetch));
  add_field(out, kLabel, "calls",
            std::to_string(f.api_calls) + " to the API, " + std::to_string(f.other_calls) +
                " to git and for the addresses of files");
}
json::object figures_json(const crawler::PlanFigures& f) {
  return {{"api_calls", f.api_calls},   {"bytes", f.bytes},
          {"bytes_here", f.bytes_here}, {"bytes_to_fetch", f.bytes_to_fetch},
          {"files", f.files},           {"other_calls", f.other_calls},
          {"revisions", f.repos},       {"unchanged", f.unchanged}};
}
json::object target_json(const storage::TargetRow& target) {
  json::object out{{"bytes", target.bytes},
                   {"bytes_to_fetch", target.bytes_to_fetch},
                   {"commit", target.commit.hex()},
                   {"files", target.files},
                   {"policies", texts_json(target.policies)},
                   {"repo", target.repo.text()},
                   {"revision", json_text(target.revision)},
                   {"rid", target.key.rid.text()},
                   {"selection", json_text(target.selection)},
                   {"state", std::string(storage::name_of(target.state))}};
  if (target.state == storage::TargetState::Failed) {
    out["failure"] = json_text(target.failure);
    out["reason"] = json_text(target.reason);
  }
  return out;
}
std::string named(const crawler::ChosenRepo& chosen) {
  return chosen.repo.text() + (chosen.revision ? "@" + *chosen.revision : std::string());
}
json::object skipped_json(const storage::SkippedRow& skipped) {
  return {{"repo", skipped.repo.text()}, {"unanswered", skipped.unanswered}, {"why", json_text(skipped.why)}};
}
std::string skipped_text(const storage::SkippedRow& skipped) { return skipped.repo.text() + ": " + skipped.why; }
}  // namespace

std::optional<std::uint64_t> estimated_seconds(const crawler::SyncPlan& plan,
                                               const std::optional<hub::RateBudget::State>& api) {
  std::optional<std::uint64_t> seconds;
  if (plan.bytes_per_second != 0) seconds = plan.total.bytes_to_fetch / plan.bytes_per_second;
  if (!api || api->quota == 0 || api->window_ms == 0) return seconds;
  const std::uint64_t per_window = std::max<std::uint64_t>(api->quota * 9 / 10, 1);  // as much as is ever used
  // What this window has left is spent first; then a window's worth for each window.
  const std::uint64_t left = api->remaining > api->quota - per_window ? api->remaining - (api->quota - per_window) : 0;
  const std::uint64_t later = plan.total.api_calls > left ? plan.total.api_calls - left : 0;
  const std::uint64_t windows = (later + per_window - 1) / per_window;
  return std::max(seconds.value_or(0), windows * api->window_ms / 1000);
}

std::string plan_text(const crawler::SyncPlan& plan, std::optional<std::uint64_t> seconds) {
  std::string out;
  for (const crawler::PolicyPlan& policy : plan.policies) {
    out += "policy " + policy.name + "\n";
    add_figures(out, policy.figures);
    if (policy.not_surveyed != 0)
      add_field(out, kLabel, "not known",
                counted(policy.not_surveyed, "repository") +
                    " of which the Hub was not asked for the files; all they hold is " +
                    human_bytes(policy.not_surveyed_bytes));
    add_fields(out, kLabel, "chosen", policy.chosen,
               [](const crawler::ChosenRepo& c) { return named(c) + ": " + joined(c.why, "; "); });
    add_fields(out, kLabel, "skipped", policy.skipped, skipped_text);
    add_fields(out, kLabel, "note", policy.notes, [](const std::string& note) { return note; });
  }
  if (plan.policies.size() > 1) {
    out += "all policies, each revision and each blob once\n";
    add_figures(out, plan.total);
  }
  std::string time = "estimated time: ";
  if (!seconds)
    time += "not known before something was fetched";
  else
    time += human_seconds(*seconds) +
            (plan.bytes_per_second == 0 ? "" : ", at " + human_bytes(plan.bytes_per_second) + "/s as last time");
  return out + time + "\n";
}

json::object plan_json(const crawler::SyncPlan& plan, std::optional<std::uint64_t> seconds) {
  json::array policies, targets;
  for (const crawler::PolicyPlan& policy : plan.policies) {
    json::object one = figures_json(policy.figures);
    json::array skipped, chosen;
    for (const storage::SkippedRow& s : policy.skipped) skipped.emplace_back(skipped_json(s));
    for (const crawler::ChosenRepo& c : policy.chosen)
      chosen.emplace_back(json::object{{"repo", c.repo.text()},
                                       {"revision", c.revision ? json::value(json_text(*c.revision)) : json::value()},
                                       {"why", texts_json(c.why)}});
    one["chosen"] = std::move(chosen);
    one["not_surveyed"] = policy.not_surveyed;
    one["name"] = policy.name;
    one["notes"] = texts_json(policy.notes);
    one["over_limits"] = policy.over_limits;
    one["skipped"] = std::move(skipped);
    policies.emplace_back(std::move(one));
  }
  for (const storage::TargetRow& target : plan.targets) targets.emplace_back(target_json(target));
  json::object out{{"policies", std::move(policies)},
                   {"survey_calls", plan.survey_calls},
                   {"targets", std::move(targets)},
                   {"total", figures_json(plan.total)}};
  out["bytes_per_second"] = plan.bytes_per_second == 0 ? json::value() : json::value(plan.bytes_per_second);
  out["estimated_seconds"] = seconds ? json::value(*seconds) : json::value();
  return out;
}

Result<GenerationView> view_of(const storage::Index& index, const storage::GenerationRow& row) {
  GenerationView view;
  view.row = row;
  HM_TRY(storage::each_target(index, row.number, [&](const storage::TargetRow& target) {
    ++(target.state == storage::TargetState::Published ? view.published
       : target.state == storage::TargetState::Pending ? view.pending
                                                       : view.failed);
    if (target.state != storage::TargetState::Published) view.lacking.push_back(target);
    return true;
  }));
  HM_TRY(storage::each_skipped(index, row.number, [&](const storage::SkippedRow& skipped) {
    view.unanswered += skipped.unanswered ? 1 : 0;
    view.skipped.push_back(skipped);
    return true;
  }));
  // What could not be asked about comes first: it is what is missing.
  std::stable_partition(view.skipped.begin(), view.skipped.end(),
                        [](const storage::SkippedRow& skipped) { return skipped.unanswered; });
  return view;
}

std::string generation_text(const GenerationView& view) {
  const storage::GenerationRow& row = view.row;
  std::string out = "generation " + std::to_string(row.number) + ": " +
                    (!view.complete() ? "under way or broken off"
                     : view.whole()   ? "complete"
                                      : "complete, with failures") +
                    ", begun " + time_text(row.began_ms);
  out += view.complete() ? ", ended " + time_text(row.ended_ms) + "\n" : "\n";
  add_field(out, kLabel, "policies", joined(row.policies, ", "));
  add_field(out, kLabel, "targets",
            counted(row.targets, "revision") + ": " + std::to_string(view.published) + " published, " +
                std::to_string(view.pending) + " pending, " + std::to_string(view.failed) + " failed; " +
                std::to_string(row.skipped) + " skipped");
  add_field(out, kLabel, "fetched",
            human_bytes(row.bytes_fetched) + " and " + human_bytes(row.git_bytes) + " from git; planned " +
                human_bytes(row.bytes_to_fetch));
  add_fields(out, kLabel, "lacking", view.lacking, [](const storage::TargetRow& target) {
    return target.repo.text() + "@" + target.commit.hex().substr(0, 8) + ": " +
           (target.state == storage::TargetState::Pending ? "pending" : target.failure + ": " + target.reason);
  });
  add_fields(out, kLabel, "skipped", view.skipped, skipped_text);
  return out;
}

json::object generation_json(const GenerationView& view) {
  const storage::GenerationRow& row = view.row;
  json::array lacking;
  for (const storage::TargetRow& target : view.lacking) lacking.emplace_back(target_json(target));
  json::array skipped;
  for (const storage::SkippedRow& s : view.skipped) skipped.emplace_back(skipped_json(s));
  json::object planned{{"api_calls", row.api_calls},
                       {"bytes", row.bytes},
                       {"bytes_to_fetch", row.bytes_to_fetch},
                       {"files", row.files},
                       {"other_calls", row.other_calls}};
  json::object done{{"api_calls", row.api_calls_done},
                    {"bytes_fetched", row.bytes_fetched},
                    {"fetching_ms", row.fetching_ms},
                    {"git_bytes", row.git_bytes},
                    {"other_calls", row.other_calls_done}};
  json::object out{{"complete", view.complete()},   {"done", std::move(done)},
                   {"failed", view.failed},         {"lacking", std::move(lacking)},
                   {"number", row.number},          {"pending", view.pending},
                   {"planned", std::move(planned)}, {"policies", texts_json(row.policies)},
                   {"published", view.published},   {"skipped", row.skipped},
                   {"targets", row.targets},        {"upstream", json_text(row.src)}};
  out["skipped_repos"] = std::move(skipped);
  out["unanswered"] = view.unanswered;
  out["began"] = time_text(row.began_ms);
  out["ended"] = view.complete() ? json::value(time_text(row.ended_ms)) : json::value();
  return out;
}
}  // namespace hm::app
