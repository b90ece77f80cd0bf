// app/report_output.hpp: how reports and audits are written: text, JSON, CSV, a page, and which exit code they give.
// Layer 6; main thread.
#pragma once
#include "app/cli.hpp"
#include "app/context.hpp"
#include "base/result.hpp"
#include "provenance/report/figures.hpp"

namespace hm::app {
/// What can be said before anything is read: forms that exclude each other. @returns BadInput.
Result<> check_form(const Context& context, const ReportForm& form);
/// Text on standard output, or JSON with --json, or CSV; the page goes to form.html, whole or not at all.
/// @returns Incomplete when a finding is at least as severe as form.fail_on; Io.
Result<Exit> print_report(Context& context, const provenance::report::Report& report, const ReportForm& form);
/// "Rests on 3 journal entries; …": two lines.
std::string basis_text(const provenance::report::Basis& basis);
/// One page to a file, whole or not at all. @returns BadInput when its folder is not there, or what is there is no file
/// that may be replaced; Io.
Result<> write_page(const std::string& path, const provenance::report::Report& report);
}  // namespace hm::app
