#include "provenance/report/page.hpp"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "provenance/report/page_graph_parts.hpp"
#include "provenance/report/page_parts.hpp"

namespace hm::provenance::report {
namespace {
constexpr std::size_t kOpenMax = 12;       // findings that are open to the eye from the beginning
constexpr std::size_t kAnswerShort = 130;  // bytes of a sentence that is easy to read in the largest type
constexpr std::size_t kRowsOpenMax = 14;   // rows of a table that is open
constexpr std::size_t kRowsMax = 5'000;    // of a table on a page; --csv has all
constexpr std::size_t kFindingsMax = 20'000;
constexpr std::array kSeverities{Severity::Problem, Severity::Warning, Severity::Note};

std::string plural(std::uint64_t count, std::string_view one) {
  return grouped_digits(count) + " " + std::string(one) + (count == 1 ? "" : "s");
}
std::string section(std::string_view id, std::string_view heading, const std::string& body) {
  if (body.empty()) return "";
  return "<section id=\"" + std::string(id) + "\">\n<h2>" + std::string(heading) + "</h2>\n" + body + "</section>\n";
}

std::string head_of(const Report& report) {
  return "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
         "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
         "<meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">\n<meta name=\"referrer\" "
         "content=\"no-referrer\">\n<title>" +
         escaped(report.title.empty() ? report.id : report.title) + "</title>\n<style>" + std::string(page_style()) +
         "</style></head>\n<body>\n";
}
std::string answer_of(const Report& report) {
  std::string out = "<header>\n<p class=\"kicker\">hubmirror · " + escaped(report.id) + "</p>\n<h1" +
                    (report.answer.empty() ? " class=\"answer\"" : "") + ">" + escaped(report.title) + "</h1>\n";
  for (std::size_t i = 0; i < report.answer.size(); ++i) {
    if (i == 0)
      out += std::string("<p class=\"answer") + (report.answer[0].size() > kAnswerShort ? " long" : "") + "\">" +
             escaped(report.answer[0]) + "</p>\n";
    else
      out += (i == 1 ? "<div class=\"rest\"><p>" : "<p>") + escaped(report.answer[i]) + "</p>\n";
  }
  if (report.answer.size() > 1) out += "</div>\n";
  std::array<std::uint64_t, 3> counts{};
  for (const Finding& finding : report.findings) ++counts[static_cast<std::size_t>(finding.severity)];
  std::string tiles;
  for (const Severity severity : kSeverities) {
    const std::uint64_t count = counts[static_cast<std::size_t>(severity)];
    const std::string name(name_of(severity));
    if (count != 0)
      tiles += "<li class=\"" + name + "\"><b>" + grouped_digits(count) + "</b><span>" + name +
               (count == 1 ? "" : "s") + "</span></li>\n";
  }
  if (!tiles.empty()) out += "<ul class=\"tiles\">\n" + tiles + "</ul>\n";
  return out + "</header>\n<main>\n";
}

std::string coverage_of(const Report& report) {
  std::string out;
  for (const FigureTable& table : report.tables) {
    const bool gaps = std::any_of(table.gaps.begin(), table.gaps.end(), [](const Gap& gap) { return gap.count != 0; });
    if (table.judged.of == 0 && !gaps) continue;
    const double part = table.judged.of == 0
                            ? 0
                            : 1000.0 * static_cast<double>(table.judged.part) / static_cast<double>(table.judged.of);
    out += "<li><div class=\"row\"><bdi>" + escaped(table.title) +
           "</bdi><svg viewBox=\"0 0 1000 10\" preserveAspectRatio=\"none\" aria-hidden=\"true\"><rect class=\"track\" "
           "width=\"1000\" height=\"10\"/><rect class=\"c0\" width=\"" +
           std::to_string(static_cast<int>(part)) + "\" height=\"10\"/></svg><span>" +
           grouped_digits(table.judged.part) + " of " + grouped_digits(table.judged.of) + " judged</span></div>";
    for (const Gap& gap : table.gaps)
      if (gap.count != 0)
        out += "<p>" + escaped(gap.what) + ": <b>" + grouped_digits(gap.count) + "</b>; " + escaped(gap.why) + "</p>";
    out += "</li>\n";
  }
  return out.empty() ? out : "<ul class=\"coverage\">\n" + out + "</ul>\n";
}

std::string finding_of(const Finding& finding) {
  std::string out = "<li class=\"" + std::string(name_of(finding.severity)) + "\"><b><bdi>" + escaped(finding.subject) +
                    "</bdi></b><p>" + escaped(finding.what) + "</p>";
  if (!finding.path.empty()) {
    out += "<ol class=\"hops\">";
    for (const std::string& hop : finding.path) out += "<li>" + escaped(hop) + "</li>";
    out += "</ol>";
  }
  return out + "</li>\n";
}
/// By severity and rule; what is short is open.
std::string findings_of(const Report& report) {
  std::vector<std::pair<std::pair<Severity, std::string>, std::vector<const Finding*>>> rules;
  std::size_t taken = 0;
  for (const Severity severity : kSeverities) {
    const std::size_t first = rules.size();
    for (const Finding& finding : report.findings) {
      if (finding.severity != severity || taken == kFindingsMax) continue;
      ++taken;
      const auto key = std::pair(severity, finding.rule);
      auto at = std::find_if(rules.begin() + static_cast<std::ptrdiff_t>(first), rules.end(),
                             [&](const auto& rule) { return rule.first == key; });
      if (at == rules.end()) {
        rules.emplace_back(key, std::vector<const Finding*>());
        at = rules.end() - 1;
      }
      at->second.push_back(&finding);
    }
  }
  std::string out;
  std::size_t open = 0;
  for (const auto& [key, findings] : rules) {
    const std::string severity(name_of(key.first));
    const bool is_open = open + findings.size() <= kOpenMax;
    if (is_open) open += findings.size();
    out += std::string("<details class=\"rule\"") + (is_open ? " open" : "") + "><summary><span class=\"pill " +
           severity + "\">" + severity + "</span><b>" + escaped(key.second) + "</b><span class=\"count\">" +
           grouped_digits(findings.size()) + "</span></summary>\n<ul class=\"findings\">\n";
    for (const Finding* finding : findings) out += finding_of(*finding);
    out += "</ul></details>\n";
  }
  if (report.findings.size() > taken)
    out += "<p>" + plural(report.findings.size() - taken, "more finding") +
           " would make this page too long; --json and --csv have all.</p>\n";
  return out;
}

std::string cell_of(const Figure& figure) {
  if (const auto* number = std::get_if<std::uint64_t>(&figure)) return grouped_digits(*number);
  if (const auto* share = std::get_if<Share>(&figure))
    return "<span title=\"" + grouped_digits(share->part) + " of " + grouped_digits(share->of) + "\">" +
           escaped(text_of(figure)) + "</span>";
  return escaped(text_of(figure));
}
bool is_figure(const FigureTable& table, std::size_t column) {
  if (column < table.keys) return false;
  return std::none_of(table.rows.begin(), table.rows.end(), [&](const auto& row) {
    return column < row.size() && std::holds_alternative<std::string>(row[column]);
  });
}
std::string rows_of(const FigureTable& table) {
  std::vector<std::string> classes;
  std::string out = "<div class=\"scroll\"><table><thead><tr>";
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    classes.emplace_back(is_figure(table, i) ? "figure" : "key");
    std::string name = table.columns[i].name;
    std::replace(name.begin(), name.end(), '_', ' ');
    out += "<th class=\"" + classes.back() + "\" title=\"" + escaped(table.columns[i].meaning) + "\">" + escaped(name) +
           "</th>";
  }
  out += "</tr></thead><tbody>\n";
  for (std::size_t r = 0; r < table.rows.size() && r < kRowsMax; ++r) {
    out += "<tr>";
    for (std::size_t i = 0; i < table.rows[r].size() && i < classes.size(); ++i)
      out += "<td class=\"" + classes[i] + "\">" + cell_of(table.rows[r][i]) + "</td>";
    out += "</tr>\n";
  }
  out += "</tbody></table></div>\n";
  if (table.rows.size() > kRowsMax)
    out += "<p class=\"over\">and " + grouped_digits(table.rows.size() - kRowsMax) + " more; --csv has all</p>\n";
  return out;
}
std::string table_of(const FigureTable& table) {
  std::string out = "<div class=\"table\" id=\"" + escaped(table.id) + "\"><h3>" + escaped(table.title) +
                    "</h3>\n<p class=\"over\">Over " + escaped(table.population) + ".</p>\n" + bars_of(table);
  if (table.rows.empty()) return out + "<p class=\"over\">No rows.</p></div>\n";
  const bool drawn = out.find("<div class=\"charts\">") != out.npos;
  if (table.rows.size() > kRowsOpenMax || (drawn && table.rows.size() > 3))
    out += "<details class=\"more\"><summary>" + plural(table.rows.size(), "row") + "</summary>" + rows_of(table) +
           "</details>\n";
  else
    out += rows_of(table);
  out += "<details class=\"more\"><summary>What the columns mean</summary><dl>";
  for (const FigureColumn& column : table.columns)
    out += "<dt><code>" + escaped(column.name) + "</code></dt><dd>" + escaped(column.meaning) + "</dd>";
  return out + "</dl></details></div>\n";
}

std::string basis_text(const Basis& basis) {
  std::string out =
      "</main>\n<footer><p>What this page rests on. The same state gives the same page.</p><dl>\n"
      "<dt>journal</dt><dd>" +
      grouped_digits(basis.journal_entries) + (basis.journal_entries == 1 ? " entry" : " entries") + "</dd>\n";
  if (basis.journal_entries != 0)
    out += "<dt>last observed</dt><dd>" + escaped(iso8601(basis.journal_last_ms)) +
           "</dd>\n<dt>sha256 of the last</dt><dd class=\"mono\">" + escaped(basis.journal_last_sha256) + "</dd>\n";
  std::string upstreams;
  for (const std::string& host : basis.upstreams) upstreams += (upstreams.empty() ? "" : ", ") + host;
  return out + "<dt>upstream</dt><dd>" + escaped(upstreams.empty() ? "none was read" : upstreams) +
         "</dd>\n</dl></footer>\n</body></html>\n";
}
}  // namespace

std::string escaped(std::string_view raw) {
  const std::string text = printable(raw);
  std::string out;
  out.reserve(text.size() + text.size() / 8);
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      case '\'':
        out += "&#39;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string page(const Report& report) {
  std::string drawings, tables;
  for (const Graph& graph : report.graphs) drawings += drawing_of(graph);
  for (const FigureTable& table : report.tables) tables += table_of(table);
  return head_of(report) + answer_of(report) + section("lineage", "Lineage", drawings) +
         section("findings", "Findings", findings_of(report)) + section("figures", "Figures", tables) +
         section("coverage", "What could be judged", coverage_of(report)) + basis_text(report.basis);
}
}  // namespace hm::provenance::report
