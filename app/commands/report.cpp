// hubmirror report: figures over all that is known.
#include "app/commands/commands.hpp"
#include "app/origins.hpp"
#include "app/report_output.hpp"
#include "app/services.hpp"
#include "provenance/report/ecosystem.hpp"

namespace hm::app {
Result<Exit> run_command(Context& context, const ReportEcosystemCommand& command) {
  HM_TRY(check_form(context, command.form));
  HM_TRY(const auto origins, origins_in_force(context.config, context.config_file));
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  HM_TRY(const auto report, provenance::report::ecosystem(*services->index, origins));
  return print_report(context, report, command.form);
}
}  // namespace hm::app
