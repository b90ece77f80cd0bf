#include "provenance/audit/why.hpp"

#include <algorithm>
#include <map>

#include "base/text.hpp"
#include "provenance/audit/subjects.hpp"
#include "provenance/lineage/claims.hpp"
#include "provenance/lineage/descent.hpp"
#include "provenance/lineage/standing.hpp"

namespace hm::provenance::audit {
namespace ln = hm::provenance::lineage;
using report::Figure;
using report::FigureTable;

namespace {
std::string date_of(const std::optional<Commit>& commit, std::int64_t ms) { return commit ? iso8601(ms) : ""; }
std::string hex_of(const std::optional<Commit>& commit) { return commit ? commit->hex() : ""; }
Figure or_nothing(std::string text) { return text.empty() ? Figure() : Figure(std::move(text)); }

FigureTable statements_table(const std::vector<ln::Edge>& way) {
  FigureTable out;
  out.id = "statements";
  out.title = "Who says so";
  out.population = "the statements behind each hop of the shortest way";
  out.columns = {{"hop", "1: from the child"},
                 {"number", "of the statement; the best founded first"},
                 {"child", "who says it"},
                 {"relation", "of the child to the parent"},
                 {"parent", "as it is called now"},
                 {"parent_id", "that the name leads to; nothing: nobody has it here"},
                 {"evidence", "inferred, declared, files, signed, identical"},
                 {"said_by", "listing: the Hub's newest; card and files: of published revisions"},
                 {"field", "where it stands"},
                 {"text", "as written"},
                 {"normalised", "the name or id that was looked up"},
                 {"first_commit", "the first published revision that says so"},
                 {"first_seen", "when that one was seen, UTC"},
                 {"last_commit", "the last published revision that says so"},
                 {"last_seen", "when that one was seen, UTC"}};
  out.keys = 2;
  for (std::size_t hop = 0; hop < way.size(); ++hop)
    for (std::size_t i = 0; i < way[hop].statements.size(); ++i) {
      const ln::Edge& edge = way[hop];
      const ln::Statement& s = edge.statements[i];
      out.rows.push_back({std::uint64_t{hop + 1}, std::uint64_t{i + 1}, ln::text_of(edge.from),
                          std::string(storage::name_of(edge.relation)), ln::text_of(edge.to),
                          or_nothing(edge.to.key ? edge.to.key->text() : ""), std::string(storage::name_of(s.evidence)),
                          std::string(ln::speaker_of(s)), printable(s.field), printable(s.text), normalised(edge, s),
                          or_nothing(hex_of(s.first)), or_nothing(date_of(s.first, s.first_ms)),
                          or_nothing(hex_of(s.last)), or_nothing(date_of(s.last, s.last_ms))});
    }
  out.judged = {out.rows.size(), out.rows.size()};
  return out;
}

Result<report::Graph> graph_of_way(const storage::Index& index, const std::vector<ln::Edge>& way) {
  report::Graph out;
  auto add = [&](const ln::Node& node) -> Result<> {
    HM_TRY(const ln::Standing standing, ln::standing_of(index, node));
    const std::string id = ln::id_of(node);
    out.nodes.push_back({id, ln::text_of(node), std::string(standing.word()), out.nodes.empty(), id});
    return ok();
  };
  for (const ln::Edge& edge : way) {
    if (out.nodes.empty()) {
      HM_TRY(add(edge.from));
    }
    HM_TRY(add(edge.to));
    out.edges.push_back(
        {ln::id_of(edge.from), ln::id_of(edge.to),
         std::string(storage::name_of(edge.relation)) + ", " + std::string(storage::name_of(edge.evidence())),
         edge.evidence() < storage::Evidence::Declared});
  }
  return out;
}
}  // namespace

std::string normalised(const ln::Edge& edge, const ln::Statement& statement) {
  const auto target = ln::reference_of(edge.to.repo.kind, statement.text);
  // A listing gives ids; then the name beside it was not looked up.
  if (edge.to.key && statement.origin == storage::EdgeOrigin::Listing && statement.field == "baseModels" &&
      !ascii_equal_fold(target.name, edge.to.repo.name))
    return edge.to.key->text();
  return printable(RepoId{target.kind, target.name}.text());
}

Result<Why> why(const storage::Index& index, const ln::Node& child, const ln::Node& ancestor, const ln::Walk& walk) {
  const ln::Graph graph(index);
  const std::string from = ln::text_of(child), to = ln::text_of(ancestor);
  Why out;
  HM_TRY(out.way, graph.way_up(child, ancestor, walk));
  report::Report& report = out.report;
  report.id = "why";
  report.title = "Why " + from + " is said to descend from " + to;
  HM_TRY(report.basis, report::basis_of(index));
  if (out.way.empty()) {
    HM_TRY(const auto reverse, graph.way_up(ancestor, child, walk));
    report.answer.push_back(child == ancestor ? from + " is one and the same repository."
                                              : from + " is not said to descend from " + to + ".");
    if (!reverse.empty())
      report.answer.push_back("The other way round it is: " + to + " descends from " + from + ", in " +
                              counted(reverse.size(), "step") + "; run: hubmirror why " + shell_quoted(to) + " " +
                              shell_quoted(from));
    return out;
  }
  storage::Evidence weakest = out.way.front().evidence();
  for (const ln::Edge& edge : out.way) weakest = std::min(weakest, edge.evidence());
  report.answer.push_back(from + " descends from " + to + " in " + counted(out.way.size(), "step") +
                          "; the weakest evidence on the way: " + std::string(storage::name_of(weakest)) + ".");
  report.tables.push_back(statements_table(out.way));
  HM_TRY(auto drawn, graph_of_way(index, out.way));
  drawn.title = report.title;
  report.graphs.push_back(std::move(drawn));
  return out;
}

Result<report::Report> lineage_report(const storage::Index& index, const ln::Node& node, ln::Direction direction,
                                      const ln::Walk& walk) {
  const bool up = direction == ln::Direction::Up;
  const std::string name = ln::text_of(node);
  report::Report out;
  out.id = "lineage";
  out.title = up ? "What " + name + " is made from" : "What is made from " + name;
  HM_TRY(out.basis, report::basis_of(index));
  std::map<storage::Relation, std::uint64_t> counts;
  std::uint64_t all = 0, dangling = 0;
  if (up) {
    HM_TRY(const auto above, ln::Graph(index).ancestors(node, walk));
    for (const ln::Ancestor& step : above) {
      if (step.again) continue;
      ++counts[step.edge.relation], ++all;
      HM_TRY(const ln::Standing standing, ln::standing_of(index, step.edge.to));
      dangling += standing.known ? 0 : 1;
    }
  } else {
    HM_TRY(const auto below, ln::Descent::read(index, node, walk));
    for (std::uint32_t i = 0; i < below.size(); ++i) ++counts[below[i].relation];
    all = below.size();
  }
  out.answer = {
      name + (up ? " descends from " + counted(all, "repository") + "." : " has " + counted(all, "descendant") + ".")};
  FigureTable table;
  table.id = "relations";
  table.title = out.title;
  table.population = up ? "its ancestors, each once" : "its descendants, each once";
  table.columns = {{"relation", "of the nearest statement on the shortest way"},
                   {"repositories", "reached by it"},
                   {"share", "of all that are reached"}};
  for (const auto& [relation, count] : counts)
    table.rows.push_back({std::string(storage::name_of(relation)), count, report::Share{count, all}});
  table.judged = {all - dangling, all};
  table.gaps = {{"not known here", dangling, "where they lead from there is not known"}};
  out.tables.push_back(std::move(table));
  HM_TRY(auto drawn, ln::graph_of(index, node, direction, walk));
  out.graphs.push_back(std::move(drawn));
  return out;
}
}  // namespace hm::provenance::audit
