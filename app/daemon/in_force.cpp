#include "app/daemon/in_force.hpp"

#include "app/mirror_run.hpp"
#include "app/services.hpp"

namespace hm::app {
Result<RulesView> load_rules(const GlobalOptions& options) {
  auto rules = std::make_shared<Rules>();
  HM_TRY(rules->settings, load_settings(options));
  HM_TRY(NetworkServices::plan(rules->settings.config));
  const std::string directory = config::policies_directory(rules->settings.config, rules->settings.config_file);
  std::vector<config::MirrorPolicy> policies;
  if (!directory.empty()) {
    HM_TRY(policies, config::load_mirror_policies(directory));
  }
  for (const config::MirrorPolicy& policy : policies)
    for (const config::ListedRepo& listed : policy.select.repos) {
      HM_TRY(within(check_url_host(listed.text, rules->settings.config.upstream.url),
                    [&] { return "reading " + listed.where; }));
    }
  rules->policies = std::make_shared<const std::vector<config::MirrorPolicy>>(std::move(policies));
  return RulesView(std::move(rules));
}

}  // namespace hm::app
