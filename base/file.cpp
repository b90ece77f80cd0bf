#include "base/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <optional>

namespace hm {
namespace {
class RealFile final : public File {
 public:
  RealFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~RealFile() override { ::close(fd_); }
  RealFile(const RealFile&) = delete;
  RealFile& operator=(const RealFile&) = delete;

  Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
    std::size_t done = 0;
    while (done < into.size()) {
      const ssize_t n = ::pread(fd_, into.data() + done, into.size() - done, static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno_error("read", path_, errno);
      if (n == 0) break;
      done += static_cast<std::size_t>(n);
    }
    return done;
  }
  Result<> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return errno_error("write", path_, errno);
      bytes = bytes.subspan(static_cast<std::size_t>(n));
      offset += static_cast<std::uint64_t>(n);
    }
    return ok();
  }
  Result<std::uint64_t> size() const override {
    struct stat st{};
    if (::fstat(fd_, &st) != 0) return errno_error("stat", path_, errno);
    return static_cast<std::uint64_t>(st.st_size);
  }
  Result<> truncate(std::uint64_t size_bytes) override {
    if (::ftruncate(fd_, static_cast<off_t>(size_bytes)) != 0) return errno_error("truncate", path_, errno);
    return ok();
  }
  Result<> allocate(std::uint64_t size_bytes) override {
    if (size_bytes == 0) return ok();
    int rc = 0;
    do rc = ::fallocate(fd_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(size_bytes));
    while (rc != 0 && errno == EINTR);
    if (rc != 0 && errno != EOPNOTSUPP && errno != ENOSYS) return errno_error("reserve space for", path_, errno);
    return ok();
  }
  void start_writeback(std::uint64_t offset, std::uint64_t length) override {
    ::sync_file_range(fd_, static_cast<off_t>(offset), static_cast<off_t>(length),
                      SYNC_FILE_RANGE_WRITE);  // a hint: its failure loses nothing
  }
  Result<> sync_data() override {
    if (::fdatasync(fd_) != 0) return errno_error("fdatasync", path_, errno);
    return ok();
  }
  void drop_cache(std::uint64_t offset, std::uint64_t length) override {
    ::posix_fadvise(fd_, static_cast<off_t>(offset), static_cast<off_t>(length), POSIX_FADV_DONTNEED);
  }
  int native_handle() const override { return fd_; }

 private:
  int fd_;
  std::string path_;
};

class RealFileSystem final : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open_read(const std::string& path) override { return open(path, O_RDONLY, "open"); }
  Result<std::unique_ptr<File>> create_new(const std::string& path) override {
    return open(path, O_RDWR | O_CREAT | O_EXCL, "create");
  }
  Result<std::unique_ptr<File>> open_existing(const std::string& path) override { return open(path, O_RDWR, "open"); }
  Result<> rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) return errno_error("rename " + from + " to", to, errno);
    return ok();
  }
  Result<> remove(const std::string& path) override {
    if (::unlink(path.c_str()) != 0) return errno_error("remove", path, errno);
    return ok();
  }
  Result<> remove_directory(const std::string& path) override {
    if (::rmdir(path.c_str()) != 0) return errno_error("remove directory", path, errno);
    return ok();
  }
  Result<> make_directories(const std::string& path) override {
    if (::mkdir(path.c_str(), 0755) == 0) {
      HM_TRY(sync_directory(path));
      return sync_directory(parent_directory(path));
    }
    const int error = errno;
    if (error == EEXIST) {
      struct stat st{};
      if (::stat(path.c_str(), &st) == 0 && S_ISDIR(st.st_mode)) return ok();
      return errno_error("make directory", path, ENOTDIR);
    }
    const std::string parent = parent_directory(path);
    if (error != ENOENT || parent == path || exists(parent)) return errno_error("make directory", path, error);
    HM_TRY(make_directories(parent));
    return make_directories(path);
  }
  Result<bool> make_directory(const std::string& path) override {
    if (::mkdir(path.c_str(), 0755) == 0) return true;
    if (errno == EEXIST) return false;
    return errno_error("make directory", path, errno);
  }
  Result<> sync_directory(const std::string& path) override {
    const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno_error("open directory", path, errno);
    const int rc = ::fsync(fd), error = errno;
    ::close(fd);
    if (rc != 0 && error != EINVAL)
      return errno_error("fsync directory", path, error);  // EINVAL: a filesystem without directory fsync
    return ok();
  }
  Result<> set_read_only(const std::string& path) override {
    if (::chmod(path.c_str(), 0444) != 0) return errno_error("chmod", path, errno);
    return ok();
  }
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
    const std::unique_ptr<DIR, int (*)(DIR*)> dir(::opendir(path.c_str()), ::closedir);
    if (!dir) return errno_error("list", path, errno);
    std::vector<DirectoryEntry> out;
    for (errno = 0; const dirent* e = ::readdir(dir.get()); errno = 0) {
      DirectoryEntry entry{e->d_name, e->d_type == DT_DIR, e->d_type == DT_REG};
      if (entry.name == "." || entry.name == "..") continue;
      if (e->d_type == DT_UNKNOWN) {
        struct stat st{};
        if (::lstat((path + "/" + entry.name).c_str(), &st) == 0)
          entry.is_directory = S_ISDIR(st.st_mode), entry.is_regular = S_ISREG(st.st_mode);
      }
      out.push_back(std::move(entry));
    }
    if (errno != 0) return errno_error("list", path, errno);
    return out;
  }
  Result<std::uint64_t> file_size(const std::string& path) override {
    struct stat st{};
    if (::lstat(path.c_str(), &st) != 0) return errno_error("stat", path, errno);
    if (!S_ISREG(st.st_mode)) return Error{Errc::BadInput, path + " is not a regular file"};
    return static_cast<std::uint64_t>(st.st_size);
  }
  bool exists(const std::string& path) override {
    struct stat st{};
    return ::lstat(path.c_str(), &st) == 0;
  }
  Result<DiskSpace> space(const std::string& path) override {
    struct statvfs v{};
    if (::statvfs(path.c_str(), &v) != 0) return errno_error("statvfs", path, errno);
    return DiskSpace{static_cast<std::uint64_t>(v.f_bavail) * v.f_frsize,
                     static_cast<std::uint64_t>(v.f_blocks) * v.f_frsize};
  }

 private:
  static Result<std::unique_ptr<File>> open(const std::string& path, int flags, const char* what) {
    // O_NONBLOCK: a pipe in a file's place would wait for its other end for ever.
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0644);
    if (fd < 0) return errno_error(what, path, errno);
    auto file = std::make_unique<RealFile>(fd, path);
    struct stat st{};
    if (::fstat(fd, &st) != 0) return errno_error("stat", path, errno);
    if (S_ISFIFO(st.st_mode)) return Error{Errc::BadInput, path + " is a pipe, not a file"};
    return std::unique_ptr<File>(std::move(file));
  }
};
}  // namespace

Result<bool> FileSystem::make_directory(const std::string& path) {
  if (exists(path)) return false;
  HM_TRY(make_directories(path));
  return true;
}

FileSystem& real_file_system() {
  static RealFileSystem fs;
  return fs;
}

std::string parent_directory(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Result<std::string> read_small_file(FileSystem& fs, const std::string& path, std::size_t size_max) {
  HM_TRY(auto file, fs.open_read(path));
  HM_TRY(const std::uint64_t size, file->size());
  if (size > size_max)
    return Error{Errc::Refused,
                 path + " has " + std::to_string(size) + " bytes; at most " + std::to_string(size_max) + " are read"};
  std::string out(size_max, '\0');  // /proc and pipes state no size: read until the end
  HM_TRY(const std::size_t n, file->read_at(0, std::as_writable_bytes(std::span(out))));
  out.resize(n);
  return out;
}

namespace {
Result<> fill_and_rename(FileSystem& fs, std::unique_ptr<File> file, const std::string& temp, const std::string& path,
                         std::string_view bytes) {
  auto done = file->write_at(0, std::as_bytes(std::span(bytes)));
  if (done) done = file->sync_data();
  file.reset();
  if (done) done = fs.rename(temp, path);
  if (!done) {
    (void)fs.remove(temp);
    return done;
  }
  return fs.sync_directory(parent_directory(path));
}

/// Where a file lies that somebody named, behind all symbolic links.
struct NamedFile {
  std::string path;
  std::optional<mode_t> mode;  ///< of the one that is there
};
Result<NamedFile> find_named(FileSystem& fs, const std::string& path) {
  struct stat st{};
  if (::stat(path.c_str(), &st) != 0) {
    if (errno != ENOENT) return errno_error("stat", path, errno);
    if (fs.exists(path))
      return Error{Errc::BadInput, path + " is a symbolic link that leads nowhere; name the file itself"};
    return NamedFile{path, std::nullopt};
  }
  if (!S_ISREG(st.st_mode))
    return Error{Errc::BadInput, path + (S_ISDIR(st.st_mode) ? " is a folder" : " is no regular file") +
                                     "; name a new file, or one that may be replaced"};
  const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
  if (!real) return errno_error("resolve", path, errno);
  if (::access(real.get(), W_OK) != 0)
    return Error{Errc::BadInput, path + " may not be written to; make it writable, or name another file"};
  return NamedFile{real.get(), st.st_mode & 07777};
}

constexpr int kTempNamesTried = 100;  // each is a file that a process of our number left when it was killed

/// A new file in the folder of `beside`, whose name is in `temp` then.
Result<std::unique_ptr<File>> create_temp(FileSystem& fs, const std::string& beside, std::string& temp) {
  for (int i = 0;; ++i) {
    temp = parent_directory(beside) + "/.hubmirror." + std::to_string(::getpid()) + "." + std::to_string(i);
    auto file = fs.create_new(temp);
    if (file || file.assume_error().os_error != EEXIST || i + 1 == kTempNamesTried) return file;
  }
}
}  // namespace

Result<> replace_file(FileSystem& fs, const std::string& path, std::string_view bytes) {
  const std::string temp = path + ".new";
  if (fs.exists(temp)) {  // left by a crash; the single writer is us
    HM_TRY(fs.remove(temp));
  }
  HM_TRY(auto file, fs.create_new(temp));
  return fill_and_rename(fs, std::move(file), temp, path, bytes);
}

Result<> replace_named_file(FileSystem& fs, const std::string& path, std::string_view bytes) {
  HM_TRY(const NamedFile named, find_named(fs, path));
  std::string temp;
  HM_TRY(auto file, create_temp(fs, named.path, temp));
  if (named.mode && ::fchmod(file->native_handle(), *named.mode) != 0) {
    const Error error = errno_error("chmod", temp, errno);
    (void)fs.remove(temp);
    return error;
  }
  return fill_and_rename(fs, std::move(file), temp, named.path, bytes);
}

Result<std::int64_t> modified_unix_ms(const std::string& path) {
  struct stat st{};
  if (::lstat(path.c_str(), &st) != 0) return errno_error("stat", path, errno);
  return static_cast<std::int64_t>(st.st_mtim.tv_sec) * 1000 + st.st_mtim.tv_nsec / 1'000'000;
}

Result<std::uint64_t> tree_bytes(FileSystem& fs, const std::string& path) {
  std::uint64_t total = 0;
  HM_TRY(const auto entries, fs.list(path));
  for (const DirectoryEntry& e : entries) {
    const std::string child = path + "/" + e.name;
    if (!e.is_directory && !e.is_regular) continue;
    HM_TRY(const std::uint64_t bytes, e.is_directory ? tree_bytes(fs, child) : fs.file_size(child));
    total += bytes;
  }
  return total;
}

Result<> remove_tree(FileSystem& fs, const std::string& path) {
  if (!fs.exists(path)) return ok();
  HM_TRY(auto entries, fs.list(path));
  for (const DirectoryEntry& e : entries) {
    const std::string child = path + "/" + e.name;
    HM_TRY(e.is_directory ? remove_tree(fs, child) : fs.remove(child));
  }
  return fs.remove_directory(path);
}
}  // namespace hm
