// base/file.hpp: the file operations that durability depends on, behind one interface so that a test can make the n-th
// of them fail. Layer 0. Thread-safe: FileSystem; File: positional reads and writes of disjoint ranges from several
// threads. Calls block.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace hm {
/// One open file; closed by the destructor. Short reads and writes and EINTR are handled inside.
class File {
 public:
  virtual ~File() = default;
  /// Reads until `into` is full or the file ends; returns the number of bytes read.
  virtual Result<std::size_t> read_at(std::uint64_t offset_bytes, std::span<std::byte> into) const = 0;
  virtual Result<> write_at(std::uint64_t offset_bytes, std::span<const std::byte> bytes) = 0;
  virtual Result<std::uint64_t> size() const = 0;
  virtual Result<> truncate(std::uint64_t size_bytes) = 0;
  /// Reserves blocks so that a later write cannot run out of space where the filesystem can promise that; NoSpace if it
  /// cannot.
  virtual Result<> allocate(std::uint64_t size_bytes) = 0;
  /// Starts writing dirty pages of the range to the medium and returns at once; makes a later sync_data() cheap.
  virtual void start_writeback(std::uint64_t offset_bytes, std::uint64_t length_bytes) = 0;
  /// fdatasync(2): the bytes survive power loss.
  virtual Result<> sync_data() = 0;
  /// Bytes of the range will not be read again soon: they may leave the page cache once clean.
  virtual void drop_cache(std::uint64_t offset_bytes, std::uint64_t length_bytes) = 0;
  virtual int native_handle() const = 0;  ///< for mmap and sendfile; stays owned by the File
};

struct DirectoryEntry {
  std::string name;
  bool is_directory = false;
  bool is_regular = false;
};
struct DiskSpace {
  std::uint64_t free_bytes = 0;  ///< for this process (quota of root's reserve respected)
  std::uint64_t total_bytes = 0;
};

class FileSystem {
 public:
  virtual ~FileSystem() = default;
  virtual Result<std::unique_ptr<File>> open_read(const std::string& path) = 0;
  /// O_RDWR | O_CREAT | O_EXCL, mode 0644; fails when the name exists.
  virtual Result<std::unique_ptr<File>> create_new(const std::string& path) = 0;
  virtual Result<std::unique_ptr<File>> open_existing(const std::string& path) = 0;
  virtual Result<> rename(const std::string& from, const std::string& to) = 0;
  virtual Result<> remove(const std::string& path) = 0;            ///< a file; NotFound when absent
  virtual Result<> remove_directory(const std::string& path) = 0;  ///< an empty one
  virtual Result<> make_directories(
      const std::string& path) = 0;  ///< like mkdir -p; new ones and their parents are fsynced
  /// One directory whose parent exists; true when it was not there before. Not synced: for callers that sync many at
  /// once.
  virtual Result<bool> make_directory(const std::string& path);
  virtual Result<> sync_directory(const std::string& path) = 0;
  virtual Result<> set_read_only(const std::string& path) = 0;                    ///< mode 0444
  virtual Result<std::vector<DirectoryEntry>> list(const std::string& path) = 0;  ///< without "." and ".."
  virtual Result<std::uint64_t> file_size(const std::string& path) = 0;  ///< regular files only; NotFound when absent
  virtual bool exists(const std::string& path) = 0;
  virtual Result<DiskSpace> space(const std::string& path) = 0;
};
/// The real one; stateless, one per process.
FileSystem& real_file_system();

/// Whole small file. @returns Refused when it is larger than `size_max`.
Result<std::string> read_small_file(FileSystem& fs, const std::string& path, std::size_t size_max = 1 << 20);
/// temp file beside it → write → fdatasync → rename → fsync of the directory: the name holds either the old or the new
/// bytes, also after power loss.
/// Only for folders that are ours alone: what has the name of the temp file, PATH.new, is taken for our own.
Result<> replace_file(FileSystem& fs, const std::string& path, std::string_view bytes);
/// The same for a file that a person names, in a folder with files of theirs: none but the named one changes. It keeps
/// its permissions; a symbolic link to it stays a link. @returns BadInput for what is there and is no regular file that
/// may be written to; NotFound: its folder is not there.
Result<> replace_named_file(FileSystem& fs, const std::string& path, std::string_view bytes);
/// Removes a directory and all below it, without following symbolic links; absent is success.
Result<> remove_tree(FileSystem& fs, const std::string& path);
/// When the file or directory was last written to. NotFound when absent.
Result<std::int64_t> modified_unix_ms(const std::string& path);
/// Bytes of all regular files below a directory.
Result<std::uint64_t> tree_bytes(FileSystem& fs, const std::string& path);
std::string parent_directory(const std::string& path);
}  // namespace hm
