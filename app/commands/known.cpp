// hubmirror search, history, changes: what the listings and the journal tell.
#include <algorithm>
#include <ostream>

#include "app/commands/commands.hpp"
#include "app/known.hpp"
#include "app/output.hpp"
#include "app/services.hpp"
#include "base/text.hpp"
#include "provenance/selection.hpp"

namespace hm::app {
namespace {
constexpr std::size_t kHistoryMax = 10'000;  // entries of one repository; more are cut at the old end, which is said

Result<provenance::SortBy> parse_sort(const std::string& word) {
  using provenance::SortBy;
  for (const auto& [name, order] : {std::pair{"downloads", SortBy::Downloads},
                                    {"likes", SortBy::Likes},
                                    {"trending", SortBy::Trending},
                                    {"created", SortBy::Created},
                                    {"modified", SortBy::Modified},
                                    {"parameters", SortBy::Parameters}})
    if (ascii_equal_fold(word, name)) return order;
  return Error{Errc::BadInput, "--sort: \"" + printable(word) +
                                   "\" is none of downloads, likes, trending, created, modified, parameters"};
}

Result<provenance::Filter> filter_of(const SearchCommand& c) {
  provenance::Filter f;
  f.words = c.words;
  f.names = c.names;
  f.owners = c.owners;
  f.licences = c.licences;
  f.libraries = c.libraries;
  f.tasks = c.tasks;
  f.tags = c.tags;
  f.gone_too = c.gone_too;
  if (!c.kind.empty()) {
    f.kind = parse_repo_kind(ascii_lower(c.kind));
    if (!f.kind)
      return Error{Errc::BadInput, "--kind: \"" + printable(c.kind) + "\" is none of models, datasets, spaces"};
  }
  if (!c.gated.empty()) f.gated = c.gated == "yes";
  if (!c.downloads_min.empty()) {
    HM_TRY(f.downloads_min, within(parse_count(c.downloads_min), [] { return "reading --min-downloads"; }));
  }
  if (!c.likes_min.empty()) {
    HM_TRY(f.likes_min, within(parse_count(c.likes_min), [] { return "reading --min-likes"; }));
  }
  if (!c.parameters_min.empty()) {
    HM_TRY(f.parameters_min, within(parse_count(c.parameters_min), [] { return "reading --min-params"; }));
  }
  if (!c.parameters_max.empty()) {
    HM_TRY(f.parameters_max, within(parse_count(c.parameters_max), [] { return "reading --max-params"; }));
  }
  if (!c.bytes_max.empty()) {
    HM_TRY(f.bytes_max, within(parse_bytes(c.bytes_max), [] { return "reading --max-size"; }));
  }
  if (!c.created_since.empty()) {
    HM_TRY(f.created_since_ms, within(parse_time(c.created_since), [] { return "reading --created-since"; }));
  }
  if (!c.changed_since.empty()) {
    HM_TRY(f.changed_since_ms, within(parse_time(c.changed_since), [] { return "reading --changed-since"; }));
  }
  return f;
}

std::string found_table(const std::vector<provenance::Found>& found) {
  Table table(
      {{"NAME"}, {"DOWNLOADS", Table::Align::Right}, {"LIKES", Table::Align::Right}, {"LICENCE"}, {"MODIFIED"}});
  for (const provenance::Found& f : found) {
    const std::string licences = joined(f.facts.licences, ",");
    table.add({RepoId{f.key.kind, f.row.name}.text(), std::to_string(f.popularity.downloads),
               std::to_string(f.popularity.likes), licences.empty() ? "-" : licences, time_text(f.facts.modified_ms)});
  }
  return table.render();
}

json::object shown_entry(const storage::JournalEntry& entry) {
  json::object out = entry.value;
  out["sequence"] = entry.sequence;
  return out;
}

void print_entries(Context& context, const std::vector<storage::JournalEntry>& entries) {
  if (context.options.json) {
    json::array list;
    for (const auto& entry : entries) list.push_back(shown_entry(entry));
    print_json(context.io.out, std::move(list));
    return;
  }
  for (const auto& entry : entries) context.io.out << entry_text(entry) << "\n";
}

void say_there_is_more(const Context& context, std::size_t limit) {
  context.io.err << "hubmirror: the first " << limit << " are shown, there are more; --limit shows them\n";
}
}  // namespace

Result<Exit> run_command(Context& context, const SearchCommand& command) {
  HM_TRY(const auto filter, filter_of(command));
  HM_TRY(const auto order, parse_sort(command.sort));
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  const auto limit = static_cast<std::size_t>(command.limit);
  HM_TRY(auto found, provenance::search(*services->index, filter, order, limit + 1));
  if (found.size() > limit) {
    found.pop_back();
    say_there_is_more(context, limit);
  }
  if (context.options.json) {
    json::array list;
    for (const provenance::Found& f : found) list.push_back(to_json(f));
    print_json(context.io.out, std::move(list));
  } else if (!found.empty()) {
    context.io.out << found_table(found);
  } else if (!context.options.quiet) {
    context.io.err << "hubmirror: nothing that is known matches\n";
  }
  return Exit::Done;
}

Result<Exit> run_command(Context& context, const HistoryCommand& command) {
  HM_TRY(const RepoSpec spec, repo_spec_of(command.repo));
  if (spec.revision)
    return Error{Errc::BadInput,
                 printable(command.repo) + ": history is of whole repositories; leave the revision out"};
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  HM_TRY(const auto known, find_known(*services->index, spec));
  RepoKey key;
  std::string src;
  if (known) {
    key = known->key;
    src = known->row.src;
  } else {
    HM_TRY(const auto row, services->catalog.find(spec));
    key = {row.repo.kind, row.rid};
    src = row.src;
  }
  HM_TRY(const auto entries, storage::Journal::entries_of(*services->index, src, key, kHistoryMax));
  if (entries.size() == kHistoryMax)
    context.io.err << "hubmirror: only the newest " << kHistoryMax << " entries are shown\n";
  print_entries(context, entries);
  return Exit::Done;
}

Result<Exit> run_command(Context& context, const ChangesCommand& command) {
  HM_TRY(const std::int64_t since_ms, within(parse_time(command.since), [] { return "reading --since"; }));
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  const auto limit = static_cast<std::size_t>(command.limit);
  const storage::Journal journal(*services->index);
  HM_TRY(const std::uint64_t first, storage::Journal::first_since(*services->index, since_ms));
  std::vector<storage::JournalEntry> entries;
  HM_TRY(journal.each(first, [&](const storage::JournalEntry& entry) -> Result<bool> {
    entries.push_back(entry);
    return entries.size() <= limit;
  }));
  if (entries.size() > limit) {
    entries.pop_back();
    say_there_is_more(context, limit);
  }
  print_entries(context, entries);
  return Exit::Done;
}
}  // namespace hm::app
