// hubmirror lineage, why: who descends from whom.
#include <map>
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
/// Files and tensors in common are compared when an audit asks; nothing makes signed statements, and none that somebody
/// reads says what a model was distilled from. An answer with such edges alone would be "nobody says" of everything.
bool is_walked(storage::Relation relation) {
  return relation != storage::Relation::SharesFiles && relation != storage::Relation::SharesTensors &&
         relation != storage::Relation::DistilledFrom;
}
bool is_walked(storage::Evidence evidence) { return evidence <= storage::Evidence::Derived; }
constexpr char kWhereItIsCompared[] =
    "; who has the same files is told by hubmirror audit hashes, who has the same tensors by hubmirror audit lineage";

Result<storage::Evidence> evidence_of(const std::string& word) {
  const auto evidence = storage::parse_evidence(word);
  if (evidence && is_walked(*evidence)) return *evidence;
  return Error{Errc::BadInput, "--min-evidence: " +
                                   (evidence ? "no statement is " + word + kWhereItIsCompared + "; write"
                                             : "\"" + printable(word) + "\" is none of") +
                                   " inferred, declared, files"};
}

Result<ln::Walk> walk_of(const LineageCommand& command) {
  ln::Walk walk;
  if (command.depth) walk.depth_max = *command.depth;
  HM_TRY(walk.evidence_min, evidence_of(command.evidence_min));
  for (const std::string& word : command.relations) {
    const auto relation = storage::parse_relation(word);
    if (!relation || !is_walked(*relation)) {
      std::vector<std::string> all;
      for (int i = 0; i < storage::kRelationCount; ++i)
        if (is_walked(static_cast<storage::Relation>(i))) all.emplace_back(name_of(static_cast<storage::Relation>(i)));
      return Error{Errc::BadInput, "--relation: " +
                                       (relation ? "nobody says " + word + kWhereItIsCompared + "; write some of "
                                                 : "\"" + printable(word) + "\" is none of ") +
                                       joined(all, ", ")};
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

/// The document around its edges, which are written one by one: a family has a hundred thousand. Begun when nothing can
/// fail any more: of an error there is one document, its own.
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
  std::vector<json::object> targets;
  for (const ln::Ancestor& step : all) {
    HM_TRY(auto to, node_json(index, step.edge.to));
    targets.push_back(std::move(to));
  }
  EdgeList list(out, basis, ln::Direction::Up);
  for (std::size_t i = 0; i < all.size(); ++i) {
    const ln::Ancestor& step = all[i];
    json::array statements;
    for (const ln::Statement& s : step.edge.statements) statements.push_back(statement_json(step.edge, s));
    list.add({{"again", step.again},
              {"depth", step.depth},
              {"evidence", name_of(step.edge.evidence())},
              {"from", json_text(step.edge.from.repo.text())},
              {"relation", name_of(step.edge.relation)},
              {"statements", std::move(statements)},
              {"to", std::move(targets[i])}});
  }
  list.finish(node);
  return ok();
}

/// How an edge is told: as it was met on the way, or by a mirrored child, which tells it in its own words.
struct Told {
  storage::Relation relation;
  storage::Evidence evidence;
};
/// Of the mirrored ones, by their places.
Result<std::map<std::uint32_t, Told>> told_by_mirrored(const storage::Index& index, const ln::Descent& all,
                                                       const ln::Node& root) {
  const ln::Graph graph(index);
  HM_TRY(const auto mirrored, ln::MirroredAmong::read(index));
  std::map<std::uint32_t, Told> out;
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    HM_TRY(const bool is_mirrored, mirrored.has(all.key(i)));
    if (!is_mirrored) continue;
    HM_TRY(const auto edge, all.edge(graph, i, root));
    out.emplace(i, edge ? Told{edge->relation, edge->evidence()} : Told{all[i].relation, all[i].evidence});
  }
  return out;
}

Result<> print_down(std::ostream& out, const storage::Index& index, const rp::Basis& basis, const ln::Node& node,
                    const ln::Walk& walk) {
  HM_TRY(const auto all, ln::Descent::read(index, node, walk));
  HM_TRY(const auto mirrored, told_by_mirrored(index, all, node));
  EdgeList list(out, basis, ln::Direction::Down);
  for (std::uint32_t i = 0; i < all.size(); ++i) {
    const ln::Descent::Row& row = all[i];
    const auto own = mirrored.find(i);
    const Told told = own != mirrored.end() ? own->second : Told{row.relation, row.evidence};
    const ln::Node child = all.node(i);
    const bool is_root = row.parent == ln::Descendant::kRoot;
    list.add({{"depth", int{row.depth}},
              {"evidence", name_of(told.evidence)},
              {"from", json_text(child.repo.text())},
              {"id", id_json(child)},
              {"mirrored", own != mirrored.end()},
              {"relation", name_of(told.relation)},
              {"to", json_text(is_root ? node.repo.text() : all.node(row.parent).repo.text())}});
  }
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
