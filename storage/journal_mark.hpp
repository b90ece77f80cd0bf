// storage/journal_mark.hpp: how far the journal of this store has come, kept beside index/ and not in it. Layer 3.
// docs/formats/data_directory.md. An index that was put back from an older backup, or lost its newest records to the
// disk, ends before the mark or has another entry there; whoever removes what the index does not know has to ask first.
// Threads: note() one at a time (Journal::append serialises); the rest from anywhere.
#pragma once
#include <cstdint>
#include <optional>
#include <string>

#include "base/digest.hpp"
#include "base/file.hpp"
#include "base/result.hpp"
#include "storage/data_dir.hpp"

namespace hm::storage {
class Index;
class Journal;
struct JournalEntry;

class JournalMark {
 public:
  JournalMark(FileSystem& fs, const DataDir& dir) : fs_(fs), path_(dir.journal_mark_file()) {}
  /// What is wrong when the journal is not the one that the mark was set in, in words; nullopt when it is, or when
  /// there is no mark. Beside a writer the index is refreshed where that settles it.
  Result<std::optional<std::string>> mismatch(Index& index) const;
  /// Sets the mark to where the journal ends now.
  Result<> accept(Index& index);
  /// Sets the mark to `newest`, which is durable. Not synced, and a failure is only logged: a mark that lags behind is
  /// weaker, never wrong. In place, so that it needs no room on a full disk.
  void note(const JournalEntry& newest);

 private:
  struct Mark {
    std::uint64_t entries = 0;  ///< at least 1
    Sha256 newest;              ///< of the bytes of the last of them
  };
  static std::string line_of(const Mark& mark);
  Result<std::optional<Mark>> read() const;

  FileSystem& fs_;
  const std::string path_;
};
}  // namespace hm::storage
