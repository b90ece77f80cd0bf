// hubmirror audit licences: which terms hold, along which descent, and what conflicts.
#include <filesystem>
#include <optional>

#include "app/audit_subjects.hpp"
#include "app/commands/commands.hpp"
#include "app/licences.hpp"
#include "app/report_output.hpp"
#include "app/services.hpp"
#include "provenance/audit/licences.hpp"

namespace hm::app {
Result<Exit> run_command(Context& context, const AuditLicencesCommand& command) {
  HM_TRY(check_form(context, command.form));
  HM_TRY(const auto catalogue, licences_in_force(context.config, context.config_file));
  provenance::audit::LicenceQuestion question{catalogue, nullptr, {}};
  std::optional<provenance::licence::LicencePolicy> policy;
  if (!command.accept.empty()) {
    HM_TRY(policy, provenance::licence::load_licence_policy(catalogue, command.accept));
    question.policy = &*policy;
    question.policy_name = std::filesystem::path(command.accept).filename().string();
  }
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  HM_TRY(const auto subjects, subjects_of(context, *services, command.subjects));
  if (subjects.all) {
    HM_TRY(const auto report, provenance::audit::licences_of_all(*services->index, question));
    return print_report(context, report, command.form);
  }
  HM_TRY(const auto report, provenance::audit::licences(*services->index, question, subjects));
  return print_report(context, report, command.form);
}
}  // namespace hm::app
