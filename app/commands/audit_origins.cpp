// hubmirror audit origins.
#include "app/audit_subjects.hpp"
#include "app/commands/commands.hpp"
#include "app/origins.hpp"
#include "app/report_output.hpp"
#include "app/services.hpp"
#include "provenance/audit/origins.hpp"

namespace hm::app {
Result<Exit> run_command(Context& context, const AuditOriginsCommand& command) {
  HM_TRY(check_form(context, command.form));
  HM_TRY(auto refused, within(provenance::audit::parse_refused(command.refuse), [] { return "reading --refuse"; }));
  HM_TRY(const auto table, origins_in_force(context.config, context.config_file));
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  HM_TRY(const auto subjects, subjects_of(context, *services, command.subjects));
  const provenance::audit::OriginQuestion question{table, std::move(refused)};
  if (subjects.all) {
    HM_TRY(const auto report, provenance::audit::origins_of_all(*services->index, question));
    return print_report(context, report, command.form);
  }
  HM_TRY(const auto report, provenance::audit::origins(*services->index, question, subjects));
  return print_report(context, report, command.form);
}
}  // namespace hm::app
