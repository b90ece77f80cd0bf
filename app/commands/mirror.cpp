// hubmirror mirror: which repositories, the run, and what it says at the end.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <istream>
#include <map>
#include <optional>
#include <ostream>
#include <set>

#include "app/commands/commands.hpp"
#include "app/commands/mirror_summary.hpp"
#include "app/facts.hpp"
#include "app/mirror_run.hpp"
#include "app/output.hpp"
#include "app/unfinished.hpp"
#include "base/text.hpp"
#include "crawler/visit.hpp"
#include "net/url.hpp"

namespace hm::app {
ProgressDisplay::Mode display_mode(const Context& context) {
  if (!context.shows_progress()) return ProgressDisplay::Mode::Silent;
  return context.io.err_is_terminal ? ProgressDisplay::Mode::Bars : ProgressDisplay::Mode::Lines;
}

Result<> check_url_host(const std::string& text, const std::string& upstream) {
  if (!text.starts_with("http://") && !text.starts_with("https://")) return ok();
  HM_TRY(const net::Url url, net::parse_url(text));
  HM_TRY(const net::Url own, net::parse_url(upstream));
  if (url.host == "huggingface.co" || url.host == "www.huggingface.co" || url.host == "hf.co" || url.host == own.host)
    return ok();
  return Error{Errc::BadInput, printable(text) + " is on another host than the upstream " + own.origin() +
                                   "; name that host with --upstream, or give org/name alone"};
}

namespace {
constexpr std::size_t kListLineBytesMax = 4096;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // put there by editors
constexpr std::size_t kListLinesMax = 1'000'000;             // more repositories than this are a crawl, not a list

Result<std::vector<std::string>> read_list(std::istream& in, const std::string& name) {
  std::vector<std::string> repos;
  std::string line;
  for (std::size_t number = 1; std::getline(in, line); ++number) {
    const std::string place = printable(name) + ":" + std::to_string(number);
    if (number > kListLinesMax)
      return Error{Errc::BadInput, place + ": more than " + std::to_string(kListLinesMax) + " lines"};
    if (line.size() > kListLineBytesMax)
      return Error{Errc::BadInput,
                   place + ": a line longer than " + std::to_string(kListLineBytesMax) + " bytes names no repository"};
    std::string_view text = line;
    if (number == 1 && text.starts_with(kByteOrderMark)) text.remove_prefix(kByteOrderMark.size());
    text = trim(text);
    if (text.empty() || text.starts_with('#')) continue;
    HM_TRY(within(parse_repo_spec(text), [&] { return "reading " + place; }));
    repos.emplace_back(text);
  }
  if (in.bad()) return Error{Errc::Io, "reading the list " + printable(name) + " failed"};
  return repos;
}

Result<std::vector<std::string>> names_asked_for(Context& context, const MirrorCommand& command) {
  std::vector<std::string> names = command.repos;
  if (command.from.empty()) return names;
  std::vector<std::string> listed;
  if (command.from == "-") {
    HM_TRY(listed, read_list(context.io.in, context.io.in_name));
  } else {
    std::error_code ignored;
    if (std::filesystem::is_directory(command.from, ignored))
      return Error{Errc::BadInput,
                   "--from: " + printable(command.from) + " is a directory; give a file with one repository per line"};
    std::ifstream in(command.from);
    if (!in)
      return Error{Errc::BadInput,
                   "--from: cannot open " + printable(command.from) + "; give a file with one repository per line"};
    HM_TRY(listed, read_list(in, command.from));
  }
  names.insert(names.end(), listed.begin(), listed.end());
  return names;
}

Result<config::Selection> selection_of(const config::Mirror& defaults, const MirrorCommand& command) {
  config::Selection selection;
  selection.include = command.include.empty() ? defaults.include : command.include;
  selection.exclude = command.exclude.empty() ? defaults.exclude : command.exclude;
  selection.formats = command.formats.empty() ? defaults.formats : command.formats;
  for (std::string& format : selection.formats) format = ascii_lower(trim(format));
  if (!command.file_bytes_max.empty()) {
    HM_TRY(selection.file_bytes_max,
           within(parse_bytes(command.file_bytes_max), [] { return "reading --max-file-size"; }));
  } else if (defaults.file_bytes_max != 0) {
    selection.file_bytes_max = defaults.file_bytes_max;
  }
  HM_TRY(config::check_selection(selection));
  return selection;
}

/// One request per repository and revision, in the order they were named.
Result<std::vector<crawler::MirrorRequest>> requests_of(const Context& context, const MirrorCommand& command,
                                                        const std::vector<std::string>& names) {
  HM_TRY(const config::Selection selection, selection_of(context.config.mirror, command));
  std::vector<crawler::MirrorRequest> requests;
  std::set<std::string> seen;
  for (const std::string& name : names) {
    HM_TRY(check_url_host(name, context.config.upstream.url));
    crawler::MirrorRequest request;
    HM_TRY(request.spec, repo_spec_of(name, command.revision));
    if (request.spec.rid)
      return Error{Errc::BadInput, printable(name) + ": a Hub is asked by name; hubmirror show " + printable(name) +
                                       " tells the name of what is here"};
    if (!seen.insert(ascii_lower(request.spec.repo.text()) + "@" + request.spec.revision.value_or("")).second) continue;
    request.selection = selection;
    request.filters_named = !command.include.empty() || !command.exclude.empty() || !command.formats.empty() ||
                            !command.file_bytes_max.empty();
    request.all_history = command.all_history || context.config.mirror.all_history;
    request.pull_requests = command.pull_requests || context.config.mirror.pull_requests;
    requests.push_back(std::move(request));
  }
  return requests;
}

/// "" when nothing is wrong with the repository itself: an interrupted run is told of once, at its end.
std::string failure_line(const MirrorOutcome& outcome) {
  const std::optional<Error>& error = outcome.report.error;
  if (!outcome.begun || !error || error->code == Errc::Cancelled) return {};
  return error_line({error->code, outcome.report.repo.text() + ": " + error->what});
}
/// Each failure is told once: where many repositories go by, when it happens; else at the end.
bool errors_are_told_at_once(const Context& context, std::size_t repos) {
  return repos > 1 && display_mode(context) != ProgressDisplay::Mode::Silent;
}
void print_errors(const std::vector<MirrorOutcome>& outcomes, Streams& io) {
  for (const MirrorOutcome& outcome : outcomes) {
    if (const std::string line = failure_line(outcome); !line.empty()) io.err << line << "\n";
  }
}

/// A note that holds for every repository of the run is most likely a slip of the pen.
void print_warnings(const std::vector<MirrorOutcome>& outcomes, const Context& context) {
  if (context.options.json) return;
  std::map<std::string, std::size_t> counts;
  for (const MirrorOutcome& outcome : outcomes)
    for (const std::string& note : outcome.report.notes) ++counts[note];
  for (const auto& [note, count] : counts)
    if (count == outcomes.size()) context.io.err << "hubmirror: warning: " << printable(note) << "\n";
}

/// True when the repository failed for a reason that has nothing to do with it: the disk, the lock, an upstream that
/// never answered.
bool cannot_continue(const MirrorOutcome& outcome) {
  if (!outcome.begun) return true;
  if (!outcome.report.error) return false;
  const bool answered = !outcome.report.row.repo.name.empty();
  switch (outcome.report.error->code) {
    case Errc::NoSpace:
    case Errc::Io:
    case Errc::Busy:
    case Errc::Cancelled:
      return true;
    case Errc::Unreachable:
    case Errc::RateLimited:
      return !answered;
    default:
      return false;
  }
}

Exit exit_of_run(const std::vector<MirrorOutcome>& outcomes) {
  if (std::all_of(outcomes.begin(), outcomes.end(), [](const MirrorOutcome& o) { return o.complete(); }))
    return Exit::Done;
  const bool ended_early = std::any_of(outcomes.begin(), outcomes.end(), [](const MirrorOutcome& o) {
    return !o.begun || (o.report.error && crawler::stops_everything(*o.report.error));
  });
  const bool hopeless = std::all_of(outcomes.begin(), outcomes.end(), cannot_continue);
  return ended_early || hopeless ? Exit::CannotContinue : Exit::Incomplete;
}

MirrorRunOptions run_options(const Context& context, UnfinishedList& unfinished, std::size_t repos) {
  MirrorRunOptions options;
  options.parallel = context.config.mirror.repos_parallel;
  options.on_end = [&](std::size_t slot, const MirrorOutcome& outcome) { unfinished.ended(slot, outcome); };
  if (errors_are_told_at_once(context, repos)) {
    options.summary = [](const MirrorOutcome& outcome) {
      return outcome.report.error ? failure_line(outcome) : summary_line(outcome.report);
    };
  }
  return options;
}

void name_those_not_begun(std::vector<MirrorOutcome>& outcomes, const std::vector<crawler::MirrorRequest>& requests) {
  for (std::size_t slot = 0; slot < outcomes.size(); ++slot) {
    if (outcomes[slot].begun) continue;
    outcomes[slot].report.repo = requests[slot].spec.repo;
    outcomes[slot].report.error = Error{Errc::Cancelled, "not begun: the run ended before"};
  }
}
}  // namespace

Result<Exit> run_command(Context& context, const MirrorCommand& command) {
  HM_TRY(const auto names, names_asked_for(context, command));
  if (names.empty() && !command.unfinished)
    return Error{Errc::BadInput, command.from.empty() ? "no repository named; write e.g.: hubmirror mirror org/name"
                                                      : "the list names no repository"};
  HM_TRY(auto requests, requests_of(context, command, names));
  HM_TRY(auto plan, NetworkServices::plan(context.config));
  HM_TRY(const auto store, context.stores.open(context, {"mirror", Claim::Share, Create::IfAbsent}));
  HM_TRY(store->take_back_leases());
  UnfinishedList unfinished(*store->index, store->tasks, plan.upstream.host_port());
  if (command.unfinished) {
    HM_TRY(unfinished.add_to(requests));
  }
  if (requests.empty()) {
    if (context.options.json)
      print_json(context.io.out, summary_json({}, false));
    else if (!context.options.quiet)
      context.io.out << "nothing is unfinished\n";
    return Exit::Done;
  }
  HM_TRY(unfinished.begin(requests));
  HM_TRY(const auto network, context.stores.open_network(context, *store, std::move(plan)));

  const std::stop_token stop = context.interrupt.take_over();
  ProgressDisplay display(context.io.err, display_mode(context), requests.size());
  auto outcomes = run_mirror(*network, requests, run_options(context, unfinished, requests.size()), display, stop);
  const auto noted = unfinished.close();
  name_those_not_begun(outcomes, requests);

  const bool stopped = stop.stop_requested();
  const Exit exit = exit_of_run(outcomes);
  if (context.options.json)
    print_json(context.io.out, summary_json(outcomes, stopped));
  else if (!context.options.quiet)
    context.io.out << summary_text(outcomes, store->catalog) << std::flush;
  print_warnings(outcomes, context);
  if (!errors_are_told_at_once(context, requests.size())) print_errors(outcomes, context.io);
  if (!noted) return report(noted.assume_error(), exit_of(noted.assume_error()), context.io, false);
  if (exit != Exit::Done && stopped)
    context.io.err << "hubmirror: stopped; what is here is kept. Go on with: hubmirror mirror --unfinished\n";
  return exit;
}
}  // namespace hm::app
