// hubmirror verify: what is on disk against what was recorded; --repair fetches what is bad again, by digest.
#include <algorithm>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <ostream>

#include "app/bytes_display.hpp"
#include "app/commands/commands.hpp"
#include "app/output.hpp"
#include "app/progress.hpp"
#include "app/services.hpp"
#include "app/wait_for.hpp"
#include "base/clock.hpp"
#include "base/text.hpp"
#include "crawler/verify.hpp"

namespace hm::app {
namespace {
/// What verify needs, from either kind of services: it only reads, but a repair holds the lock from the beginning.
struct Stores {
  std::unique_ptr<ReadServices> reading;
  StoreLease writing;
  crawler::VerifyParts parts() const {
    if (reading)
      return {reading->catalog, *reading->index, *reading->blobs, real_file_system(), reading->dir, system_clock()};
    return {writing->catalog, *writing->index, *writing->blobs, real_file_system(), writing->dir, system_clock()};
  }
};
Result<Stores> open_stores(const Context& context, bool repair) {
  Stores stores;
  if (repair) {
    HM_TRY(stores.writing, context.stores.open(context, {"verify --repair", Claim::Alone}));
  } else {
    HM_TRY(stores.reading, ReadServices::open(context.config, context.data_dir));
  }
  return stores;
}

Result<crawler::VerifyOptions> options_of(const Context& context, const VerifyCommand& command) {
  crawler::VerifyOptions options;
  options.deep = command.deep;
  options.threads = context.config.verify.threads;
  options.bytes_per_second_max = context.config.verify.bytes_per_second_max;
  if (!command.rate.empty()) {
    HM_TRY(options.bytes_per_second_max, within(parse_bytes(command.rate), [] { return "reading --rate"; }));
  }
  for (const std::string& text : command.repos) {
    HM_TRY(const RepoSpec spec, repo_spec_of(text));
    if (spec.revision)
      return Error{Errc::BadInput, printable(text) + ": verify takes whole repositories; leave the revision out"};
    options.only.push_back(spec);
  }
  return options;
}

/// Runs on a thread of its own, so that the main thread can draw; Ctrl-C reaches it through the token.
Result<crawler::VerifyReport> verify_drawing(Context& context, const Stores& stores,
                                             const crawler::VerifyOptions& options, const std::stop_token& stop) {
  BytesDisplay display(context.io.err, "verifying", context.shows_progress(), context.io.err_is_terminal);
  const crawler::VerifyParts parts = stores.parts();
  auto work = std::async(std::launch::async, [&] {
    return crawler::verify(
        parts, options, [&](const crawler::VerifyProgress& p) { display.apply(p.bytes_done, p.bytes_total); }, stop);
  });
  while (work.wait_for(std::chrono::milliseconds(1000 / kDrawsPerSecond)) != std::future_status::ready)
    display.draw(system_clock().monotonic_ms());
  display.close();
  return work.get();
}

Result<crawler::RepairReport> repair_findings(Context& context, const Stores& stores, NetworkServices::Plan plan,
                                              const std::vector<crawler::Finding>& findings,
                                              const std::stop_token& stop) {
  HM_TRY(const auto network, context.stores.open_network(context, *stores.writing, std::move(plan)));
  std::vector<crawler::Finding> copy = findings;
  const crawler::VerifyParts parts = stores.parts();  // the coroutine refers to it until its end
  return wait_for(*network->context, crawler::repair(parts, network->downloader, network->git_pool, std::move(copy)),
                  stop);
}

json::object to_json(const crawler::Finding& finding) {
  json::array used_by;
  for (const std::string& user : finding.used_by) used_by.emplace_back(json_text(user));
  return {{"bad", finding.bad},
          {"detail", json_text(finding.detail)},
          {"kind", std::string(name_of(finding.kind))},
          {"subject", json_text(finding.subject)},
          {"used_by", std::move(used_by)}};
}
json::array to_json(const std::vector<crawler::Finding>& findings) {
  json::array out;
  for (const auto& finding : findings) out.emplace_back(to_json(finding));
  return out;
}

std::string text_of(const crawler::Finding& finding) {
  std::string out =
      std::string(finding.bad ? "" : "note: ") + std::string(name_of(finding.kind)) + "  " + printable(finding.subject);
  if (!finding.detail.empty()) out += "\n    " + printable(finding.detail);
  for (const std::string& user : finding.used_by) out += "\n    used by " + printable(user);
  return out + "\n";
}
std::string text_of(const crawler::VerifyReport& report) {
  std::string out = "verified " + counted(report.blobs, "blob") + ", " + human_bytes(report.bytes);
  if (report.git_objects != 0) out += ", " + counted(report.git_objects, "git object");
  if (report.manifests != 0) out += ", " + counted(report.manifests, "manifest");
  out += " in " + duration_text(report.elapsed_ms);
  if (report.elapsed_ms > 0)
    out += " (" + human_bytes(report.bytes * 1000 / static_cast<std::uint64_t>(report.elapsed_ms)) + "/s)";
  return out;
}

std::uint64_t bad_count(const std::vector<crawler::Finding>& findings) {
  return static_cast<std::uint64_t>(
      std::count_if(findings.begin(), findings.end(), [](const auto& f) { return f.bad; }));
}

void print(Context& context, const crawler::VerifyReport& report,
           const std::optional<crawler::RepairReport>& repaired) {
  if (context.options.json) {
    json::object out{{"blobs", report.blobs},
                     {"bytes", report.bytes},
                     {"elapsed_ms", report.elapsed_ms},
                     {"findings", to_json(report.findings)},
                     {"git_objects", report.git_objects},
                     {"manifests", report.manifests}};
    if (repaired) out["repair"] = json::object{{"left", to_json(repaired->left)}, {"repaired", repaired->repaired}};
    print_json(context.io.out, out);
    return;
  }
  for (const auto& finding : report.findings) {
    if (finding.bad || !context.options.quiet) context.io.out << text_of(finding);
  }
  if (!context.options.quiet) {
    const std::uint64_t bad = bad_count(report.findings);
    context.io.out << text_of(report) << ": " << (bad == 0 ? "nothing wrong" : counted(bad, "finding")) << "\n";
    const bool repairable = std::any_of(report.findings.begin(), report.findings.end(),
                                        [](const crawler::Finding& f) { return f.bad && f.blob; });
    if (repairable && !repaired) context.io.out << "hubmirror verify --repair fetches bad files again by digest\n";
    if (repaired) context.io.out << "repaired " << repaired->repaired << ", left " << bad_count(repaired->left) << "\n";
  }
  if (!repaired) return;
  for (const auto& finding : repaired->left) {
    if (finding.bad) context.io.out << "not repaired: " << text_of(finding);
  }
}
}  // namespace

Result<Exit> run_command(Context& context, const VerifyCommand& command) {
  HM_TRY(const auto options, options_of(context, command));
  std::optional<NetworkServices::Plan> plan;
  if (command.repair) {
    HM_TRY(plan, NetworkServices::plan(context.config));
  }
  HM_TRY(const Stores stores, open_stores(context, command.repair));
  const std::stop_token stop = context.interrupt.take_over();
  auto report = verify_drawing(context, stores, options, stop);
  if (!report)
    return stop.stop_requested() ? interrupted("nothing was changed; run it again to go through all")
                                 : report.assume_error();
  std::optional<crawler::RepairReport> repaired;
  if (command.repair && bad_count(report.assume_value().findings) != 0) {
    HM_TRY(repaired, repair_findings(context, stores, std::move(*plan), report.assume_value().findings, stop));
  }
  print(context, report.assume_value(), repaired);
  const std::uint64_t left = repaired ? bad_count(repaired->left) : bad_count(report.assume_value().findings);
  return left == 0 ? Exit::Done : Exit::Incomplete;
}
}  // namespace hm::app
