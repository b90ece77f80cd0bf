// app/daemon/client.hpp: the command line's side of the daemon's socket. Layer 6; main thread.
#pragma once
#include <string>
#include <vector>

#include "app/context.hpp"
#include "app/daemon/socket.hpp"

namespace hm::app {
/// The command runs in the daemon; its output comes here, input goes there, Ctrl-C stops it there.
Exit run_in_the_daemon(Context& context, Descriptor daemon, const Command& command,
                       const std::vector<std::string>& arguments);
/// Prints what the daemon answers to "status" or "metrics". @returns NotFound: there is none.
Result<Exit> ask_the_daemon(Context& context, std::string what);
}  // namespace hm::app
