// What a report rests on: how far the journal has come, and whose it is.
#include "base/digest.hpp"
#include "base/json_fields.hpp"
#include "provenance/report/figures.hpp"
#include "storage/journal.hpp"
#include "storage/key_space.hpp"

namespace hm::provenance::report {
Result<Basis> basis_of(const storage::Index& index) {
  Basis basis;
  HM_TRY(const auto last, index.last(storage::Family::Journal, {}));
  if (last) {
    const auto sequence = storage::key::parse_u64(last->first);
    if (!sequence) return Error{Errc::Corrupt, "the index holds a journal entry under a malformed key"};
    HM_TRY(const auto entry, storage::parse_journal_entry(*sequence, last->second));
    basis.journal_entries = *sequence + 1;
    basis.journal_last_ms = number_of(entry.value, "obs");
    basis.journal_last_sha256 = sha256(last->second).hex();
  }
  HM_TRY(basis.upstreams, storage::Journal::sources(index));
  return basis;
}
}  // namespace hm::provenance::report
