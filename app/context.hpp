// app/context.hpp: what every command is given. Layer 6; main thread.
#pragma once
#include <string>

#include "app/cli.hpp"
#include "app/interrupt.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "config/config.hpp"

namespace hm::app {
struct Context {
  Streams io;
  GlobalOptions options;
  config::Config config;    ///< file, environment and command line, checked
  std::string config_file;  ///< where it came from; "" when there is none
  std::string data_dir;     ///< absolute
  Interrupt& interrupt;     ///< Ctrl-C, SIGTERM, SIGHUP

  bool shows_progress() const { return !options.quiet && !options.json; }
};
/// A repository as typed, with the revision of `@…` or of the option; both at once is BadInput.
Result<RepoSpec> repo_spec_of(const std::string& text, const std::string& revision_option = {});
/// Prints what went wrong: one line on standard error and, under --json, {"error": {"code", "message"}} on standard
/// output, which then holds nothing else. @returns `exit`.
Exit report(const Error& error, Exit exit, Streams& io, bool json);
/// "asked to stop": what a command returns when the stop token fired.
Error interrupted(std::string what_next);
}  // namespace hm::app
