#include "server/access_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/canonical_json.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/unit/storage/storage_fixture.hpp"

namespace hm::server {
namespace {
using testing::HasSubstr;
using testing::Not;

AccessEntry entry(std::string path = "/org/name/resolve/main/config.json") {
  AccessEntry e;
  e.unix_ms = 1'800'000'000'000;
  e.caller = "ci";
  e.peer = "192.0.2.1";
  e.method = "GET";
  e.path = std::move(path);
  e.status = 200;
  e.bytes = 120;
  e.elapsed_ms = 3;
  return e;
}

struct AccessLogTest : testing::Test {
  test::TempDirectory directory;
  const std::string path = directory.path() + "/access.log";
  static std::vector<std::string> lines_of(const std::string& file) {
    std::ifstream in(file);
    std::vector<std::string> lines;
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
  }
};

TEST(AccessEntry, IsOneLineOfJson) {
  AccessEntry e = entry();
  e.repo = "org/name";
  e.revision = "607a30d783dfa663caf39e06633721c8d4cfcd7e";
  e.file = "config.json";
  e.fetched = true;
  e.user_agent = "unknown/None; hf_hub/1.0";
  EXPECT_EQ(render(e),
            R"({"time":"2027-01-15T08:00:00.000Z","caller":"ci","peer":"192.0.2.1","method":"GET",)"
            R"("path":"/org/name/resolve/main/config.json","status":200,"repo":"org/name",)"
            R"("revision":"607a30d783dfa663caf39e06633721c8d4cfcd7e","file":"config.json","bytes":120,"ms":3,)"
            R"("source":"fetched","user_agent":"unknown/None; hf_hub/1.0"})"
            "\n");
}

TEST(AccessEntry, KeepsNoQuery) {
  EXPECT_THAT(render(entry("/api/models?cursor=secret&token=hf_x")), Not(HasSubstr("secret")));
}

TEST(AccessEntry, CannotForgeALine) {
  AccessEntry e = entry("/x\n{\"status\":200}\x1b[2J\xff");
  e.user_agent = std::string(100'000, 'a') + "\"";
  const std::string line = render(e);
  EXPECT_EQ(std::count(line.begin(), line.end(), '\n'), 1);
  EXPECT_LT(line.size(), 3'000U);
  EXPECT_TRUE(parse_json(line)) << line;
  EXPECT_THAT(line, Not(HasSubstr("\x1b")));
}

TEST_F(AccessLogTest, AppendsInOrderAndWritesWhatIsQueuedAtTheEnd) {
  for (int run = 0; run < 2; ++run) {
    auto log = AccessLog::open(path).value();
    for (int i = 0; i < 100; ++i) log->note(entry("/" + std::to_string(100 * run + i)));
  }
  const auto lines = lines_of(path);
  ASSERT_EQ(lines.size(), 200U);
  for (std::size_t i = 0; i < lines.size(); ++i)
    EXPECT_THAT(lines[i], HasSubstr("\"path\":\"/" + std::to_string(i) + "\""));
}

TEST_F(AccessLogTest, IsNotForEverybodyToRead) {
  auto log = AccessLog::open(path).value();
  struct stat info{};
  ASSERT_EQ(::stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0007U, 0U);
}

TEST_F(AccessLogTest, GoesOnInANewFileWhenTheOldOneWasMovedAway) {
  auto log = AccessLog::open(path).value();
  log->note(entry("/before"));
  log->flush();
  std::filesystem::rename(path, path + ".1");
  log->note(entry("/still"));
  log->flush();
  log->reopen();
  log->flush();
  log->note(entry("/after"));
  log->flush();
  EXPECT_EQ(lines_of(path + ".1").size(), 2U);
  EXPECT_EQ(lines_of(path).size(), 1U);
}

TEST_F(AccessLogTest, KeepsTheOldFileWhenTheNewOneCannotBeOpened) {
  const std::string sub = directory.path() + "/sub";
  std::filesystem::create_directory(sub);
  auto log = AccessLog::open(sub + "/a.log").value();
  std::filesystem::rename(sub, directory.path() + "/moved");
  log->reopen();
  log->note(entry());
  log->flush();
  EXPECT_EQ(lines_of(directory.path() + "/moved/a.log").size(), 1U);
  EXPECT_EQ(log->dropped(), 0U);
}

TEST_F(AccessLogTest, CountsWhatTheDiskDoesNotTake) {
  auto log = AccessLog::open("/dev/full").value();
  log->note(entry());
  log->flush();
  log->note(entry());
  log->flush();
  EXPECT_EQ(log->dropped(), 2U);
}

TEST_F(AccessLogTest, DropsLinesRatherThanWaitForTheDisk) {
  const std::string pipe = directory.path() + "/pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  std::ifstream reader;
  std::thread opener([&] { reader.open(pipe); });  // either end waits for the other
  auto log = AccessLog::open(pipe).value();
  opener.join();
  constexpr std::uint64_t kNoted = 60'000;  // more than the queue and the pipe's buffer hold together
  for (std::uint64_t i = 0; i < kNoted; ++i) log->note(entry());
  const std::uint64_t dropped = log->dropped();
  EXPECT_GT(dropped, 0U);
  std::uint64_t lines = 0;
  std::string told;
  std::thread drain([&] {
    for (std::string line; std::getline(reader, line);)
      line.find("\"dropped\"") == std::string::npos ? void(++lines) : void(told = line);
  });
  log->flush();
  log->note(entry());
  log.reset();
  drain.join();
  EXPECT_EQ(lines, kNoted - dropped + 1);
  EXPECT_THAT(told, HasSubstr("\"dropped\":" + std::to_string(dropped)));
}

TEST_F(AccessLogTest, SaysWhyItCannotBeOpened) {
  EXPECT_THAT(AccessLog::open(directory.path() + "/no/such/folder.log"), test::FailsWith(Errc::NotFound, "no/such"));
}
}  // namespace
}  // namespace hm::server
