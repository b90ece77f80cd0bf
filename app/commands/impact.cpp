// hubmirror impact: what is affected if a repository, a file, a licence or an owner were bad news.
#include "provenance/audit/impact.hpp"
#include "app/audit_subjects.hpp"
#include "app/commands/commands.hpp"
#include "app/licences.hpp"
#include "app/origins.hpp"
#include "app/report_output.hpp"
#include "app/services.hpp"
#include "base/text.hpp"

namespace hm::app {
namespace {
namespace audit = provenance::audit;

/// "mit" of "licence:mit"; nullopt when it does not begin so. @returns BadInput when nothing stands behind it.
Result<std::optional<std::string>> behind(const std::string& text, std::string_view prefix) {
  if (text.size() < prefix.size() || !ascii_equal_fold(std::string_view(text).substr(0, prefix.size()), prefix))
    return std::optional<std::string>();
  std::string id(trim(std::string_view(text).substr(prefix.size())));
  if (id.empty())
    return Error{Errc::BadInput, "nothing stands behind \"" + std::string(prefix) +
                                     "\"; write e.g. licence:mit, origin:CN, origin:Qwen"};
  return std::optional(std::move(id));
}

/// A licence by its SPDX identifier, by a LicenseRef or as people spell it: what cards write for it. Else as it is.
std::vector<std::string> as_cards_write(const provenance::licence::Catalogue& catalogue, const std::string& id) {
  if (catalogue.by_hub_id(id) != nullptr) return {id};
  const auto* licence = catalogue.find(id);
  if (licence == nullptr) licence = catalogue.by_spelling(id);
  if (licence == nullptr || licence->hub.empty()) return {id};
  return licence->hub;
}

Result<provenance::report::Report> answer(Context& context, const storage::Index& index, const std::string& what) {
  if (const auto file = Sha256::parse(ascii_lower(what))) return audit::impact_of_file(index, *file);
  for (const std::string_view prefix : {"licence:", "license:"}) {
    HM_TRY(const auto id, behind(what, prefix));
    if (!id) continue;
    HM_TRY(const auto catalogue, licences_in_force(context.config, context.config_file));
    return audit::impact_of_licence(index, *id, as_cards_write(catalogue, *id));
  }
  HM_TRY(const auto which, behind(what, "origin:"));
  if (which) {
    HM_TRY(const auto origins, origins_in_force(context.config, context.config_file));
    return audit::impact_of_origin(index, origins, *which);
  }
  auto node = known_node(index, what);
  if (!node && node.assume_error().code == Errc::BadInput)
    node.assume_error().what += "; or licence:<id>, origin:<country or owner>, or the SHA-256 of a file";
  HM_TRY(const auto found, std::move(node));
  return audit::impact_of_repository(index, found);
}
}  // namespace

Result<Exit> run_command(Context& context, const ImpactCommand& command) {
  HM_TRY(check_form(context, command.form));
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  HM_TRY(const auto report, answer(context, *services->index, command.what));
  return print_report(context, report, command.form);
}
}  // namespace hm::app
