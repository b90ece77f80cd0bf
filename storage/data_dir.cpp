#include "storage/data_dir.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/clock.hpp"
#include "base/text.hpp"

namespace hm::storage {
namespace {
constexpr std::string_view kVersionWord = "hubmirror-data ";
constexpr std::size_t kSmallFileBytesMax = 4096;  // VERSION is one short line
constexpr std::size_t kLockBytes = 256;           // always: once there, LOCK can be written on a full disk

std::string version_line() { return std::string(kVersionWord) + std::to_string(kDataDirVersion) + "\n"; }

/// NotFound when there is no VERSION at all.
Result<> check_version(FileSystem& fs, const DataDir& dir) {
  HM_TRY(const std::string text, read_small_file(fs, dir.version_file(), kSmallFileBytesMax));
  const std::string_view line = trim(text);
  const auto number = line.starts_with(kVersionWord) ? parse_u64(line.substr(kVersionWord.size())) : std::nullopt;
  if (!number)
    return Error{Errc::BadInput, dir.version_file() + " does not name a hubmirror data directory: \"" +
                                     printable(line.substr(0, 80)) + "\""};
  if (*number != kDataDirVersion) {
    return Error{Errc::Refused, dir.root + " has data format " + std::to_string(*number) +
                                    ", this program knows format " + std::to_string(kDataDirVersion) +
                                    "; use the hubmirror version that wrote it, or another --data-dir"};
  }
  return ok();
}

/// What an interrupted create_data_dir, or the root of a mounted filesystem, may have left there.
bool is_ours(std::string_view name) {
  static constexpr std::array<std::string_view, 7> kNames = {"LOCK",  "VERSION.new", "blobs",     "git",
                                                             "index", "quarantine",  "lost+found"};
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

Result<> check_nothing_foreign(FileSystem& fs, const DataDir& dir) {
  HM_TRY(const auto entries, fs.list(dir.root));
  for (const DirectoryEntry& e : entries) {
    if (is_ours(e.name)) continue;
    return Error{Errc::BadInput, dir.root + " is not a hubmirror data directory and not empty: it holds \"" +
                                     printable(e.name) + "\"; choose an empty or a new directory"};
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

Result<> create_data_dir(FileSystem& fs, const DataDir& dir) {
  HM_TRY(fs.make_directories(dir.root));
  const auto version = check_version(fs, dir);
  if (!version && version.error().code != Errc::NotFound) return version;
  if (!version) {
    HM_TRY(check_nothing_foreign(fs, dir));
  }
  for (const std::string& path : {dir.blobs(), dir.partials(), dir.git(RepoKind::Model), dir.git(RepoKind::Dataset),
                                  dir.git(RepoKind::Space), dir.index(), dir.quarantine()}) {
    HM_TRY(fs.make_directories(path));
  }
  if (version) return ok();
  return replace_file(fs, dir.version_file(), version_line());  // last: VERSION says that all the rest is there
}

Result<> check_data_dir(FileSystem& fs, const DataDir& dir) {
  auto version = check_version(fs, dir);
  if (!version && version.error().code == Errc::NotFound) {
    return Error{Errc::NotFound, "no data directory at " + dir.root + "; run `hubmirror --data-dir " + dir.root +
                                     " init`, or name the right one with --data-dir"};
  }
  return version;
}

Result<WriterLock> WriterLock::acquire(const DataDir& dir, std::string_view command) {
  const std::string path = dir.lock_file();
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
  if (fd < 0) return errno_error("open", path, errno);
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
  if (!read_holder(fd).empty() && ::syncfs(fd) != 0) return errno_error("syncfs", path, errno);
  const std::string line = "pid " + std::to_string(::getpid()) + ", command " + printable(command.substr(0, 100)) +
                           ", since " + iso8601(system_clock().unix_ms());
  if (!write_holder(fd, padded(line))) return errno_error("write", path, errno);
  return lock;
}

WriterLock::WriterLock(WriterLock&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
WriterLock& WriterLock::operator=(WriterLock&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}
WriterLock::~WriterLock() {
  if (fd_ < 0) return;
  (void)write_holder(fd_, padded({}));  // a failure lets the next holder sync once more than needed
  ::close(fd_);
}
}  // namespace hm::storage
