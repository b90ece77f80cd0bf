// app/commands/commands.hpp: one function per command of the command line. Layer 6; main thread.
// Each returns the exit code of a command that ran, or the error that kept it from running; run() prints the latter.
#pragma once
#include "app/cli.hpp"
#include "app/context.hpp"

namespace hm::app {
Result<Exit> run_command(Context& context, const InitCommand& command);
Result<Exit> run_command(Context& context, const CrawlCommand& command);
Result<Exit> run_command(Context& context, const MirrorCommand& command);
Result<Exit> run_command(Context& context, const SyncCommand& command);
Result<Exit> run_command(Context& context, const ServeCommand& command);
Result<Exit> run_command(Context& context, const DaemonCommand& command);
Result<Exit> run_command(Context& context, const StatusCommand& command);
Result<Exit> run_command(Context& context, const SearchCommand& command);
Result<Exit> run_command(Context& context, const HistoryCommand& command);
Result<Exit> run_command(Context& context, const ChangesCommand& command);
Result<Exit> run_command(Context& context, const LsCommand& command);
Result<Exit> run_command(Context& context, const ShowCommand& command);
Result<Exit> run_command(Context& context, const VerifyCommand& command);
Result<Exit> run_command(Context& context, const PinCommand& command);
Result<Exit> run_command(Context& context, const UnpinCommand& command);
Result<Exit> run_command(Context& context, const RmCommand& command);
Result<Exit> run_command(Context& context, const GcCommand& command);
Result<Exit> run_command(Context& context, const PathCommand& command);
Result<Exit> run_command(Context& context, const IndexRebuildCommand& command);
Result<Exit> run_command(Context& context, const ReportEcosystemCommand& command);
Result<Exit> run_command(Context& context, const LineageCommand& command);
Result<Exit> run_command(Context& context, const WhyCommand& command);
Result<Exit> run_command(Context& context, const AuditLicencesCommand& command);
Result<Exit> run_command(Context& context, const AuditOriginsCommand& command);
Result<Exit> run_command(Context& context, const AuditLineageCommand& command);
Result<Exit> run_command(Context& context, const AuditHashesCommand& command);
Result<Exit> run_command(Context& context, const AuditHistoryCommand& command);
Result<Exit> run_command(Context& context, const AuditClosureCommand& command);
Result<Exit> run_command(Context& context, const ImpactCommand& command);
Result<Exit> run_command(Context& context, const DigestCommand& command);
Result<Exit> run_command(Context& context, const TokenCreateCommand& command);
Result<Exit> run_command(Context& context, const TokenLsCommand& command);
Result<Exit> run_command(Context& context, const TokenRevokeCommand& command);
Result<Exit> run_command(Context& context, const ConfigCheckCommand& command);
Result<Exit> run_command(Context& context, const ConfigPrintCommand& command);
Result<Exit> run_command(Context& context, const VersionCommand& command);
}  // namespace hm::app
