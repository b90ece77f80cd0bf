#include "app/licences.hpp"

#include "base/text.hpp"

namespace hm::app {
Result<provenance::licence::Catalogue> licences_in_force(const config::Config& config, const std::string& config_file) {
  using provenance::licence::Catalogue;
  const std::string folder = config::named_or_beside(config.report.licences, config_file, "licences");
  if (folder.empty()) return Catalogue::built_in();
  auto catalogue = Catalogue::with_folder(folder);
  if (catalogue) return catalogue;
  return Error{Errc::BadInput, catalogue.assume_error().what + "; put right what is in " + printable(folder) +
                                   ", or name another folder in report.licences"};
}
}  // namespace hm::app
