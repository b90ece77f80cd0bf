// Mirrors equal their origin, by either protocol, or stay as they were.
#include "mirror/git/fetch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/thread_pool.hpp>
#include <filesystem>
#include <fstream>

#include "git_fixture.hpp"
#include "net/curl_http_client.hpp"
#include "support/result_matchers.hpp"

namespace hm::mirror {
namespace {
namespace asio = boost::asio;
using git_test::GitServer;
using git_test::Origin;
using test::FailsWith;
using test::Succeeds;
using testing::IsEmpty;
using testing::SizeIs;

enum class Version { V2, V0 };
const std::vector<std::string> kEverything{"refs/"};

class FetchTest : public git_test::GitTest, public testing::WithParamInterface<Version> {
 protected:
  FetchTest()
      : origin_(path("served/origin.git")),
        mirror_(path("mirror.git")),
        server_(path("served"), GetParam() == Version::V0) {
    net::CurlOptions options;
    options.upstream_url = server_.origin();
    client_ = net::make_curl_http_client(context_.get_executor(), options).value();
    EXPECT_THAT(create_bare_repository(real_file_system(), mirror_), Succeeds());
  }
  ~FetchTest() override { pool_.join(); }

  template <class T>
  Result<T> run(net::awaitable<Result<T>> coroutine) {
    std::optional<Result<T>> result;
    asio::co_spawn(context_, std::move(coroutine),
                   asio::bind_cancellation_slot(cancel_.slot(), [&](std::exception_ptr e, Result<T> r) {
                     EXPECT_FALSE(e) << "an exception left the coroutine";
                     result = std::move(r);
                   }));
    context_.restart();
    while (!result && context_.run_one() > 0) {
    }
    return result ? std::move(*result) : Result<T>(Error{Errc::Internal, "the coroutine did not end"});
  }

  /// One visit: list, fetch, move the refs (and drop the ones that are gone), as the layers above do.
  Result<FetchOutcome> mirror(const std::string& path = "origin.git", GitLimits limits = {},
                              const std::function<void(const FetchProgress&)>& progress = {}) {
    GitRemote remote(*client_, pool_, server_.url(path), limits);
    HM_TRY(const Advertisement seen, run(remote.list_refs(kEverything)));
    EXPECT_EQ(seen.protocol_v2, GetParam() == Version::V2);
    HM_TRY(const FetchOutcome outcome, run(remote.fetch(mirror_, seen, progress)));
    HM_TRY(Repository repository, Repository::open(mirror_));
    HM_TRY(const RefMap old, repository.refs());
    std::vector<std::pair<std::string, std::optional<GitOid>>> changes;
    for (const auto& [name, oid] : old) {
      if (!seen.refs.contains(name)) changes.emplace_back(name, std::nullopt);
    }
    for (const auto& [name, oid] : seen.refs) changes.emplace_back(name, oid);
    HM_TRY(repository.update_refs(changes, seen.head));
    return outcome;
  }
  void expect_mirror_equals_origin() {
    EXPECT_EQ(git_test::refs_of(mirror_), git_test::refs_of(origin_.path()));
    EXPECT_EQ(git_test::objects_of(mirror_), git_test::objects_of(origin_.path()));
    EXPECT_EQ(git_test::shell(mirror_, "git fsck --full --strict --no-dangling"), "");
    EXPECT_EQ(git_test::shell(mirror_, "git symbolic-ref HEAD"), origin_.git("symbolic-ref HEAD"));
  }
  std::vector<std::string> store() { return git_test::files_below(mirror_ + "/objects"); }
  std::uint64_t count_objects(const std::string& revisions) {
    return std::stoull(origin_.git("rev-list --objects " + revisions + " | wc -l"));
  }

  const Origin origin_;
  const std::string mirror_;
  const GitServer server_;
  asio::io_context context_;
  asio::thread_pool pool_{2};
  std::unique_ptr<net::HttpClient> client_;
  asio::cancellation_signal cancel_;
};

TEST_P(FetchTest, MirrorsEverything) {
  origin_.grow_history(200);
  origin_.grow_history(5, "refs/pr/1");
  origin_.git(
      "tag light main~3 && git tag -a -m note heavy main~5 && git tag -a -m note heavier heavy && git tag tree "
      "main^{tree} && git branch dev main~10");
  origin_.git("symbolic-ref HEAD refs/heads/dev");
  std::vector<FetchProgress> seen;
  const auto outcome = mirror("origin.git", {}, [&](const FetchProgress& p) { seen.push_back(p); });
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome.value().new_objects, count_objects("--all"));
  expect_mirror_equals_origin();
  ASSERT_FALSE(seen.empty());
  EXPECT_EQ(seen.back().received_objects, outcome.value().new_objects);
  EXPECT_EQ(seen.back().total_objects, outcome.value().new_objects);
  EXPECT_THAT(store(), SizeIs(2));
}

TEST_P(FetchTest, AsksNothingWhenNothingIsNew) {
  origin_.grow_history(5);
  ASSERT_THAT(mirror(), Succeeds());
  const auto before = store();
  const std::size_t requests = server_.requests().size();
  const auto outcome = mirror();
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome.value().new_objects, 0U);
  EXPECT_EQ(server_.requests().size() - requests, GetParam() == Version::V2 ? 2U : 1U) << "only the list of refs";
  EXPECT_EQ(store(), before);
}

TEST_P(FetchTest, SendsOnlyWhatIsMissing) {
  origin_.grow_history(300);
  for (int i = 0; i < 30; ++i) origin_.git("branch old" + std::to_string(i) + " main~" + std::to_string(i * 9));
  ASSERT_THAT(mirror(), Succeeds());
  origin_.git("branch before main");
  origin_.grow_history(10);
  const std::uint64_t needed = count_objects("main ^before");
  const auto outcome = mirror();
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_LE(outcome.value().new_objects, needed + 5);
  EXPECT_GE(outcome.value().new_objects, 10U);
  expect_mirror_equals_origin();
}

TEST_P(FetchTest, FollowsRewrittenAndDeletedRefs) {
  origin_.grow_history(20);
  origin_.git("branch gone main~2");
  ASSERT_THAT(mirror(), Succeeds());
  const GitOid old = *GitOid::parse(origin_.git("rev-parse main").substr(0, 40));
  origin_.git("update-ref -d refs/heads/gone && git update-ref refs/heads/main main~5");
  origin_.grow_history(3);
  ASSERT_THAT(mirror(), Succeeds());
  EXPECT_EQ(git_test::refs_of(mirror_), git_test::refs_of(origin_.path()));
  EXPECT_TRUE(Repository::open(mirror_).value().contains(old).value()) << "fetching deletes nothing";
  EXPECT_EQ(git_test::shell(mirror_, "git fsck --full --strict --no-dangling"), "");
}

TEST_P(FetchTest, MirrorsAnEmptyRepository) {
  ASSERT_THAT(mirror(), Succeeds());
  EXPECT_THAT(store(), IsEmpty());
  origin_.grow_history(1);
  ASSERT_THAT(mirror(), Succeeds());
  expect_mirror_equals_origin();
}

TEST_P(FetchTest, Mirrors5000Refs) {
  origin_.grow_history(50);
  std::string stream;
  for (int i = 0; i < 5000; ++i)
    stream += "create refs/pr/" + std::to_string(i) + " main~" + std::to_string(i % 50) + "\n";
  git_test::write_file(origin_.path() + "/refs.tmp", stream);
  origin_.git("update-ref --stdin < refs.tmp");
  ASSERT_THAT(mirror(), Succeeds());
  expect_mirror_equals_origin();
}

TEST_P(FetchTest, MirrorsThousandsOfUnrelatedTips) {
  std::string stream;
  for (int i = 0; i < 3000; ++i) {
    const std::string number = std::to_string(i);
    stream += "commit refs/pr/" + number + "\ncommitter a <a@b> 1700000000 +0000\ndata 2\nm\nM 100644 inline f\ndata " +
              std::to_string(number.size()) + "\n" + number + "\n";
  }
  git_test::write_file(origin_.path() + "/stream.tmp", stream);
  origin_.git("fast-import --quiet < stream.tmp");
  const auto outcome = mirror();
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome.value().new_objects, 9000U);
  EXPECT_EQ(git_test::refs_of(mirror_), git_test::refs_of(origin_.path()));
}

TEST_P(FetchTest, TakesOnlyTheRefsAskedFor) {
  origin_.grow_history(3);
  origin_.grow_history(3, "refs/pr/1");
  GitRemote remote(*client_, pool_, server_.url("origin.git"), {});
  const auto seen = run(remote.list_refs({"refs/heads/", "refs/tags/"}));
  ASSERT_THAT(seen, Succeeds());
  EXPECT_THAT(seen.value().refs, SizeIs(1));
  EXPECT_EQ(seen.value().head, "refs/heads/main");
  const auto outcome = run(remote.fetch(mirror_, seen.value(), {}));
  ASSERT_THAT(outcome, Succeeds());
  EXPECT_EQ(outcome.value().new_objects, count_objects("main"));
}

TEST_P(FetchTest, UsesTheAddressAfterARedirect) {
  origin_.grow_history(5);
  ASSERT_THAT(mirror("redirect/redirect/origin.git"), Succeeds());
  expect_mirror_equals_origin();
  for (const std::string& request : server_.requests()) {
    EXPECT_FALSE(request.starts_with("POST /redirect")) << request;
  }
}

TEST_P(FetchTest, RefusesFlippedBytesAndLeavesTheStoreAlone) {
  origin_.grow_history(30);
  ASSERT_THAT(mirror(), Succeeds());
  const auto before = store();
  const std::string refs = git_test::refs_of(mirror_);
  origin_.grow_history(40);
  for (const int at : {0, 5, 9, 20, 100, 700}) {
    const auto outcome = mirror("flip/" + std::to_string(at) + "/origin.git");
    ASSERT_FALSE(outcome) << at;
    EXPECT_TRUE(outcome.error().code == Errc::Corrupt || outcome.error().code == Errc::Refused ||
                outcome.error().code == Errc::BadInput)
        << outcome.error().what;
    EXPECT_EQ(store(), before);
    EXPECT_EQ(git_test::refs_of(mirror_), refs);
  }
  ASSERT_THAT(mirror(), Succeeds()) << "the next visit succeeds";
  expect_mirror_equals_origin();
}

TEST_P(FetchTest, ReportsABrokenTransfer) {
  origin_.grow_history(100);
  for (const int at : {0, 10, 1000, 4000}) {
    const auto outcome = mirror("cut/" + std::to_string(at) + "/origin.git");
    EXPECT_THAT(outcome, FailsWith(Errc::Unreachable, "fetching http://")) << at;
    EXPECT_THAT(store(), IsEmpty());
  }
  EXPECT_THAT(mirror("absent.git"), FailsWith(Errc::NotFound, "404"));
}

TEST_P(FetchTest, RefusesAHostileRepository) {
  const GitOid blob = origin_.blob("x"), bad = origin_.tree({{"100644", ".git", blob}});
  origin_.set_ref("refs/heads/main", origin_.commit(bad));
  EXPECT_THAT(mirror(), FailsWith(Errc::Refused, "hasDotgit"));
  EXPECT_THAT(store(), IsEmpty());
  EXPECT_THAT(git_test::refs_of(mirror_), IsEmpty());
}

TEST_P(FetchTest, KeepsWithinLimits) {
  origin_.grow_history(100);
  GitLimits limits;
  limits.objects_max = 50;
  EXPECT_THAT(mirror("origin.git", limits), FailsWith(Errc::Refused, "objects"));
  limits = {};
  limits.pack_bytes_max = 2000;
  EXPECT_THAT(mirror("origin.git", limits), FailsWith(Errc::Refused, "larger than"));
  limits = {};
  limits.refs_max = 0;
  EXPECT_THAT(mirror("origin.git", limits), FailsWith(Errc::Refused, "more than 0 refs"));
  EXPECT_THAT(store(), IsEmpty());
}

TEST_P(FetchTest, EndsWhenCancelled) {
  origin_.grow_history(20);
  GitRemote remote(*client_, pool_, server_.url("stall/origin.git"), {});
  const auto seen = run(remote.list_refs(kEverything));
  ASSERT_THAT(seen, Succeeds());
  // The server has taken the request and is silent: cancel once its log shows the POST of the fetch.
  const std::size_t before = server_.requests().size();
  std::function<void()> watch = [&] {
    if (server_.requests().size() > before) return cancel_.emit(asio::cancellation_type::terminal);
    asio::post(context_, watch);
  };
  asio::post(context_, watch);
  EXPECT_THAT(run(remote.fetch(mirror_, seen.value(), {})), FailsWith(Errc::Cancelled, ""));
  EXPECT_THAT(store(), IsEmpty());
  for (const auto& entry : std::filesystem::directory_iterator(mirror_ + "/objects"))
    EXPECT_FALSE(entry.path().filename().string().starts_with("incoming")) << entry.path();
}

INSTANTIATE_TEST_SUITE_P(Protocols, FetchTest, testing::Values(Version::V2, Version::V0),
                         [](const auto& test) { return test.param == Version::V2 ? "V2" : "V0"; });
}  // namespace
}  // namespace hm::mirror
