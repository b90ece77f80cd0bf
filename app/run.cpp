// From the command line to the command: configuration, log, signals, and the one place where errors are printed.
#include <iostream>
#include <variant>

#include "app/cli.hpp"
#include "app/commands/commands.hpp"
#include "app/context.hpp"
#include "app/daemon/client.hpp"
#include "app/interrupt.hpp"
#include "app/metrics.hpp"
#include "app/output.hpp"
#include "app/settings.hpp"
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
/// `config check FILE` and `version` must work whatever the file in force says.
bool needs_configuration(const Command& command) {
  return !std::holds_alternative<ConfigCheckCommand>(command) && !std::holds_alternative<VersionCommand>(command);
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

Exit run_invocation(const Invocation& invocation, const std::vector<std::string>& arguments, Streams& io) {
  Signals interrupt;  // before any other thread
  OwnStores stores;
  Metrics metrics;
  Context context{io, invocation.global, {}, {}, {}, interrupt, stores, metrics, {}};
  if (needs_configuration(invocation.command)) {
    auto settings = load_settings(context.options);
    if (!settings) return report(settings.assume_error(), Exit::Usage, io, context.options.json);
    context.config = std::move(settings.assume_value().config);
    context.config_file = std::move(settings.assume_value().config_file);
    context.data_dir = std::move(settings.assume_value().data_dir);
  }
  start_log(context.config.log);
  if (changes_the_store(invocation.command)) {
    if (auto daemon = connect_in(context.data_dir))
      return run_in_the_daemon(context, std::move(*daemon), invocation.command, arguments);
  }
  return run_to_end(context, invocation.command);
}
}  // namespace

Exit run_to_end(Context& context, const Command& command) {
  auto result = std::visit([&](const auto& c) { return run_command(context, c); }, command);
  context.io.out << std::flush;
  if (!result) return report(result.assume_error(), exit_of(result.assume_error()), context.io, context.options.json);
  if (!context.io.out) return report_unwritable_output(context.io);
  return result.assume_value();
}

Exit run(int argc, const char* const* argv, Streams streams) {
  auto parsed = parse_command_line(argc, argv);
  if (!parsed) return report(parsed.assume_error(), Exit::Usage, streams, asks_for_json(argc, argv));
  if (const auto* help = std::get_if<HelpText>(&parsed.assume_value())) {
    streams.out << help->text << std::flush;
    return streams.out ? Exit::Done : report_unwritable_output(streams);
  }
  return run_invocation(std::get<Invocation>(parsed.assume_value()), {argv, argv + argc}, streams);
}
}  // namespace hm::app
