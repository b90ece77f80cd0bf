// provenance/report/figures.hpp: what a report is made of: tables whose every column says what it means, with the
// population they are over and what could not be judged. Layer 4; values. docs/ecosystem.md
#pragma once
#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/canonical_json.hpp"
#include "base/result.hpp"
#include "storage/index.hpp"

namespace hm::provenance::report {
/// A part of a whole; both stay, so that a share can be checked.
struct Share {
  std::uint64_t part = 0, of = 0;
  bool operator==(const Share&) const = default;
};
/// Nothing: it does not apply, or cannot be said.
using Figure = std::variant<std::monostate, std::string, std::uint64_t, Share>;
/// "49.6 %" of a share, "-" of nothing.
std::string text_of(const Figure& figure);

struct FigureColumn {
  std::string name;     ///< as programs call it: "share_of_all"
  std::string meaning;  ///< what is counted, and of a share the denominator
};
/// What could not be judged.
struct Gap {
  std::string what;
  std::uint64_t count = 0;
  std::string why;
};
struct FigureTable {
  std::string id;  ///< as programs call it
  std::string title;
  std::string population;  ///< what the table is over
  std::vector<FigureColumn> columns;
  std::size_t keys = 1;  ///< so many first columns tell a row from the others
  std::vector<std::vector<Figure>> rows;
  Share judged;  ///< how many of the population the table could judge
  std::vector<Gap> gaps;

  /// The cell of the row that begins with these keys; null: there is none.
  const Figure* find(const std::vector<std::string>& row_keys, std::string_view column) const;
};
/// What a report rests on. When it was made is not in it: the same state gives the same report, byte for byte.
struct Basis {
  std::uint64_t journal_entries = 0;   ///< so many were there
  std::int64_t journal_last_ms = 0;    ///< when the last of them was observed; 0: there is none
  std::string journal_last_sha256;     ///< of its bytes
  std::vector<std::string> upstreams;  ///< hosts that entries tell of, sorted
};
Result<Basis> basis_of(const storage::Index& index);

/// How much a finding matters; the least first.
enum class Severity : std::uint8_t {
  Note,     ///< good to know
  Warning,  ///< somebody should look
  Problem,  ///< contradicts what was declared, or what is allowed
};
std::string_view name_of(Severity severity);  ///< "note", …
std::optional<Severity> parse_severity(std::string_view name);

struct Finding {
  Severity severity = Severity::Note;
  std::string rule;     ///< as programs call it: "dangling-base"
  std::string subject;  ///< the repository, as people write it: "datasets/org/name"
  std::string what;     ///< one sentence
  /// What it rests on, hop by hop: "org/child <-finetune declared- org/base (card base_model: …)".
  std::vector<std::string> path;
};

/// A graph to be drawn: who descends from whom.
struct GraphNode {
  std::string id, label;
  std::string group;     ///< what its colour stands for: a licence, an outcome, a jurisdiction; "" none
  bool subject = false;  ///< it is what was asked about
  std::string note;      ///< shown when it is pointed at
};
struct GraphEdge {
  std::string from, to;  ///< ids; child, parent
  std::string label;     ///< relation and evidence
  bool weak = false;     ///< drawn with dashes
};
struct Graph {
  std::string title;
  std::vector<GraphNode> nodes;
  std::vector<GraphEdge> edges;
  std::uint64_t left_out = 0;  ///< nodes that were not taken in, because nobody could read so many
};

struct Report {
  std::string id;                   ///< "ecosystem", "audit-licences"
  std::string title;                ///< of the page: "Licences of everything mirrored"
  std::vector<std::string> answer;  ///< first what was asked for, in a few sentences
  Basis basis;
  std::vector<FigureTable> tables;
  std::vector<Finding> findings;  ///< the most severe first, then by subject and rule
  std::vector<Graph> graphs;
  const FigureTable* table(std::string_view table_id) const;
  /// Of the findings; nullopt: there are none.
  std::optional<Severity> worst() const;
  void sort_findings();
};
json::object to_json(const Report& report);
/// One record for each figure: table,row,figure,value,part,of. Definitions and gaps are records with an empty row, or
/// an empty value where a cell has none. Findings are records of the table "findings": severity, subject, rule, what
/// and path. A text that a spreadsheet would take for a formula has an apostrophe before it.
std::string to_csv(const Report& report);
}  // namespace hm::provenance::report
