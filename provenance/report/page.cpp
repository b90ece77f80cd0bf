#include "provenance/report/page.hpp"

namespace hm::provenance::report {
std::string page(const Report& report) { return "<!doctype html><title>" + report.id + "</title>"; }
}  // namespace hm::provenance::report
