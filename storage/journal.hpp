// storage/journal.hpp: the append-only sequence of observations and decisions, the one source of truth for facts.
// Layer 3. docs/formats/journal.md An entry is canonical JSON of 1..65,535 bytes with the fields v, t, src, kind, rid,
// obs, … and `prev`: index of the previous entry of the same (src, kind, rid), -1 for the first. Threads: safe;
// append() serialises.
#pragma once
#include <boost/json/object.hpp>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/canonical_json.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"
#include "storage/index.hpp"

namespace hm::storage {
inline constexpr std::size_t kJournalEntryBytesMax = 65'535;
inline constexpr std::string_view kMirrorItself = "mirror";  ///< `kind` of an entry about no repository: it has no rid

struct JournalEntry {
  std::uint64_t sequence = 0;
  std::string bytes;   ///< the canonical form
  json::object value;  ///< parsed
};

/// Reads one stored entry. @returns Corrupt: not canonical, too long, a field missing, `prev` not earlier; Refused:
/// another version.
Result<JournalEntry> parse_journal_entry(std::uint64_t sequence, std::string_view bytes);

class JournalMark;

class Journal {
 public:
  /// @param mark follows what is appended; none for a journal that is only read, or whose mark must stay.
  explicit Journal(Index& index, JournalMark* mark = nullptr) : index_(index), mark_(mark) {}
  /// Completes `entries` (each needs src, t, kind, rid, obs; v and prev are set here), appends them and commits them in
  /// ONE batch with what `derive` adds for each (the index rows that follow from the entry). Returns the first sequence
  /// number.
  /// @returns BadInput when an entry is not canonical or too long: nothing is written then.
  Result<std::uint64_t> append(std::vector<json::object> entries, Batch batch,
                               const std::function<Result<>(const JournalEntry&, Batch&)>& derive);
  Result<> each(std::uint64_t from, const std::function<Result<bool>(const JournalEntry&)>& visit) const;
  Result<std::optional<JournalEntry>> get(std::uint64_t sequence) const;
  Result<std::uint64_t> size() const;
  /// All entries of a repository of one source, oldest first; of more than `max` the newest.
  static Result<std::vector<JournalEntry>> entries_of(const Index& index, std::string_view src, const RepoKey& key,
                                                      std::size_t max);
  /// The first entry that was observed at `since_ms` or later, size() when none was: entries are in the order of their
  /// observation.
  static Result<std::uint64_t> first_since(const Index& index, std::int64_t since_ms);
  /// Sources of all entries about repositories, sorted.
  static Result<std::vector<std::string>> sources(const Index& index);

 private:
  Index& index_;
  JournalMark* const mark_;
  std::mutex append_mutex_;
};
}  // namespace hm::storage
