// storage/data_dir.hpp: the layout of the data directory and who may write to it. Layer 3; values and one lock.
// docs/formats/data_directory.md
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/digest.hpp"
#include "base/file.hpp"
#include "base/ids.hpp"
#include "base/result.hpp"

namespace hm::storage {
inline constexpr int kDataDirVersion = 1;

/// Paths only; nothing is touched.
struct DataDir {
  explicit DataDir(std::string r) : root(std::move(r)) {}
  std::string root;
  std::string version_file() const { return root + "/VERSION"; }
  std::string lock_file() const { return root + "/LOCK"; }
  std::string journal_mark_file() const { return root + "/JOURNAL"; }
  std::string blobs() const { return root + "/blobs/sha256"; }
  std::string blob(const Sha256& id) const;  ///< blobs/sha256/ab/cd/<hex>
  std::string partials() const { return root + "/blobs/partial"; }
  std::string index() const { return root + "/index"; }
  std::string quarantine() const { return root + "/quarantine"; }
  std::string git(RepoKind kind) const;       ///< git/<kind>
  std::string git(const RepoKey& key) const;  ///< git/<kind>/<rid>.git
};

/// Creates the layout where it is absent. @returns BadInput when the directory holds something else or is a file;
/// Refused with both numbers for the VERSION of a newer program; Io when this user may not read it.
Result<> create_data_dir(FileSystem& fs, const DataDir& dir);
/// Makes the folders of the layout that are not there. @pre check_data_dir(), or a create_data_dir() under way.
Result<> restore_layout(FileSystem& fs, const DataDir& dir);
/// @returns BadInput (what to run) when there is none; else as create_data_dir().
Result<> check_data_dir(FileSystem& fs, const DataDir& dir);

/// The line in LOCK when another process that is alive on this machine wrote it: it writes to the directory at this
/// moment. Takes no lock, so that nobody who wants it is turned away meanwhile.
std::optional<std::string> other_writer(FileSystem& fs, const DataDir& dir);

/// Exclusive right to write; flock on LOCK, which names its holder (pid, command, since). Released by the destructor or
/// the kernel.
class WriterLock {
 public:
  /// @returns Busy, naming the holder, when somebody else has it.
  static Result<WriterLock> acquire(const DataDir& dir, std::string_view command);
  /// From now on a fatal signal (a bad access, an abort) leaves a mark in LOCK before it ends the process.
  /// Process-wide.
  void note_crashes() const;
  /// The holder before this one left such a mark: it came to harm at its work, nobody ended it from outside.
  bool predecessor_crashed() const { return predecessor_crashed_; }
  WriterLock(WriterLock&&) noexcept;
  WriterLock& operator=(WriterLock&&) noexcept;
  ~WriterLock();

 private:
  explicit WriterLock(int fd) : fd_(fd) {}
  int fd_ = -1;
  bool predecessor_crashed_ = false;
};
}  // namespace hm::storage
