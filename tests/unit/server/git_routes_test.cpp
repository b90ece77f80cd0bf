// git's own client against the routes: every protocol, shallow and partial clones, and what must not go through.
#include "server/git_routes.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cstdlib>
#include <thread>

#include "tests/support/result_matchers.hpp"
#include "tests/unit/mirror/git/git_fixture.hpp"
#include "tests/unit/server/route_server.hpp"

namespace hm::server {
namespace {
using git_test::GitTest;
using git_test::shell;
using git_test::shell_succeeds;
using route_test::exchange;
using route_test::RawClient;
using route_test::RouteServer;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

TEST(GitProtocolOf, PassesOnVersionsAndNothingElse) {
  EXPECT_EQ(git_protocol_of("version=2"), "version=2");
  EXPECT_EQ(git_protocol_of("version=1"), "version=1");
  EXPECT_EQ(git_protocol_of("version=0:version=1"), "version=1");
  EXPECT_EQ(git_protocol_of("foo=bar:version=2:baz"), "version=2");
  EXPECT_EQ(git_protocol_of("version=3"), "");
  EXPECT_EQ(git_protocol_of("version=22"), "");
  EXPECT_EQ(git_protocol_of("version=2\nX=y"), "");
  EXPECT_EQ(git_protocol_of(""), "");
  EXPECT_EQ(git_protocol_of(std::string(300, ':') + "version=2"), "") << "longer than any client's";
}

TEST(ListsRefs, KnowsTheCommandOfProtocolTwo) {
  EXPECT_TRUE(lists_refs("0014command=ls-refs\n0001"));
  EXPECT_TRUE(lists_refs("0013command=ls-refs0001"));
  EXPECT_FALSE(lists_refs("0012command=fetch0001"));
  EXPECT_FALSE(lists_refs("0032want 1234"));
  EXPECT_FALSE(lists_refs("00"));
}

/// Everything that starts git finds what is in this directory first.
class PathPrefix {
 public:
  explicit PathPrefix(const std::string& path) : before_(std::getenv("PATH")) { ::setenv("PATH", path.c_str(), 1); }
  ~PathPrefix() { ::setenv("PATH", before_.c_str(), 1); }
  PathPrefix(const PathPrefix&) = delete;
  PathPrefix& operator=(const PathPrefix&) = delete;
  const std::string before_;
};

class GitRoutesTest : public GitTest {
 protected:
  GitRoutesTest() : origin_(path("r.git")) { start(GitProcesses::Limits()); }
  ~GitRoutesTest() override {
    server_.reset();
    EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1) << "a child was left";
  }
  void start(GitProcesses::Limits limits) {
    server_.reset();
    routes_.reset();
    processes_ = std::make_unique<GitProcesses>(limits);
    routes_ = std::make_unique<GitRoutes>(*processes_, pool_);
    server_ = std::make_unique<RouteServer>([this](const Request& request) { return answer(request); });
  }
  boost::asio::awaitable<Response> answer(const Request& request) {
    const std::string target(request.path());
    const std::size_t slash = target.find('/', 1);
    auto repo = std::make_shared<PublishedRepo>();
    repo->git_path = path(target.substr(1, slash - 1));
    route_test::publish_refs(*repo);
    const std::string rest = target.substr(slash);
    if (rest == "/info/refs") co_return co_await routes_->info_refs(request, std::move(repo));
    if (rest == "/git-upload-pack") co_return co_await routes_->upload_pack(request, std::move(repo));
    co_return GitRoutes::refuse_push();
  }
  std::string url(const std::string& name = "r.git") const { return server_->url() + "/" + name; }
  std::string clone(const std::string& options, const std::string& to) const {
    return shell(directory_, "git " + options + " " + url() + " " + to + " 2>&1");
  }
  /// A program of the name git, in a directory that can be put before the PATH.
  std::string fake_git(const std::string& script) const {
    const std::string bin = path("bin");
    ::mkdir(bin.c_str(), 0755);
    git_test::write_file(bin + "/git", "#!/bin/sh\n" + script);
    ::chmod((bin + "/git").c_str(), 0755);
    return bin;
  }
  void wait_until_nothing_runs() const {
    while (processes_->running() != 0) std::this_thread::yield();
  }
  const git_test::Origin origin_;
  boost::asio::thread_pool pool_{1};
  std::unique_ptr<GitProcesses> processes_;
  std::unique_ptr<GitRoutes> routes_;
  std::unique_ptr<RouteServer> server_;
};

TEST_F(GitRoutesTest, ClonesWithEveryProtocol) {
  origin_.grow_history(50);
  origin_.git("branch dev main~7 && git tag -a -m note v1 main~3 && git update-ref refs/convert/parquet main~1");
  for (const std::string version : {"0", "1", "2"}) {
    const std::string to = path("clone" + version);
    clone("-c protocol.version=" + version + " clone -q --mirror", to);
    EXPECT_EQ(git_test::refs_of(to), git_test::refs_of(origin_.path())) << version;
    EXPECT_EQ(git_test::objects_of(to), git_test::objects_of(origin_.path())) << version;
    EXPECT_EQ(shell(to, "git fsck --full 2>&1"), "") << version;
  }
}

TEST_F(GitRoutesTest, AsksGitForTheCapabilitiesOfProtocolTwoOnce) {
  origin_.grow_history(1);
  const std::string ask = "Git-Protocol: version=2\r\n", line = "GET /r.git/info/refs?service=git-upload-pack";
  const std::string first = exchange(server_->url(), line, ask);
  EXPECT_THAT(first, HasSubstr("application/x-git-upload-pack-advertisement"));
  EXPECT_THAT(first, HasSubstr("Cache-Control: no-cache, max-age=0, must-revalidate"));
  EXPECT_THAT(first, HasSubstr("000eversion 2\n"));
  EXPECT_THAT(first, HasSubstr("filter"));
  const PathPrefix nothing("/nonexistent");
  EXPECT_THAT(exchange(server_->url(), line, ask), HasSubstr("000eversion 2\n"));
  EXPECT_THAT(exchange(server_->url(), line), HasSubstr("git is not installed"));
}

TEST_F(GitRoutesTest, BeginsOlderAdvertisementsWithTheService) {
  origin_.grow_history(1);
  const std::string answer = exchange(server_->url(), "GET /r.git/info/refs?service=git-upload-pack");
  EXPECT_THAT(answer, HasSubstr("001e# service=git-upload-pack\n0000"));
  EXPECT_THAT(answer, HasSubstr("refs/heads/main"));
}

TEST_F(GitRoutesTest, ClonesAnEmptyRepository) {
  for (const std::string version : {"0", "2"}) {
    clone("-c protocol.version=" + version + " clone -q", "empty" + version);
    EXPECT_EQ(shell(path("empty" + version), "git count-objects"), "0 objects, 0 kilobytes\n");
  }
  EXPECT_EQ(shell(path("empty2"), "git symbolic-ref HEAD"), "refs/heads/main\n") << "which protocol 2 tells";
}

TEST_F(GitRoutesTest, ServesShallowClonesAndDeepensThem) {
  origin_.grow_history(30);
  for (const std::string version : {"0", "2"}) {
    const std::string name = "shallow" + version, to = path(name);
    clone("-c protocol.version=" + version + " clone -q --depth 1", name);
    EXPECT_EQ(shell(to, "git rev-list --count HEAD"), "1\n");
    shell(to, "git fetch -q --deepen 4");
    EXPECT_EQ(shell(to, "git rev-list --count HEAD"), "5\n");
    shell(to, "git fetch -q --unshallow");
    EXPECT_EQ(shell(to, "git rev-list --count HEAD"), "30\n");
  }
}

TEST_F(GitRoutesTest, ServesPartialClonesThatFetchWhatTheyLackLater) {
  origin_.grow_history(30);
  clone("clone -q --no-checkout --filter=blob:none", "partial");
  const std::string to = path("partial");
  EXPECT_NE(shell(to, "git rev-list --objects --missing=print HEAD | grep -c '^?'"), "0\n");
  shell(to, "git checkout -q main");
  EXPECT_EQ(shell(to, "git rev-parse HEAD^{tree}; git status --short -uno"), origin_.git("rev-parse main^{tree}"));
  EXPECT_FALSE(shell_succeeds(directory_, "git clone -q --filter=sparse:oid=main:x " + url() + " sparse"))
      << "a filter that reads a file for each of them";
}

TEST_F(GitRoutesTest, KeepsOurRefsToItselfButServesWhatTheyKeep) {
  origin_.grow_history(5);
  const std::string kept = origin_.git("rev-parse main").substr(0, 40);
  origin_.git("update-ref refs/hubmirror/kept/" + kept + " main && git update-ref refs/heads/main main~3");
  for (const std::string version : {"0", "2"}) {
    const std::string git = "git -c protocol.version=" + version;
    EXPECT_THAT(shell(directory_, git + " ls-remote " + url()), Not(HasSubstr("hubmirror")));
    EXPECT_THAT(shell(directory_, git + " ls-remote " + url() + " 'refs/hubmirror/*'"), "");
    const std::string to = "by-sha" + version;
    shell(directory_, "git init -q " + to + " && cd " + to + " && " + git + " fetch -q " + url() + " " + kept);
    EXPECT_EQ(shell(path(to), "git rev-parse FETCH_HEAD && git rev-list --count FETCH_HEAD"), kept + "\n5\n");
  }
}

TEST_F(GitRoutesTest, SaysWhichObjectIsNotThere) {
  origin_.grow_history(2);
  for (const std::string version : {"0", "2"}) {
    const std::string said = shell(directory_, "git init -q lost" + version + " && cd lost" + version +
                                                   " && ! git -c protocol.version=" + version + " fetch " + url() +
                                                   " " + std::string(40, '1') + " 2>&1");
    EXPECT_THAT(said, HasSubstr("not our ref " + std::string(40, '1'))) << version;
  }
}

TEST_F(GitRoutesTest, ServesWhatIsNewToAnOlderClone) {
  origin_.grow_history(20);
  clone("clone -q", "older");
  origin_.grow_history(20);
  origin_.git("branch more main~2");
  for (const std::string version : {"0", "2"}) {
    shell(path("older"), "git -c protocol.version=" + version + " fetch -q && git reset -q --hard origin/main~1");
    EXPECT_EQ(shell(path("older"), "git rev-parse origin/main origin/more"), origin_.git("rev-parse main more"));
  }
}

TEST_F(GitRoutesTest, ReadsCompressedRequests) {
  origin_.grow_history(200);
  std::string refs;
  for (int i = 0; i < 200; ++i)
    refs += "update-ref refs/heads/b" + std::to_string(i) + " main~" + std::to_string(i) + " && git ";
  origin_.git(refs + "--version");
  for (const std::string version : {"0", "2"}) {
    clone("-c protocol.version=" + version + " clone -q --mirror", "many" + version);
    EXPECT_EQ(git_test::refs_of(path("many" + version)), git_test::refs_of(origin_.path()));
  }
  EXPECT_THAT(server_->requests(), Contains("POST /r.git/git-upload-pack gzip"));
}

TEST_F(GitRoutesTest, RefusesRequestsOfAnotherForm) {
  origin_.grow_history(1);
  const std::string line = "POST /r.git/git-upload-pack",
                    type = "Content-Type: application/x-git-upload-pack-request\r\n";
  EXPECT_THAT(exchange(server_->url(), line, "", "0000"), StartsWith("HTTP/1.1 415 "));
  EXPECT_THAT(exchange(server_->url(), line, type + "Content-Encoding: br\r\n", "0000"), StartsWith("HTTP/1.1 415 "));
  EXPECT_THAT(exchange(server_->url(), line, type + "Content-Encoding: gzip\r\n", "0000"), StartsWith("HTTP/1.1 400 "));
  const std::string bomb =
      shell(directory_, "head -c " + std::to_string(GitRoutes::kInflatedBytesMax + 1) + " /dev/zero | gzip -9");
  EXPECT_THAT(exchange(server_->url(), line, type + "Content-Encoding: gzip\r\n", bomb), StartsWith("HTTP/1.1 413 "));
  EXPECT_THAT(exchange(server_->url(), line, type, "this is no pkt-line"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(exchange(server_->url(), line, type, "0000"), StartsWith("HTTP/1.1 200 "))
      << "as git's own server answers one who wants nothing";
  EXPECT_THAT(exchange(server_->url(), "POST /absent.git/git-upload-pack", type, "0000"),
              HasSubstr("could not read this repository"));
}

TEST_F(GitRoutesTest, RefusesPushesAndOldClientsInWords) {
  origin_.grow_history(1);
  clone("clone -q", "writer");
  EXPECT_THAT(shell(path("writer"), "! git push origin HEAD:refs/heads/new 2>&1"), HasSubstr("read-only"));
  EXPECT_THAT(exchange(server_->url(), "GET /r.git/info/refs?service=git-receive-pack"), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(exchange(server_->url(), "POST /r.git/git-receive-pack", "", "0000"), StartsWith("HTTP/1.1 403 "));
  EXPECT_THAT(exchange(server_->url(), "GET /r.git/info/refs"), HasSubstr("smart HTTP"));
  EXPECT_THAT(exchange(server_->url(), "GET /r.git/info/refs?service=git-upload-archive"), StartsWith("HTTP/1.1 403 "));
}

TEST_F(GitRoutesTest, EndsGitWhenTheClientHasGone) {
  shell(origin_.path(), "head -c 24000000 /dev/urandom > large.tmp");
  const GitOid blob = *GitOid::parse(origin_.git("hash-object -w large.tmp").substr(0, 40));
  const std::string tip = origin_.commit(origin_.tree({{"100644", "large", blob}})).hex();
  {
    const RawClient client(server_->url());
    const std::string body = "0032want " + tip + "\n00000009done\n";
    client.send(
        "POST /r.git/git-upload-pack HTTP/1.1\r\nHost: m\r\nContent-Type: application/x-git-upload-pack-request\r\n"
        "Content-Length: " +
        std::to_string(body.size()) + "\r\n\r\n" + body);
    EXPECT_EQ(client.read(100'000).size(), 100'000U);
    EXPECT_EQ(processes_->running(), 1U);
  }
  wait_until_nothing_runs();
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
}

TEST_F(GitRoutesTest, GivesGitACleanEnvironment) {
  const PathPrefix fake(fake_git("printf '%s\\n' \"$@\"; env\n") + ":" + std::getenv("PATH"));
  ::setenv("GIT_DIR", "/elsewhere", 1);
  ::setenv("GIT_TRACE", "1", 1);
  const std::string said =
      exchange(server_->url(), "GET /r.git/info/refs?service=git-upload-pack", "Git-Protocol: version=1:x=`id`\r\n");
  ::unsetenv("GIT_DIR");
  ::unsetenv("GIT_TRACE");
  for (const std::string text : {"GIT_CONFIG_NOSYSTEM=1\n", "GIT_CONFIG_GLOBAL=/dev/null\n", "GIT_PROTOCOL=version=1\n",
                                 "LC_ALL=C\n", "core.hooksPath=/dev/null\n", "--stateless-rpc\n", "--strict\n"})
    EXPECT_THAT(said, HasSubstr(text));
  for (const std::string text : {"HOME=", "elsewhere", "GIT_TRACE", "`id`"}) EXPECT_THAT(said, Not(HasSubstr(text)));
}

TEST_F(GitRoutesTest, LetsTheRestWaitAndTurnsAwayWhomItCannotServe) {
  GitProcesses::Limits limits;
  limits.at_once = 1, limits.wait_ms_max = 1;
  start(limits);
  const PathPrefix fake(fake_git("echo begun; exec sleep 1000\n") + ":" + std::getenv("PATH"));
  const std::string line = "POST /r.git/git-upload-pack",
                    type = "Content-Type: application/x-git-upload-pack-request\r\n";
  {
    const RawClient first(server_->url());
    first.send(line + " HTTP/1.1\r\nHost: m\r\n" + type + "Content-Length: 4\r\n\r\n0000");
    EXPECT_EQ(first.read(9), "HTTP/1.1 ") << "git has begun";
    const std::string second = exchange(server_->url(), line, type, "0000");
    EXPECT_THAT(second, StartsWith("HTTP/1.1 503 "));
    EXPECT_THAT(second, HasSubstr("Retry-After: 10\r\n"));
  }
  start(limits);  // the server ends, and git with it
  EXPECT_EQ(processes_->running(), 0U);
}

TEST_F(GitRoutesTest, EndsGitThatTakesTooLongAndBreaksTheAnswerOff) {
  GitProcesses::Limits limits;
  limits.seconds_max = 1;
  start(limits);
  const PathPrefix fake(fake_git("echo begun; sleep 1000\n") + ":" + std::getenv("PATH"));
  const std::string answer = exchange(server_->url(), "POST /r.git/git-upload-pack",
                                      "Content-Type: application/x-git-upload-pack-request\r\n", "0000");
  EXPECT_THAT(answer, HasSubstr("begun"));
  EXPECT_THAT(answer, Not(HasSubstr("\r\n0\r\n\r\n"))) << "nobody may take this for a whole answer";
  wait_until_nothing_runs();
}
}  // namespace
}  // namespace hm::server
