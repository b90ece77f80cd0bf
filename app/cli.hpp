// app/cli.hpp: the command line: what was asked for, as values, and the one function behind main(). Layer 6.
// Threads: called once, from the main thread; the streams are written by it alone.
#pragma once
#include <cstdint>
#include <iosfwd>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"

namespace hm::app {
/// What the process returns. An interrupted command (Ctrl-C, SIGTERM) cannot continue: 3.
enum class Exit : std::uint8_t {
  Done = 0,
  Incomplete = 1,      ///< finished, with something missing or bad
  Usage = 2,           ///< the command line or the configuration is wrong; nothing was done
  CannotContinue = 3,  ///< lock busy, disk full, upstream out of reach, data directory unusable, interrupted
};
Exit exit_of(const Error& error);

/// Where a command reads and writes. Facts go to `out`, everything else to `err`.
struct Streams {
  std::istream& in;  ///< the thread of the command reads and writes
  std::ostream& out;
  std::ostream& err;
  bool in_is_terminal = false;
  bool err_is_terminal = false;
  std::string in_name = "standard input";
};

struct GlobalOptions {
  std::optional<std::string> data_dir, config_file, upstream, log_level, log_format;
  std::vector<std::string> allow_private;
  std::optional<int> jobs;
  bool json = false;
  bool quiet = false;
};

struct InitCommand {};
struct MirrorCommand {
  std::vector<std::string> repos;
  std::string from;  ///< file with one repository per line, "-" for standard input
  bool unfinished = false;
  std::string revision;
  std::vector<std::string> include, exclude, formats;
  std::string file_bytes_max;  ///< "200M"
  bool all_history = false, pull_requests = false;
};
struct CrawlCommand {
  std::vector<std::string> kinds;  ///< models, datasets, spaces; empty: all
  bool once = false;
};
struct SyncCommand {
  std::vector<std::string> policies;  ///< names; empty: all
  std::string directory;              ///< of the policies
  bool plan = false, offline = false, due = false, anew = false;
};
/// Crawls, syncs and serves until it is told to end; or asks the one that runs.
struct DaemonCommand {
  bool status = false, metrics = false;
};
struct StatusCommand {
  std::vector<std::string> diff;  ///< two numbers, or none
  bool all = false;
};
struct ServeCommand {
  std::vector<std::string> listen;  ///< instead of serve.listen
};
struct LsCommand {
  std::string target;  ///< a repository (its files are listed) or a pattern
  bool long_form = false, unwanted = false;
};
struct SearchCommand {
  std::vector<std::string> words, names, owners, licences, libraries, tasks, tags;
  std::string kind, gated;  ///< gated: "", yes, no
  std::string downloads_min, likes_min, parameters_min, parameters_max, bytes_max, created_since, changed_since;
  std::string sort = "downloads";
  int limit = 20;
  bool gone_too = false;
};
struct HistoryCommand {
  std::string repo;
};
struct ChangesCommand {
  std::string since;
  int limit = 1000;
};
struct ShowCommand {
  std::string repo;
  bool files = false;
};
struct VerifyCommand {
  std::vector<std::string> repos;
  bool deep = false, repair = false;
  std::string rate;  ///< "100M" per second
};
struct PinCommand {
  std::string repo, reason;
};
struct UnpinCommand {
  std::string repo;
};
struct RmCommand {
  std::vector<std::string> repos;
  std::string reason;
  bool yes = false;
};
struct GcCommand {
  bool dry_run = false, trust_index = false;
};
struct PathCommand {
  std::string repo, file, revision;
  bool git = false;
};
struct IndexRebuildCommand {};
/// How a report is written, and when it counts as bad.
struct ReportForm {
  bool csv = false;
  std::string html;                 ///< file that one page is written to as well; "" none
  std::string fail_on = "problem";  ///< exit 1 on a finding this severe: note, warning, problem, never
};
/// Which repositories an audit is about; nothing of it: everything that is mirrored.
struct AuditSubjects {
  std::vector<std::string> repos, policies;
  bool all = false;  ///< all that is known, mirrored or not
};
struct ReportEcosystemCommand {
  ReportForm form;
};
struct LineageCommand {
  std::string repo;
  bool down = false;
  std::optional<int> depth;
  std::vector<std::string> relations;  ///< empty: all along which weights or data go
  std::string evidence_min = "inferred";
  std::string format = "tree";  ///< tree, dot, mermaid
  std::string html;
};
struct WhyCommand {
  std::string from, to, evidence_min = "inferred";
};
struct AuditLicencesCommand {
  AuditSubjects subjects;
  std::string accept;  ///< file with the institution's licence policy
  ReportForm form;
};
struct AuditOriginsCommand {
  AuditSubjects subjects;
  std::vector<std::string> refuse;  ///< jurisdictions that are a problem; "unknown" too
  ReportForm form;
};
struct AuditLineageCommand {
  AuditSubjects subjects;
  ReportForm form;
};
struct AuditHashesCommand {
  AuditSubjects subjects;
  ReportForm form;
};
struct AuditHistoryCommand {
  AuditSubjects subjects;
  std::string since;  ///< "": from the beginning
  ReportForm form;
};
struct AuditClosureCommand {
  AuditSubjects subjects;
  ReportForm form;
};
struct ImpactCommand {
  std::string what;  ///< a repository, a SHA-256, licence:ID, origin:CN or origin:OWNER
  ReportForm form;
};
struct DigestCommand {
  std::vector<std::string> repos;
};
struct TokenCreateCommand {
  std::string name;
  std::vector<std::string> repos, gated, private_repos;  ///< globs
  std::string expires;                                   ///< "90d"; "": never
};
struct TokenLsCommand {};
struct TokenRevokeCommand {
  std::string which;  ///< name or id
};
struct ConfigCheckCommand {
  std::string file;
};
struct ConfigPrintCommand {};
struct VersionCommand {};

using Command =
    std::variant<InitCommand, CrawlCommand, MirrorCommand, SyncCommand, DaemonCommand, StatusCommand, ServeCommand,
                 SearchCommand, HistoryCommand, ChangesCommand, LsCommand, ShowCommand, VerifyCommand, PinCommand,
                 UnpinCommand, RmCommand, GcCommand, PathCommand, IndexRebuildCommand, ReportEcosystemCommand,
                 LineageCommand, WhyCommand, AuditLicencesCommand, AuditOriginsCommand, AuditLineageCommand,
                 AuditHashesCommand, AuditHistoryCommand, AuditClosureCommand, ImpactCommand, DigestCommand,
                 TokenCreateCommand, TokenLsCommand, TokenRevokeCommand, ConfigCheckCommand, ConfigPrintCommand,
                 VersionCommand>;
struct Invocation {
  GlobalOptions global;
  Command command;
};
/// The command line asked for text (help), which is all there is to do.
struct HelpText {
  std::string text;
};
/// It changes what is stored: it needs the writer's lock, or the daemon that holds it.
bool changes_the_store(const Command& command);
/// @returns BadInput saying what is wrong and which help to read.
Result<std::variant<Invocation, HelpText>> parse_command_line(int argc, const char* const* argv);

/// The whole program: parses, configures, runs the command, reports errors as one line each on `err`.
Exit run(int argc, const char* const* argv, Streams streams);
}  // namespace hm::app
