// config/suggest.hpp: the known word that a person most likely meant. Layer 1; pure functions.
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace hm::config {
/// The candidate nearest to `given` (edit distance at most a third of its length, at least 1), or "" when none is near.
std::string nearest(std::string_view given, const std::vector<std::string>& candidates);
/// `; did you mean "x"?` or "".
std::string did_you_mean(std::string_view given, const std::vector<std::string>& candidates);
}  // namespace hm::config
