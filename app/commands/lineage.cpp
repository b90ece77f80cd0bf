// hubmirror lineage, why: who descends from whom.
#include "app/commands/commands.hpp"

namespace hm::app {
Result<Exit> run_command(Context&, const LineageCommand&) { return Error{Errc::Internal, "not built"}; }
Result<Exit> run_command(Context&, const WhyCommand&) { return Error{Errc::Internal, "not built"}; }
}  // namespace hm::app
