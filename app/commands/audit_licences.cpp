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
namespace {
/// Exit code 1 is for findings, and 3 for what the operator cannot help: a file that cannot be read is a mistake of the
/// command line.
Result<provenance::licence::LicencePolicy> policy_named(const provenance::licence::Catalogue& catalogue,
                                                        const std::string& path) {
  auto policy = provenance::licence::load_licence_policy(catalogue, path);
  if (!policy && policy.assume_error().code != Errc::BadInput)
    return Error{Errc::BadInput,
                 "--accept: " + policy.assume_error().what +
                     "; name a licence policy, docs/licences.md shows what to write and where examples lie"};
  return policy;
}
}  // namespace

Result<Exit> run_command(Context& context, const AuditLicencesCommand& command) {
  HM_TRY(check_form(context, command.form));
  HM_TRY(const auto catalogue, licences_in_force(context.config, context.config_file));
  provenance::audit::LicenceQuestion question{catalogue, nullptr, {}};
  std::optional<provenance::licence::LicencePolicy> policy;
  if (!command.accept.empty()) {
    HM_TRY(policy, policy_named(catalogue, command.accept));
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
