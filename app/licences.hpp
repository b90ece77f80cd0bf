// app/licences.hpp: what is known of licences, as the program and the operator's folder say. Layer 6; main thread.
#pragma once
#include <string>

#include "base/result.hpp"
#include "config/config.hpp"
#include "provenance/licence/catalogue.hpp"

namespace hm::app {
/// The catalogue in the program, and over it the folder of report.licences, or the folder `licences` beside the
/// configuration file. @returns BadInput naming file, line, fault and what to do.
Result<provenance::licence::Catalogue> licences_in_force(const config::Config& config, const std::string& config_file);
}  // namespace hm::app
