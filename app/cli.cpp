#include "app/cli.hpp"

#include <CLI/CLI.hpp>

#include <functional>
#include <memory>

#include "app/output.hpp"
#include "base/text.hpp"
#include "config/suggest.hpp"

namespace hm::app {
namespace {
constexpr int kArgumentsMax = 100'000;  // longer lists of repositories come with --from

/// CLI11 fills `invocation` while it parses; `chosen` builds the command of the subcommand that was named.
struct Parser {
  CLI::App cli{"Mirrors Hugging Face Hub repositories into local storage, every byte verified.", "hubmirror"};
  GlobalOptions global;
  std::function<Command()> chosen;
  bool version = false;
};

/// Adds a subcommand whose options fill a fresh C; when it is named, that C is the command.
template <class C>
std::pair<CLI::App*, C*> add_command(Parser& parser, CLI::App& parent, const std::string& name,
                                     const std::string& description) {
  auto options = std::make_shared<C>();
  CLI::App* sub = parent.add_subcommand(name, description);
  sub->parse_complete_callback([&parser, options] { parser.chosen = [options] { return Command(*options); }; });
  return {sub, options.get()};
}

/// "$UNSET" in quotes is a slip that would mean everything, or nothing.
const CLI::Validator kNotEmpty([](const std::string& text) { return text.empty() ? "is empty" : std::string(); }, "");
// A page goes beside what is written to standard output.
const CLI::Validator kPage(
    [](const std::string& text) {
      if (text.empty()) return std::string("is empty");
      return text == "-" ? "wants the name of a file (./- for one of that name)" : std::string();
    },
    "");

/// One value per occurrence: otherwise a list option would swallow the repositories behind it.
CLI::Option* repeatable(CLI::Option* option) { return option->allow_extra_args(false); }

void add_global_options(Parser& parser) {
  CLI::App& cli = parser.cli;
  GlobalOptions& g = parser.global;
  const std::string group = "Options of every command (before or after it)";
  cli.add_option("--data-dir", g.data_dir,
                 "Where everything is kept (HUBMIRROR_DATA_DIR; default ~/.local/share/hubmirror)")
      ->type_name("DIR")
      ->group(group);
  cli.add_option("--config", g.config_file,
                 "Configuration file (HUBMIRROR_CONFIG; default ~/.config/hubmirror/hubmirror.toml, "
                 "/etc/hubmirror/hubmirror.toml)")
      ->check(kNotEmpty)
      ->type_name("FILE")
      ->group(group);
  cli.add_option("--upstream", g.upstream, "The Hub to copy from (HF_ENDPOINT; default https://huggingface.co)")
      ->type_name("URL")
      ->group(group);
  repeatable(
      cli.add_option("--allow-private", g.allow_private, "A download host that may be in a private range; repeatable")
          ->type_name("HOST[:PORT]")
          ->group(group));
  cli.add_option("--jobs,-j", g.jobs, "Repositories at once (default 2); of digest: threads at most")
      ->check(CLI::Range(1, 64))
      ->type_name("N")
      ->group(group);
  cli.add_flag("--json", g.json, "Facts as one JSON document on standard output")->group(group);
  cli.add_flag("--quiet,-q", g.quiet, "No progress, no summaries; errors and results only")->group(group);
  cli.add_option("--log-level", g.log_level, "debug, info, warning (default), error, off; lines go to standard error")
      ->type_name("LEVEL")
      ->group(group);
  cli.add_option("--log-format", g.log_format, "text (default) or json")->type_name("FORMAT")->group(group);
}

void add_mirror(Parser& parser) {
  auto [sub, c] = add_command<MirrorCommand>(parser, parser.cli, "mirror",
                                             "Copy repositories, or bring copies up to date, and prove every byte");
  sub->add_option("REPO", c->repos,
                  "org/name, datasets/org/name, spaces/org/name or a Hub URL; @revision appended limits it to one")
      ->type_name("");
  sub->add_option("--from", c->from, "Also the repositories of this list, one per line; - is standard input")
      ->check(kNotEmpty)
      ->type_name("FILE");
  sub->add_flag("--unfinished", c->unfinished,
                "Also the repositories whose last run did not finish, as they were asked for");
  sub->add_option("--revision", c->revision, "Branch, tag or commit instead of all branches and tags")
      ->check(kNotEmpty)
      ->type_name("REV");
  repeatable(sub->add_option("--include", c->include, "Take only files that match; * matches '/' too; repeatable")
                 ->type_name("GLOB"));
  repeatable(sub->add_option("--exclude", c->exclude, "Leave out files that match; repeatable; wins over --include")
                 ->type_name("GLOB"));
  sub->add_option("--max-file-size", c->file_bytes_max, "Leave out larger files, e.g. 200M")->type_name("SIZE");
  repeatable(sub->add_option("--formats", c->formats,
                             "Keep these weight formats, leave out other weights, e.g. safetensors,gguf")
                 ->type_name("A,B")
                 ->delimiter(','));
  sub->add_flag("--all-history", c->all_history, "Large files of every commit, not of the heads alone");
  sub->add_flag("--pull-requests", c->pull_requests, "refs/pr/* too");
}

void add_crawl(Parser& parser) {
  auto [sub, c] = add_command<CrawlCommand>(
      parser, parser.cli, "crawl", "Read the Hub's listings, over and over, so that every repository is known");
  sub->add_flag("--once", c->once, "Read everything once, then end");
  repeatable(sub->add_option("--kinds", c->kinds, "Only these: models, datasets, spaces")
                 ->check(kNotEmpty)
                 ->type_name("A,B")
                 ->delimiter(','));
}

void add_sync(Parser& parser) {
  auto [sub, c] = add_command<SyncCommand>(parser, parser.cli, "sync",
                                           "Bring what the policies select up to date, as one generation");
  sub->add_option("POLICY", c->policies, "Names of policies (default: all)")->check(kNotEmpty)->type_name("");
  sub->add_option("--policies", c->directory, "Folder of the policies (default: policies beside the configuration)")
      ->check(kNotEmpty)
      ->type_name("DIR");
  auto* plan =
      sub->add_flag("--plan", c->plan, "Only tell what it would take: repositories, files, bytes, calls, time");
  sub->add_flag("--offline", c->offline, "With --plan: from what is known here, without asking the Hub")->needs(plan);
  sub->add_flag("--new", c->anew, "Do not finish a generation that was broken off; what it lacks is set aside")
      ->excludes(plan);
  sub->add_flag("--due", c->due, "Only policies that were not taken up within their schedule.every")->excludes(plan);
  auto [status, s] = add_command<StatusCommand>(
      parser, parser.cli, "status", "How far the current generation is, and which was the last complete one");
  status->add_option("--diff", s->diff, "Repositories and files that differ between two generations")
      ->expected(2)
      ->type_name("A B");
  status->add_flag("--all", s->all, "Every generation, newest first");
}

void add_serve(Parser& parser) {
  auto [sub, c] = add_command<ServeCommand>(parser, parser.cli, "serve",
                                            "Answer clients of the Hub, git and git-lfs from what is here");
  sub->add_option("--listen", c->listen,
                  "Where, instead of serve.listen: ADDRESS:PORT or unix:/PATH (port 0: any; repeatable)")
      ->check(kNotEmpty)
      ->type_name("ADDRESS");
}

void add_daemon(Parser& parser) {
  auto [sub, c] = add_command<DaemonCommand>(
      parser, parser.cli, "daemon", "Crawl, sync the policies on their schedules and serve, until told to end");
  auto* status = sub->add_flag("--status", c->status, "Only tell what the one that runs is doing, as JSON");
  sub->add_flag("--metrics", c->metrics, "Only print its figures, as Prometheus reads them")->excludes(status);
}

void add_search(Parser& parser) {
  auto [sub, c] = add_command<SearchCommand>(parser, parser.cli, "search",
                                             "Find repositories among all that the crawl knows, mirrored or not");
  sub->add_option("WORD", c->words, "Each is somewhere in the name")->check(kNotEmpty)->type_name("");
  auto list = [sub = sub](const char* name, std::vector<std::string>& into, const char* description) {
    repeatable(sub->add_option(name, into, description)->check(kNotEmpty)->type_name("A,B")->delimiter(','));
  };
  auto value = [sub = sub](const char* name, std::string& into, const char* description, const char* type) {
    sub->add_option(name, into, description)->check(kNotEmpty)->type_name(type);
  };
  value("--kind", c->kind, "models, datasets or spaces", "KIND");
  list("--name", c->names, "Globs over org/name; one must match");
  list("--owner", c->owners, "One of these organisations or users");
  list("--licence,--license", c->licences, "One of these licences, as the Hub's tags spell them");
  list("--library", c->libraries, "One of these libraries");
  list("--task", c->tasks, "One of these tasks, e.g. text-generation");
  list("--tag", c->tags, "All of these tags");
  sub->add_option("--gated", c->gated, "yes or no")->check(CLI::IsMember({"yes", "no"}))->type_name("YES|NO");
  value("--min-downloads", c->downloads_min, "At least so many downloads in 30 days", "N");
  value("--min-likes", c->likes_min, "At least so many likes", "N");
  value("--min-params", c->parameters_min, "At least so many parameters, e.g. 7B", "N");
  value("--max-params", c->parameters_max, "At most so many parameters", "N");
  value("--max-size", c->bytes_max, "At most so many bytes in all revisions, e.g. 20G", "SIZE");
  value("--created-since", c->created_since, "Created then or later, e.g. 2026-01-31", "TIME");
  value("--changed-since", c->changed_since, "Last commit then or later", "TIME");
  value("--sort", c->sort, "downloads (default), likes, trending, created, modified, parameters; largest first",
        "ORDER");
  sub->add_option("--limit", c->limit, "At most so many (default 20)")->check(CLI::Range(1, 10'000))->type_name("N");
  sub->add_flag("--gone", c->gone_too, "Also what upstream no longer has");
}

void add_journal_commands(Parser& parser) {
  auto [history, h] =
      add_command<HistoryCommand>(parser, parser.cli, "history",
                                  "What happened to one repository: created, revisions, renames, gating, "
                                  "licence, gone");
  history->add_option("REPO", h->repo, "org/name, or an id such as model:621ffdc036468d709f17434d")
      ->required()
      ->type_name("");
  auto [changes, c] =
      add_command<ChangesCommand>(parser, parser.cli, "changes", "What was seen and decided since a time");
  changes->add_option("--since", c->since, "e.g. 2026-11-20 or 2026-11-20T15:20:00Z (UTC)")
      ->required()
      ->check(kNotEmpty)
      ->type_name("TIME");
  changes->add_option("--limit", c->limit, "At most so many, oldest first (default 1000)")
      ->check(CLI::Range(1, 1'000'000))
      ->type_name("N");
}

void add_form(CLI::App& sub, ReportForm& form) {
  sub.add_flag("--csv", form.csv, "One record for each figure and finding, instead of text");
  sub.add_option("--html", form.html, "Also write one page with drawings that needs nothing else")
      ->check(kPage)
      ->type_name("FILE");
  sub.add_option("--fail-on", form.fail_on,
                 "End with 1 on such a finding or worse: note, warning, problem (default), never")
      ->check(CLI::IsMember({"note", "warning", "problem", "never"}))
      ->type_name("SEVERITY");
}

void add_report(Parser& parser) {
  CLI::App* report = parser.cli.add_subcommand("report", "Figures over all that is known")->require_subcommand(0, 1);
  auto [ecosystem, c] = add_command<ReportEcosystemCommand>(
      parser, *report, "ecosystem",
      "Growth, concentration, origins, families, sizes, tasks, licences of all repositories that the crawl knows");
  add_form(*ecosystem, c->form);
}

/// The options that every audit has: whom it is about.
template <class C>
C* add_audit(Parser& parser, CLI::App& audit, const std::string& name, const std::string& description) {
  auto [sub, c] = add_command<C>(parser, audit, name, description);
  AuditSubjects& subjects = c->subjects;
  sub->add_option("REPO", subjects.repos, "These repositories (default: everything that is mirrored)")
      ->check(kNotEmpty)
      ->type_name("");
  repeatable(sub->add_option("--policy", subjects.policies, "What these mirroring policies choose today; repeatable")
                 ->check(kNotEmpty)
                 ->type_name("NAME"));
  sub->add_flag("--all", subjects.all, "All that the crawl knows, mirrored or not");
  add_form(*sub, c->form);
  return c;
}

void add_audits(Parser& parser) {
  CLI::App* audit =
      parser.cli.add_subcommand("audit", "Questions about what is here, each answered with what it rests on")
          ->require_subcommand(0, 1);
  auto* licences = add_audit<AuditLicencesCommand>(parser, *audit, "licences",
                                                   "Which terms hold, along which descent, and what conflicts");
  audit->get_subcommand("licences")
      ->add_option("--accept", licences->accept, "The institution's licence policy; what it refuses is a problem")
      ->check(kNotEmpty)
      ->type_name("FILE");
  auto* origins =
      add_audit<AuditOriginsCommand>(parser, *audit, "origins", "Whose they are, and whose their bases are");
  repeatable(audit->get_subcommand("origins")
                 ->add_option(
                     "--refuse", origins->refuse,
                     "Jurisdictions (ISO 3166-1, or unknown) that are a problem as publisher or root base; repeatable")
                 ->check(kNotEmpty)
                 ->type_name("CC")
                 ->delimiter(','));
  add_audit<AuditLineageCommand>(parser, *audit, "lineage",
                                 "Bases that are not declared, not to be found, or contradicted by the files");
  add_audit<AuditHashesCommand>(parser, *audit, "hashes", "Who else has the same files, and which names changed bytes");
  auto* history = add_audit<AuditHistoryCommand>(
      parser, *audit, "history", "Rewritten, replaced, renamed, gated, gone, other licence, other bases since a time");
  audit->get_subcommand("history")
      ->add_option("--since", history->since, "e.g. 2026-03-01 (UTC; default: from the beginning)")
      ->check(kNotEmpty)
      ->type_name("TIME");
  add_audit<AuditClosureCommand>(parser, *audit, "closure", "What they are made from and need that is not mirrored");
}

void add_lineage(Parser& parser) {
  auto [lineage, l] = add_command<LineageCommand>(parser, parser.cli, "lineage",
                                                  "What a repository is made from, or what is made from it");
  lineage->add_option("REPO", l->repo, "org/name, datasets/org/name, or an id")
      ->required()
      ->check(kNotEmpty)
      ->type_name("");
  auto* const down = lineage->add_flag("--down", l->down, "What is made from it");
  lineage->add_flag("--up")->description("What it is made from (default)")->excludes(down);
  lineage->add_option("--depth", l->depth, "Levels (default: all)")->check(CLI::Range(1, 1'000'000))->type_name("N");
  repeatable(lineage
                 ->add_option("--relation", l->relations,
                              "Only these: base, finetune, adapter, quantized, merge, converted, trained-on, …")
                 ->check(kNotEmpty)
                 ->type_name("A,B")
                 ->delimiter(','));
  lineage->add_option("--min-evidence", l->evidence_min, "inferred (default), declared, files: nothing weaker")
      ->check(kNotEmpty)
      ->type_name("LEVEL");
  lineage->add_option("--format", l->format, "tree (default), dot (Graphviz), mermaid")
      ->check(CLI::IsMember({"tree", "dot", "mermaid"}))
      ->type_name("FORMAT");
  lineage->add_option("--html", l->html, "Also write a page with a drawing")->check(kPage)->type_name("FILE");
  auto [why, w] = add_command<WhyCommand>(parser, parser.cli, "why",
                                          "Why one repository is said to descend from another: path and evidence");
  why->add_option("CHILD", w->from, "Who descends")->required()->check(kNotEmpty)->type_name("");
  why->add_option("ANCESTOR", w->to, "From whom")->required()->check(kNotEmpty)->type_name("");
  why->add_option("--min-evidence", w->evidence_min, "As of lineage")->check(kNotEmpty)->type_name("LEVEL");
  auto [impact, i] =
      add_command<ImpactCommand>(parser, parser.cli, "impact",
                                 "Everything that is affected, here and in the whole Hub, if something were bad news");
  impact->add_option("WHAT", i->what, "A repository, the SHA-256 of a file, licence:ID, origin:COUNTRY or origin:OWNER")
      ->required()
      ->check(kNotEmpty)
      ->type_name("");
  add_form(*impact, i->form);
  auto [digest, d] = add_command<DigestCommand>(
      parser, parser.cli, "digest",
      "Digest every tensor of published models, so that audits see which models share weights");
  digest->add_option("REPO", d->repos, "These (default: every model that is mirrored and has none yet)")
      ->check(kNotEmpty)
      ->type_name("");
}

void add_reading_commands(Parser& parser) {
  auto [ls, l] = add_command<LsCommand>(parser, parser.cli, "ls", "List repositories, or the files of one");
  ls->add_option("TARGET", l->target, "A repository (org/name[@revision]) or a pattern (qwen, org/*)")
      ->check(kNotEmpty)
      ->type_name("");
  ls->add_flag("--long,-l", l->long_form, "More columns");
  ls->add_flag("--unwanted", l->unwanted,
               "Only repositories that no mirroring policy wants (any more), and what becomes of them");

  auto [show, s] = add_command<ShowCommand>(
      parser, parser.cli, "show",
      "What is known of a repository: revisions, sizes, licence, base models, hashes, what is missing");
  show->add_option("REPO", s->repo, "org/name[@revision]")->required()->type_name("");
  show->add_flag("--files", s->files, "Every file with size, sha256 and git id");

  auto [verify, v] = add_command<VerifyCommand>(parser, parser.cli, "verify",
                                                "Read everything again and compare it with what was recorded");
  verify->add_option("REPO", v->repos, "These repositories only (default: everything, foreign files too)")
      ->type_name("");
  verify->add_flag("--deep", v->deep, "Git objects and manifests too");
  verify->add_flag("--repair", v->repair, "Move bad files to quarantine and fetch them again by digest");
  verify->add_option("--rate", v->rate, "Read at most so many bytes per second, e.g. 100M")->type_name("SIZE");

  auto [path, p] = add_command<PathCommand>(parser, parser.cli, "path",
                                            "Print the path of a repository (bare git) or of one large file");
  path->add_option("REPO", p->repo, "org/name[@revision]")->required()->type_name("");
  path->add_option("FILE", p->file, "Path within the repository")->check(kNotEmpty)->type_name("");
  path->add_option("--revision", p->revision, "Branch, tag or commit of FILE (default: upstream's default branch)")
      ->check(kNotEmpty)
      ->type_name("REV");
  path->add_flag("--git", p->git, "For a file that git stores: print the git command that writes its bytes");
}

void add_keeping_commands(Parser& parser) {
  add_command<InitCommand>(parser, parser.cli, "init", "Make a data directory (the first mirror does it too)");
  auto [pin, p] =
      add_command<PinCommand>(parser, parser.cli, "pin", "Keep a repository or one revision whatever retention says");
  pin->add_option("REPO", p->repo, "org/name[@revision]")->required()->type_name("");
  pin->add_option("--reason", p->reason, "Why; kept in the journal")->type_name("TEXT");

  auto [unpin, u] = add_command<UnpinCommand>(parser, parser.cli, "unpin", "Undo pin");
  unpin->add_option("REPO", u->repo, "org/name[@revision]")->required()->type_name("");

  auto [rm, r] = add_command<RmCommand>(parser, parser.cli, "rm",
                                        "Drop repositories; gc frees their bytes after the grace period");
  rm->add_option("REPO", r->repos, "org/name")->required()->type_name("");
  rm->add_flag("--yes,-y", r->yes, "Do not ask");
  rm->add_option("--reason", r->reason, "Why; kept in the journal")->type_name("TEXT");

  auto [gc, g] =
      add_command<GcCommand>(parser, parser.cli, "gc", "Free what no published revision needs, after the grace period");
  gc->add_flag("--dry-run,-n", g->dry_run, "Only say what would go");
  gc->add_flag(
      "--trust-index", g->trust_index,
      "Go on although the store has seen a longer journal than the index holds (an older index/ was put back)");

  CLI::App* index = parser.cli.add_subcommand("index", "The index")->require_subcommand(0, 1);
  add_command<IndexRebuildCommand>(parser, *index, "rebuild", "Derive the index anew from the journal");
}

void add_token_commands(Parser& parser) {
  CLI::App* token =
      parser.cli.add_subcommand("token", "Tokens of this mirror, for those who read it")->require_subcommand(0, 1);
  auto [create, c] = add_command<TokenCreateCommand>(parser, *token, "create", "Make a token and print it, once");
  create->add_option("NAME", c->name, "Whose it is or what it is for; stands in the access log")
      ->required()
      ->type_name("");
  auto globs = [sub = create](const char* name, std::vector<std::string>& into, const char* description) {
    repeatable(sub->add_option(name, into, description)->check(kNotEmpty)->type_name("GLOB"));
  };
  globs("--repos", c->repos, "It sees only repositories that match, e.g. org/*, datasets/org/*; repeatable");
  globs("--gated", c->gated, "It gets files of gated repositories that match; repeatable");
  globs("--private", c->private_repos, "It sees private repositories that match; repeatable");
  create->add_option("--expires", c->expires, "It ends after so long, e.g. 90d (default: never)")
      ->check(kNotEmpty)
      ->type_name("AGE");
  add_command<TokenLsCommand>(parser, *token, "ls",
                              "List tokens, revoked and expired ones too; never the tokens themselves");
  auto [revoke, r] = add_command<TokenRevokeCommand>(parser, *token, "revoke", "Take a token back");
  revoke->add_option("NAME-OR-ID", r->which, "As token ls shows it")->required()->check(kNotEmpty)->type_name("");
}

void add_config_commands(Parser& parser) {
  CLI::App* config = parser.cli.add_subcommand("config", "The configuration")->require_subcommand(0, 1);
  auto [check, c] =
      add_command<ConfigCheckCommand>(parser, *config, "check", "Say whether a configuration file is right");
  check->add_option("FILE", c->file, "Default: the file in force")->check(kNotEmpty)->type_name("");
  add_command<ConfigPrintCommand>(parser, *config, "print", "Print the configuration in force, without secrets");
  add_command<VersionCommand>(parser, parser.cli, "version", "Versions of the program and its libraries");
}

std::vector<std::string> names_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; }))
    names.push_back(sub->get_name());
  for (const CLI::App* level = &app; level != nullptr; level = level->get_parent()) {
    for (const CLI::Option* option : level->get_options()) {
      for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
    }
  }
  return names;
}

/// "hubmirror config" for `config check`: what CLI11 puts before the name in a usage line.
std::string names_above(const CLI::App& app) {
  std::string names;
  for (const CLI::App* level = app.get_parent(); level != nullptr; level = level->get_parent())
    names = level->get_name() + (names.empty() ? "" : " " + names);
  return names;
}

/// The deepest subcommand that was named.
const CLI::App& innermost(const CLI::App& app) {
  const auto named = app.get_subcommands();
  return named.empty() ? app : innermost(*named.front());
}
std::string help_of(const CLI::App& app) {
  const std::string above = names_above(app);
  return "; see `" + above + (above.empty() ? "" : " ") + app.get_name() + " --help`";
}
/// CLI11 shows the options of commands, and of those below them (`token create`) the names alone.
std::string help_of_all(const CLI::App& app) {
  const auto any = [](const CLI::App*) { return true; };
  std::string out = app.help("", CLI::AppFormatMode::All);
  for (const CLI::App* command : app.get_subcommands(any))
    for (const CLI::App* below : command->get_subcommands(any)) out += "\n" + below->help(names_above(*below));
  return out;
}
std::string one_line(std::string text) {
  for (char& c : text) {
    if (c == '\n' || c == '\t') c = ' ';
  }
  return printable(std::string(trim(text)));
}

Result<Invocation> taken(const Parser& parser) {
  const CLI::App& at = innermost(parser.cli);
  auto bad = [&](const std::string& what) { return Error{Errc::BadInput, what + help_of(at)}; };
  auto left = parser.cli.remaining(true);
  std::erase(left, "--");  // the mark behind which nothing is an option is kept among them
  if (!left.empty()) {
    const std::string& word = left.front();
    const bool option = word.starts_with('-');
    const bool command = !option && !at.get_subcommands([](const CLI::App*) { return true; }).empty();
    const std::string bare = word.substr(0, word.find('='));
    return bad(std::string(option    ? "unknown option "
                           : command ? "unknown command "
                                     : "unexpected argument ") +
               "\"" + one_line(word) + "\"" + config::did_you_mean(bare, names_of(at)));
  }
  if (parser.version) return Invocation{parser.global, VersionCommand{}};
  if (!parser.chosen)
    return bad(parser.cli.get_subcommands().empty() ? "no command given" : "\"" + at.get_name() + "\" needs a command");
  return Invocation{parser.global, parser.chosen()};
}
}  // namespace

bool changes_the_store(const Command& command) {
  struct Visitor {
    bool operator()(const InitCommand&) const { return true; }
    bool operator()(const CrawlCommand&) const { return true; }
    bool operator()(const MirrorCommand&) const { return true; }
    bool operator()(const SyncCommand& c) const { return !c.offline; }
    bool operator()(const VerifyCommand& c) const { return c.repair; }
    bool operator()(const PinCommand&) const { return true; }
    bool operator()(const UnpinCommand&) const { return true; }
    bool operator()(const RmCommand&) const { return true; }
    bool operator()(const GcCommand& c) const { return !c.dry_run; }
    bool operator()(const IndexRebuildCommand&) const { return true; }
    bool operator()(const DigestCommand&) const { return true; }
    bool operator()(const TokenCreateCommand&) const { return true; }
    bool operator()(const TokenRevokeCommand&) const { return true; }
    bool operator()(const DaemonCommand&) const { return false; }  // it is the one
    bool operator()(const ServeCommand&) const { return false; }
    bool operator()(const TokenLsCommand&) const { return false; }
    bool operator()(const StatusCommand&) const { return false; }
    bool operator()(const SearchCommand&) const { return false; }
    bool operator()(const HistoryCommand&) const { return false; }
    bool operator()(const ChangesCommand&) const { return false; }
    bool operator()(const ReportEcosystemCommand&) const { return false; }
    bool operator()(const LineageCommand&) const { return false; }
    bool operator()(const WhyCommand&) const { return false; }
    bool operator()(const AuditLicencesCommand&) const { return false; }
    bool operator()(const AuditOriginsCommand&) const { return false; }
    bool operator()(const AuditLineageCommand&) const { return false; }
    bool operator()(const AuditHashesCommand&) const { return false; }
    bool operator()(const AuditHistoryCommand&) const { return false; }
    bool operator()(const AuditClosureCommand&) const { return false; }
    bool operator()(const ImpactCommand&) const { return false; }
    bool operator()(const LsCommand&) const { return false; }
    bool operator()(const ShowCommand&) const { return false; }
    bool operator()(const PathCommand&) const { return false; }
    bool operator()(const ConfigCheckCommand&) const { return false; }
    bool operator()(const ConfigPrintCommand&) const { return false; }
    bool operator()(const VersionCommand&) const { return false; }
  };
  return std::visit(Visitor(), command);
}

Result<std::variant<Invocation, HelpText>> parse_command_line(int argc, const char* const* argv) {
  if (argc > kArgumentsMax)
    return Error{Errc::BadInput, "more than " + std::to_string(kArgumentsMax) +
                                     " arguments; write the repositories into a file and use --from"};
  Parser parser;
  parser.cli.fallthrough();  // before the subcommands, which inherit it: global options may follow the command
  parser.cli.allow_extras();
  parser.cli.footer(
      "Exit codes: 0 done, 1 finished with something missing or bad, 2 usage or configuration, 3 cannot "
      "continue.\nOptions of every command: hubmirror --help. All of them, with examples: man hubmirror.");
  parser.cli.set_help_all_flag("--help-all", "Help of every command");
  parser.cli.add_flag("--version", parser.version, "Same as the command version");
  parser.cli.require_subcommand(0, 1);
  add_global_options(parser);
  add_crawl(parser);
  add_sync(parser);
  add_daemon(parser);
  add_mirror(parser);
  add_serve(parser);
  add_search(parser);
  add_journal_commands(parser);
  add_report(parser);
  add_lineage(parser);
  add_audits(parser);
  add_reading_commands(parser);
  add_keeping_commands(parser);
  add_token_commands(parser);
  add_config_commands(parser);
  try {
    parser.cli.parse(argc, argv);
    HM_TRY(Invocation invocation, taken(parser));
    return std::variant<Invocation, HelpText>(std::move(invocation));
  } catch (const CLI::CallForHelp&) {
    return std::variant<Invocation, HelpText>(HelpText{innermost(parser.cli).help(names_above(innermost(parser.cli)))});
  } catch (const CLI::CallForAllHelp&) {
    return std::variant<Invocation, HelpText>(HelpText{help_of_all(parser.cli)});
  } catch (const CLI::ParseError& e) {
    return Error{Errc::BadInput, one_line(e.what()) + help_of(innermost(parser.cli))};
  }
}
}  // namespace hm::app
