// app/context.hpp: what every command is given. Layer 6; the command's thread.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "app/cli.hpp"
#include "app/interrupt.hpp"
#include "app/metrics.hpp"
#include "app/store_access.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "config/config.hpp"
#include "config/mirror_policy.hpp"

namespace hm::app {
struct Context {
  Streams io;
  GlobalOptions options;
  config::Config config;    ///< file, environment and command line, checked
  std::string config_file;  ///< where it came from; "" when there is none
  std::string data_dir;     ///< absolute
  Interrupt& interrupt;     ///< Ctrl-C, SIGTERM, SIGHUP
  StoreAccess& stores;
  Metrics& metrics;  ///< of the process
  /// Those in force in the daemon; null: the files say.
  std::shared_ptr<const std::vector<config::MirrorPolicy>> policies;

  bool shows_progress() const { return !options.quiet && !options.json; }
};
/// A repository as typed, with the revision of `@…` or of the option; both at once is BadInput.
Result<RepoSpec> repo_spec_of(const std::string& text, const std::string& revision_option = {});
/// Runs the command and prints what kept it from its work.
Exit run_to_end(Context& context, const Command& command);
/// Prints what went wrong: one line on standard error and, under --json, {"error": {"code", "message"}} on standard
/// output, which then holds nothing else. @returns `exit`.
Exit report(const Error& error, Exit exit, Streams& io, bool json);
/// "asked to stop": what a command returns when the stop token fired.
Error interrupted(std::string what_next);
}  // namespace hm::app
