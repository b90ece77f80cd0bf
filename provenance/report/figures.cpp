#include "provenance/report/figures.hpp"

#include <boost/json/array.hpp>

#include <algorithm>
#include <array>
#include <tuple>

#include "base/csv.hpp"
#include "base/text.hpp"

namespace hm::provenance::report {
namespace {
json::value json_of(const Figure& figure) {
  if (const auto* text = std::get_if<std::string>(&figure)) return json::string(*text);
  if (const auto* number = std::get_if<std::uint64_t>(&figure)) return *number;
  if (const auto* share = std::get_if<Share>(&figure))
    return json::object{
        {"of", share->of}, {"part", share->part}, {"percent", json::string(percent_text(share->part, share->of))}};
  return nullptr;
}

json::object json_of(const FigureTable& table) {
  json::array columns, rows, gaps;
  for (const FigureColumn& column : table.columns)
    columns.push_back(json::object{{"meaning", json::string(column.meaning)}, {"name", json::string(column.name)}});
  for (const auto& row : table.rows) {
    json::object out;
    for (std::size_t i = 0; i < row.size(); ++i) out[table.columns[i].name] = json_of(row[i]);
    rows.push_back(std::move(out));
  }
  for (const Gap& gap : table.gaps)
    gaps.push_back(
        json::object{{"count", gap.count}, {"what", json::string(gap.what)}, {"why", json::string(gap.why)}});
  return {{"columns", std::move(columns)},
          {"coverage", json::object{{"gaps", std::move(gaps)}, {"judged", json_of(table.judged)}}},
          {"id", json::string(table.id)},
          {"population", json::string(table.population)},
          {"rows", std::move(rows)},
          {"title", json::string(table.title)}};
}

constexpr std::array<std::string_view, 3> kSeverities{"note", "warning", "problem"};

json::string text(std::string_view t) { return json::string(t.data(), t.size()); }
json::array texts(const std::vector<std::string>& list) {
  json::array out;
  for (const std::string& one : list) out.push_back(text(one));
  return out;
}
json::object json_of(const Finding& finding) {
  return {{"path", texts(finding.path)},
          {"rule", text(finding.rule)},
          {"severity", text(name_of(finding.severity))},
          {"subject", text(finding.subject)},
          {"what", text(finding.what)}};
}
json::object json_of(const Graph& graph) {
  json::array nodes, edges;
  for (const GraphNode& node : graph.nodes)
    nodes.push_back(json::object{{"group", text(node.group)},
                                 {"id", text(node.id)},
                                 {"label", text(node.label)},
                                 {"note", text(node.note)},
                                 {"subject", node.subject}});
  for (const GraphEdge& edge : graph.edges)
    edges.push_back(json::object{
        {"from", text(edge.from)}, {"label", text(edge.label)}, {"to", text(edge.to)}, {"weak", edge.weak}});
  return {{"edges", std::move(edges)},
          {"left_out", graph.left_out},
          {"nodes", std::move(nodes)},
          {"title", text(graph.title)}};
}

/// A text of others that no spreadsheet may calculate.
std::string harmless(std::string text) {
  if (!text.empty() && std::string_view("=+-@\t\r").find(text[0]) != std::string_view::npos) text.insert(0, 1, '\'');
  return text;
}

std::string row_name(const FigureTable& table, const std::vector<Figure>& row) {
  std::string out;
  for (std::size_t i = 0; i < table.keys; ++i) out += (i == 0 ? "" : " ") + text_of(row[i]);
  return harmless(std::move(out));
}

void append_figure(std::string& out, const std::string& table, const std::string& row, const std::string& name,
                   const Figure& figure) {
  std::vector<std::string> record{table, row, name, "", "", ""};
  if (const auto* share = std::get_if<Share>(&figure)) {
    record[3] = percent_text(share->part, share->of);
    record[4] = std::to_string(share->part);
    record[5] = std::to_string(share->of);
  } else if (const auto* number = std::get_if<std::uint64_t>(&figure)) {
    record[3] = std::to_string(*number);
  } else if (const auto* text = std::get_if<std::string>(&figure)) {
    record[3] = harmless(*text);
  }
  append_csv_row(out, record);
}

void append_table(std::string& out, const FigureTable& table) {
  append_csv_row(out, {table.id, "", "title", table.title, "", ""});
  append_csv_row(out, {table.id, "", "population", table.population, "", ""});
  for (const FigureColumn& column : table.columns)
    append_csv_row(out, {table.id, "", "meaning of " + column.name, column.meaning, "", ""});
  append_figure(out, table.id, "", "judged", table.judged);
  for (const Gap& gap : table.gaps)
    append_csv_row(out, {table.id, "", "gap: " + gap.what + ": " + gap.why, std::to_string(gap.count), "", ""});
  for (const auto& row : table.rows) {
    const std::string name = row_name(table, row);
    for (std::size_t i = table.keys; i < row.size(); ++i)
      append_figure(out, table.id, name, table.columns[i].name, row[i]);
  }
}
void append_finding(std::string& out, const Finding& finding) {
  std::string what = finding.what;
  for (const std::string& hop : finding.path) what += "; " + hop;
  append_csv_row(out, {"findings", harmless(finding.subject), finding.rule, harmless(std::move(what)),
                       std::string(name_of(finding.severity)), ""});
}
}  // namespace

std::string_view name_of(Severity severity) { return kSeverities[static_cast<std::size_t>(severity)]; }
std::optional<Severity> parse_severity(std::string_view name) {
  for (std::size_t i = 0; i < kSeverities.size(); ++i)
    if (kSeverities[i] == name) return static_cast<Severity>(i);
  return std::nullopt;
}

std::string text_of(const Figure& figure) {
  if (const auto* text = std::get_if<std::string>(&figure)) return *text;
  if (const auto* number = std::get_if<std::uint64_t>(&figure)) return std::to_string(*number);
  if (const auto* share = std::get_if<Share>(&figure))
    return share->of == 0 ? "-" : percent_text(share->part, share->of) + " %";
  return "-";
}

const Figure* FigureTable::find(const std::vector<std::string>& row_keys, std::string_view column) const {
  const auto at = std::find_if(columns.begin(), columns.end(), [&](const FigureColumn& c) { return c.name == column; });
  if (at == columns.end()) return nullptr;
  for (const auto& row : rows) {
    bool same = row_keys.size() <= row.size();
    for (std::size_t i = 0; same && i < row_keys.size(); ++i) same = text_of(row[i]) == row_keys[i];
    if (same) return &row[static_cast<std::size_t>(at - columns.begin())];
  }
  return nullptr;
}

const FigureTable* Report::table(std::string_view table_id) const {
  const auto at = std::find_if(tables.begin(), tables.end(), [&](const FigureTable& t) { return t.id == table_id; });
  return at == tables.end() ? nullptr : &*at;
}

std::optional<Severity> Report::worst() const {
  const auto most = std::max_element(findings.begin(), findings.end(),
                                     [](const Finding& a, const Finding& b) { return a.severity < b.severity; });
  return most == findings.end() ? std::nullopt : std::optional(most->severity);
}

void Report::sort_findings() {
  std::stable_sort(findings.begin(), findings.end(), [](const Finding& a, const Finding& b) {
    return std::tie(b.severity, a.subject, a.rule, a.what) < std::tie(a.severity, b.subject, b.rule, b.what);
  });
}

json::object to_json(const Report& report) {
  json::array tables, upstreams, findings, graphs;
  for (const Finding& finding : report.findings) findings.push_back(json_of(finding));
  for (const Graph& graph : report.graphs) graphs.push_back(json_of(graph));
  for (const FigureTable& table : report.tables) tables.push_back(json_of(table));
  for (const std::string& host : report.basis.upstreams) upstreams.push_back(json::string(host));
  const Basis& b = report.basis;
  json::object journal{{"entries", b.journal_entries}};
  if (b.journal_entries != 0) {
    journal["last_observed"] = json::string(iso8601(b.journal_last_ms));
    journal["last_sha256"] = json::string(b.journal_last_sha256);
  }
  return {{"basis", json::object{{"journal", std::move(journal)}, {"upstreams", std::move(upstreams)}}},
          {"answer", texts(report.answer)},
          {"findings", std::move(findings)},
          {"graphs", std::move(graphs)},
          {"report", text(report.id)},
          {"tables", std::move(tables)},
          {"title", text(report.title)}};
}

std::string to_csv(const Report& report) {
  std::string out;
  append_csv_row(out, {"table", "row", "figure", "value", "part", "of"});
  const Basis& b = report.basis;
  for (const std::string& sentence : report.answer) append_csv_row(out, {"answer", "", "", harmless(sentence), "", ""});
  append_csv_row(out, {"basis", "", "journal_entries", std::to_string(b.journal_entries), "", ""});
  if (b.journal_entries != 0) {
    append_csv_row(out, {"basis", "", "journal_last_observed", iso8601(b.journal_last_ms), "", ""});
    append_csv_row(out, {"basis", "", "journal_last_sha256", b.journal_last_sha256, "", ""});
  }
  for (const std::string& host : b.upstreams) append_csv_row(out, {"basis", "", "upstream", host, "", ""});
  for (const FigureTable& table : report.tables) append_table(out, table);
  for (const Finding& finding : report.findings) append_finding(out, finding);
  return out;
}
}  // namespace hm::provenance::report
