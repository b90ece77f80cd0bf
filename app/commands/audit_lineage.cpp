// hubmirror audit lineage.
#include "app/audit_subjects.hpp"
#include "app/commands/commands.hpp"
#include "app/report_output.hpp"
#include "app/services.hpp"
#include "provenance/audit/lineage.hpp"

namespace hm::app {
Result<Exit> run_command(Context& context, const AuditLineageCommand& command) {
  HM_TRY(check_form(context, command.form));
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  HM_TRY(const auto asked, subjects_of(context, *services, command.subjects));
  HM_TRY(const auto report, provenance::audit::lineage(*services->index, asked));
  return print_report(context, report, command.form);
}
}  // namespace hm::app
