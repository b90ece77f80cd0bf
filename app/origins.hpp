// app/origins.hpp: who stands behind an owner, as the program and the operator's folder say. Layer 6; main thread.
#pragma once
#include <string>

#include "base/result.hpp"
#include "config/config.hpp"
#include "provenance/origin.hpp"

namespace hm::app {
/// The table in the program, with what the folder of report.origins says, or the folder `origins` beside the
/// configuration file. @returns BadInput naming file, line, fault and what to do.
Result<provenance::OriginTable> origins_in_force(const config::Config& config, const std::string& config_file);
}  // namespace hm::app
