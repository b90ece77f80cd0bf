// hubmirror daemon: crawls, syncs and serves in one process; --status and --metrics ask the one that runs.
#include "app/daemon/daemon.hpp"
#include "app/commands/commands.hpp"
#include "app/daemon/client.hpp"

namespace hm::app {
Result<Exit> run_command(Context& context, const DaemonCommand& command) {
  if (command.status || command.metrics) return ask_the_daemon(context, command.status ? "status" : "metrics");
  HM_TRY(const auto daemon, Daemon::open(context));
  context.interrupt.on_hangup([&daemon] { daemon->reload_soon(); });
  const auto ran = daemon->run(context.interrupt.take_over());
  context.interrupt.on_hangup({});
  if (!ran) return ran.error();
  return Exit::Done;
}
}  // namespace hm::app
