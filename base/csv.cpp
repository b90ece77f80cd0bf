#include "base/csv.hpp"

#include <utility>

namespace hm {
namespace {
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

/// Reads one row after the other from where it stands.
class Reader {
 public:
  Reader(std::string_view text, const CsvLimits& limits) : text_(text), limits_(limits) {
    if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
  }
  bool at_end() const { return at_ == text_.size(); }

  Result<CsvRow> row() {
    CsvRow row{line_, {}};
    for (;;) {
      if (row.fields.size() == limits_.fields_max)
        return fault("more than " + std::to_string(limits_.fields_max) + " fields");
      HM_TRY(auto field, at_end() || text_[at_] != '"' ? plain() : quoted());
      row.fields.push_back(std::move(field));
      if (at_end()) return row;
      if (take_line_end()) return row;
      if (text_[at_] != ',')
        return fault("something behind the end of a quoted field; write the quote inside it twice");
      ++at_;
    }
  }

 private:
  Error fault(const std::string& what) const {
    return {Errc::BadInput,
            "line " + std::to_string(line_) + ", column " + std::to_string(at_ - line_at_ + 1) + ": " + what};
  }
  bool take_line_end() {
    if (text_[at_] == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') ++at_;
    if (text_[at_] != '\n') return false;
    next_line();
    return true;
  }
  /// Behind the line feed that stands here.
  void next_line() {
    line_at_ = ++at_;
    ++line_;
  }
  Result<std::string> plain() {
    const std::size_t begin = at_;
    for (; !at_end() && text_[at_] != ',' && text_[at_] != '\n'; ++at_) {
      const char c = text_[at_];
      if (c == '\r' && at_ + 1 < text_.size() && text_[at_ + 1] == '\n') break;
      if (c == '"') return fault("a quote inside a field that does not begin with one; quote the whole field");
      if (c == '\r' || c == '\0') return fault("a control byte");
      if (at_ - begin == limits_.field_bytes_max) return too_long();
    }
    return std::string(text_.substr(begin, at_ - begin));
  }
  Result<std::string> quoted() {
    const Error open = fault("a quoted field begins here and has no end");
    std::string out;
    for (++at_; !at_end(); ++at_) {
      const char c = text_[at_];
      if (c == '\0') return fault("a control byte");
      if (c == '"') {
        ++at_;
        if (at_end() || text_[at_] != '"') return out;
      }
      if (out.size() == limits_.field_bytes_max) return too_long();
      out.push_back(c);
      if (c == '\n') ++line_, line_at_ = at_ + 1;
    }
    return open;
  }
  Error too_long() const { return fault("a field of more than " + std::to_string(limits_.field_bytes_max) + " bytes"); }

  std::string_view text_;
  const CsvLimits& limits_;
  std::size_t at_ = 0, line_ = 1, line_at_ = 0;
};
}  // namespace

Result<std::vector<CsvRow>> parse_csv(std::string_view text, const CsvLimits& limits) {
  std::vector<CsvRow> rows;
  Reader reader(text, limits);
  while (!reader.at_end()) {
    HM_TRY(auto row, reader.row());
    if (row.fields.size() == 1 && row.fields[0].empty()) continue;
    if (rows.size() == limits.rows_max)
      return Error{Errc::BadInput,
                   "line " + std::to_string(row.line) + ": more than " + std::to_string(limits.rows_max) + " rows"};
    if (!rows.empty() && row.fields.size() != rows[0].fields.size())
      return Error{Errc::BadInput, "line " + std::to_string(row.line) + ": " + std::to_string(row.fields.size()) +
                                       " fields, the first row has " + std::to_string(rows[0].fields.size())};
    rows.push_back(std::move(row));
  }
  return rows;
}

void append_csv_row(std::string& out, const std::vector<std::string>& fields) {
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (i != 0) out.push_back(',');
    // A byte order mark is a field's own only behind a quote: a reader passes over one that begins the text.
    if (fields[i].find_first_of(",\"\r\n") == std::string::npos && !fields[i].starts_with(kByteOrderMark)) {
      out += fields[i];
      continue;
    }
    out.push_back('"');
    for (const char c : fields[i]) out.append(c == '"' ? 2 : 1, c);
    out.push_back('"');
  }
  out.push_back('\n');
}
}  // namespace hm
