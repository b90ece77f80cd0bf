#include "app/policies.hpp"

#include "base/text.hpp"

namespace hm::app {
Result<std::vector<config::MirrorPolicy>> policies_in_force(const Context& context, std::string_view consequence) {
  if (context.policies) return *context.policies;
  const std::string directory = config::policies_directory(context.config, context.config_file);
  if (directory.empty()) return std::vector<config::MirrorPolicy>();
  auto policies = config::load_mirror_policies(directory);
  if (policies) return policies;
  return Error{Errc::BadInput, policies.assume_error().what + "; " + std::string(consequence) +
                                   " without knowing what the policies want: put right what is in " +
                                   printable(directory) +
                                   " (hubmirror config check reads it), or name the right folder in sync.policies"};
}
}  // namespace hm::app
