// hubmirror audit hashes.
#include "app/audit_subjects.hpp"
#include "app/commands/commands.hpp"
#include "app/report_output.hpp"
#include "app/services.hpp"
#include "provenance/audit/hashes.hpp"

namespace hm::app {
Result<Exit> run_command(Context& context, const AuditHashesCommand& command) {
  HM_TRY(check_form(context, command.form));
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  HM_TRY(auto subjects, subjects_of(context, *services, command.subjects));
  if (subjects.all) {
    HM_TRY(subjects.keys, provenance::audit::with_known_files(*services->index));
    subjects.words += " of which files are known";
  }
  HM_TRY(const auto report, provenance::audit::hashes(*services->index, subjects));
  return print_report(context, report, command.form);
}
}  // namespace hm::app
