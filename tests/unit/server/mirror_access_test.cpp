#include "server/mirror_access.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <optional>

#include "tests/support/manual_clock.hpp"
#include "tests/unit/server/server_fixture.hpp"

namespace hm::server {
namespace {
namespace asio = boost::asio;
using test::body_of;
using test::field_of;
using test::mirror_token;
using test::request_for;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// An upstream that knows who may read what, and is asked.
struct ScriptedGate final : GateCheck {
  awaitable<Result<bool>> allowed(RepoId repo, Rid, std::string token) override {
    asked.push_back(repo.text() + " by " + token);
    if (down) co_return Error(Errc::Unreachable, "no route");
    co_return token == "hf_member";
  }
  std::vector<std::string> asked;
  bool down = false;
};

struct MirrorAccessTest : testing::Test {
  asio::io_context context;
  test::ManualClock clock;
  ScriptedGate gate;
  std::unique_ptr<MirrorAccess> access;
  Response refusal;

  void SetUp() override { open({}); }
  void open(MirrorAccess::Options options, bool check = true) {
    if (check) options.gate = &gate;
    access = std::make_unique<MirrorAccess>(std::move(options), context.get_executor(), clock);
    storage::TokenRow reader = test::token_row("reader"), expired = test::token_row("expired"),
                      revoked = test::token_row("revoked");
    reader.gated = {"org/gated"};
    expired.expires_ms = clock.unix_ms() + 1'000;
    revoked.revoked_ms = 1;
    access->set_tokens({reader, expired, revoked});
  }
  std::shared_ptr<const Caller> caller(const std::string& token, std::string target = "/api/models/org/x") {
    if (token.empty()) return access->caller_of(request_for(std::move(target)), refusal);
    return access->caller_of(request_for(std::move(target), {{"Authorization", "Bearer " + token}}), refusal);
  }
  static storage::RepoRow repo(const std::string& name, const std::string& visibility) {
    storage::RepoRow row;
    row.repo = {RepoKind::Model, name};
    row.rid = derived_rid("hub.example", row.repo);
    row.src = "hub.example";
    row.visibility = visibility;
    return row;
  }
  template <class T>
  T finish(awaitable<T> coroutine) {
    std::optional<T> out;
    asio::co_spawn(context, std::move(coroutine), [&](const std::exception_ptr& e, T value) {
      if (!e) out = value;
    });
    context.restart();
    context.run();
    return out.value();
  }
  Verdict bytes(const std::string& token, const storage::RepoRow& row) {
    return finish(access->may(caller(token), row, Want::Bytes));
  }
};

TEST_F(MirrorAccessTest, TellsCallersApartAndNamesThemWithoutTheirTokens) {
  EXPECT_EQ(caller("")->kind(), CallerKind::Nobody);
  EXPECT_EQ(caller("")->name(), "-");
  EXPECT_EQ(caller(mirror_token("reader"))->kind(), CallerKind::MirrorToken);
  EXPECT_EQ(caller(mirror_token("reader"))->name(), "reader");
  const auto hub = caller("hf_member");
  EXPECT_EQ(hub->kind(), CallerKind::HubToken);
  EXPECT_THAT(hub->name(), testing::MatchesRegex("hub:[0-9a-f]{8}"));
  EXPECT_EQ(hub->name(), caller("hf_member")->name());
  EXPECT_NE(hub->name(), caller("hf_stranger")->name());
}

TEST_F(MirrorAccessTest, RefusesTokensOfOursThatAreNotInForce) {
  EXPECT_TRUE(caller(mirror_token("expired")));
  clock.advance(1'000);
  for (const char* name : {"expired", "revoked", "unheard-of"}) {
    EXPECT_FALSE(caller(mirror_token(name))) << name;
    EXPECT_EQ(refusal.status, 401);
    EXPECT_EQ(field_of(refusal, "X-Error-Message"), "Invalid credentials in Authorization header");
    EXPECT_EQ(field_of(refusal, "X-Error-Code"), "");
  }
  EXPECT_THAT(gate.asked, IsEmpty());
}

TEST_F(MirrorAccessTest, RefusesAFieldThatHoldsNoToken) {
  EXPECT_FALSE(access->caller_of(request_for("/x", {{"Authorization", "Digest x"}}), refusal));
  EXPECT_EQ(refusal.status, 401);
  EXPECT_EQ(body_of(refusal), "Invalid credentials in Authorization header");
}

TEST_F(MirrorAccessTest, AsksEverybodyForATokenWhereTokensAreWanted) {
  MirrorAccess::Options options;
  options.tokens_only = true;
  open(options);
  EXPECT_TRUE(caller(mirror_token("reader")));
  EXPECT_TRUE(caller("", "/-/health"));
  EXPECT_TRUE(caller("hf_member", "/-/health?verbose"));
  EXPECT_FALSE(caller("", "/-/healthy"));
  EXPECT_FALSE(caller(""));
  EXPECT_EQ(field_of(refusal, "X-Error-Message"), "Invalid username or password.");
  EXPECT_THAT(field_of(refusal, "WWW-Authenticate"), HasSubstr("Bearer realm="));
  EXPECT_FALSE(caller("", "/org/x/info/refs?service=git-upload-pack"));
  EXPECT_THAT(field_of(refusal, "WWW-Authenticate"), HasSubstr("Basic realm="));
  EXPECT_FALSE(caller("hf_member"));
  EXPECT_EQ(field_of(refusal, "X-Error-Message"), "Invalid credentials in Authorization header");
}

TEST_F(MirrorAccessTest, GivesGatedBytesToWhomTheUpstreamLetsIn) {
  EXPECT_EQ(bytes("hf_member", repo("org/gated", "gated-manual")), Verdict::Granted);
  EXPECT_EQ(bytes("hf_stranger", repo("org/gated", "gated-manual")), Verdict::Denied);
  EXPECT_EQ(bytes("", repo("org/gated", "gated-auto")), Verdict::LogIn);
  EXPECT_THAT(gate.asked, ElementsAre("org/gated by hf_member", "org/gated by hf_stranger"));
}

TEST_F(MirrorAccessTest, NeverAsksForATokenOfOurs) {
  EXPECT_EQ(bytes(mirror_token("reader"), repo("org/gated", "gated-manual")), Verdict::Granted);
  EXPECT_EQ(bytes(mirror_token("reader"), repo("org/other", "gated-manual")), Verdict::Denied);
  EXPECT_EQ(bytes(mirror_token("reader"), repo("org/secret", "private")), Verdict::Absent);
  EXPECT_THAT(gate.asked, IsEmpty());
}

TEST_F(MirrorAccessTest, NeverAsksWhereOnlyLocalGrantsCount) {
  open({}, false);
  EXPECT_EQ(bytes("hf_member", repo("org/gated", "gated-manual")), Verdict::Denied);
  EXPECT_EQ(bytes("hf_member", repo("org/secret", "private")), Verdict::Absent);
  EXPECT_THAT(gate.asked, IsEmpty());
}

TEST_F(MirrorAccessTest, ShowsPrivateRepositoriesToWhomTheUpstreamShowsThem) {
  EXPECT_EQ(bytes("hf_member", repo("org/secret", "private")), Verdict::Granted);
  EXPECT_EQ(bytes("hf_stranger", repo("org/secret", "private")), Verdict::Absent);
}

TEST_F(MirrorAccessTest, FailsClosedWhenTheUpstreamIsDown) {
  gate.down = true;
  EXPECT_EQ(bytes("hf_member", repo("org/gated", "gated-manual")), Verdict::Unknown);
  EXPECT_EQ(bytes("hf_member", repo("org/secret", "private")), Verdict::Absent) << "503 would tell that it is there";
}

TEST_F(MirrorAccessTest, KeepsAGrantForTenMinutesThroughAnOutage) {
  const auto row = repo("org/gated", "gated-manual");
  EXPECT_EQ(bytes("hf_member", row), Verdict::Granted);
  gate.down = true;
  clock.advance(599'999);
  EXPECT_EQ(bytes("hf_member", row), Verdict::Granted);
  clock.advance(1);
  EXPECT_EQ(bytes("hf_member", row), Verdict::Unknown);
}

TEST_F(MirrorAccessTest, KeepsOneRepositorysGrantFromOpeningAnother) {
  EXPECT_EQ(bytes("hf_member", repo("org/gated", "gated-manual")), Verdict::Granted);
  gate.down = true;
  EXPECT_EQ(bytes("hf_member", repo("org/other", "gated-manual")), Verdict::Unknown);
  auto renamed_over = repo("org/gated", "gated-manual");
  renamed_over.rid = derived_rid("hub.example", {RepoKind::Model, "another"});
  EXPECT_EQ(bytes("hf_member", renamed_over), Verdict::Unknown) << "the name is not the repository";
}

TEST_F(MirrorAccessTest, AsksForNamesThatMeanNothingTooWhereThereIsSomethingPrivate) {
  auto miss = [&](const std::string& token) {
    auto one = [](MirrorAccess& a, std::shared_ptr<const Caller> who) -> awaitable<int> {
      RepoId name{RepoKind::Model, "org/nothing"};
      co_await a.miss(who, std::move(name));
      co_return 0;
    };
    finish(one(*access, caller(token)));
  };
  miss("hf_stranger");
  EXPECT_THAT(gate.asked, IsEmpty()) << "nothing private is here";
  MirrorAccess::Options options;
  options.holds_private = [] { return true; };
  open(options);
  miss("hf_stranger");
  miss("hf_stranger");
  miss("");
  miss(mirror_token("reader"));
  EXPECT_THAT(gate.asked, ElementsAre("org/nothing by hf_stranger"));
}

TEST_F(MirrorAccessTest, TakesNewTokensUpAtOnce) {
  EXPECT_FALSE(caller(mirror_token("new")));
  access->set_tokens({test::token_row("new")});
  EXPECT_TRUE(caller(mirror_token("new")));
  EXPECT_FALSE(caller(mirror_token("reader")));
}

TEST_F(MirrorAccessTest, ListsWhatACallerMaySee) {
  const RepoId name{RepoKind::Model, "org/gated"};
  for (const std::string& token : {std::string(), std::string("hf_member"), mirror_token("reader")}) {
    EXPECT_TRUE(caller(token)->may_list(name, "public"));
    EXPECT_TRUE(caller(token)->may_list(name, "gated-auto"));
    EXPECT_FALSE(caller(token)->may_list(name, "private"));
  }
}
}  // namespace
}  // namespace hm::server
