// provenance/report/page.hpp: a report as one self-contained HTML page with drawings. Layer 4; pure functions.
#pragma once
#include <string>

#include "provenance/report/figures.hpp"

namespace hm::provenance::report {
/// No script, nothing fetched: it opens from a disk without a network, and prints.
std::string page(const Report& report);
}  // namespace hm::provenance::report
