#include "app/report_output.hpp"

#include <algorithm>
#include <ostream>
#include <variant>

#include "app/output.hpp"
#include "base/file.hpp"
#include "base/text.hpp"
#include "provenance/report/page.hpp"
#include "provenance/report/page_graph.hpp"

namespace hm::app {
namespace {
using provenance::report::FigureTable;
using provenance::report::Finding;
using provenance::report::Report;

constexpr std::size_t kFindingsShownMax = 200, kRowsShownMax = 100;
constexpr std::size_t kCellShownMax = 160;  // characters: a name of a stranger pads all rows of its column

std::string table_text(const FigureTable& figures) {
  std::string out = "\n" + figures.title + "\n  over " + figures.population + "\n";
  std::vector<Table::Column> columns;
  for (std::size_t i = 0; i < figures.columns.size(); ++i) {
    const bool is_text = std::all_of(figures.rows.begin(), figures.rows.end(), [i](const auto& row) {
      return std::holds_alternative<std::string>(row[i]) || std::holds_alternative<std::monostate>(row[i]);
    });
    columns.push_back(
        {figures.columns[i].name, i < figures.keys || is_text ? Table::Align::Left : Table::Align::Right});
  }
  Table table(std::move(columns));
  for (std::size_t i = 0; i < figures.rows.size() && i < kRowsShownMax; ++i) {
    std::vector<std::string> cells;
    for (const auto& figure : figures.rows[i])
      cells.push_back(provenance::report::shortened(provenance::report::text_of(figure), kCellShownMax));
    table.add(std::move(cells));
  }
  out += table.render();
  if (figures.rows.size() > kRowsShownMax)
    out += "  and " + std::to_string(figures.rows.size() - kRowsShownMax) + " more; --json and --csv have all\n";
  for (const auto& column : figures.columns) out += "  " + column.name + ": " + printable(column.meaning) + "\n";
  out += "  judged: " + std::to_string(figures.judged.part) + " of " + std::to_string(figures.judged.of) + "\n";
  for (const auto& gap : figures.gaps)
    if (gap.count != 0) out += "  " + gap.what + ": " + std::to_string(gap.count) + "; " + gap.why + "\n";
  return out;
}

std::string findings_text(const std::vector<Finding>& findings) {
  if (findings.empty()) return "";
  std::string out = "\n" + counted(findings.size(), "finding") + "\n";
  for (std::size_t i = 0; i < findings.size() && i < kFindingsShownMax; ++i) {
    const Finding& f = findings[i];
    out += "  " + std::string(name_of(f.severity)) + "  " + printable(f.subject) + "  " + f.rule + "\n    " +
           printable(f.what) + "\n";
    for (const std::string& hop : f.path) out += "      " + printable(hop) + "\n";
  }
  if (findings.size() > kFindingsShownMax)
    out += "  and " + std::to_string(findings.size() - kFindingsShownMax) + " more; --json and --csv have all\n";
  return out;
}
}  // namespace

Result<> check_form(const Context& context, const ReportForm& form) {
  if (form.csv && context.options.json)
    return Error{Errc::BadInput, "--csv and --json are two forms of the same; say one of them"};
  return ok();
}

std::string basis_text(const provenance::report::Basis& basis) {
  std::string out = "Rests on " + counted(basis.journal_entries, "journal entry");
  if (basis.journal_entries != 0)
    out += "; the last was observed " + time_text(basis.journal_last_ms) + ", sha256 " + basis.journal_last_sha256;
  return out + "\nUpstream: " + (basis.upstreams.empty() ? "none was read" : joined(basis.upstreams, ", ")) + "\n";
}

Result<> write_page(const std::string& path, const Report& report) {
  auto written = within(replace_named_file(real_file_system(), path, provenance::report::page(report)),
                        [&] { return "writing the page " + printable(path); });
  // Exit code 1 is for findings.
  if (!written && written.assume_error().code == Errc::NotFound)
    return Error{Errc::BadInput, written.assume_error().what + "; make the folder, or name another with --html"};
  return written;
}

Result<Exit> print_report(Context& context, const Report& report, const ReportForm& form) {
  if (!form.html.empty()) {
    HM_TRY(write_page(form.html, report));
  }
  std::ostream& out = context.io.out;
  if (context.options.json) {
    print_json(out, to_json(report));
  } else if (form.csv) {
    out << to_csv(report);
  } else {
    for (const std::string& sentence : report.answer) out << printable(sentence) << "\n";
    out << findings_text(report.findings);
    for (const FigureTable& table : report.tables) out << table_text(table);
    out << "\n" << basis_text(report.basis);
  }
  const auto bar = provenance::report::parse_severity(form.fail_on);
  const auto worst = report.worst();
  return bar && worst && *worst >= *bar ? Exit::Incomplete : Exit::Done;
}
}  // namespace hm::app
