// app/policies.hpp: the mirroring policies in force, for whoever decides by them what stays. Layer 6; main thread.
#pragma once
#include <string_view>
#include <vector>

#include "app/context.hpp"
#include "base/result.hpp"
#include "config/mirror_policy.hpp"

namespace hm::app {
/// None when neither sync.policies nor a folder beside the configuration says that there are any.
/// @param consequence what comes of it when they cannot be read: "gc removes nothing". @returns BadInput naming file,
/// fault and what to do.
Result<std::vector<config::MirrorPolicy>> policies_in_force(const Context& context, std::string_view consequence);
}  // namespace hm::app
