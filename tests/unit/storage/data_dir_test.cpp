#include "storage/data_dir.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/text.hpp"
#include "tests/support/fault_file_system.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/unit/storage/storage_fixture.hpp"

namespace hm::storage {
namespace {
using test::FailsWith;
using test::Succeeds;

class DataDirectory : public ::testing::Test {
 protected:
  FileSystem& fs_ = real_file_system();
  test::TempDirectory temp_;
  const DataDir dir_{temp_.path() + "/mirror"};
};

TEST_F(DataDirectory, HasTheLayoutOfTheFormatPage) {
  ASSERT_THAT(create_data_dir(fs_, dir_), Succeeds());
  EXPECT_EQ(read_small_file(fs_, dir_.root + "/VERSION").value(), "hubmirror-data 1\n");
  for (const char* below :
       {"blobs/sha256", "blobs/partial", "git/model", "git/dataset", "git/space", "index", "quarantine"}) {
    EXPECT_TRUE(fs_.exists(dir_.root + "/" + below)) << below;
  }
  const auto id = *Sha256::parse("abcdef0000000000000000000000000000000000000000000000000000000000");
  EXPECT_EQ(dir_.blob(id), dir_.root + "/blobs/sha256/ab/cd/" + id.hex());
  EXPECT_EQ(dir_.git({RepoKind::Dataset, *Rid::parse("0123456789abcdef01234567")}),
            dir_.root + "/git/dataset/0123456789abcdef01234567.git");
  EXPECT_THAT(check_data_dir(fs_, dir_), Succeeds());
}

TEST_F(DataDirectory, IsMadeOnceAndMendedWhenPartsAreMissing) {
  ASSERT_THAT(create_data_dir(fs_, dir_), Succeeds());
  ASSERT_THAT(fs_.create_new(dir_.root + "/note"), Succeeds());  // a person's file beside ours, put there later
  ASSERT_THAT(fs_.remove_directory(dir_.quarantine()), Succeeds());
  ASSERT_THAT(create_data_dir(fs_, dir_), Succeeds());
  EXPECT_TRUE(fs_.exists(dir_.quarantine()));
}

TEST_F(DataDirectory, IsNotMadeAmongForeignFiles) {
  ASSERT_THAT(fs_.make_directories(dir_.root), Succeeds());
  ASSERT_THAT(fs_.create_new(dir_.root + "/thesis.tex"), Succeeds());
  EXPECT_THAT(create_data_dir(fs_, dir_), FailsWith(Errc::BadInput, "thesis.tex"));
  EXPECT_FALSE(fs_.exists(dir_.blobs()));
}

TEST_F(DataDirectory, AnInterruptedCreationIsFinished) {
  for (std::uint64_t n = 0;; ++n) {
    test::PowerLossFileSystem memory;
    test::FaultFileSystem faulty(memory);
    faulty.arm(test::FaultFileSystem::Fault::Death, n);
    const bool made = create_data_dir(faulty, dir_).has_value();
    EXPECT_TRUE(!made || check_data_dir(memory, dir_)) << n;
    EXPECT_THAT(create_data_dir(memory, dir_), Succeeds()) << n;
    EXPECT_THAT(check_data_dir(memory, dir_), Succeeds()) << n;
    if (!faulty.fired()) break;
    ASSERT_LT(n, 100U);
  }
}

TEST_F(DataDirectory, AbsenceSaysWhatToRun) {
  EXPECT_THAT(check_data_dir(fs_, dir_), FailsWith(Errc::BadInput, "init"));
}

TEST_F(DataDirectory, AFileInItsPlaceIsNamedAsOne) {
  ASSERT_THAT(fs_.create_new(dir_.root), Succeeds());
  EXPECT_THAT(check_data_dir(fs_, dir_), FailsWith(Errc::BadInput, "is a file"));
  EXPECT_THAT(create_data_dir(fs_, dir_), FailsWith(Errc::BadInput, "is a file"));
}

TEST_F(DataDirectory, FoldersThatMerelyHaveOurNamesAreForeign) {
  for (const char* file : {"git/config", "blobs/photo.jpg", "index/index.html", "quarantine/sub/x", "LOCK"}) {
    const DataDir dir(temp_.path() + "/" + std::string(file).substr(0, 3));
    ASSERT_THAT(fs_.make_directories(parent_directory(dir.root + "/" + file)), Succeeds());
    ASSERT_THAT(fs_.create_new(dir.root + "/" + file), Succeeds());
    EXPECT_THAT(create_data_dir(fs_, dir), FailsWith(Errc::BadInput, "not empty")) << file;
    EXPECT_FALSE(fs_.exists(dir.version_file())) << file;
  }
  ASSERT_THAT(fs_.make_directories(dir_.root + "/lost+found"), Succeeds());
  EXPECT_THAT(create_data_dir(fs_, dir_), Succeeds());
}

/// A file system on which one path may not be read.
class ForbiddenPath : public test::FaultFileSystem {
 public:
  ForbiddenPath(FileSystem& inner, std::string path) : FaultFileSystem(inner), path_(std::move(path)) {}
  Result<std::vector<DirectoryEntry>> list(const std::string& path) override {
    if (path == path_) return errno_error("list", path, EACCES);
    return FaultFileSystem::list(path);
  }
  Result<std::unique_ptr<File>> open_read(const std::string& path) override {
    if (path.starts_with(path_)) return errno_error("open", path, EACCES);
    return FaultFileSystem::open_read(path);
  }

 private:
  const std::string path_;
};

TEST_F(DataDirectory, WhatMayNotBeReadIsNotSaidToBeAbsent) {
  ASSERT_THAT(create_data_dir(fs_, dir_), Succeeds());
  for (const std::string& path : {dir_.index(), dir_.index() + "/CURRENT", dir_.version_file()}) {
    ForbiddenPath fs(fs_, path);
    EXPECT_THAT(check_data_dir(fs, dir_), FailsWith(Errc::Io, path + ": Permission denied"));
    EXPECT_THAT(check_data_dir(fs, dir_), FailsWith(Errc::Io, "the user who owns the data directory"));
    EXPECT_THAT(create_data_dir(fs, dir_), FailsWith(Errc::Io, "the user who owns the data directory"));
  }
}

TEST_F(DataDirectory, AdviceFitsTheTrouble) {
  const std::string file = temp_.path() + "/file";
  ASSERT_THAT(replace_file(fs_, file, "x"), Succeeds());
  for (const std::string& root : {file, file + "/below", temp_.path() + "/" + std::string(300, 'n')}) {
    const DataDir dir(root);
    for (const auto& outcome : {create_data_dir(fs_, dir), check_data_dir(fs_, dir)}) {
      EXPECT_THAT(outcome, FailsWith(Errc::BadInput, "--data-dir")) << root;
      EXPECT_THAT(outcome, ::testing::Not(FailsWith(Errc::BadInput, "the user who owns"))) << root;
    }
  }
}

TEST_F(DataDirectory, WithoutVersionBesideAnIndexIsNotSaidToBeNone) {
  ASSERT_THAT(create_data_dir(fs_, dir_), Succeeds());
  ASSERT_THAT(replace_file(fs_, dir_.index() + "/CURRENT", "x"), Succeeds());
  ASSERT_THAT(fs_.remove(dir_.version_file()), Succeeds());
  EXPECT_THAT(check_data_dir(fs_, dir_), FailsWith(Errc::BadInput, "write the line \"hubmirror-data 1\""));
}

TEST_F(DataDirectory, WriterRefusesAFolderThatLiesElsewhere) {
  ASSERT_THAT(create_data_dir(fs_, dir_), Succeeds());
  for (const std::string& folder : {dir_.quarantine(), parent_directory(dir_.blobs()), dir_.git(RepoKind::Space)}) {
    const std::string elsewhere = temp_.path() + "/elsewhere";
    ASSERT_THAT(fs_.rename(folder, elsewhere), Succeeds());
    ASSERT_EQ(::symlink(elsewhere.c_str(), folder.c_str()), 0);
    EXPECT_THAT(WriterLock::acquire(dir_, "test"), FailsWith(Errc::BadInput, folder + " is a symlink"));
    EXPECT_THAT(check_data_dir(fs_, dir_), Succeeds()) << "reading goes on";
    ASSERT_THAT(fs_.remove(folder), Succeeds());
    ASSERT_THAT(fs_.rename(elsewhere, folder), Succeeds());
    EXPECT_THAT(WriterLock::acquire(dir_, "test"), Succeeds());
  }
}

TEST_F(DataDirectory, MayItselfBeASymlink) {
  ASSERT_THAT(create_data_dir(fs_, dir_), Succeeds());
  const DataDir linked(temp_.path() + "/linked");
  ASSERT_EQ(::symlink(dir_.root.c_str(), linked.root.c_str()), 0);
  EXPECT_THAT(check_data_dir(fs_, linked), Succeeds());
  EXPECT_THAT(WriterLock::acquire(linked, "test"), Succeeds());
}

TEST_F(DataDirectory, AnotherVersionIsRefusedWithBothNumbers) {
  ASSERT_THAT(create_data_dir(fs_, dir_), Succeeds());
  ASSERT_THAT(replace_file(fs_, dir_.version_file(), "hubmirror-data 2\n"), Succeeds());
  EXPECT_THAT(check_data_dir(fs_, dir_), FailsWith(Errc::Refused, "format 2, this program knows format 1"));
  EXPECT_THAT(create_data_dir(fs_, dir_), FailsWith(Errc::Refused, "format 2"));
  for (const char* newer : {"hubmirror-data 99\n", "99\n"}) {
    ASSERT_THAT(replace_file(fs_, dir_.version_file(), newer), Succeeds());
    EXPECT_THAT(check_data_dir(fs_, dir_), FailsWith(Errc::Refused, "made by a newer version of hubmirror"));
  }
  ASSERT_THAT(replace_file(fs_, dir_.version_file(), "something else"), Succeeds());
  EXPECT_THAT(check_data_dir(fs_, dir_), FailsWith(Errc::BadInput, "something else"));
}

TEST_F(DataDirectory, AnotherWriterIsOneThatLives) {
  ASSERT_THAT(create_data_dir(fs_, dir_), Succeeds());
  EXPECT_EQ(other_writer(fs_, dir_), std::nullopt);
  {
    const auto lock = WriterLock::acquire(dir_, "test");
    ASSERT_THAT(lock, Succeeds());
    EXPECT_EQ(other_writer(fs_, dir_), std::nullopt) << "it is this process";
  }
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  for (const auto& [pid, lives] : {std::pair(::getppid(), true), std::pair(child, false)}) {
    ASSERT_THAT(replace_file(fs_, dir_.lock_file(), "pid " + std::to_string(pid) + ", command x, since then\n"),
                Succeeds());
    EXPECT_EQ(other_writer(fs_, dir_).has_value(), lives) << pid;
  }
  ASSERT_THAT(replace_file(fs_, dir_.lock_file(), "pid many\n"), Succeeds());
  EXPECT_EQ(other_writer(fs_, dir_), std::nullopt);
}

TEST_F(DataDirectory, TheSecondWriterLearnsWhoTheFirstIs) {
  ASSERT_THAT(create_data_dir(fs_, dir_), Succeeds());
  {
    const auto first = WriterLock::acquire(dir_, "mirror org/name");
    ASSERT_THAT(first, Succeeds());
    const auto second = WriterLock::acquire(dir_, "gc");
    EXPECT_THAT(second, FailsWith(Errc::Busy, "pid " + std::to_string(::getpid())));
    EXPECT_THAT(second, FailsWith(Errc::Busy, "mirror org/name"));
    EXPECT_THAT(WriterLock::acquire(dir_, "gc"),
                FailsWith(Errc::Busy, "mirror org/name"));  // asking did not wipe the line
  }
  EXPECT_EQ(trim(read_small_file(fs_, dir_.lock_file()).value()), "");
  EXPECT_THAT(WriterLock::acquire(dir_, "gc"), Succeeds());
}

TEST_F(DataDirectory, ALockMovesWithItsOwner) {
  ASSERT_THAT(create_data_dir(fs_, dir_), Succeeds());
  WriterLock held = WriterLock::acquire(dir_, "first").value();
  WriterLock moved = std::move(held);
  EXPECT_THAT(WriterLock::acquire(dir_, "second"), FailsWith(Errc::Busy, "first"));
}

TEST_F(DataDirectory, AKilledHolderLeavesNoLock) {
  ASSERT_THAT(create_data_dir(fs_, dir_), Succeeds());
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    const auto lock = WriterLock::acquire(dir_, "doomed");
    const char done = lock ? 'y' : 'n';
    (void)!::write(ready[1], &done, 1);
    for (;;) ::pause();
  }
  char answer = 0;
  ASSERT_EQ(::read(ready[0], &answer, 1), 1);
  EXPECT_EQ(answer, 'y');
  EXPECT_THAT(WriterLock::acquire(dir_, "next"), FailsWith(Errc::Busy, "pid " + std::to_string(child)));
  ASSERT_EQ(::kill(child, SIGKILL), 0);
  ASSERT_EQ(::waitpid(child, nullptr, 0), child);
  EXPECT_THAT(WriterLock::acquire(dir_, "next"), Succeeds());
  ::close(ready[0]);
  ::close(ready[1]);
}
}  // namespace
}  // namespace hm::storage
