// hubmirror ls, show, path: what is here. They take no lock and work beside a running writer.
#include <algorithm>
#include <ostream>
#include <set>

#include "app/commands/commands.hpp"
#include "app/facts.hpp"
#include "app/known.hpp"
#include "app/output.hpp"
#include "app/policies.hpp"
#include "base/text.hpp"
#include "crawler/retention.hpp"
#include "provenance/record.hpp"

namespace hm::app {
namespace {
struct Listed {
  storage::RepoRow row;
  std::size_t revisions = 0;
  std::optional<storage::SnapshotRow> head;   ///< of the default branch, else the newest
  std::size_t missing = 0;                    ///< large files of `head` that are not in the store
  bool damaged = false;                       ///< what `head` consists of cannot be read
  bool replaced = false;                      ///< another repository has taken its name: only the id finds it
  bool default_branch = true;                 ///< false: only other revisions were asked for
  bool incomplete = false;                    ///< upstream's default branch was seen further than what is published
  std::optional<crawler::Unwanted> unwanted;  ///< when that was asked for
};

bool is_pattern(std::string_view text) { return text.find_first_of("*?[") != std::string_view::npos; }
bool matches(const storage::RepoRow& row, const std::string& pattern) {
  if (pattern.empty()) return true;
  const std::string name = ascii_lower(row.repo.text()), wanted = ascii_lower(pattern);
  return is_pattern(wanted) ? glob_match(wanted, name) : name.find(wanted) != std::string::npos;
}

Result<> look_for_gaps(const mirror::Catalog& catalog, Listed& one) {
  if (one.head) {
    const auto manifest = catalog.manifest(one.head->manifest);
    const auto missing = manifest ? catalog.missing_blobs(manifest.assume_value())
                                  : Result<std::vector<storage::ManifestFile>>(manifest.error());
    one.damaged = !missing;  // of one repository: no reason not to list the others
    if (missing) one.missing = missing.assume_value().size();
  }
  HM_TRY(const auto unpublished, unpublished_refs(catalog, one.row));
  one.incomplete = std::any_of(unpublished.begin(), unpublished.end(), [&](const UnpublishedRef& ref) {
    return ref.ref == one.row.head && !ref.published.empty();  // it was once asked for
  });
  return ok();
}

/// Of those, what no policy wants.
Result<> keep_unwanted(const Context& context, const ReadServices& services, std::vector<Listed>& listed) {
  HM_TRY(auto policies, policies_in_force(context, "nothing can be said"));
  if (policies.empty())
    return Error{Errc::BadInput,
                 "there are no policies that could want anything: ls --unwanted needs a folder \"policies\" beside the "
                 "configuration file, or sync.policies; docs/policies.md shows what to write"};
  HM_TRY(const auto retention, crawler::Retention::read(*services.index, services.catalog, std::move(policies),
                                                        context.config.retention.superseded_days));
  const std::int64_t now_ms = system_clock().unix_ms();
  for (Listed& one : listed) {
    HM_TRY(auto fate, retention.fate_of(one.row, now_ms));
    one.unwanted = std::move(fate.unwanted);
  }
  std::erase_if(listed, [](const Listed& one) { return !one.unwanted; });
  return ok();
}

Result<std::vector<Listed>> list_repos(const Context& context, const ReadServices& services, const LsCommand& command) {
  const mirror::Catalog& catalog = services.catalog;
  std::vector<Listed> listed;
  HM_TRY(catalog.each_repo([&](const storage::RepoRow& row) {
    if (matches(row, command.target)) listed.push_back({row, 0, {}});
    return true;
  }));
  if (command.unwanted) {
    HM_TRY(keep_unwanted(context, services, listed));
  }
  for (Listed& one : listed) {
    HM_TRY(auto revisions, catalog.revisions({one.row.repo.kind, one.row.rid}));
    one.revisions = revisions.size();
    const auto head = std::find_if(revisions.begin(), revisions.end(), [&](const mirror::RevisionView& v) {
      return std::find(v.refs.begin(), v.refs.end(), one.row.head) != v.refs.end();
    });
    if (head != revisions.end())
      one.head = head->snapshot;
    else if (!revisions.empty())
      one.head = revisions.front().snapshot;
    one.default_branch = head != revisions.end();
    HM_TRY(const bool has_its_name, catalog.has_its_name(one.row));
    one.replaced = !has_its_name;
    HM_TRY(look_for_gaps(catalog, one));
  }
  std::sort(listed.begin(), listed.end(),
            [](const Listed& a, const Listed& b) { return a.row.repo.text() < b.row.repo.text(); });
  return listed;
}

std::string state_of(const Listed& one) {
  std::string state;
  auto add = [&](const std::string& word) { state += (state.empty() ? "" : ", ") + word; };
  if (!one.head)
    add("nothing published");
  else if (one.head->partial())
    add("partial");
  if (one.head && one.incomplete)
    add("INCOMPLETE");
  else if (one.head && !one.default_branch)
    add("without its default branch");
  if (one.replaced) add("its name is another's now: " + RepoKey{one.row.repo.kind, one.row.rid}.text());
  if (one.damaged) add("DAMAGED");
  if (one.missing != 0) add("MISSING " + counted(one.missing, "file"));
  if (one.row.gone_status != 0) add("gone upstream");
  if (!one.row.pins.empty()) add("pinned");
  if (one.row.visibility != "public") add(one.row.visibility);
  return state;
}

std::string unwanted_text(const std::vector<Listed>& listed) {
  using Align = Table::Align;
  Table table({{"REPOSITORY"}, {"SIZE", Align::Right}, {"UNWANTED SINCE (UTC)"}, {"GC"}, {"WHY"}});
  for (const Listed& one : listed) {
    const crawler::Unwanted& unwanted = *one.unwanted;
    table.add({one.row.repo.text(), one.head ? human_bytes(one.head->bytes) : "-",
               unwanted.generation == 0 ? "-" : time_text(unwanted.since_ms), unwanted.goes ? "goes" : "stays",
               unwanted.why});
  }
  return table.render();
}

json::object unwanted_json(const crawler::Unwanted& unwanted) {
  return {{"brought_by", texts_json(unwanted.brought_by)},
          {"generation", unwanted.generation == 0 ? json::value() : json::value(unwanted.generation)},
          {"goes", unwanted.goes},
          {"since", unwanted.generation == 0 ? json::value() : json::value(unwanted.since_ms)},
          {"why", json_text(unwanted.why)}};
}

std::string list_text(const std::vector<Listed>& listed, bool long_form) {
  using Align = Table::Align;
  std::vector<Table::Column> columns{{"REPOSITORY"},         {"REVISION"},      {"FILES", Align::Right},
                                     {"SIZE", Align::Right}, {"CHANGED (UTC)"}, {"STATE"}};
  if (long_form) columns.insert(columns.end(), {{"REVISIONS", Align::Right}, {"LICENCE"}, {"FROM"}, {"ID"}});
  Table table(std::move(columns));
  for (const Listed& one : listed) {
    std::vector<std::string> cells{one.row.repo.text(),
                                   one.head ? one.head->commit.hex().substr(0, 12) : "-",
                                   one.head ? std::to_string(one.head->files) : "-",
                                   one.head ? human_bytes(one.head->bytes) : "-",
                                   time_text(one.row.last_change_ms),
                                   state_of(one)};
    if (long_form) {
      std::string licences;
      if (one.head) {
        for (const std::string& licence : one.head->card.licences) licences += (licences.empty() ? "" : ",") + licence;
      }
      cells.insert(cells.end(),
                   {std::to_string(one.revisions), licences.empty() ? "-" : licences, one.row.src, one.row.rid.text()});
    }
    table.add(std::move(cells));
  }
  return table.render();
}

json::object list_json(const std::vector<Listed>& listed) {
  json::array repos;
  for (const Listed& one : listed) {
    json::object repo = shown_json(one.row);
    repo["revisions"] = one.revisions;
    repo["partial"] = one.head && one.head->partial();
    repo["incomplete"] = one.incomplete;
    repo["damaged"] = one.damaged;
    repo["default_branch"] = one.default_branch;
    repo["has_its_name"] = !one.replaced;
    repo["missing_files"] = one.missing;
    if (one.unwanted) repo["unwanted"] = unwanted_json(*one.unwanted);
    if (one.head)
      repo["newest"] = json::object{{"commit", one.head->commit.hex()},
                                    {"files", one.head->files},
                                    {"bytes", one.head->bytes},
                                    {"licences", texts_json(one.head->card.licences)}};
    else
      repo["newest"] = nullptr;
    repos.emplace_back(std::move(repo));
  }
  return {{"repos", std::move(repos)}};
}

/// @param missing paths of the files whose bytes are not in the store
std::string files_text(const storage::Manifest& manifest, const std::set<std::string>& missing, bool long_form) {
  using Align = Table::Align;
  std::vector<Table::Column> columns{{"SIZE", Align::Right}, {"KEPT IN"}};
  if (long_form) columns.insert(columns.end(), {{"SHA256"}, {"GIT ID"}});
  columns.push_back({"PATH"});
  Table table(std::move(columns));
  for (const storage::ManifestFile& file : manifest.files) {
    std::vector<std::string> cells{long_form ? std::to_string(file.size_bytes) : human_bytes(file.size_bytes),
                                   missing.contains(file.path) ? "MISSING"
                                   : file.is_lfs               ? "blobs"
                                                               : "git"};
    if (long_form) cells.insert(cells.end(), {file.sha256.hex(), file.git_oid.hex()});
    cells.push_back(file.path);
    table.add(std::move(cells));
  }
  return table.render();
}

Result<std::set<std::string>> missing_paths(const mirror::Catalog& catalog, const storage::Manifest& manifest) {
  std::set<std::string> out;
  HM_TRY(const auto missing, catalog.missing_blobs(manifest));
  for (const storage::ManifestFile& file : missing) out.insert(file.path);
  return out;
}

/// Files of one repository, if the target names one that is here.
Result<bool> list_files(Context& context, const ReadServices& services, const LsCommand& command) {
  if (command.target.empty() || is_pattern(command.target)) return false;
  const auto spec = repo_spec_of(command.target);
  if (!spec) return false;
  const auto row = services.catalog.find(spec.assume_value());
  if (!row) {
    if (row.assume_error().code != Errc::NotFound || spec.assume_value().revision) return row.assume_error();
    return false;
  }
  HM_TRY(const auto snapshot, services.catalog.resolve(row.assume_value(), spec.assume_value().revision.value_or("")));
  HM_TRY(const auto manifest, services.catalog.manifest(snapshot.manifest));
  HM_TRY(const auto missing, missing_paths(services.catalog, manifest));
  if (context.options.json) {
    json::array files;
    for (const storage::ManifestFile& file : manifest.files) {
      json::object shown = to_json(file);
      shown["missing"] = missing.contains(file.path);
      files.emplace_back(std::move(shown));
    }
    print_json(context.io.out, json::object{{"repo", row.assume_value().repo.text()},
                                            {"commit", snapshot.commit.hex()},
                                            {"partial", snapshot.partial()},
                                            {"files", std::move(files)}});
    return true;
  }
  context.io.out << files_text(manifest, missing, command.long_form);
  if (snapshot.partial() && !context.options.quiet) {
    context.io.out << "partial: " << counted(snapshot.left_out_files, "file") << " of "
                   << human_bytes(snapshot.left_out_bytes) << " left out by " << printable(snapshot.selection) << "\n";
  }
  return true;
}
}  // namespace

Result<Exit> run_command(Context& context, const LsCommand& command) {
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  HM_TRY(const bool listed_files, command.unwanted ? Result<bool>(false) : list_files(context, *services, command));
  if (listed_files) return Exit::Done;
  HM_TRY(const auto listed, list_repos(context, *services, command));
  if (listed.empty() && !command.target.empty() && !command.unwanted) {
    return Error{Errc::NotFound,
                 "nothing here matches \"" + printable(command.target) + "\"; hubmirror ls lists everything"};
  }
  if (context.options.json)
    print_json(context.io.out, list_json(listed));
  else if (listed.empty())
    context.io.err << (command.unwanted ? "nothing is here that no policy wants\n"
                                        : "nothing is mirrored here yet; run: hubmirror mirror org/name\n");
  else if (command.unwanted)
    context.io.out << unwanted_text(listed);
  else
    context.io.out << list_text(listed, command.long_form);
  return Exit::Done;
}

namespace {
Error not_in_revision(const std::string& file, const std::string& name, const storage::SnapshotRow& snapshot) {
  std::string what = "no file \"" + printable(file) + "\" in " + name + " at " + snapshot.commit.hex().substr(0, 12);
  if (snapshot.partial()) what += ", which is partial: it may have been left out by " + printable(snapshot.selection);
  return {Errc::NotFound, what + "; hubmirror ls " + name + " lists its files"};
}

struct Located {
  std::string text;  ///< a path, or a command
  bool is_command = false;
};
Result<Located> locate(const ReadServices& services, const storage::RepoRow& row, const RepoSpec& spec,
                       const PathCommand& command) {
  const std::string git_path = services.catalog.git_path(row);
  const auto head = real_file_system().file_size(git_path + "/HEAD");
  if (!head && head.error().code != Errc::NotFound) return head.error();
  if (!head)
    return Error{Errc::NotFound, "the git repository of " + printable(row.repo.text()) + " is not here (" + git_path +
                                     "); to fetch it: hubmirror mirror " + printable(row.repo.text())};
  if (command.file.empty()) return Located{git_path, false};
  HM_TRY(const auto snapshot, services.catalog.resolve(row, spec.revision.value_or("")));
  HM_TRY(const auto manifest, services.catalog.manifest(snapshot.manifest));
  const auto file =
      std::lower_bound(manifest.files.begin(), manifest.files.end(), command.file,
                       [](const storage::ManifestFile& f, const std::string& path) { return f.path < path; });
  if (file == manifest.files.end() || file->path != command.file)
    return not_in_revision(command.file, services.catalog.address(row), snapshot);
  if (file->is_lfs) {
    HM_TRY(std::string path, within(services.blobs->path(file->sha256), [&] {
             return "looking for " + printable(command.file) + " (verify --repair fetches it again)";
           }));
    return Located{std::move(path), false};
  }
  const std::string shown = "git --git-dir=" + shell_quoted(git_path) + " cat-file blob " + file->git_oid.hex();
  if (command.git) return Located{shown, true};
  return Error{Errc::NotFound, "\"" + printable(command.file) +
                                   "\" is a small file, which git stores: it has no path of its own. This command, "
                                   "which path --git prints, writes its bytes: " +
                                   printable(shown)};
}
}  // namespace

Result<Exit> run_command(Context& context, const PathCommand& command) {
  HM_TRY(const RepoSpec spec, repo_spec_of(command.repo, command.revision));
  if (spec.revision && command.file.empty())
    return Error{
        Errc::BadInput,
        "a revision is of use with a FILE only: the repository's directory holds all revisions; name a file, or "
        "leave the revision out"};
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  HM_TRY(const auto row, services->catalog.find(spec));
  HM_TRY(const Located located, locate(*services, row, spec, command));
  if (context.options.json)
    print_json(context.io.out, json::object{{"repo", row.repo.text()},
                                            {"rid", row.rid.text()},
                                            {located.is_command ? "command" : "path", json_text(located.text)}});
  else
    context.io.out << located.text << "\n";  // for other programs: as it is
  return Exit::Done;
}

namespace {
void field(std::string& out, std::string_view name, const std::string& text, std::size_t indent = 0) {
  if (text.empty()) return;
  std::string label = std::string(indent, ' ') + std::string(name);
  label.resize(std::max<std::size_t>(16, label.size() + 1), ' ');
  out += label + printable(text) + "\n";
}
std::string short_ref(const std::string& ref) {
  for (const std::string_view prefix : {"refs/heads/", "refs/tags/"}) {
    if (ref.starts_with(prefix)) return ref.substr(prefix.size());
  }
  return ref;
}

std::string repo_text(const RepoFacts& facts, std::optional<std::int64_t> last_visit_ms) {
  const storage::RepoRow& row = facts.row;
  std::string out = printable(row.repo.text()) + "\n";
  field(out, "kind", std::string(name_of(row.repo.kind)), 2);
  field(out, "id", row.rid.text(), 2);
  field(out, "from",
        row.src + (row.gone_status != 0
                       ? std::string(", where it is GONE") + (row.gone_status == 401 ? " or private" : "") + " (HTTP " +
                             std::to_string(row.gone_status) + "); this copy stays"
                       : ""),
        2);
  field(out, "visibility", row.visibility, 2);
  field(out, "first seen", time_text(row.first_seen_ms) + " UTC", 2);
  field(out, "last change", time_text(row.last_change_ms) + " UTC", 2);
  if (last_visit_ms) field(out, "last visit", time_text(*last_visit_ms) + " UTC", 2);
  field(out, "former names", joined(row.former_names, ", "), 2);
  field(out, "pinned", joined(row.pins, ", "), 2);
  if (facts.revisions.empty()) field(out, "revisions", "none is published here yet", 2);
  return out;
}

void add_card(std::string& out, const storage::CardFacts& card) {
  std::string licence = joined(card.licences, ", ");
  if (!card.licence_name.empty()) licence += " (" + card.licence_name + ")";
  if (!card.licence_link.empty()) licence += " " + card.licence_link;
  field(out, "licence", (licence.empty() ? "not declared" : licence + ", declared by the card (E1)"), 4);
  std::string bases = joined(card.base_models, ", ");
  if (!card.base_model_relation.empty()) bases += " (" + card.base_model_relation + ")";
  if (!card.base_models.empty()) field(out, "base models", bases + ", declared by the card (E1)", 4);
  if (!card.datasets.empty()) field(out, "datasets", joined(card.datasets, ", ") + ", declared by the card (E1)", 4);
  field(out, "source datasets", joined(card.source_datasets, ", "), 4);
  field(out, "evaluated on", joined(card.evaluated_on, ", "), 4);
  field(out, "uses models", joined(card.models, ", "), 4);
  field(out, "newer version", card.new_version, 4);
  field(out, "languages", joined(card.languages, ", "), 4);
  field(out, "task", card.pipeline_tag, 4);
  field(out, "library", card.library_name, 4);
  if (!card.problem.empty()) field(out, "card", "could not be read in full: " + card.problem, 4);
}

std::string revision_text(const RevisionFacts& revision) {
  const storage::SnapshotRow& row = revision.view.snapshot;
  std::vector<std::string> refs;
  for (const std::string& ref : revision.view.refs) refs.push_back(short_ref(ref));
  std::string out = "  " + row.commit.hex() +
                    (refs.empty() ? "  no ref names it any more" : "  " + printable(joined(refs, ", "))) + "\n";
  field(out, "observed", time_text(row.observed_ms) + " UTC", 4);
  field(out, "files", counted(row.files, "file") + ", " + human_bytes(row.bytes), 4);
  if (row.partial())
    field(out, "partial",
          counted(row.left_out_files, "file") + " of " + human_bytes(row.left_out_bytes) + " left out by " +
              row.selection,
          4);
  field(out, "manifest", "sha256 " + row.manifest.hex(), 4);
  field(out, "tree", row.tree.hex(), 4);
  add_card(out, row.card);
  for (const storage::ManifestFile& file : revision.missing)
    field(out, "MISSING",
          file.path + " (sha256 " + file.sha256.hex() + ", " + human_bytes(file.size_bytes) +
              "); verify --repair fetches it",
          4);
  return out;
}

std::set<std::string> missing_of(const RepoFacts& facts) {
  std::set<std::string> out;
  for (const RevisionFacts& revision : facts.revisions) {
    if (revision.view.snapshot.commit != facts.files_of->commit) continue;
    for (const storage::ManifestFile& file : revision.missing) out.insert(file.path);
  }
  return out;
}

constexpr std::size_t kRevisionsShown = 20;  // in text; --json has them all

std::string facts_text(const RepoFacts& facts, std::optional<std::int64_t> last_visit_ms) {
  std::string out = repo_text(facts, last_visit_ms);
  for (std::size_t i = 0; i < facts.revisions.size() && i < kRevisionsShown; ++i)
    out += revision_text(facts.revisions[i]);
  if (facts.revisions.size() > kRevisionsShown)
    out += "  and " + counted(facts.revisions.size() - kRevisionsShown, "older revision") + "; --json has all\n";
  for (std::size_t i = 0; i < facts.unpublished.size() && i < kRevisionsShown; ++i)
    field(out, "not published",
          facts.unpublished[i].ref + " " + facts.unpublished[i].target + ": " +
              why_unpublished(facts.row, facts.unpublished[i]),
          2);
  if (facts.unpublished.size() > kRevisionsShown)
    out += "  and " + counted(facts.unpublished.size() - kRevisionsShown, "other ref") +
           " of upstream not published; --json has all\n";
  if (facts.files_of)
    out += "\nfiles of " + facts.files_of->commit.hex() + "\n" + files_text(facts.files, missing_of(facts), true);
  return out;
}
}  // namespace

Result<Exit> run_command(Context& context, const ShowCommand& command) {
  HM_TRY(const RepoSpec spec, repo_spec_of(command.repo));
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  auto gathered = gather_facts(services->catalog, *services->blobs, spec, command.files);
  if (!gathered && gathered.assume_error().code == Errc::NotFound && !spec.revision && !command.files) {
    HM_TRY(const auto known, find_known(*services->index, spec));
    if (!known) return gathered.error();
    HM_TRY(const auto survey, storage::find_survey(*services->index, known->key, {}));
    if (context.options.json)
      print_json(context.io.out, to_json(*known, survey));
    else
      context.io.out << known_text(*known, survey);
    return Exit::Done;
  }
  HM_TRY(const RepoFacts facts, std::move(gathered));
  if (context.options.json) {
    print_json(context.io.out, to_json(facts));
    return Exit::Done;
  }
  HM_TRY(const auto last_visit, provenance::last_visit_ms(*services->index, {facts.row.repo.kind, facts.row.rid}));
  context.io.out << facts_text(facts, last_visit);
  return Exit::Done;
}
}  // namespace hm::app
