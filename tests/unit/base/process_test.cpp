// Programs as children: what they get, how they end, that nothing of them stays.
#include "base/process.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>

namespace hm {
namespace {
constexpr std::int64_t kLongMs = 600'000;

std::string read_all(int fd) {
  std::string out;
  char buffer[4096];
  for (ssize_t n = 0; (n = ::read(fd, buffer, sizeof buffer)) > 0;) out.append(buffer, static_cast<std::size_t>(n));
  return out;
}

Program sh(const std::string& script) {
  Program out;
  out.arguments = {"sh", "-c", script};
  out.environment = {"PATH=/usr/bin:/bin"};
  return out;
}

struct Ended {
  std::string output, words;
  int status = -1;
};
Ended run(Program program, const std::string& input = "") {
  const Descriptor in = make_memory_file(input).value(), err = make_memory_file("").value();
  Pipe out = make_pipe().value();
  program.in = in.get(), program.out = out.write_end.get(), program.err = err.get();
  ChildProcess child = ChildProcess::start(program).value();
  out.write_end = Descriptor();
  Ended ended;
  ended.output = read_all(out.read_end.get());
  ended.status = child.wait_for(kLongMs).value();
  ended.words = read_memory_file(err, 100);
  return ended;
}

TEST(Process, GetsItsInputAndItsEnvironmentAndNothingElse) {
  const Descriptor ours(::open("/dev/null", O_RDONLY));  // not closed on exec
  const auto ended = run(sh("cat; env; echo words >&2; ls /proc/self/fd | wc -l; exit 3"), "input\n");
  EXPECT_EQ(ended.output, "input\nPATH=/usr/bin:/bin\nPWD=" + std::filesystem::current_path().string() +
                              "\n4\n");  // the three and the directory that ls reads
  EXPECT_EQ(ended.words, "words\n");
  EXPECT_EQ(describe_exit(ended.status), "exit status 3");
}

TEST(Process, IsGivenOneMoreFileWhenItHasTo) {
  const Descriptor extra = make_memory_file("settings\n").value();
  Program program = sh("cat /proc/self/fd/3; ls /proc/self/fd | wc -l");
  program.extra = extra.get();
  EXPECT_EQ(run(std::move(program)).output, "settings\n5\n");
}

TEST(Process, BeginsWithSignalsAsIfNobodyHadTouchedThem) {
  sigset_t blocked, before;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &before);
  const auto handler = ::signal(SIGPIPE, SIG_IGN);
  EXPECT_EQ(describe_exit(run(sh("kill -TERM $$")).status), "killed by signal 15");
  EXPECT_EQ(describe_exit(run(sh("kill -PIPE $$")).status), "killed by signal 13");
  ::signal(SIGPIPE, handler);
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

TEST(Process, SaysWhichProgramIsMissing) {
  Program program;
  program.arguments = {"no-such-program-of-hubmirror"};
  const auto child = ChildProcess::start(program);
  ASSERT_FALSE(child);
  EXPECT_EQ(child.error().code, Errc::NotFound);
  EXPECT_NE(child.error().what.find("no-such-program-of-hubmirror"), std::string::npos);
}

TEST(Process, TakesItsWholeGroupWithIt) {
  Pipe out = make_pipe().value();
  {
    Program program = sh("sleep 1000 & sleep 1000 & echo here; wait");
    program.out = out.write_end.get();
    ChildProcess child = ChildProcess::start(program).value();
    out.write_end = Descriptor();
    char word[5];
    ASSERT_EQ(::read(out.read_end.get(), word, sizeof word), 5);
    EXPECT_FALSE(child.try_reap());
  }
  EXPECT_EQ(read_all(out.read_end.get()), "") << "the end is seen when the last holder of the pipe is gone";
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "no child is left";
}

TEST(Process, EndsWhatItsFirstProcessLeftBehind) {
  Pipe out = make_pipe().value();
  Program program = sh("sleep 1000 & exit 0");
  program.out = out.write_end.get();
  ChildProcess child = ChildProcess::start(program).value();
  out.write_end = Descriptor();
  EXPECT_EQ(child.wait_for(kLongMs).value(), 0);
  EXPECT_EQ(read_all(out.read_end.get()), "");
  EXPECT_FALSE(child.try_reap()) << "only once";
}

TEST(Process, TellsItsEndThroughADescriptor) {
  Pipe in = make_pipe().value();
  Program program = sh("read line; exit 7");
  program.in = in.read_end.get();
  ChildProcess child = ChildProcess::start(program).value();
  struct pollfd ended{};
  ended.fd = child.ended_descriptor(), ended.events = POLLIN;
  EXPECT_EQ(::poll(&ended, 1, 0), 0);
  ASSERT_EQ(::write(in.write_end.get(), "x\n", 2), 2);
  EXPECT_EQ(::poll(&ended, 1, static_cast<int>(kLongMs)), 1);
  EXPECT_EQ(describe_exit(child.try_reap().value()), "exit status 7");
}

TEST(Process, IsHeldToItsLimits) {
  Program program = sh("");
  program.limits.cpu_seconds = 11;
  program.limits.file_bytes = 64 << 10;
  program.limits.private_bytes = 512 << 20;
  // The limits are set beside the program's first steps: it waits for our line.
  Pipe in = make_pipe().value(), out = make_pipe().value();
  program.arguments = {"bash", "-c", "read line; ulimit -c; ulimit -t; ulimit -f; ulimit -d"};
  program.in = in.read_end.get(), program.out = out.write_end.get();
  ChildProcess child = ChildProcess::start(program).value();
  out.write_end = Descriptor();
  ASSERT_EQ(::write(in.write_end.get(), "x\n", 2), 2);
  EXPECT_EQ(read_all(out.read_end.get()), "0\n11\n64\n524288\n");
  EXPECT_EQ(child.wait_for(kLongMs).value(), 0);
}
}  // namespace
}  // namespace hm
