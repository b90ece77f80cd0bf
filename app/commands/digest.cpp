// hubmirror digest: digests of the tensors of published models, and with whom they share them.
#include <algorithm>
#include <chrono>
#include <future>
#include <ostream>
#include <thread>

#include "app/bytes_display.hpp"
#include "app/commands/commands.hpp"
#include "app/output.hpp"
#include "app/services.hpp"
#include "base/clock.hpp"
#include "base/text.hpp"
#include "crawler/digest.hpp"
#include "provenance/audit/tensors.hpp"

namespace hm::app {
namespace {
using provenance::audit::Declared;
using provenance::audit::Kinship;
using provenance::audit::SharedWith;

/// What was digested now, and whom it turned out to be kin of.
struct Outcome {
  crawler::DigestReport report;
  std::vector<std::vector<SharedWith>> kin;  ///< at the places of its repositories; without mere parts
};

Result<crawler::DigestOptions> options_of(const Context& context, const DigestCommand& command) {
  crawler::DigestOptions options;
  options.threads = std::max(1U, std::thread::hardware_concurrency());
  if (context.options.jobs)
    options.threads = std::min(options.threads, static_cast<std::size_t>(*context.options.jobs));
  for (const std::string& text : command.repos) {
    HM_TRY(RepoSpec spec, repo_spec_of(text));
    options.only.push_back(std::move(spec));
  }
  return options;
}

/// On a thread of its own, so that the main thread can draw; Ctrl-C reaches it through the token.
Result<crawler::DigestReport> digest_drawing(Context& context, WriteServices& store,
                                             const crawler::DigestOptions& options, const std::stop_token& stop) {
  BytesDisplay display(context.io.err, "digesting", context.shows_progress(), context.io.err_is_terminal);
  const crawler::DigestParts parts{store.catalog, *store.index, *store.blobs, store.recorder};
  auto work = std::async(std::launch::async, [&] {
    return crawler::digest(
        parts, options, [&](const crawler::DigestProgress& p) { display.apply(p.bytes_done, p.bytes_total); }, stop);
  });
  while (work.wait_for(std::chrono::milliseconds(1000 / kDrawsPerSecond)) != std::future_status::ready)
    display.draw(system_clock().monotonic_ms());
  display.close();
  return work.get();
}

Result<std::vector<SharedWith>> kin_of(const storage::Index& index, const RepoKey& key) {
  HM_TRY(auto all, provenance::audit::who_shares_tensors(index, key));
  std::erase_if(all, [](const SharedWith& s) { return s.kinship == Kinship::Part; });
  return all;
}

/// Of those that were named, or digested now. @returns Cancelled.
Result<std::vector<std::vector<SharedWith>>> find_kin(Context& context, const storage::Index& index,
                                                      const crawler::DigestReport& report, bool all,
                                                      const std::stop_token& stop) {
  std::ostream& err = context.io.err;
  const bool draws = context.shows_progress() && context.io.err_is_terminal && !report.repos.empty();
  std::vector<std::vector<SharedWith>> out;
  for (const auto& repo : report.repos) {
    if (stop.stop_requested()) break;
    if (draws)
      err << "\rcomparing: " << out.size() + 1 << " of " << counted(report.repos.size(), "repository") << "\x1b[K"
          << std::flush;
    std::vector<SharedWith> kin;
    if (all || repo.files != 0) {
      HM_TRY(kin, kin_of(index, repo.key));
    }
    out.push_back(std::move(kin));
  }
  if (draws) err << "\r\x1b[K" << std::flush;
  if (out.size() != report.repos.size())
    return interrupted("all is digested and kept; hubmirror digest REPO tells who shares the weights of one");
  return out;
}

std::string_view name_of(Kinship kinship) { return kinship == Kinship::Same ? "same" : "derived"; }
std::string_view name_of(Declared declared) {
  switch (declared) {
    case Declared::Nothing:
      return "nothing";
    case Declared::Ancestor:
      return "ancestor";
    case Declared::Descendant:
      return "descendant";
    case Declared::Relatives:
      return "relatives";
  }
  return "";
}
/// The other of the two that an edge joins.
std::string other_of(const SharedWith& shared) {
  return (shared.edge.to.key == shared.other ? shared.edge.to : shared.edge.from).repo.text();
}
std::string text_of(const SharedWith& shared) {
  std::string out = "  " + shared.edge.statements.front().text + ", shared with " + printable(other_of(shared));
  if (shared.may_be_undeclared_parent()) out += ", an undeclared parent";
  return out + "\n";
}
json::object to_json(const SharedWith& shared) {
  return {{"common_bytes", shared.common_bytes},
          {"declared", std::string(name_of(shared.declared))},
          {"kinship", std::string(name_of(shared.kinship))},
          {"repo", json_text(other_of(shared))},
          {"rid", shared.other.rid.text()},
          {"smaller_bytes", shared.smaller_bytes},
          {"tensors", shared.tensors},
          {"undeclared_parent", shared.may_be_undeclared_parent()}};
}

json::object to_json(const Outcome& outcome) {
  json::array repos, undigested;
  for (std::size_t i = 0; i < outcome.report.repos.size(); ++i) {
    const auto& repo = outcome.report.repos[i];
    json::array kin;
    for (const SharedWith& shared : outcome.kin[i]) kin.emplace_back(to_json(shared));
    repos.emplace_back(json::object{{"bytes", repo.bytes},
                                    {"files", repo.files},
                                    {"kin", std::move(kin)},
                                    {"known_files", repo.known},
                                    {"repo", json_text(repo.name)},
                                    {"tensors", repo.tensors}});
  }
  for (const crawler::Undigested& file : outcome.report.undigested)
    undigested.emplace_back(json::object{{"bad", file.bad},
                                         {"path", json_text(file.path)},
                                         {"repo", json_text(file.repo)},
                                         {"why", json_text(file.why)}});
  return {{"repos", std::move(repos)}, {"undigested", std::move(undigested)}};
}

std::string text_of(const Outcome& outcome) {
  std::string out;
  std::uint64_t files = 0, tensors = 0, bytes = 0;
  for (std::size_t i = 0; i < outcome.report.repos.size(); ++i) {
    const auto& repo = outcome.report.repos[i];
    files += repo.files, tensors += repo.tensors, bytes += repo.bytes;
    if (repo.files == 0 && outcome.kin[i].empty()) continue;
    out += repo.name + ": " + counted(repo.tensors, "tensor") + " of " + counted(repo.files, "file") + "\n";
    for (const SharedWith& shared : outcome.kin[i]) out += text_of(shared);
  }
  for (const crawler::Undigested& file : outcome.report.undigested)
    out += std::string(file.bad ? "not read: " : "note: no digests: ") + file.repo + ":" + file.path + ": " +
           printable(file.why) + "\n";
  if (outcome.report.repos.empty()) return out + "there are no safetensors or GGUF files to digest\n";
  if (files == 0 && outcome.report.undigested.empty()) return out + "all tensors have digests already\n";
  return out + "digested " + counted(tensors, "tensor") + " of " + counted(files, "file") + ", " + human_bytes(bytes) +
         "\n";
}
}  // namespace

Result<Exit> run_command(Context& context, const DigestCommand& command) {
  HM_TRY(const auto options, options_of(context, command));
  HM_TRY(const auto store, context.stores.open(context, {"digest"}));
  const std::stop_token stop = context.interrupt.take_over();
  auto report = digest_drawing(context, *store, options, stop);
  if (!report)
    return stop.stop_requested() ? interrupted("what was digested is kept; run it again to go on")
                                 : report.assume_error();
  Outcome outcome{std::move(report).assume_value(), {}};
  HM_TRY(outcome.kin, find_kin(context, *store->index, outcome.report, !options.only.empty(), stop));
  if (context.options.json)
    print_json(context.io.out, to_json(outcome));
  else if (!context.options.quiet)
    context.io.out << text_of(outcome);
  const auto& undigested = outcome.report.undigested;
  const bool bad = std::any_of(undigested.begin(), undigested.end(), [](const auto& file) { return file.bad; });
  return bad ? Exit::Incomplete : Exit::Done;
}
}  // namespace hm::app
