// Any bytes as a table: what is read is within its bounds and is the same when it was written and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/csv.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const hm::CsvLimits limits{64, 8, 256};
  const auto rows = hm::parse_csv(std::string_view(reinterpret_cast<const char*>(data), size), limits);
  if (!rows) return 0;
  std::string text;
  for (const hm::CsvRow& row : rows.assume_value()) {
    if (row.fields.size() > limits.fields_max || row.line == 0) std::abort();
    for (const std::string& field : row.fields)
      if (field.size() > limits.field_bytes_max) std::abort();
    hm::append_csv_row(text, row.fields);
  }
  const auto again = hm::parse_csv(text, limits);
  if (!again || again.assume_value().size() != rows.assume_value().size()) std::abort();
  for (std::size_t i = 0; i < rows.assume_value().size(); ++i)
    if (again.assume_value()[i].fields != rows.assume_value()[i].fields) std::abort();
  return 0;
}
