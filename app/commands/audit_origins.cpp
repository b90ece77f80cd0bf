// hubmirror audit origins.
#include "app/commands/commands.hpp"

namespace hm::app {
Result<Exit> run_command(Context&, const AuditOriginsCommand&) { return Error{Errc::Internal, "not built"}; }
}  // namespace hm::app
