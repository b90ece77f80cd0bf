// app/output.hpp: how facts and errors are written: tables, JSON, the error line. Layer 6; values, main thread.
// Nothing that came from outside reaches a terminal unfiltered: control characters are written as \xNN (base/text.hpp).
#pragma once
#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "base/canonical_json.hpp"
#include "base/result.hpp"
#include "base/words.hpp"

namespace hm::app {
/// Columns as wide as their widest cell, two blanks apart, no trailing blanks; cells are made printable.
class Table {
 public:
  enum class Align : std::uint8_t { Left, Right };
  struct Column {
    std::string title;
    Align align = Align::Left;
  };
  explicit Table(std::vector<Column> columns) : columns_(std::move(columns)) {}
  void add(std::vector<std::string> cells);
  bool empty() const { return rows_.empty(); }
  std::string render(bool with_titles = true) const;

 private:
  std::vector<Column> columns_;
  std::vector<std::vector<std::string>> rows_;
};

/// Terminal columns of a text that is printable: wide East Asian characters and emoji take two, combining ones none.
std::size_t display_width(std::string_view text);
/// The text in at most `width` columns; what is too long loses its middle ("model-0000...4.safetensors").
std::string fit(std::string_view text, std::size_t width);

/// A string for JSON: as it is when it is UTF-8; otherwise with \xNN for what is not.
json::string json_text(std::string_view text);
/// One document with keys sorted at every level, two blanks per level, a newline at the end. Characters that could act
/// on a terminal (DEL, C1 controls, direction overrides) are written as \uNNNN, so the value is the same and the output
/// harmless.
void print_json(std::ostream& out, json::value value);

/// The same on one line, without a newline: an item of a list that is written as it comes.
std::string json_line(json::value value);

/// "hubmirror: error: what; where; why; what to do": one line, printable, words of at most 200 columns.
std::string error_line(const Error& error);
/// "  name     text\n": the name padded to `width` columns, the text made printable.
void add_field(std::string& out, std::size_t width, std::string_view name, std::string_view text);
inline constexpr std::size_t kFieldsListedMax = 20;  ///< of one list in text; --json has them all
/// One field for each item of the list, as `text_of` says, up to kFieldsListedMax; then how many more there are.
template <class List, class Text>
void add_fields(std::string& out, std::size_t width, std::string_view name, const List& list, const Text& text_of) {
  for (std::size_t i = 0; i < list.size() && i < kFieldsListedMax; ++i) add_field(out, width, name, text_of(list[i]));
  if (list.size() > kFieldsListedMax)
    add_field(out, width, name, "and " + std::to_string(list.size() - kFieldsListedMax) + " more; --json lists all");
}

/// "2026-11-20 15:20:00" in UTC, "-" for 0.
std::string time_text(std::int64_t unix_ms);
/// "2.5 s", "3 min 05 s".
std::string duration_text(std::int64_t ms);
}  // namespace hm::app
