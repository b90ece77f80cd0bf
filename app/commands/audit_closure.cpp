// hubmirror audit closure.
#include "app/audit_subjects.hpp"
#include "app/commands/commands.hpp"
#include "app/report_output.hpp"
#include "app/services.hpp"
#include "provenance/audit/closure.hpp"

namespace hm::app {
Result<Exit> run_command(Context& context, const AuditClosureCommand& command) {
  HM_TRY(check_form(context, command.form));
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  HM_TRY(auto asked, subjects_of(context, *services, command.subjects));
  const provenance::audit::Subjects subjects{std::move(asked.keys), asked.all, std::move(asked.words),
                                             std::move(asked.gaps)};
  HM_TRY(const auto report, provenance::audit::closure(*services->index, subjects));
  return print_report(context, report, command.form);
}
}  // namespace hm::app
