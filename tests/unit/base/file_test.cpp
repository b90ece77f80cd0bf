// Files of the real medium, and replace_file when any one of its operations fails.
#include "base/file.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "base/digest.hpp"

namespace hm {
namespace {
using namespace std::string_literals;

class Directory {
 public:
  Directory() {
    std::string pattern = testing::TempDir() + "/hm_file_XXXXXX";
    path = ::mkdtemp(pattern.data());
  }
  ~Directory() { (void)remove_tree(real_file_system(), path); }
  std::string path;
};

/// Counts the operations that change something and fails the n-th; files it opens count too.
class FailingFileSystem final : public FileSystem {
 public:
  explicit FailingFileSystem(int fail_at) : left_(fail_at) {}
  bool failed() const { return left_ <= 0; }

  Result<std::unique_ptr<File>> open_read(const std::string& path) override { return real().open_read(path); }
  Result<std::unique_ptr<File>> create_new(const std::string& path) override {
    HM_TRY(step("create"));
    return wrap(real().create_new(path));
  }
  Result<std::unique_ptr<File>> open_existing(const std::string& path) override {
    return wrap(real().open_existing(path));
  }
  Result<> rename(const std::string& from, const std::string& to) override {
    HM_TRY(step("rename"));
    return real().rename(from, to);
  }
  Result<> remove(const std::string& path) override {
    HM_TRY(step("remove"));
    return real().remove(path);
  }
  Result<> remove_directory(const std::string& path) override { return real().remove_directory(path); }
  Result<> make_directories(const std::string& path) override { return real().make_directories(path); }
  Result<> sync_directory(const std::string& path) override {
    HM_TRY(step("sync directory"));
    return real().sync_directory(path);
  }
  Result<> set_read_only(const std::string& path) override { return real().set_read_only(path); }
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override { return real().list(path); }
  Result<std::uint64_t> file_size(const std::string& path) override { return real().file_size(path); }
  bool exists(const std::string& path) override { return real().exists(path); }
  Result<DiskSpace> space(const std::string& path) override { return real().space(path); }

 private:
  static FileSystem& real() { return real_file_system(); }
  Result<> step(const char* what) {
    if (--left_ == 0) return Error{Errc::Io, std::string("injected: ") + what};
    return ok();
  }
  class FailingFile final : public File {
   public:
    FailingFile(std::unique_ptr<File> file, FailingFileSystem& owner) : file_(std::move(file)), owner_(owner) {}
    Result<std::size_t> read_at(std::uint64_t offset, std::span<std::byte> into) const override {
      return file_->read_at(offset, into);
    }
    Result<> write_at(std::uint64_t offset, std::span<const std::byte> bytes) override {
      HM_TRY(owner_.step("write"));
      return file_->write_at(offset, bytes);
    }
    Result<std::uint64_t> size() const override { return file_->size(); }
    Result<> truncate(std::uint64_t size_bytes) override { return file_->truncate(size_bytes); }
    Result<> allocate(std::uint64_t size_bytes) override { return file_->allocate(size_bytes); }
    void start_writeback(std::uint64_t offset, std::uint64_t length) override {
      file_->start_writeback(offset, length);
    }
    Result<> sync_data() override {
      HM_TRY(owner_.step("sync"));
      return file_->sync_data();
    }
    void drop_cache(std::uint64_t offset, std::uint64_t length) override { file_->drop_cache(offset, length); }
    int native_handle() const override { return file_->native_handle(); }

   private:
    std::unique_ptr<File> file_;
    FailingFileSystem& owner_;
  };
  Result<std::unique_ptr<File>> wrap(Result<std::unique_ptr<File>> opened) {
    HM_TRY(auto file, std::move(opened));
    return std::unique_ptr<File>(std::make_unique<FailingFile>(std::move(file), *this));
  }
  int left_;
};

std::string content(const std::string& path) { return read_small_file(real_file_system(), path).value(); }

TEST(ReplaceFile, ReplacesAndLeavesNothingBeside) {
  Directory dir;
  FileSystem& fs = real_file_system();
  const std::string path = dir.path + "/state";
  ASSERT_TRUE(replace_file(fs, path, "one"));
  ASSERT_TRUE(replace_file(fs, path, "two, longer"));
  ASSERT_TRUE(replace_file(fs, path, ""));
  EXPECT_EQ(content(path), "");
  ASSERT_TRUE(replace_file(fs, path, "three"));
  EXPECT_EQ(content(path), "three");
  EXPECT_EQ(fs.list(dir.path).value().size(), 1U);
}
TEST(ReplaceFile, HoldsTheOldOrTheNewBytesWhicheverOperationFails) {
  Directory dir;
  const std::string path = dir.path + "/state";
  int fail_at = 1;
  for (bool failed = true; failed; ++fail_at) {
    ASSERT_TRUE(replace_file(real_file_system(), path, "old"));
    FailingFileSystem fs(fail_at);
    const auto replaced = replace_file(fs, path, "new");
    failed = fs.failed();
    EXPECT_EQ(static_cast<bool>(replaced), !failed) << "operation " << fail_at;
    const std::string now = content(path);
    EXPECT_TRUE(now == "new" || (now == "old" && !replaced)) << "operation " << fail_at << " left " << now;
    if (replaced) {
      EXPECT_EQ(now, "new");
    }
  }
  EXPECT_GE(fail_at, 6) << "create, write, sync, rename and sync of the directory were each failed once";
}
TEST(ReplaceFile, GoesOnAfterACrashThatLeftItsTemporaryFile) {
  Directory dir;
  const std::string path = dir.path + "/state";
  ASSERT_TRUE(real_file_system().create_new(path + ".new").value()->write_at(0, as_bytes("half of")));
  ASSERT_TRUE(replace_file(real_file_system(), path, "whole"));
  EXPECT_EQ(content(path), "whole");
  EXPECT_FALSE(real_file_system().exists(path + ".new"));
}
TEST(ReplaceFile, SaysWhereItFailed) {
  Directory dir;
  const auto replaced = replace_file(real_file_system(), dir.path + "/absent/state", "x");
  ASSERT_FALSE(replaced);
  EXPECT_EQ(replaced.error().code, Errc::NotFound);
  EXPECT_NE(replaced.error().what.find("/absent/state"), std::string::npos);
}

TEST(ReplaceNamedFile, ReplacesWhatIsNamedAndNothingBesideIt) {
  Directory dir;
  FileSystem& fs = real_file_system();
  const std::string page = dir.path + "/page.html", link = dir.path + "/link.html";
  ASSERT_TRUE(replace_named_file(fs, page, "one"));
  for (const char* beside : {"/page.html.new", "/link.html.new"})
    ASSERT_TRUE(fs.create_new(dir.path + beside).value()->write_at(0, as_bytes("theirs")));
  // A file that another of our number left behind when it was killed.
  const std::string left = dir.path + "/.hubmirror." + std::to_string(::getpid()) + ".0";
  ASSERT_TRUE(fs.create_new(left));
  ASSERT_EQ(::chmod(page.c_str(), 0600), 0);
  ASSERT_EQ(::symlink("page.html", link.c_str()), 0);
  ASSERT_TRUE(replace_named_file(fs, link, "two"));
  EXPECT_EQ(content(page), "two");
  struct stat st{};
  ASSERT_EQ(::lstat(page.c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0600U) << "what only its owner could read is so still";
  ASSERT_EQ(::lstat(link.c_str(), &st), 0);
  EXPECT_TRUE(S_ISLNK(st.st_mode));
  for (const char* beside : {"/page.html.new", "/link.html.new"}) EXPECT_EQ(content(dir.path + beside), "theirs");
  EXPECT_EQ(fs.list(dir.path).value().size(), 5U) << "the temporary file is gone";
}
TEST(ReplaceNamedFile, RefusesWhatIsNoFile) {
  Directory dir;
  FileSystem& fs = real_file_system();
  ASSERT_EQ(::mkfifo((dir.path + "/pipe").c_str(), 0600), 0);
  ASSERT_EQ(::symlink("/dev/null", (dir.path + "/device").c_str()), 0);
  ASSERT_EQ(::symlink("nowhere", (dir.path + "/dangling").c_str()), 0);
  for (const std::string& path :
       {dir.path, dir.path + "/", dir.path + "/pipe", dir.path + "/device", dir.path + "/dangling", "/dev/full"s}) {
    const auto refused = replace_named_file(fs, path, "x");
    ASSERT_FALSE(refused) << path;
    EXPECT_EQ(refused.error().code, Errc::BadInput) << path;
    EXPECT_NE(refused.error().what.find("; name "), std::string::npos) << path;
  }
  EXPECT_EQ(replace_named_file(fs, dir.path + "/absent/page", "x").error().code, Errc::NotFound);
  EXPECT_EQ(fs.list(dir.path).value().size(), 3U);
}
TEST(ReplaceNamedFile, LeavesNothingBehindWhicheverOperationFails) {
  Directory dir;
  const std::string path = dir.path + "/page.html";
  ASSERT_TRUE(replace_named_file(real_file_system(), path, "old"));
  int fail_at = 1;
  for (bool failed = true; failed; ++fail_at) {
    FailingFileSystem fs(fail_at);
    const auto replaced = replace_named_file(fs, path, "new");
    failed = fs.failed();
    EXPECT_EQ(static_cast<bool>(replaced), !failed) << "operation " << fail_at;
    EXPECT_EQ(real_file_system().list(dir.path).value().size(), 1U) << "operation " << fail_at;
  }
  EXPECT_GE(fail_at, 6);
}

TEST(RealFile, ReadsAndWritesAtPositions) {
  Directory dir;
  FileSystem& fs = real_file_system();
  const auto file = fs.create_new(dir.path + "/f").value();
  ASSERT_TRUE(file->write_at(5, as_bytes("world")));
  ASSERT_TRUE(file->write_at(0, as_bytes("hello")));
  EXPECT_EQ(file->size().value(), 10U);
  std::array<std::byte, 20> buffer;
  EXPECT_EQ(file->read_at(3, buffer).value(), 7U);
  EXPECT_EQ(static_cast<char>(buffer[0]), 'l');
  EXPECT_EQ(file->read_at(10, buffer).value(), 0U);
  ASSERT_TRUE(file->allocate(1 << 20));
  EXPECT_EQ(file->size().value(), 10U) << "reserving space does not make the file longer";
  ASSERT_TRUE(file->truncate(2));
  ASSERT_TRUE(file->sync_data());
  EXPECT_EQ(content(dir.path + "/f"), "he");
}
TEST(RealFileSystem, CreatesOnlyWhatIsNotThere) {
  Directory dir;
  FileSystem& fs = real_file_system();
  ASSERT_TRUE(fs.create_new(dir.path + "/f"));
  EXPECT_FALSE(fs.create_new(dir.path + "/f"));
  EXPECT_EQ(fs.open_read(dir.path + "/g").error().code, Errc::NotFound);
  EXPECT_EQ(fs.open_existing(dir.path + "/g").error().code, Errc::NotFound);
  EXPECT_EQ(fs.remove(dir.path + "/g").error().code, Errc::NotFound);
  EXPECT_EQ(fs.file_size(dir.path + "/g").error().code, Errc::NotFound);
}
TEST(RealFileSystem, MakesDirectoriesOnTheWay) {
  Directory dir;
  FileSystem& fs = real_file_system();
  ASSERT_TRUE(fs.make_directories(dir.path + "/a/b/c"));
  ASSERT_TRUE(fs.make_directories(dir.path + "/a/b/c"));
  ASSERT_TRUE(fs.create_new(dir.path + "/a/file"));
  EXPECT_FALSE(fs.make_directories(dir.path + "/a/file"));
  EXPECT_FALSE(fs.make_directories(dir.path + "/a/file/d"));
  auto names = fs.list(dir.path + "/a").value();
  std::sort(names.begin(), names.end(), [](const auto& x, const auto& y) { return x.name < y.name; });
  ASSERT_EQ(names.size(), 2U);
  EXPECT_EQ(names[0].name, "b");
  EXPECT_TRUE(names[0].is_directory);
  EXPECT_EQ(names[1].name, "file");
  EXPECT_TRUE(names[1].is_regular);
}
TEST(RealFileSystem, ReadOnlyFilesSayTheirMode) {
  Directory dir;
  FileSystem& fs = real_file_system();
  ASSERT_TRUE(replace_file(fs, dir.path + "/f", "x"));
  ASSERT_TRUE(fs.set_read_only(dir.path + "/f"));
  struct stat st{};
  ASSERT_EQ(::stat((dir.path + "/f").c_str(), &st), 0);
  EXPECT_EQ(st.st_mode & 0777, 0444U);
}
TEST(RealFileSystem, ReportsSpace) {
  const DiskSpace space = real_file_system().space(testing::TempDir()).value();
  EXPECT_GT(space.total_bytes, 0U);
  EXPECT_LE(space.free_bytes, space.total_bytes);
}

TEST(ReadSmallFile, RefusesLargerOnes) {
  Directory dir;
  ASSERT_TRUE(replace_file(real_file_system(), dir.path + "/f", std::string(100, 'x')));
  EXPECT_EQ(read_small_file(real_file_system(), dir.path + "/f", 100).value().size(), 100U);
  EXPECT_EQ(read_small_file(real_file_system(), dir.path + "/f", 99).error().code, Errc::Refused);
}
TEST(RemoveTree, RemovesLinksButNotWhatTheyPointTo) {
  Directory dir;
  FileSystem& fs = real_file_system();
  ASSERT_TRUE(fs.make_directories(dir.path + "/outside"));
  ASSERT_TRUE(replace_file(fs, dir.path + "/outside/kept", "x"));
  ASSERT_TRUE(fs.make_directories(dir.path + "/tree/a/b"));
  ASSERT_TRUE(replace_file(fs, dir.path + "/tree/a/b/f", "x"));
  ASSERT_EQ(::symlink((dir.path + "/outside").c_str(), (dir.path + "/tree/link").c_str()), 0);
  ASSERT_EQ(::symlink("nowhere", (dir.path + "/tree/a/dangling").c_str()), 0);
  ASSERT_TRUE(remove_tree(fs, dir.path + "/tree"));
  EXPECT_FALSE(fs.exists(dir.path + "/tree"));
  EXPECT_TRUE(fs.exists(dir.path + "/outside/kept"));
  EXPECT_TRUE(remove_tree(fs, dir.path + "/tree")) << "absent is success";
}
TEST(ParentDirectory, IsWhatStandsBeforeTheLastSlash) {
  EXPECT_EQ(parent_directory("/a/b"), "/a");
  EXPECT_EQ(parent_directory("/a"), "/");
  EXPECT_EQ(parent_directory("a"), ".");
}
}  // namespace
}  // namespace hm
