#include "app/commands/mirror_summary.hpp"

#include "app/facts.hpp"
#include "app/output.hpp"
#include "base/text.hpp"

namespace hm::app {
namespace {
constexpr std::size_t kLabel = 12;  // columns

std::string rate_text(std::uint64_t bytes, std::int64_t ms) {
  if (ms <= 0 || bytes == 0) return {};
  return human_bytes(static_cast<std::uint64_t>(static_cast<double>(bytes) * 1000.0 / static_cast<double>(ms))) + "/s";
}
std::string state_of(const MirrorOutcome& outcome) {
  if (!outcome.begun) return "not begun";
  if (!outcome.complete()) return "INCOMPLETE";
  return outcome.report.unchanged ? "complete, nothing new" : "complete";
}
void add_published(std::string& out, const crawler::MirrorReport& report, const mirror::Catalog& catalog) {
  if (report.row.repo.name.empty()) return;
  auto snapshot = catalog.resolve(report.row, "");
  if (!snapshot && !report.published.empty()) snapshot = catalog.resolve(report.row, report.published.front().hex());
  if (!snapshot) return;
  const storage::SnapshotRow& row = snapshot.assume_value();
  std::string text = row.commit.hex();
  if (report.published.size() > 1)
    text += ", " + counted(report.published.size(), "revision") + " published by this run";
  add_field(out, kLabel, "published", text);
  add_field(out, kLabel, "holds", counted(row.files, "file") + ", " + human_bytes(row.bytes));
  if (row.partial())
    add_field(out, kLabel, "PARTIAL",
              counted(row.left_out_files, "file") + " of " + human_bytes(row.left_out_bytes) + " left out by " +
                  row.selection);
}

std::string block(const MirrorOutcome& outcome, const mirror::Catalog& catalog) {
  const crawler::MirrorReport& r = outcome.report;
  std::string out = printable(r.repo.text()) + ": " + state_of(outcome) + "\n";
  if (!outcome.begun) return out;
  add_published(out, r, catalog);
  std::string fetched = counted(r.blobs_fetched, "large file") + ", " + human_bytes(r.bytes_fetched) + " in " +
                        duration_text(r.elapsed_ms);
  if (const std::string rate = rate_text(r.bytes_fetched, r.elapsed_ms); !rate.empty()) fetched += " (" + rate + ")";
  if (!r.unchanged) add_field(out, kLabel, "fetched", fetched);
  if (r.git_objects != 0)
    add_field(out, kLabel, "git", counted(r.git_objects, "object") + ", " + human_bytes(r.git_bytes));
  if (r.blobs_present != 0) add_field(out, kLabel, "here before", counted(r.blobs_present, "large file"));
  if (r.bytes_verified != 0) add_field(out, kLabel, "verified", human_bytes(r.bytes_verified) + " hashed and equal");
  add_fields(out, kLabel, "problem", r.problems,
             [](const crawler::FileProblem& p) { return p.path + ": " + p.error.what; });
  add_fields(out, kLabel, "remark", r.remarks, [](const mirror::TreeRemark& t) { return t.kind + ": " + t.path; });
  add_fields(out, kLabel, "note", r.notes, [](const std::string& note) { return note; });
  if (r.error) add_field(out, kLabel, "because", r.error->what);
  return out;
}

struct Totals {
  std::uint64_t repos = 0, complete = 0, unchanged = 0, bytes_fetched = 0, bytes_verified = 0, blobs_fetched = 0,
                git_objects = 0;
};
Totals totals_of(const std::vector<MirrorOutcome>& outcomes) {
  Totals t;
  for (const MirrorOutcome& outcome : outcomes) {
    ++t.repos;
    t.complete += outcome.complete() ? 1 : 0;
    t.unchanged += outcome.report.unchanged ? 1 : 0;
    t.bytes_fetched += outcome.report.bytes_fetched;
    t.bytes_verified += outcome.report.bytes_verified;
    t.blobs_fetched += outcome.report.blobs_fetched;
    t.git_objects += outcome.report.git_objects;
  }
  return t;
}
}  // namespace

std::string summary_line(const crawler::MirrorReport& report) {
  std::string text = printable(report.repo.text()) + ": ";
  if (report.error) return text + "INCOMPLETE: " + printable(report.error->what);
  if (report.unchanged) return text + "nothing new";
  text += report.problems.empty() ? "complete" : "INCOMPLETE";
  text += ", " + counted(report.blobs_fetched, "large file") + " fetched, " +
          human_bytes(report.bytes_fetched + report.git_bytes) + " in " + duration_text(report.elapsed_ms);
  if (report.files_left_out != 0) text += ", PARTIAL: " + counted(report.files_left_out, "file") + " left out";
  return text;
}

std::string summary_text(const std::vector<MirrorOutcome>& outcomes, const mirror::Catalog& catalog) {
  std::string out;
  for (const MirrorOutcome& outcome : outcomes) out += block(outcome, catalog);
  if (outcomes.size() < 2) return out;
  const Totals t = totals_of(outcomes);
  out += "total: " + std::to_string(t.complete) + " of " + counted(t.repos, "repository") + " complete, " +
         counted(t.blobs_fetched, "large file") + " and " + human_bytes(t.bytes_fetched) + " fetched, " +
         human_bytes(t.bytes_verified) + " verified\n";
  return out;
}

json::object summary_json(const std::vector<MirrorOutcome>& outcomes, bool stopped) {
  json::array repositories;
  for (const MirrorOutcome& outcome : outcomes) {
    json::object report = to_json(outcome.report);
    report["begun"] = outcome.begun;
    report["complete"] = outcome.complete();
    repositories.emplace_back(std::move(report));
  }
  const Totals t = totals_of(outcomes);
  json::object out;
  out["repos"] = std::move(repositories);
  out["stopped"] = stopped;
  out["totals"] = json::object{{"repositories", t.repos},
                               {"complete", t.complete},
                               {"unchanged", t.unchanged},
                               {"bytes_fetched", t.bytes_fetched},
                               {"bytes_verified", t.bytes_verified},
                               {"blobs_fetched", t.blobs_fetched},
                               {"git_objects", t.git_objects}};
  return out;
}
}  // namespace hm::app
