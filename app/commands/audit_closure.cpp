// hubmirror audit closure.
#include "app/commands/commands.hpp"

namespace hm::app {
Result<Exit> run_command(Context&, const AuditClosureCommand&) { return Error{Errc::Internal, "not built"}; }
}  // namespace hm::app
