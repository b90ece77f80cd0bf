// hubmirror init, pin, unpin, rm, gc, index rebuild: decisions about what is kept. They hold the writer's lock.
#include <algorithm>
#include <istream>
#include <optional>
#include <ostream>

#include "app/commands/commands.hpp"
#include "app/facts.hpp"
#include "app/output.hpp"
#include "app/policies.hpp"
#include "app/services.hpp"
#include "base/text.hpp"
#include "crawler/gc.hpp"

namespace hm::app {
namespace {
constexpr std::size_t kReasonBytesMax = 4096;  // a journal entry holds 65,535 bytes in all

void say(Context& context, const std::string& text) {
  if (!context.options.quiet && !context.options.json) context.io.out << printable(text) << "\n";
}
Result<> check_reason(const std::string& reason) {
  if (reason.size() > kReasonBytesMax)
    return Error{Errc::BadInput, "--reason is longer than " + std::to_string(kReasonBytesMax) + " bytes"};
  if (printable(reason) != reason) return Error{Errc::BadInput, "--reason holds control characters or invalid UTF-8"};
  return ok();
}
/// What a pin names: "*" for the whole repository, else a commit, because branches move.
Result<std::string> pinned_revision(const mirror::Catalog& catalog, const storage::RepoRow& row, const RepoSpec& spec) {
  if (!spec.revision) return std::string("*");
  HM_TRY(const auto snapshot, catalog.resolve(row, *spec.revision));
  return snapshot.commit.hex();
}
std::string named(const mirror::Catalog& catalog, const storage::RepoRow& row, const std::string& revision) {
  return catalog.address(row) + (revision == "*" ? std::string() : "@" + revision);
}
}  // namespace

Result<Exit> run_command(Context& context, const InitCommand&) {
  HM_TRY(const auto store, context.stores.open(context, {"init", Claim::Share, Create::IfAbsent}));
  if (context.options.json)
    print_json(context.io.out,
               json::object{{"data_dir", json_text(context.data_dir)}, {"version", storage::kDataDirVersion}});
  say(context, "data directory: " + context.data_dir);
  return Exit::Done;
}

Result<Exit> run_command(Context& context, const PinCommand& command) {
  HM_TRY(const RepoSpec spec, repo_spec_of(command.repo));
  HM_TRY(check_reason(command.reason));
  HM_TRY(const auto store, context.stores.open(context, {"pin"}));
  HM_TRY(const auto row, store->catalog.find(spec));
  HM_TRY(const std::string revision, pinned_revision(store->catalog, row, spec));
  HM_TRY(store->recorder.pin(row, revision, command.reason));
  if (context.options.json)
    print_json(context.io.out, json::object{{"pinned", revision}, {"repo", row.repo.text()}, {"rid", row.rid.text()}});
  say(context, "pinned " + named(store->catalog, row, revision));
  return Exit::Done;
}

Result<Exit> run_command(Context& context, const UnpinCommand& command) {
  HM_TRY(const RepoSpec spec, repo_spec_of(command.repo));
  HM_TRY(const auto store, context.stores.open(context, {"unpin"}));
  HM_TRY(const auto row, store->catalog.find(spec));
  HM_TRY(const std::string revision, pinned_revision(store->catalog, row, spec));
  if (std::find(row.pins.begin(), row.pins.end(), revision) == row.pins.end()) {
    return Error{Errc::NotFound, named(store->catalog, row, revision) + " is not pinned; hubmirror show " +
                                     store->catalog.address(row) + " lists its pins"};
  }
  HM_TRY(store->recorder.unpin(row, revision));
  if (context.options.json)
    print_json(context.io.out,
               json::object{{"repo", row.repo.text()}, {"rid", row.rid.text()}, {"unpinned", revision}});
  say(context, "unpinned " + named(store->catalog, row, revision));
  return Exit::Done;
}

namespace {
Result<std::vector<storage::RepoRow>> rows_to_remove(const mirror::Catalog& catalog,
                                                     const std::vector<RepoSpec>& specs) {
  std::vector<storage::RepoRow> rows;
  for (const RepoSpec& spec : specs) {
    HM_TRY(auto row, catalog.find(spec));
    rows.push_back(std::move(row));
  }
  return rows;
}
std::optional<Error> pinned_among(const mirror::Catalog& catalog, const std::vector<storage::RepoRow>& rows) {
  for (const storage::RepoRow& row : rows) {
    if (row.pins.empty()) continue;
    return Error{Errc::Refused, catalog.address(row) +
                                    " is pinned; nothing was dropped. To drop it, run first: hubmirror unpin " +
                                    named(catalog, row, row.pins.front())};
  }
  return std::nullopt;
}
RepoSpec by_id(const storage::RepoRow& row) {
  RepoSpec spec;
  spec.repo.kind = row.repo.kind;
  spec.rid = row.rid;
  return spec;
}
bool confirmed(Context& context, const mirror::Catalog& catalog, const std::vector<storage::RepoRow>& rows) {
  for (const auto& row : rows) {
    const std::string address = catalog.address(row), name = printable(row.repo.text());
    context.io.err << "  " << address << (address == name ? "" : ", once " + name) << "\n";
  }
  context.io.err << "Drop " << counted(rows.size(), "repository") << "? [y/N] " << std::flush;
  std::string answer;
  std::getline(context.io.in, answer);
  return ascii_equal_fold(trim(answer), "y") || ascii_equal_fold(trim(answer), "yes");
}
}  // namespace

Result<Exit> run_command(Context& context, const RmCommand& command) {
  std::vector<RepoSpec> specs;
  for (const std::string& text : command.repos) {
    HM_TRY(RepoSpec spec, repo_spec_of(text));
    if (spec.revision)
      return Error{Errc::BadInput,
                   printable(text) +
                       ": rm drops whole repositories; single revisions go by retention (retention.superseded_days)"};
    specs.push_back(std::move(spec));
  }
  HM_TRY(check_reason(command.reason));
  if (!command.yes && !context.io.in_is_terminal)
    return Error{Errc::BadInput, "rm asks before it drops, and standard input is no terminal; say --yes"};
  if (!command.yes) {  // nobody is kept waiting while somebody thinks
    HM_TRY(const auto store, ReadServices::open(context.config, context.data_dir));
    HM_TRY(const auto rows, rows_to_remove(store->catalog, specs));
    if (const auto pinned = pinned_among(store->catalog, rows))
      return report(*pinned, Exit::Incomplete, context.io, context.options.json);
    if (!confirmed(context, store->catalog, rows)) {
      context.io.err << "nothing was dropped\n";
      if (context.options.json) print_json(context.io.out, json::object{{"removed", json::array()}});
      return Exit::Incomplete;
    }
    for (std::size_t i = 0; i < specs.size(); ++i) specs[i] = by_id(rows[i]);  // a name may be another's meanwhile
  }
  HM_TRY(const auto store, context.stores.open(context, {"rm", Claim::Alone}));
  HM_TRY(const auto rows, rows_to_remove(store->catalog, specs));
  if (const auto pinned =
          pinned_among(store->catalog, rows))  // a fact about that repository, like its absence; others can go
    return report(*pinned, Exit::Incomplete, context.io, context.options.json);
  json::array removed;
  for (const storage::RepoRow& row : rows) {
    const std::string address = store->catalog.address(row);
    HM_TRY(store->recorder.remove(row, command.reason));
    removed.emplace_back(row.repo.text());
    say(context, "dropped " + address);
  }
  if (context.options.json) print_json(context.io.out, json::object{{"removed", std::move(removed)}});
  say(context, "hubmirror gc frees the bytes, " +
                   counted(static_cast<std::uint64_t>(context.config.retention.grace_hours), "hour") +
                   " after they were last needed");
  return Exit::Done;
}

namespace {
json::object gc_json(const crawler::GcReport& report, bool dry_run) {
  json::array items;
  for (const crawler::GcItem& item : report.items)
    items.emplace_back(json::object{{"bytes", item.bytes},
                                    {"kind", item.kind},
                                    {"subject", json_text(item.subject)},
                                    {"why", json_text(item.why)}});
  return {{"bytes", report.bytes},           {"dry_run", dry_run},
          {"items", std::move(items)},       {"kept_for_room", report.kept_for_room},
          {"kept_young", report.kept_young}, {"unwanted_kept_for_room", report.unwanted_kept_for_room}};
}
std::string kept_for_room_text(const crawler::GcReport& report) {
  std::string out;
  if (report.kept_for_room != 0) out = counted(report.kept_for_room, "superseded revision");
  if (report.unwanted_kept_for_room != 0)
    out += (out.empty() ? "" : " and ") + counted(report.unwanted_kept_for_room, "unwanted repository");
  return out;
}
std::string gc_text(const crawler::GcReport& report, bool dry_run) {
  Table table({{"KIND"}, {"SIZE", Table::Align::Right}, {"WHAT"}});
  for (const crawler::GcItem& item : report.items) table.add({item.kind, human_bytes(item.bytes), item.subject});
  std::string out = table.empty() ? std::string() : table.render();
  for (const crawler::GcItem& item : report.items)
    if (!item.why.empty()) out += printable(item.subject) + (dry_run ? " would go: " : " goes: ") + item.why + "\n";
  out +=
      (dry_run ? "would free " : "freed ") + human_bytes(report.bytes) + " in " + counted(report.items.size(), "item");
  if (report.kept_young != 0) out += "; " + std::to_string(report.kept_young) + " more are within the grace period";
  if (const std::string stays = kept_for_room_text(report); !stays.empty())
    out += "; " + stays + " stay, because the disk has no room to write that they go: make some and run it again";
  return out + "\n";
}

Result<crawler::GcReport> would_free(const Context& context, const crawler::GcOptions& options) {
  HM_TRY(const auto store, ReadServices::open(context.config, context.data_dir));
  return crawler::plan_garbage(
      {store->catalog, *store->index, *store->blobs, real_file_system(), store->dir, system_clock()}, options);
}
/// Where the index has no room to be opened for writing: files that nothing needs go all the same, which makes room.
Result<crawler::GcReport> freed_on_a_full_disk(const Context& context, const crawler::GcOptions& options) {
  HM_TRY(const auto store, context.stores.open_on_full_disk(context, "gc"));
  return crawler::collect_garbage(
      {store.catalog, store.index, store.blobs, real_file_system(), store.dir, system_clock()}, store.blobs, nullptr,
      options);
}
Result<crawler::GcReport> freed_with_room(const Context& context, const crawler::GcOptions& options) {
  HM_TRY(const auto store, context.stores.open(context, {"gc", Claim::Alone}));
  return crawler::collect_garbage(
      {store->catalog, *store->index, *store->blobs, real_file_system(), store->dir, system_clock()}, *store->blobs,
      &store->recorder, options);
}
Result<crawler::GcReport> freed(const Context& context, const crawler::GcOptions& options) {
  auto report = freed_with_room(context, options);
  if (report || report.error().code != Errc::NoSpace) return report;
  HM_TRY(auto first, freed_on_a_full_disk(context, options));
  if (first.items.empty() || kept_for_room_text(first).empty()) return first;
  auto more = freed_with_room(context, options);  // there may be room now
  if (!more) return first;
  crawler::GcReport& all = more.assume_value();
  all.items.insert(all.items.begin(), first.items.begin(), first.items.end());
  all.bytes += first.bytes;
  return more;
}
}  // namespace

Result<Exit> run_command(Context& context, const GcCommand& command) {
  crawler::GcOptions options;
  options.superseded_days = context.config.retention.superseded_days;
  options.grace_hours = context.config.retention.grace_hours;
  options.quarantine_days = context.config.retention.quarantine_days;
  options.trust_index = command.trust_index;
  HM_TRY(options.policies, policies_in_force(context, "gc removes nothing"));
  HM_TRY(const auto report, command.dry_run ? would_free(context, options) : freed(context, options));
  if (context.options.json)
    print_json(context.io.out, gc_json(report, command.dry_run));
  else if (!context.options.quiet)
    context.io.out << gc_text(report, command.dry_run);
  return kept_for_room_text(report).empty() ? Exit::Done : Exit::Incomplete;
}

Result<Exit> run_command(Context& context, const IndexRebuildCommand&) {
  HM_TRY(const auto store,
         context.stores.open(context, {"index rebuild", Claim::Alone, Create::No, Completeness::NotNeeded}));
  HM_TRY(const std::uint64_t known, store->journal.size());
  HM_TRY(const auto unknown,
         crawler::unknown_repositories(store->catalog, *store->index, real_file_system(), store->dir));
  if (known == 0 && !unknown.empty())
    return Error{Errc::Corrupt,
                 "the journal is empty although " + unknown.front() +
                     " is here: index/ was lost, and with it the journal; put back index/ from a backup, or mirror "
                     "the repositories again (what is stored is not fetched twice)"};
  HM_TRY(const std::uint64_t entries, provenance::rebuild_index(*store->index, store->journal));
  if (context.options.json) print_json(context.io.out, json::object{{"entries", entries}});
  say(context, "index derived anew from " + counted(entries, "journal entry"));
  return Exit::Done;
}
}  // namespace hm::app
