// hubmirror audit licences.
#include "app/commands/commands.hpp"

namespace hm::app {
Result<Exit> run_command(Context&, const AuditLicencesCommand&) { return Error{Errc::Internal, "not built"}; }
}  // namespace hm::app
