#include "app/daemon/in_force.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>
#include <string_view>
#include <variant>

#include "app/mirror_run.hpp"
#include "app/services.hpp"
#include "config/settings.hpp"

namespace hm::app {
namespace {
/// What is opened once: connections, the index and its place, the server's sockets and threads.
constexpr std::array<std::string_view, 3> kFixedSections{"upstream", "network", "storage"};
constexpr std::array<std::string_view, 3> kFixedKeys{"mirror.bytes_in_flight_max", "serve.listen", "serve.threads"};

using Value = std::variant<bool, int, std::int64_t, std::uint64_t, std::string, std::vector<std::string>>;
std::map<std::string, Value> fixed_settings(const config::Config& config) {
  std::map<std::string, Value> out;
  config::each_setting(config, [&](std::string_view section, std::string_view key, const auto& member, const auto&) {
    const std::string name = std::string(section) + "." + std::string(key);
    if (std::ranges::find(kFixedSections, section) != kFixedSections.end() ||
        std::ranges::find(kFixedKeys, name) != kFixedKeys.end())
      out.emplace(name, Value(member));
  });
  return out;
}
}  // namespace

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

Result<> check_change(const Rules& before, const Rules& after) {
  if (before.settings.data_dir != after.settings.data_dir)
    return Error{Errc::BadInput, "the data directory cannot change while the daemon runs; restart it"};
  const auto now = fixed_settings(before.settings.config), then = fixed_settings(after.settings.config);
  for (const auto& [name, value] : now)
    if (then.at(name) != value)
      return Error{Errc::BadInput, name + " cannot change while the daemon runs; restart it, or take the change back"};
  return ok();
}
}  // namespace hm::app
