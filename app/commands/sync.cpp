// hubmirror sync and status: what the policies select, brought here as one generation.
#include <unistd.h>

#include <algorithm>
#include <map>
#include <ostream>
#include <set>

#include "app/commands/commands.hpp"
#include "app/commands/mirror_summary.hpp"
#include "app/commands/sync_summary.hpp"
#include "app/facts.hpp"
#include "app/mirror_run.hpp"
#include "app/output.hpp"
#include "app/policies.hpp"
#include "app/progress.hpp"
#include "app/services.hpp"
#include "app/wait_for.hpp"
#include "base/text.hpp"
#include "config/mirror_policy.hpp"
#include "crawler/sync.hpp"

namespace hm::app {
namespace {
constexpr std::int64_t kLineEveryMs = 5'000, kHourMs = 3'600'000;

/// What another try may bring.
bool may_pass(const storage::TargetRow& target) {
  return target.failure == name_of(crawler::FailureClass::Transient) ||
         target.failure == name_of(crawler::FailureClass::UpstreamDown) ||
         target.failure == name_of(crawler::FailureClass::Corrupt);
}

/// When each policy was last taken up, and whether all that it wanted came.
struct TakenUp {
  std::int64_t at_ms = 0;
  bool whole = true;
};
Result<std::map<std::string, TakenUp>> taken_up(const storage::Index& index) {
  std::map<std::string, TakenUp> out;
  std::vector<storage::GenerationRow> newest;  // of each policy
  HM_TRY(storage::each_generation(index, [&](const storage::GenerationRow& row) {
    bool is_newest = false;
    for (const std::string& policy : row.policies)
      is_newest = out.try_emplace(policy, TakenUp{row.began_ms, true}).second || is_newest;
    if (is_newest) newest.push_back(row);
    return true;
  }));
  for (const storage::GenerationRow& row : newest) {
    HM_TRY(const GenerationView view, view_of(index, row));
    const auto lacks = [&](const std::string& policy) {
      if (out[policy].at_ms == row.began_ms) out[policy].whole = false;
    };
    for (const storage::TargetRow& target : view.lacking)
      if (may_pass(target)) std::ranges::for_each(target.policies, lacks);
    for (const storage::SkippedRow& skipped : view.skipped)
      if (skipped.unanswered) lacks(skipped.policy);
  }
  return out;
}

struct Policies {
  std::vector<config::MirrorPolicy> chosen;
  std::vector<std::string> all;  ///< names of those there are
};
bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Of the folder that the command names, else those in force.
Result<std::vector<config::MirrorPolicy>> policies_there_are(const Context& context, const SyncCommand& command,
                                                             const std::string& directory) {
  const bool in_force = command.directory.empty() && context.policies;
  if (in_force ? context.policies->empty() : directory.empty())
    return Error{Errc::BadInput,
                 "there are no policies: make a folder \"policies\" beside the configuration file, or name one with "
                 "--policies; docs/policies.md shows what to write"};
  if (in_force) return *context.policies;
  auto loaded = config::load_mirror_policies(directory);
  if (!loaded && loaded.error().code == Errc::NotFound) return Error{Errc::BadInput, loaded.error().what};
  return loaded;
}

Result<Policies> policies_asked_for(const Context& context, const SyncCommand& command) {
  const std::string directory =
      command.directory.empty() ? config::policies_directory(context.config, context.config_file) : command.directory;
  HM_TRY(auto all, policies_there_are(context, command, directory));
  Policies out;
  std::vector<config::MirrorPolicy>& chosen = out.chosen;
  for (const config::MirrorPolicy& policy : all) out.all.push_back(policy.name);
  for (const std::string& name : command.policies) {
    const auto policy = std::find_if(all.begin(), all.end(), [&](const auto& p) { return p.name == name; });
    if (policy == all.end())
      return Error{Errc::BadInput, "there is no policy \"" + printable(name) + "\" in " + printable(directory) +
                                       "; there are: " + joined(out.all, ", ")};
    if (std::none_of(chosen.begin(), chosen.end(), [&](const auto& p) { return p.name == name; }))
      chosen.push_back(*policy);
  }
  if (command.policies.empty()) chosen = std::move(all);
  for (const config::MirrorPolicy& policy : chosen)
    for (const config::ListedRepo& listed : policy.select.repos) {
      HM_TRY(
          within(check_url_host(listed.text, context.config.upstream.url), [&] { return "reading " + listed.where; }));
    }
  return out;
}

Result<> leave_out_those_not_due(const storage::Index& index, std::vector<config::MirrorPolicy>& policies) {
  HM_TRY(const auto last, taken_up(index));
  const std::int64_t now_ms = system_clock().unix_ms();
  std::erase_if(policies, [&](const config::MirrorPolicy& policy) {
    const auto at = last.find(policy.name);
    if (at == last.end()) return false;
    // A daily job does not begin at the same second each day. What failed for a passing reason is tried again sooner.
    std::int64_t every_ms = policy.schedule.every_ms - std::min(policy.schedule.every_ms / 20, kHourMs);
    if (!at->second.whole) every_ms = std::min(every_ms, kHourMs);
    return at->second.at_ms + every_ms > now_ms;
  });
  return ok();
}

/// How far a generation is, for whoever watches the process. Network thread, but for the constructor.
class SyncFigures {
 public:
  SyncFigures(Metrics& metrics, const GenerationView& view)
      : metrics_(metrics), pending_(view.pending), published_(view.published), failed_(view.failed) {
    metrics_.gauge("hubmirror_sync_generation", "Number of the generation that was worked on last.")
        .set(static_cast<double>(view.row.number));
    show();
  }
  void ended(const storage::TargetRow& target, const crawler::MirrorReport& report) {
    metrics_.counter("hubmirror_sync_fetched_bytes_total", "Bytes of large files and git packs that sync fetched.")
        .add(report.bytes_fetched + report.git_bytes);
    if (target.state == storage::TargetState::Pending) return;
    --pending_;
    ++(target.state == storage::TargetState::Published ? published_ : failed_);
    show();
  }

 private:
  void show() {
    for (const auto& [state, count] :
         {std::pair("pending", pending_), std::pair("published", published_), std::pair("failed", failed_)})
      metrics_.gauge("hubmirror_sync_targets", "Revisions of that generation.", {{"state", state}})
          .set(static_cast<double>(count));
  }
  Metrics& metrics_;
  std::uint64_t pending_, published_, failed_;
};

/// Everything that a plan and a run need, on one network thread.
class Syncing {
 public:
  Syncing(Context& context, WriteServices& store, NetworkServices& network)
      : context_(context),
        store_(store),
        network_(network),
        src_(network.api.upstream().host_port()),
        frontier_(store.tasks, system_clock(), options_of(context)),
        planner_({*store.index, store.catalog, *store.blobs, system_clock(), src_}) {}

  Result<crawler::SyncPlan> plan(std::vector<config::MirrorPolicy> policies, const std::stop_token& stop) {
    std::int64_t next_ms = 0;
    crawler::SurveyParts surveys{network_.api, *store_.index, store_.recorder, network_.disk_pool.get_executor()};
    if (context_.shows_progress())
      surveys.progress = [this, &next_ms](std::uint64_t done, std::uint64_t total) {
        const std::int64_t now_ms = system_clock().monotonic_ms();
        if (now_ms < next_ms) return;
        next_ms = now_ms + kLineEveryMs;
        context_.io.err << "asked the Hub for the files of " << done << " of " << total << " repositories\n"
                        << std::flush;
      };
    return wait_for(*network_.context, planner_.plan(std::move(policies), std::move(surveys)), stop);
  }

  Result<storage::GenerationRow> begin(const crawler::SyncPlan& plan) {
    return crawler::begin_generation(*store_.index, store_.tasks, plan, src_, system_clock().unix_ms());
  }

  Result<storage::GenerationRow> run(const storage::GenerationRow& generation, const std::stop_token& stop) {
    if (generation.src != src_)
      return Error{Errc::BadInput,
                   "generation " + std::to_string(generation.number) + " is of " + generation.src +
                       " and not complete; finish it with that upstream, or set it aside: hubmirror sync --new"};
    HM_TRY(store_.take_back_leases());
    ProgressDisplay display(context_.io.err, display_mode(context_), generation.targets);
    HM_TRY(const GenerationView before, view_of(*store_.index, generation));
    SyncFigures figures(context_.metrics, before);
    crawler::SyncProgress progress;
    progress.at_work = [&display](const storage::TargetRow& target, const crawler::ProgressEvent& event) {
      display.apply(target.place, event, system_clock().monotonic_ms());
    };
    progress.ended = [&](const storage::TargetRow& target, const crawler::MirrorReport& report) {
      figures.ended(target, report);
      const bool settled = target.state != storage::TargetState::Pending;
      display.finished(target.place, !report.error ? summary_line(report)
                                                   : printable(target.repo.text()) +
                                                         (settled ? ": failed: " : ": will be tried again: ") +
                                                         printable(report.error->what));
    };
    crawler::Sync sync({*store_.index, network_.pipeline, frontier_, network_.budget, network_.disk_pool.get_executor(),
                        system_clock(), hub::sleep_on_timer, "sync:" + std::to_string(::getpid())},
                       {context_.config.mirror.repos_parallel});
    auto outcome = wait_for(*network_.context, sync.run(generation, std::move(progress)), stop,
                            [&display] { display.draw(system_clock().monotonic_ms()); });
    display.close();
    return outcome;
  }

 private:
  static crawler::FrontierOptions options_of(const Context& context) {
    crawler::FrontierOptions options;
    options.lanes = 1;  // what this command enqueues itself
    options.backoff_base_ms = std::min(options.backoff_base_ms, context.config.network.retry_wait_ms_max);
    return options;
  }
  Context& context_;
  WriteServices& store_;
  NetworkServices& network_;
  const std::string src_;
  crawler::Frontier frontier_;
  crawler::Planner planner_;
};

void print_plan(const Context& context, const crawler::SyncPlan& plan, std::optional<hub::RateBudget::State> api) {
  const auto seconds = estimated_seconds(plan, api);
  if (context.options.json)
    print_json(context.io.out, plan_json(plan, seconds));
  else
    context.io.out << plan_text(plan, seconds) << std::flush;
}

/// What a run leaves out beforehand is said before a byte moves.
void warn_of_limits(const Context& context, const crawler::SyncPlan& plan) {
  for (const crawler::PolicyPlan& policy : plan.policies) {
    for (const std::string& note : policy.notes)
      context.io.err << "hubmirror: warning: policy " << policy.name << ": " << note << "\n" << std::flush;
    if (policy.over_limits == 0) continue;
    context.io.err << "hubmirror: warning: policy " << policy.name << ": " << counted(policy.over_limits, "revision")
                   << " left out by its limits; hubmirror sync --plan " << policy.name << " lists them\n"
                   << std::flush;
  }
}
bool leaves_something_out(const crawler::SyncPlan& plan) {
  return std::any_of(plan.policies.begin(), plan.policies.end(), [](const crawler::PolicyPlan& policy) {
    return policy.over_limits != 0 || policy.unanswered != 0 || policy.not_surveyed != 0;
  });
}

Result<Exit> print_generation(const Context& context, const storage::Index& index,
                              const storage::GenerationRow& generation, bool shown = true) {
  HM_TRY(const GenerationView view, view_of(index, generation));
  if (shown && context.options.json)
    print_json(context.io.out, generation_json(view));
  else if (shown && !context.options.quiet)
    context.io.out << generation_text(view) << std::flush;
  if (!view.whole() && context.options.quiet)
    context.io.err << "hubmirror: generation " << generation.number << " is not whole: " << view.lacking.size()
                   << " lacking, " << view.unanswered
                   << " that the Hub did not answer for; hubmirror status tells which\n"
                   << std::flush;
  return view.whole() ? Exit::Done : Exit::Incomplete;
}

Result<Exit> plan_offline(Context& context, const SyncCommand& command) {
  HM_TRY(const Policies policies, policies_asked_for(context, command));
  HM_TRY(const net::Url upstream, net::parse_url(context.config.upstream.url));
  HM_TRY(const auto store, ReadServices::open(context.config, context.data_dir));
  crawler::Planner planner({*store->index, store->catalog, *store->blobs, system_clock(), upstream.host_port()});
  HM_TRY(const auto plan, planner.plan_offline(policies.chosen));
  print_plan(context, plan, std::nullopt);
  return leaves_something_out(plan) ? Exit::Incomplete : Exit::Done;
}

/// What there is to do after the arguments were read: what was broken off is finished, then a new generation is begun.
class SyncRun {
 public:
  SyncRun(Context& context, const SyncCommand& command, Policies policies, WriteServices& store,
          NetworkServices& network)
      : context_(context),
        command_(command),
        policies_(std::move(policies)),
        store_(store),
        network_(network),
        stop_(context.interrupt.take_over()),
        syncing_(context, store, network) {}

  Result<Exit> plan() {
    const auto made = syncing_.plan(std::move(policies_.chosen), stop_);
    if (!made) return end_of(made.assume_error(), "nothing was fetched");
    print_plan(context_, made.assume_value(),
               on_network_thread(*network_.context, [this] { return network_.budget.state(hub::Bucket::Api); }));
    return leaves_something_out(made.assume_value()) ? Exit::Incomplete : Exit::Done;
  }

  Result<Exit> sync() {
    HM_TRY(auto unfinished, unfinished_generation());
    std::optional<storage::GenerationRow> newest;
    if (unfinished) {
      const auto done = syncing_.run(*unfinished, stop_);
      if (!done) return end_of(done.assume_error(), kGoOn);
      newest = done.assume_value();
      std::erase_if(policies_.chosen, [&](const auto& policy) { return contains(newest->policies, policy.name); });
    }
    if (command_.due) {
      HM_TRY(leave_out_those_not_due(*store_.index, policies_.chosen));
    }
    if (!policies_.chosen.empty()) {
      if (newest) {  // what became of it, before the next one is spoken of; JSON is of the last alone
        HM_TRY(const Exit exit, print_generation(context_, *store_.index, *newest, !context_.options.json));
        worsen(exit);
      }
      const auto begun = begin();
      if (!begun) return end_of(begun.assume_error(), "nothing was fetched");
      const auto done = syncing_.run(begun.assume_value(), stop_);
      if (!done) return end_of(done.assume_error(), kGoOn);
      newest = done.assume_value();
    }
    if (!newest) {
      if (!context_.options.quiet && !context_.options.json) context_.io.out << "no policy is due\n";
      return exit_;
    }
    HM_TRY(const Exit exit, print_generation(context_, *store_.index, *newest));
    worsen(exit);
    return exit_;
  }

 private:
  static constexpr std::string_view kGoOn = "what is here is kept, go on with: hubmirror sync";
  void worsen(Exit exit) {
    if (exit != Exit::Done) exit_ = exit;
  }
  Result<Exit> end_of(Error error, std::string_view next) {
    if (stop_.stop_requested()) {
      context_.io.err << "hubmirror: stopped; " << next << "\n";
      return Exit::CannotContinue;
    }
    error.what += "; " + std::string(next);
    return error;
  }

  /// The generation that was broken off, less what is not wanted any more: its policies are gone, or --new.
  Result<std::optional<storage::GenerationRow>> unfinished_generation() {
    HM_TRY(auto row, crawler::unfinished_generation(*store_.index));
    if (!row) return row;
    const auto wanted = [&](const storage::TargetRow& target) {
      return !command_.anew && std::any_of(target.policies.begin(), target.policies.end(),
                                           [&](const auto& policy) { return contains(policies_.all, policy); });
    };
    const std::string_view reason =
        command_.anew ? "another generation was begun instead (--new)" : "no policy that wanted it is there any more";
    HM_TRY(const std::uint64_t aside,
           crawler::set_aside(*store_.index, *row, wanted, reason, system_clock().unix_ms()));
    const std::string which = "generation " + std::to_string(row->number) + " (" + joined(row->policies, ", ") + ")";
    if (aside != 0)
      tell(which + ", which was broken off: " + counted(aside, "revision") + " set aside, " + std::string(reason));
    if (row->ended_ms != 0) return std::optional<storage::GenerationRow>();
    tell("going on with " + which +
         ", which was broken off; what has changed since is for the next sync. Without it: "
         "hubmirror sync --new");
    return row;
  }
  Result<storage::GenerationRow> begin() {
    HM_TRY(const auto plan, syncing_.plan(std::move(policies_.chosen), stop_));
    warn_of_limits(context_, plan);
    if (const auto fits = store_.blobs->check_space(plan.total.bytes_to_fetch); !fits)
      context_.io.err << "hubmirror: warning: " << fits.error().what
                      << "; what fits is fetched. To fetch less: limits.bytes_max of the policies\n"
                      << std::flush;
    if (leaves_something_out(plan)) exit_ = Exit::Incomplete;
    return syncing_.begin(plan);
  }
  void tell(const std::string& line) {
    if (!context_.options.quiet) context_.io.err << "hubmirror: " << line << "\n" << std::flush;
  }

  Context& context_;
  const SyncCommand& command_;
  Policies policies_;
  WriteServices& store_;
  NetworkServices& network_;
  const std::stop_token stop_;
  Syncing syncing_;
  Exit exit_ = Exit::Done;
};
}  // namespace

Result<Exit> run_command(Context& context, const SyncCommand& command) {
  if (command.offline) return plan_offline(context, command);
  HM_TRY(Policies policies, policies_asked_for(context, command));  // before anything is touched
  HM_TRY(auto plan, NetworkServices::plan(context.config));
  const Claim claim = command.plan ? Claim::Share : Claim::Sync;
  HM_TRY(const auto store, context.stores.open(context, {"sync", claim, Create::IfAbsent}));
  HM_TRY(const auto network, context.stores.open_network(context, *store, std::move(plan)));
  SyncRun run(context, command, std::move(policies), *store, *network);
  return command.plan ? run.plan() : run.sync();
}

namespace {
Result<std::uint32_t> generation_number(const std::string& text) {
  const auto number = parse_u64(text);
  if (!number || *number == 0 || *number > UINT32_MAX)
    return Error{Errc::BadInput, "\"" + printable(text) + "\" is not the number of a generation"};
  return static_cast<std::uint32_t>(*number);
}

json::value commit_json(const std::optional<storage::TargetRow>& target) {
  if (!target) return nullptr;
  return json::object{{"commit", target->commit.hex()}, {"state", std::string(storage::name_of(target->state))}};
}
std::string commit_text(const std::optional<storage::TargetRow>& target) {
  if (!target) return "not in it";
  return target->commit.hex().substr(0, 8) +
         (target->state == storage::TargetState::Published ? "" : " (" + std::string(name_of(target->state)) + ")");
}

Result<Exit> print_difference(Context& context, const ReadServices& store, const std::vector<std::string>& numbers) {
  HM_TRY(const std::uint32_t before, generation_number(numbers[0]));
  HM_TRY(const std::uint32_t after, generation_number(numbers[1]));
  json::array changes;
  HM_TRY(crawler::diff_generations(
      *store.index, store.catalog, before, after, [&](const crawler::GenerationChange& change) {
        const storage::TargetRow& named = change.after ? *change.after : *change.before;
        if (context.options.json) {
          changes.emplace_back(json::object{{"added", texts_json(change.added)},
                                            {"after", commit_json(change.after)},
                                            {"before", commit_json(change.before)},
                                            {"changed", texts_json(change.changed)},
                                            {"removed", texts_json(change.removed)},
                                            {"repo", named.repo.text()}});
          return;
        }
        context.io.out << printable(named.repo.text()) << ": " << commit_text(change.before) << " -> "
                       << commit_text(change.after) << "\n";
        for (const auto& [sign, list] :
             {std::pair{'-', &change.removed}, std::pair{'+', &change.added}, std::pair{'*', &change.changed}})
          for (const std::string& path : *list) context.io.out << "  " << sign << " " << printable(path) << "\n";
      }));
  if (context.options.json) print_json(context.io.out, changes);
  return Exit::Done;
}

Result<Exit> print_all_generations(Context& context, const ReadServices& store) {
  json::array all;
  Result<> outcome = ok();
  HM_TRY(storage::each_generation(*store.index, [&](const storage::GenerationRow& row) {
    const auto view = view_of(*store.index, row);
    if (!view) {
      outcome = view.error();
      return false;
    }
    if (context.options.json)
      all.emplace_back(generation_json(view.assume_value()));
    else
      context.io.out << generation_text(view.assume_value());
    return true;
  }));
  HM_TRY(std::move(outcome));
  if (context.options.json) print_json(context.io.out, all);
  return Exit::Done;
}

/// What stands of each policy: the generation that is not complete, and the newest complete ones of all policies.
struct Standing {
  std::optional<GenerationView> current;
  std::vector<GenerationView> complete;  ///< newest first; each is the newest of a policy
};
/// @param policies those that there are; empty: not known, then all count
Result<Standing> standing(const storage::Index& index, const std::vector<config::MirrorPolicy>& policies) {
  Standing out;
  std::set<std::string> seen;
  Result<> outcome = ok();
  const auto counts = [&](const std::string& name) {
    const bool exists =
        policies.empty() || std::ranges::any_of(policies, [&](const auto& policy) { return policy.name == name; });
    return exists && seen.insert(name).second;
  };
  HM_TRY(storage::each_generation(index, [&](const storage::GenerationRow& row) {
    const bool ended = row.ended_ms != 0;
    const bool is_newest = ended && std::ranges::count_if(row.policies, counts) != 0;
    if (ended && !is_newest && !out.complete.empty()) return true;
    auto view = view_of(index, row);
    if (!view) {
      outcome = view.error();
      return false;
    }
    if (ended)
      out.complete.push_back(std::move(view).assume_value());
    else
      out.current = std::move(view).assume_value();
    return true;
  }));
  HM_TRY(std::move(outcome));
  return out;
}
}  // namespace

Result<Exit> run_command(Context& context, const StatusCommand& command) {
  HM_TRY(const auto store, ReadServices::open(context.config, context.data_dir));
  if (!command.diff.empty()) return print_difference(context, *store, command.diff);
  if (command.all) return print_all_generations(context, *store);
  const auto policies = policies_in_force(context, "");  // what they say does not matter here, nor that they are broken
  HM_TRY(const Standing now,
         standing(*store->index, policies ? policies.assume_value() : std::vector<config::MirrorPolicy>()));
  if (context.options.json) {
    json::array older;
    for (std::size_t i = 1; i < now.complete.size(); ++i) older.emplace_back(generation_json(now.complete[i]));
    json::object out{{"older", std::move(older)}};
    out["complete"] = now.complete.empty() ? json::value() : json::value(generation_json(now.complete.front()));
    out["current"] = now.current ? json::value(generation_json(*now.current)) : json::value();
    print_json(context.io.out, std::move(out));
  } else if (now.complete.empty() && !now.current) {
    context.io.out << "nothing was synced yet; run: hubmirror sync\n";
  } else {
    if (now.current) context.io.out << generation_text(*now.current);
    for (const GenerationView& view : now.complete) context.io.out << generation_text(view);
    context.io.out << std::flush;
  }
  const bool whole = !now.current && std::ranges::all_of(now.complete, &GenerationView::whole);
  return whole ? Exit::Done : Exit::Incomplete;
}
}  // namespace hm::app
