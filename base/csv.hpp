// base/csv.hpp: tables as text, RFC 4180: fields between commas, quoted where they hold a comma, a quote or a line
// break. Layer 0; pure functions.
#pragma once
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace hm {
struct CsvRow {
  std::size_t line = 0;  ///< on which it begins, from 1
  std::vector<std::string> fields;
};
struct CsvLimits {
  std::size_t rows_max = 100'000, fields_max = 64, field_bytes_max = 4'096;
};
/// Rows end in LF or CRLF; the last may lack its end. Every row has as many fields as the first. Empty lines are
/// passed over, and so is a byte order mark. @returns BadInput naming line and column.
Result<std::vector<CsvRow>> parse_csv(std::string_view text, const CsvLimits& limits = {});
/// Adds one row and its LF; what has to be quoted is.
void append_csv_row(std::string& out, const std::vector<std::string>& fields);
}  // namespace hm
