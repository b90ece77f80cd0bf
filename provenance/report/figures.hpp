// provenance/report/figures.hpp: what a report is made of: tables whose every column says what it means, with the
// population they are over and what could not be judged. Layer 4; values. docs/ecosystem.md
#pragma once
#include <boost/json/object.hpp>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/canonical_json.hpp"

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
/// What a report rests on.
struct Basis {
  std::int64_t made_ms = 0;            ///< when it was made
  std::uint64_t journal_entries = 0;   ///< so many were there
  std::int64_t journal_last_ms = 0;    ///< when the last of them was observed; 0: there is none
  std::string journal_last_sha256;     ///< of its bytes
  std::vector<std::string> upstreams;  ///< hosts whose listings were read, sorted
};
struct Report {
  std::string id;
  Basis basis;
  std::vector<FigureTable> tables;
  const FigureTable* table(std::string_view table_id) const;
};
json::object to_json(const Report& report);
/// One record for each figure: table,row,figure,value,part,of. Definitions and gaps are records with an empty row, or
/// an empty value where a cell has none. A text that a spreadsheet would take for a formula has an apostrophe before
/// it.
std::string to_csv(const Report& report);
}  // namespace hm::provenance::report
