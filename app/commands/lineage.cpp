// hubmirror lineage, why: who descends from whom.
#include <ostream>

#include "app/audit_subjects.hpp"
#include "app/commands/commands.hpp"
#include "app/output.hpp"
#include "app/report_output.hpp"
#include "app/services.hpp"
#include "base/text.hpp"
#include "provenance/audit/why.hpp"
#include "provenance/lineage/descent.hpp"
#include "provenance/lineage/drawing.hpp"
#include "provenance/lineage/standing.hpp"

namespace hm::app {
namespace ln = provenance::lineage;
namespace rp = provenance::report;

namespace {
Result<storage::Evidence> evidence_of(const std::string& word) {
  if (const auto evidence = storage::parse_evidence(word)) return *evidence;
  return Error{Errc::BadInput,
               "--min-evidence: \"" + printable(word) + "\" is none of inferred, declared, files, signed, identical"};
}

Result<ln::Walk> walk_of(const LineageCommand& command) {
  ln::Walk walk;
  walk.depth_max = command.depth;
  HM_TRY(walk.evidence_min, evidence_of(command.evidence_min));
  for (const std::string& word : command.relations) {
    const auto relation = storage::parse_relation(word);
    if (!relation) {
      std::vector<std::string> all;
      for (int i = 0; i < storage::kRelationCount; ++i) all.emplace_back(name_of(static_cast<storage::Relation>(i)));
      return Error{Errc::BadInput, "--relation: \"" + printable(word) + "\" is none of " + joined(all, ", ")};
    }
    walk.relations.push_back(*relation);
  }
  return walk;
}

json::value id_json(const ln::Node& node) { return node.key ? json::value(json_text(node.key->text())) : nullptr; }
json::value commit_json(const std::optional<Commit>& commit) {
  return commit ? json::value(json_text(commit->hex())) : nullptr;
}

json::object statement_json(const ln::Edge& edge, const ln::Statement& s) {
  json::object out{{"by", ln::speaker_of(s)},
                   {"evidence", name_of(s.evidence)},
                   {"field", json_text(s.field)},
                   {"first_commit", commit_json(s.first)},
                   {"last_commit", commit_json(s.last)},
                   {"normalised", json_text(provenance::audit::normalised(edge, s))},
                   {"text", json_text(s.text)}};
  if (s.first) out["first_seen"] = json_text(iso8601(s.first_ms));
  if (s.last) out["last_seen"] = json_text(iso8601(s.last_ms));
  return out;
}

Result<json::object> node_json(const storage::Index& index, const ln::Node& node) {
  HM_TRY(const ln::Standing standing, ln::standing_of(index, node));
  return json::object{{"id", id_json(node)},
                      {"repo", json_text(node.repo.text())},
                      {"standing", standing.word()},
                      {"gone_status", standing.gone_status == 0 ? json::value() : json::value(standing.gone_status)}};
}

/// The document around its edges, which are written as they come: a family has a hundred thousand.
class EdgeList {
 public:
  EdgeList(std::ostream& out, const rp::Basis& basis, ln::Direction direction) : out_(out) {
    rp::Report empty;
    empty.basis = basis;
    out_ << "{\n  \"basis\": " << json_line(to_json(empty).at("basis")) << ",\n  \"direction\": \""
         << (direction == ln::Direction::Up ? "up" : "down") << "\",\n  \"edges\": [";
  }
  void add(json::object edge) {
    out_ << (count_ == 0 ? "\n    " : ",\n    ") << json_line(std::move(edge));
    ++count_;
  }
  void finish(const ln::Node& node) {
    out_ << (count_ == 0 ? "],\n" : "\n  ],\n") << "  \"repo\": " << json_line(json_text(node.repo.text()))
         << ",\n  \"total\": " << count_ << "\n}\n";
  }

 private:
  std::ostream& out_;
  std::uint64_t count_ = 0;
};

Result<> print_up(std::ostream& out, const storage::Index& index, const rp::Basis& basis, const ln::Node& node,
                  const ln::Walk& walk) {
  HM_TRY(const auto all, ln::Graph(index).ancestors(node, walk));
  EdgeList list(out, basis, ln::Direction::Up);
  for (const ln::Ancestor& step : all) {
    json::array statements;
    for (const ln::Statement& s : step.edge.statements) statements.push_back(statement_json(step.edge, s));
    HM_TRY(auto to, node_json(index, step.edge.to));
    list.add({{"again", step.again},
              {"depth", step.depth},
              {"evidence", name_of(step.edge.evidence())},
              {"from", json_text(step.edge.from.repo.text())},
              {"relation", name_of(step.edge.relation)},
              {"statements", std::move(statements)},
              {"to", std::move(to)}});
  }
  list.finish(node);
  return ok();
}

Result<> print_down(std::ostream& out, const storage::Index& index, const rp::Basis& basis, const ln::Node& node,
                    const ln::Walk& walk) {
  const ln::Graph graph(index);
  ln::Descent above;  // names of those that were written: a child names its parent
  EdgeList list(out, basis, ln::Direction::Down);
  Result<> outcome = ok();
  HM_TRY(graph.descendants(node, walk, [&](const ln::Descendant& seen) {
    outcome = [&]() -> Result<> {
      const std::uint32_t i = above.size();
      HM_TRY(above.add(graph, seen));
      HM_TRY(const bool mirrored, ln::is_mirrored(index, seen.key));
      const ln::Node child = above.node(i);
      storage::Relation relation = seen.relation;
      storage::Evidence evidence = seen.evidence;
      if (mirrored) {
        HM_TRY(const auto edge, above.edge(graph, i, node));
        if (edge) relation = edge->relation, evidence = edge->evidence();
      }
      list.add({{"depth", seen.depth},
                {"evidence", name_of(evidence)},
                {"from", json_text(child.repo.text())},
                {"id", id_json(child)},
                {"mirrored", mirrored},
                {"relation", name_of(relation)},
                {"to", json_text(seen.parent == ln::Descendant::kRoot ? node.repo.text()
                                                                      : above.node(seen.parent).repo.text())}});
      return ok();
    }();
    return outcome.has_value();
  }));
  HM_TRY(std::move(outcome));
  list.finish(node);
  return ok();
}

Result<> print_drawing(Context& context, const storage::Index& index, const ln::Node& node, ln::Direction direction,
                       const ln::Walk& walk, bool dot) {
  HM_TRY(const auto graph, ln::graph_of(index, node, direction, walk));
  context.io.out << (dot ? ln::to_dot(graph) : ln::to_mermaid(graph));
  if (graph.left_out != 0)
    context.io.err << "hubmirror: " << graph.left_out << " more are not drawn; --format tree and --json have all\n";
  return ok();
}

std::string seen_text(std::string_view what, const Commit& commit, std::int64_t ms) {
  return std::string(what) + " " + time_text(ms) + " at commit " + commit.hex().substr(0, 12);
}

/// "card, base_model"; the field of a file names it.
std::string said_by(const ln::Statement& s) {
  const std::string_view speaker = ln::speaker_of(s);
  return (speaker == name_of(s.evidence) ? "" : std::string(speaker) + ", ") + printable(s.field);
}

std::string way_text(const std::vector<ln::Edge>& way) {
  std::string out;
  for (std::size_t i = 0; i < way.size(); ++i) {
    const ln::Edge& edge = way[i];
    out += "\n" + std::to_string(i + 1) + ". " + ln::text_of(edge.from) + " <-" + std::string(name_of(edge.relation)) +
           "- " + ln::text_of(edge.to) + "  (" +
           (edge.to.key ? edge.to.key->text() : std::string("a name that nobody has here")) + ")\n";
    for (const ln::Statement& s : edge.statements) {
      out += "     " + std::string(name_of(s.evidence)) + ": " + said_by(s) + ": \"" + printable(s.text) +
             "\", read as " + provenance::audit::normalised(edge, s) + "\n";
      if (s.first) out += "       " + seen_text("first seen", *s.first, s.first_ms) + "\n";
      if (s.last && s.last != s.first) out += "       " + seen_text("last seen", *s.last, s.last_ms) + "\n";
    }
  }
  return out;
}
}  // namespace

Result<Exit> run_command(Context& context, const LineageCommand& command) {
  if (context.options.json && command.format != "tree")
    return Error{Errc::BadInput,
                 "--format " + command.format + " and --json are two forms of the same; say one of them"};
  HM_TRY(const ln::Walk walk, walk_of(command));
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  const storage::Index& index = *services->index;
  HM_TRY(const ln::Node node, known_node(index, command.repo));
  const ln::Direction direction = command.down ? ln::Direction::Down : ln::Direction::Up;
  if (!command.html.empty()) {
    HM_TRY(const auto page, provenance::audit::lineage_report(index, node, direction, walk));
    HM_TRY(write_page(command.html, page));
  }
  if (command.format != "tree") {
    HM_TRY(print_drawing(context, index, node, direction, walk, command.format == "dot"));
    return Exit::Done;
  }
  HM_TRY(const rp::Basis basis, rp::basis_of(index));
  std::ostream& out = context.io.out;
  if (context.options.json) {
    HM_TRY((command.down ? print_down : print_up)(out, index, basis, node, walk));
    return Exit::Done;
  }
  HM_TRY(const std::size_t lines,
         ln::write_tree(index, node, direction, walk, [&](std::string_view line) { out << line; }));
  if (lines == 0)
    out << (command.down ? "Nobody says that anything is made from it.\n" : "Nobody says what it is made from.\n");
  out << "\n" << basis_text(basis);
  return Exit::Done;
}

Result<Exit> run_command(Context& context, const WhyCommand& command) {
  ln::Walk walk;
  HM_TRY(walk.evidence_min, evidence_of(command.evidence_min));
  HM_TRY(const auto services, ReadServices::open(context.config, context.data_dir));
  const storage::Index& index = *services->index;
  HM_TRY(const ln::Node child, known_node(index, command.from));
  HM_TRY(const ln::Node ancestor, known_node(index, command.to));
  HM_TRY(const auto why, provenance::audit::why(index, child, ancestor, walk));
  std::ostream& out = context.io.out;
  if (context.options.json) {
    print_json(out, to_json(why.report));
  } else {
    for (const std::string& sentence : why.report.answer) out << printable(sentence) << "\n";
    out << way_text(why.way) << "\n" << basis_text(why.report.basis);
  }
  return why.way.empty() ? Exit::Incomplete : Exit::Done;
}
}  // namespace hm::app
