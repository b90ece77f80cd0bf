// From the command line to the command: configuration, log, signals, and the one place where errors are printed.
#include <iostream>
#include <variant>

#include "app/cli.hpp"
#include "app/commands/commands.hpp"
#include "app/context.hpp"
#include "app/interrupt.hpp"
#include "app/output.hpp"
#include "base/file.hpp"
#include "base/log.hpp"
#include "base/text.hpp"

namespace hm::app {
constexpr std::size_t kRevisionBytesMax = 1024;  // the Hub and git know no longer ref names

Exit exit_of(const Error& error) {
  switch (error.code) {
    case Errc::BadInput:
      return Exit::Usage;
    case Errc::NotFound:
    case Errc::Gated:
      return Exit::Incomplete;
    default:
      return Exit::CannotContinue;
  }
}

namespace {
Result<RepoSpec> checked(RepoSpec spec) {
  if (spec.revision && (spec.revision->size() > kRevisionBytesMax || printable(*spec.revision) != *spec.revision)) {
    return Error{Errc::BadInput,
                 "\"" + printable(spec.revision->substr(0, 100)) +
                     "\" is no revision: too long, or bytes in it that no ref has; write a branch, a tag or a commit"};
  }
  return spec;
}
}  // namespace

Result<RepoSpec> repo_spec_of(const std::string& text, const std::string& revision_option) {
  HM_TRY(RepoSpec spec, parse_repo_spec(text));
  if (revision_option.empty()) return checked(std::move(spec));
  if (spec.revision && *spec.revision != revision_option) {
    return Error{Errc::BadInput, printable(text) + " names a revision and --revision names another; say one of them"};
  }
  spec.revision = revision_option;
  return checked(std::move(spec));
}

Exit report(const Error& error, Exit exit, Streams& io, bool json) {
  if (json) {
    const std::string_view code = name_of(error.code);
    json::object described{{"code", json::string_view(code.data(), code.size())}, {"message", json_text(error.what)}};
    print_json(io.out, json::object{{"error", std::move(described)}});
    io.out << std::flush;
  }
  io.err << error_line(error) << "\n" << std::flush;
  return exit;
}

Error interrupted(std::string what_next) { return {Errc::Cancelled, "stopped; " + std::move(what_next)}; }

namespace {
Result<> apply_options(config::Config& config, const GlobalOptions& options) {
  if (options.data_dir && options.data_dir->empty())
    return Error{Errc::BadInput, "--data-dir is empty; write the path of the data directory, or leave the option out"};
  if (options.data_dir) config.storage.data_dir = *options.data_dir;
  if (options.upstream) config.upstream.url = *options.upstream;
  if (options.log_level) config.log.level = *options.log_level;
  if (options.log_format) config.log.format = *options.log_format;
  if (options.jobs) config.mirror.repos_parallel = *options.jobs;
  for (const std::string& host : options.allow_private) config.upstream.allow_private.push_back(host);
  return within(config::check_config(config), [] { return "reading the command line"; });
}

/// `config check FILE` and `version` must work whatever the file in force says.
bool needs_configuration(const Command& command) {
  return !std::holds_alternative<ConfigCheckCommand>(command) && !std::holds_alternative<VersionCommand>(command);
}

Result<> configure(Context& context) {
  if (context.options.config_file)
    context.config_file = *context.options.config_file;
  else
    context.config_file = config::find_config_file();
  if (!context.config_file.empty()) {
    HM_TRY(context.config, config::load_config_file(context.config_file));
  }
  HM_TRY(config::apply_environment(context.config));
  HM_TRY(apply_options(context.config, context.options));
  HM_TRY(context.data_dir, config::data_dir_of(context.config));
  return ok();
}

void start_log(const config::Log& settings) {
  LogLevel level = LogLevel::Warning;
  bool off = false;
  if (parse_log_level(settings.level, level, off) && !off) set_up_log(level, settings.format == "json");
}

/// Of a command line that could not be read.
bool asks_for_json(int argc, const char* const* argv) {
  for (int i = 1; i < argc && std::string_view(argv[i]) != "--"; ++i)
    if (std::string_view(argv[i]) == "--json") return true;
  return false;
}

Exit report_unwritable_output(Streams& io) {
  return report({Errc::Io, "standard output could not be written to; the command itself ran to its end"},
                Exit::CannotContinue, io, false);
}

Exit run_invocation(const Invocation& invocation, Streams& io) {
  Interrupt interrupt;  // before any other thread
  Context context{io, invocation.global, {}, {}, {}, interrupt};
  if (needs_configuration(invocation.command)) {
    if (auto configured = configure(context); !configured)
      return report(configured.assume_error(), Exit::Usage, io, context.options.json);
  }
  start_log(context.config.log);
  auto result = std::visit([&](const auto& command) { return run_command(context, command); }, invocation.command);
  io.out << std::flush;
  if (!result) return report(result.assume_error(), exit_of(result.assume_error()), io, context.options.json);
  if (!io.out) return report_unwritable_output(io);
  return result.assume_value();
}
}  // namespace

Exit run(int argc, const char* const* argv, Streams streams) {
  auto parsed = parse_command_line(argc, argv);
  if (!parsed) return report(parsed.assume_error(), Exit::Usage, streams, asks_for_json(argc, argv));
  if (const auto* help = std::get_if<HelpText>(&parsed.assume_value())) {
    streams.out << help->text << std::flush;
    return streams.out ? Exit::Done : report_unwritable_output(streams);
  }
  return run_invocation(std::get<Invocation>(parsed.assume_value()), streams);
}
}  // namespace hm::app
