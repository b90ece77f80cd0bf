// app/daemon/in_force.hpp: configuration and policies that the daemon goes by, replaced as a whole. Layer 6.
// Threads: safe; what is handed out does not change.
#pragma once
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "app/settings.hpp"
#include "base/result.hpp"
#include "config/mirror_policy.hpp"

namespace hm::app {
struct Rules {
  Settings settings;
  std::shared_ptr<const std::vector<config::MirrorPolicy>> policies;  ///< never null
};
using RulesView = std::shared_ptr<const Rules>;

/// Reads and checks all of it. @returns BadInput naming file and fault.
Result<RulesView> load_rules(const GlobalOptions& options);
class InForce {
 public:
  explicit InForce(RulesView rules) : rules_(std::move(rules)) {}
  RulesView get() const {
    const std::lock_guard lock(mutex_);
    return rules_;
  }
  void replace(RulesView rules) {
    const std::lock_guard lock(mutex_);
    rules_ = std::move(rules);
  }

 private:
  mutable std::mutex mutex_;
  RulesView rules_;
};
}  // namespace hm::app
