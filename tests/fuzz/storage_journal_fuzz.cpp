// Stored journal entries: one that is read is canonical and within its bounds.
#include <cstdint>
#include <cstdlib>

#include "storage/journal.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto entry = hm::storage::parse_journal_entry(7, bytes);
  if (!entry) return 0;
  if (size > hm::storage::kJournalEntryBytesMax || entry.assume_value().bytes != bytes || entry.assume_value().sequence != 7) std::abort();
  const auto canonical = hm::canonical_json(entry.assume_value().value);
  if (!canonical || canonical.assume_value() != bytes) std::abort();
  return 0;
}
