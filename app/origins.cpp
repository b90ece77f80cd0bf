#include "app/origins.hpp"

#include "base/text.hpp"

namespace hm::app {
Result<provenance::OriginTable> origins_in_force(const config::Config& config, const std::string& config_file) {
  HM_TRY(auto table, provenance::OriginTable::built_in());
  const std::string folder = config::named_or_beside(config.report.origins, config_file, "origins");
  if (folder.empty()) return table;
  const auto added = table.add_folder(real_file_system(), folder);
  if (added) return table;
  return Error{Errc::BadInput, added.assume_error().what + "; put right what is in " + printable(folder) +
                                   ", or name another folder in report.origins"};
}
}  // namespace hm::app
