#include "storage/data_dir.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

#include "base/clock.hpp"
#include "base/text.hpp"

namespace hm::storage {
namespace {
constexpr std::string_view kVersionWord = "hubmirror-data ";
constexpr std::size_t kSmallFileBytesMax = 4096;  // VERSION is one short line
constexpr std::string_view kHolderWord = "pid ";
constexpr std::uint64_t kPidMax = 1U << 22;  // the kernel's own limit
constexpr std::size_t kLockBytes = 256;      // always: once there, LOCK can be written on a full disk
constexpr std::string_view kCrashMark = ", crashed";
constexpr off_t kCrashMarkOffset = 240;  // behind every line a holder writes

// What a signal handler may look at: plain memory, set before the handlers are.
constexpr std::array kFatalSignals{SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
std::array<struct sigaction, kFatalSignals.size()> before_crash{};
volatile std::sig_atomic_t crash_fd = -1;

extern "C" void note_crash(int number) {
  const int saved = errno;
  if (crash_fd >= 0) {
    const ssize_t ignored = ::pwrite(crash_fd, kCrashMark.data(), kCrashMark.size(), kCrashMarkOffset);
    static_cast<void>(ignored);  // nobody is left to be told
  }
  for (std::size_t i = 0; i < kFatalSignals.size(); ++i)
    if (kFatalSignals[i] == number) ::sigaction(number, &before_crash[i], nullptr);
  errno = saved;
  ::raise(number);  // delivered when this returns: the process ends as it would have
}

std::string version_line() { return std::string(kVersionWord) + std::to_string(kDataDirVersion) + "\n"; }

Error with_advice(Error error) {
  if (error.os_error == EACCES || error.os_error == EPERM)
    error.what +=
        "; it is there, but not for this user: run hubmirror as the user who owns the data directory, or give this "
        "user access to all of it";
  if (error.os_error == EROFS)
    error.what += "; commands that only read (ls, show, path, verify) work there; for others mount it writable";
  if (error.os_error == ENOTDIR || error.os_error == ENAMETOOLONG || error.os_error == ELOOP) {
    error.code = Errc::BadInput;
    error.what += "; there can be no data directory of this name, choose another with --data-dir";
  }
  return error;
}

/// NotFound when there is no VERSION at all.
Result<> check_version(FileSystem& fs, const DataDir& dir) {
  if (fs.file_size(dir.root))
    return Error{Errc::BadInput, dir.root + " is a file, not a directory; name a directory with --data-dir"};
  auto read = read_small_file(fs, dir.version_file(), kSmallFileBytesMax);
  if (!read) return with_advice(std::move(read).assume_error());
  const std::string text = std::move(read).assume_value();
  const std::string_view line = trim(text);
  // The number alone is understood too: who writes a later format may drop the word.
  const auto number = parse_u64(line.starts_with(kVersionWord) ? line.substr(kVersionWord.size()) : line);
  if (!number)
    return Error{Errc::BadInput, dir.version_file() + " does not name a hubmirror data directory: \"" +
                                     printable(line.substr(0, 80)) + "\""};
  if (*number > kDataDirVersion) {
    return Error{Errc::Refused, dir.root + " was made by a newer version of hubmirror: it has data format " +
                                    std::to_string(*number) + ", this program knows format " +
                                    std::to_string(kDataDirVersion) +
                                    "; use the hubmirror version that wrote it, or another --data-dir"};
  }
  if (*number != kDataDirVersion || !line.starts_with(kVersionWord))
    return Error{Errc::BadInput, dir.version_file() + " does not name a data format of hubmirror: \"" +
                                     printable(line.substr(0, 80)) + "\""};
  return ok();
}

/// What an interrupted create_data_dir, or the root of a mounted filesystem, may have left there: folders of the
/// layout without anything in them. A folder that merely has such a name and holds files is somebody's.
bool is_left_over(const std::string& below, const DirectoryEntry& entry) {
  static constexpr std::array<std::string_view, 9> kFolders = {
      "blobs", "blobs/partial", "blobs/sha256", "git", "git/dataset", "git/model", "git/space", "index", "quarantine"};
  if (!entry.is_directory) return below == "VERSION.new";
  return std::find(kFolders.begin(), kFolders.end(), below) != kFolders.end();
}

Result<> check_nothing_foreign(FileSystem& fs, const DataDir& dir, const std::string& below = {}) {
  HM_TRY(const auto entries, fs.list(below.empty() ? dir.root : dir.root + "/" + below));
  for (const DirectoryEntry& e : entries) {
    const std::string path = below.empty() ? e.name : below + "/" + e.name;
    if (path == "lost+found") continue;
    if (!is_left_over(path, e))
      return Error{Errc::BadInput, dir.root +
                                       " is not a hubmirror data directory (it has no VERSION) and not empty: "
                                       "it holds \"" +
                                       printable(path) +
                                       "\"; choose an empty or a new directory, or put VERSION back if this was one"};
    if (e.is_directory) {
      HM_TRY(check_nothing_foreign(fs, dir, path));
    }
  }
  return ok();
}

/// RocksDB says of an index that it may not read the same as of one that is not there.
Result<> check_index_readable(FileSystem& fs, const DataDir& dir) {
  const auto listed = fs.list(dir.index());
  if (!listed && listed.error().code != Errc::NotFound) return with_advice(listed.error());
  const auto current = fs.open_read(dir.index() + "/CURRENT");
  if (!current && current.error().code != Errc::NotFound) return with_advice(current.error());
  return ok();
}

/// Things move within the data directory by rename, which is atomic on one filesystem and impossible between two.
Result<> check_one_filesystem(const DataDir& dir) {
  struct stat root{};
  if (::stat(dir.root.c_str(), &root) != 0) return with_advice(errno_error("stat", dir.root, errno));
  for (const std::string& path :
       {parent_directory(dir.blobs()), dir.blobs(), dir.partials(), dir.root + "/git", dir.git(RepoKind::Model),
        dir.git(RepoKind::Dataset), dir.git(RepoKind::Space), dir.index(), dir.quarantine()}) {
    struct stat folder{};
    if (::lstat(path.c_str(), &folder) != 0) continue;  // made later, or said later
    if (!S_ISLNK(folder.st_mode) && folder.st_dev == root.st_dev) continue;
    return Error{Errc::BadInput, path + (S_ISLNK(folder.st_mode) ? " is a symlink" : " is another filesystem") +
                                     "; all of a data directory lies on one filesystem: move it there as a whole and "
                                     "name it with --data-dir (the data directory itself may be a symlink)"};
  }
  return ok();
}

std::string padded(std::string line) {
  line.resize(kLockBytes - 1, ' ');
  return line + "\n";
}
bool write_holder(int fd, const std::string& line) {
  return ::pwrite(fd, line.data(), line.size(), 0) == static_cast<ssize_t>(line.size());
}

std::string read_holder(int fd) {
  std::array<char, kLockBytes> text{};
  const ssize_t n = ::pread(fd, text.data(), text.size(), 0);
  return std::string(trim(std::string_view(text.data(), n > 0 ? static_cast<std::size_t>(n) : 0)));
}
}  // namespace

std::string DataDir::blob(const Sha256& id) const {
  const std::string hex = id.hex();
  return blobs() + "/" + hex.substr(0, 2) + "/" + hex.substr(2, 2) + "/" + hex;
}
std::string DataDir::git(RepoKind kind) const { return root + "/git/" + std::string(name_of(kind)); }
std::string DataDir::git(const RepoKey& key) const { return git(key.kind) + "/" + key.rid.text() + ".git"; }

Result<> restore_layout(FileSystem& fs, const DataDir& dir) {
  for (const std::string& path : {dir.blobs(), dir.partials(), dir.git(RepoKind::Model), dir.git(RepoKind::Dataset),
                                  dir.git(RepoKind::Space), dir.index(), dir.quarantine()}) {
    if (auto made = fs.make_directories(path); !made) return with_advice(std::move(made).assume_error());
  }
  return ok();
}

Result<> create_data_dir(FileSystem& fs, const DataDir& dir) {
  auto version = check_version(fs, dir);
  if (!version && version.error().code == Errc::NotFound) {  // also when there is no directory yet
    if (auto made = fs.make_directories(dir.root); !made) return with_advice(std::move(made).assume_error());
  }
  if (!version && version.error().code != Errc::NotFound) return version;
  if (!version) {
    HM_TRY(check_nothing_foreign(fs, dir));
  }
  HM_TRY(restore_layout(fs, dir));
  if (version) return check_index_readable(fs, dir);
  auto written = replace_file(fs, dir.version_file(), version_line());  // last: VERSION says that all the rest is there
  if (!written && check_version(fs, dir)) return ok();                  // somebody else made it at the same moment
  return written;
}

Result<> check_data_dir(FileSystem& fs, const DataDir& dir) {
  auto version = check_version(fs, dir);
  if (!version && version.error().code == Errc::NotFound && fs.exists(dir.index() + "/CURRENT")) {
    return Error{Errc::BadInput, dir.version_file() +
                                     " is missing beside an index; put it back from a backup, or, when "
                                     "this version of hubmirror wrote the directory, write the line \"" +
                                     std::string(trim(version_line())) + "\" into it"};
  }
  if (!version && version.error().code == Errc::NotFound) {
    return Error{Errc::BadInput, "no data directory at " + dir.root + "; run `hubmirror --data-dir " + dir.root +
                                     " init`, or name the right one with --data-dir"};
  }
  HM_TRY(std::move(version));
  return check_index_readable(fs, dir);
}

std::optional<std::string> other_writer(FileSystem& fs, const DataDir& dir) {
  const auto text = read_small_file(fs, dir.lock_file(), kSmallFileBytesMax);
  if (!text) return std::nullopt;
  const std::string_view line = trim(text.assume_value());
  if (!line.starts_with(kHolderWord)) return std::nullopt;
  const auto pid = parse_u64(line.substr(kHolderWord.size(), line.find(',') - kHolderWord.size()));
  if (!pid || *pid > kPidMax || static_cast<pid_t>(*pid) == ::getpid()) return std::nullopt;
  if (::kill(static_cast<pid_t>(*pid), 0) != 0 && errno == ESRCH) return std::nullopt;  // it was killed
  return std::string(line);
}

Result<WriterLock> WriterLock::acquire(const DataDir& dir, std::string_view command) {
  HM_TRY(check_one_filesystem(dir));
  const std::string path = dir.lock_file();
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return with_advice(errno_error("open", path, errno));
  WriterLock lock(fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return errno_error("lock", path, errno);
    const std::string holder = read_holder(fd);
    lock.fd_ = -1;
    ::close(fd);  // not ours: the destructor would wipe the holder's line
    return Error{Errc::Busy, "another process writes to " + dir.root + ": " +
                                 (holder.empty() ? "it has not said who it is yet" : printable(holder)) +
                                 "; wait for it, or stop it"};
  }
  // A holder that ended well wiped its line. One that was killed may have left names that are visible but not yet
  // durable: make them so before we build on them.
  const std::string before = read_holder(fd);
  if (!before.empty() && ::syncfs(fd) != 0) return errno_error("syncfs", path, errno);
  lock.predecessor_crashed_ = before.ends_with(kCrashMark);
  const std::string line = std::string(kHolderWord) + std::to_string(::getpid()) + ", command " +
                           printable(command.substr(0, 100)) + ", since " + iso8601(system_clock().unix_ms());
  if (!write_holder(fd, padded(line))) return errno_error("write", path, errno);
  return lock;
}

void WriterLock::note_crashes() const {
  crash_fd = fd_;
  for (std::size_t i = 0; i < kFatalSignals.size(); ++i) {
    struct sigaction action{};
    action.sa_handler = note_crash;
    ::sigaction(kFatalSignals[i], &action, &before_crash[i]);
  }
}

WriterLock::WriterLock(WriterLock&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), predecessor_crashed_(other.predecessor_crashed_) {}
WriterLock& WriterLock::operator=(WriterLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  std::swap(predecessor_crashed_, other.predecessor_crashed_);
  return *this;
}
WriterLock::~WriterLock() {
  if (fd_ < 0) return;
  if (crash_fd == fd_) crash_fd = -1;
  (void)write_holder(fd_, padded({}));  // a failure lets the next holder sync once more than needed
  ::close(fd_);
}
}  // namespace hm::storage
