// hubmirror report: figures over all that is known.
#include <ostream>

#include "app/commands/commands.hpp"
#include "app/origins.hpp"
#include "app/output.hpp"
#include "app/services.hpp"
#include "base/clock.hpp"
#include "base/text.hpp"
#include "provenance/report/ecosystem.hpp"

namespace hm::app {
namespace {
using provenance::report::FigureTable;
using provenance::report::Report;

std::string basis_text(const Report& report) {
  const auto& basis = report.basis;
  std::string out = "Made " + time_text(basis.made_ms) + " from " + counted(basis.journal_entries, "journal entry");
  if (basis.journal_entries != 0)
    out += "; the last was observed " + time_text(basis.journal_last_ms) + ", sha256 " + basis.journal_last_sha256;
  out += "\nUpstream: " + (basis.upstreams.empty() ? "none was read" : joined(basis.upstreams, ", "));
  return out + "\nDownloads are those of the last 30 days, as the newest listing of each repository says.\n";
}

std::string table_text(const FigureTable& figures) {
  std::string out = "\n" + figures.title + "\n  over " + figures.population + "\n";
  std::vector<Table::Column> columns;
  for (std::size_t i = 0; i < figures.columns.size(); ++i)
    columns.push_back({figures.columns[i].name, i < figures.keys ? Table::Align::Left : Table::Align::Right});
  Table table(std::move(columns));
  for (const auto& row : figures.rows) {
    std::vector<std::string> cells;
    for (const auto& figure : row) cells.push_back(provenance::report::text_of(figure));
    table.add(std::move(cells));
  }
  out += table.render();
  for (const auto& column : figures.columns) out += "  " + column.name + ": " + printable(column.meaning) + "\n";
  out += "  judged: " + std::to_string(figures.judged.part) + " of " + std::to_string(figures.judged.of) + "\n";
  for (const auto& gap : figures.gaps)
    if (gap.count != 0) out += "  " + gap.what + ": " + std::to_string(gap.count) + "; " + gap.why + "\n";
  return out;
}
}  // namespace

Result<Exit> run_command(Context& context, const ReportEcosystemCommand& command) {
  if (command.csv && context.options.json)
    return Error{Errc::BadInput, "--csv and --json are two forms of the same; say one of them"};
  HM_TRY(const auto origins, origins_in_force(context.config, context.config_file));
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  HM_TRY(const Report report, provenance::report::ecosystem(*services->index, origins, system_clock().unix_ms()));
  if (context.options.json) {
    print_json(context.io.out, to_json(report));
    return Exit::Done;
  }
  if (command.csv) {
    context.io.out << to_csv(report);
    return Exit::Done;
  }
  context.io.out << basis_text(report);
  for (const FigureTable& table : report.tables) context.io.out << table_text(table);
  return Exit::Done;
}
}  // namespace hm::app
