// tests/support/fault_file_system.hpp: file systems that fail on purpose.
// FaultFileSystem passes everything on to another one, counts the operations and makes the n-th of them fail.
// PowerLossFileSystem lives in memory, remembers what was synced, and can lose everything else.
#pragma once
#include <atomic>
#include <cstdint>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/file.hpp"

namespace hm::test {
class FaultFileSystem : public FileSystem {
 public:
  enum class Fault {
    Io,       ///< the n-th operation fails with Io, once
    NoSpace,  ///< the n-th operation that takes space fails with NoSpace, and all such after it
    Death,    ///< the process dies before the n-th operation: nothing reaches the disk from there on
  };
  static constexpr std::uint64_t kNever = std::numeric_limits<std::uint64_t>::max();

  explicit FaultFileSystem(FileSystem& below) : below_(below) {}
  /// The operation with this number, counted from 0 and from now, fails.
  void arm(Fault fault, std::uint64_t operation);
  std::uint64_t operations() const { return counter_; }
  bool fired() const { return fired_; }
  std::uint64_t bytes_read() const { return bytes_read_; }  ///< by read_at, since the beginning
  /// What space() answers; nullopt: the truth.
  void set_space(std::optional<DiskSpace> space);

  Result<std::unique_ptr<File>> open_read(const std::string& path) override;
  Result<std::unique_ptr<File>> create_new(const std::string& path) override;
  Result<std::unique_ptr<File>> open_existing(const std::string& path) override;
  Result<> rename(const std::string& from, const std::string& to) override;
  Result<> remove(const std::string& path) override;
  Result<> remove_directory(const std::string& path) override;
  Result<> make_directories(const std::string& path) override;
  Result<bool> make_directory(const std::string& path) override;
  Result<> sync_directory(const std::string& path) override;
  Result<> set_read_only(const std::string& path) override;
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override;
  Result<std::uint64_t> file_size(const std::string& path) override;
  bool exists(const std::string& path) override { return below_.exists(path); }
  Result<DiskSpace> space(const std::string& path) override;

  /// Counts one operation; an error when it is the one to fail. `takes_space`: it may need room on the disk.
  Result<> step(bool takes_space, std::string_view what);

 private:
  FileSystem& below_;
  std::atomic<std::uint64_t> counter_{0}, fails_at_{kNever};
  std::atomic<Fault> fault_{Fault::Io};
  std::atomic<bool> fired_{false};
  friend class FaultFile;
  std::atomic<std::uint64_t> bytes_read_{0};
  std::mutex space_mutex_;
  std::optional<DiskSpace> space_;
};

/// Files in memory. power_loss() keeps what was synced; of everything else each sector and each directory change
/// survives or not, as the seed decides, which is more than real disks dare. A file's bytes need sync_data(), a name
/// needs sync_directory() of the directory that holds it.
class PowerLossFileSystem final : public FileSystem {
 public:
  PowerLossFileSystem();
  ~PowerLossFileSystem() override;
  /// Files that are open keep working on nothing; close them first. `keep` of 0: all that was not synced is lost; 1:
  /// nothing; between: by chance.
  void power_loss(std::uint64_t seed, double keep);
  void sync_all();  ///< syncfs(2)

  Result<std::unique_ptr<File>> open_read(const std::string& path) override;
  Result<std::unique_ptr<File>> create_new(const std::string& path) override;
  Result<std::unique_ptr<File>> open_existing(const std::string& path) override;
  Result<> rename(const std::string& from, const std::string& to) override;
  Result<> remove(const std::string& path) override;
  Result<> remove_directory(const std::string& path) override;
  Result<> make_directories(const std::string& path) override;
  Result<bool> make_directory(const std::string& path) override;
  Result<> sync_directory(const std::string& path) override;
  Result<> set_read_only(const std::string& path) override;
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override;
  Result<std::uint64_t> file_size(const std::string& path) override;
  bool exists(const std::string& path) override;
  Result<DiskSpace> space(const std::string& path) override;

  struct Node;
  struct Change;

 private:
  friend class MemoryFile;
  std::shared_ptr<Node> look_up(const std::string& path) const;
  Result<std::pair<std::shared_ptr<Node>, std::string>> parent_of(const std::string& path) const;
  Result<std::unique_ptr<File>> open(const std::string& path, bool create);
  void apply(const Change& change) const;
  void record(Change change);

  mutable std::recursive_mutex mutex_;
  std::shared_ptr<Node> root_;
  std::vector<Change> changes_;  // of directories, since the last power loss
  std::vector<std::shared_ptr<Node>> nodes_;
};
}  // namespace hm::test
