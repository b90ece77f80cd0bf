// hubmirror audit lineage.
#include "app/commands/commands.hpp"

namespace hm::app {
Result<Exit> run_command(Context&, const AuditLineageCommand&) { return Error{Errc::Internal, "not built"}; }
}  // namespace hm::app
