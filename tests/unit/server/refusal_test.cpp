#include "server/refusal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/canonical_json.hpp"
#include "tests/unit/server/server_fixture.hpp"

namespace hm::server {
namespace {
using test::body_of;
using test::field_of;
using test::request_for;
using testing::HasSubstr;
using testing::StartsWith;

struct Somebody final : Caller {
  Somebody(CallerKind k, std::string n) : kind_(k), name_(std::move(n)) {}
  CallerKind kind() const override { return kind_; }
  const std::string& name() const override { return name_; }
  std::int64_t since_ms() const override { return 1'700'000'000'000; }
  bool may_list(const RepoId&, std::string_view) const override { return true; }
  CallerKind kind_;
  std::string name_;
};
const Somebody kNobody{CallerKind::Nobody, "-"}, kOurs{CallerKind::MirrorToken, "ci"},
    kHub{CallerKind::HubToken, "hub:1"};

storage::RepoRow dataset() {
  storage::RepoRow row;
  row.repo = {RepoKind::Dataset, "org/name"};
  row.src = "huggingface.co";
  row.visibility = "gated-manual";
  return row;
}

TEST(Face, FollowsFromThePath) {
  for (const auto& [path, face] : {std::pair{"/api/models/org/x", Face::Api},
                                   {"/api/resolve-cache/models/org/x/0/f", Face::File},
                                   {"/-/api/repos", Face::Api},
                                   {"/org/x/resolve/main/config.json?a=/info/refs", Face::File},
                                   {"/org/x/info/refs?service=git-upload-pack", Face::Git},
                                   {"/datasets/org/x.git/git-upload-pack", Face::Git},
                                   {"/org/x.git/git-receive-pack", Face::Git},
                                   {"/org/x.git/info/lfs/objects/batch", Face::Lfs},
                                   {"/org/x/info/lfs/objects/0", Face::Lfs}})
    EXPECT_EQ(face_of(request_for(path)), face) << path;
}

TEST(Refusal, SaysWhatTheHubSaysOfGatedRepositories) {
  const Response log_in = refusal(Verdict::LogIn, dataset(), kNobody, Face::File);
  EXPECT_EQ(log_in.status, 401);
  EXPECT_EQ(field_of(log_in, "X-Error-Code"), "GatedRepo");
  EXPECT_EQ(field_of(log_in, "X-Error-Message"),
            "Access to dataset org/name is restricted. You must have access to it and be authenticated to access it. "
            "Please log in.");
  EXPECT_EQ(body_of(log_in), field_of(log_in, "X-Error-Message"));
  EXPECT_EQ(field_of(log_in, "WWW-Authenticate"), R"(Bearer realm="Authentication required", charset="UTF-8")");

  const Response denied = refusal(Verdict::Denied, dataset(), kHub, Face::Api);
  EXPECT_EQ(denied.status, 403);
  EXPECT_EQ(field_of(denied, "X-Error-Code"), "GatedRepo");
  EXPECT_EQ(field_of(denied, "X-Error-Message"),
            "Access to dataset org/name is restricted and you are not in the authorized list. Visit "
            "https://huggingface.co/datasets/org/name to ask for access.");
  EXPECT_THAT(body_of(denied), StartsWith(R"({"error":"Access to dataset)"));
  EXPECT_EQ(field_of(denied, "WWW-Authenticate"), "");
}

TEST(Refusal, AsksToComeBackWhenTheUpstreamCouldNotBeAsked) {
  const Response unknown = refusal(Verdict::Unknown, dataset(), kHub, Face::File);
  EXPECT_EQ(unknown.status, 503);
  EXPECT_EQ(field_of(unknown, "Retry-After"), "10");
  EXPECT_EQ(field_of(unknown, "X-Error-Code"), "");
}

TEST(Refusal, AnswersAPrivateRepositoryWithTheVeryBytesOfAMissingOne) {
  for (const Caller* caller :
       {static_cast<const Caller*>(&kNobody), static_cast<const Caller*>(&kOurs), static_cast<const Caller*>(&kHub)}) {
    for (const Face face : {Face::Api, Face::File, Face::Git, Face::Lfs}) {
      const Response missing = absent(*caller, face), hidden = refusal(Verdict::Absent, dataset(), *caller, face);
      EXPECT_EQ(missing.status, hidden.status);
      EXPECT_EQ(missing.fields, hidden.fields);
      EXPECT_EQ(body_of(missing), body_of(hidden));
      EXPECT_EQ(missing.repo, hidden.repo);
      EXPECT_THAT(hidden.fields + body_of(hidden), testing::Not(HasSubstr("org/name")));
    }
  }
}

TEST(Refusal, SaysRepoNotFoundToClientsOfTheHubWhoeverAsks) {
  for (const Caller* caller : {static_cast<const Caller*>(&kNobody), static_cast<const Caller*>(&kHub)}) {
    const Response missing = absent(*caller, Face::Api);
    EXPECT_EQ(missing.status, 404);
    EXPECT_EQ(field_of(missing, "X-Error-Code"), "RepoNotFound");
    EXPECT_EQ(body_of(missing), R"({"error":"Repository not found"})");
  }
}

TEST(Refusal, MakesGitAskForCredentialsOnce) {
  const Response first = absent(kNobody, Face::Git);
  EXPECT_EQ(first.status, 401);
  EXPECT_THAT(field_of(first, "WWW-Authenticate"), StartsWith("Basic realm="));
  EXPECT_EQ(absent(kOurs, Face::Git).status, 404);
  EXPECT_THAT(field_of(refusal(Verdict::LogIn, dataset(), kNobody, Face::Git), "WWW-Authenticate"),
              StartsWith("Basic realm="));
}

TEST(Refusal, SpeaksToGitLfsInItsOwnForm) {
  const Response refused = credentials_wanted(Face::Lfs);
  EXPECT_EQ(refused.status, 401);
  EXPECT_EQ(field_of(refused, "Content-Type"), "application/vnd.git-lfs+json");
  EXPECT_THAT(field_of(refused, "LFS-Authenticate"), StartsWith("Basic realm="));
  EXPECT_EQ(body_of(refused), R"({"message":"Invalid username or password."})");
  EXPECT_EQ(body_of(refusal(Verdict::Absent, dataset(), kOurs, Face::Lfs)), R"({"message":"Repository not found"})");
}

TEST(Refusal, IsKeptByNoCache) {
  for (const Face face : {Face::Api, Face::File, Face::Git, Face::Lfs})
    for (const Verdict verdict : {Verdict::Absent, Verdict::LogIn, Verdict::Denied, Verdict::Unknown})
      EXPECT_EQ(field_of(refusal(verdict, dataset(), kNobody, face), "Cache-Control"), "no-store");
}

TEST(WhoAmI, NamesTheHolderOfATokenOfOurs) {
  const Response response = whoami(kOurs);
  ASSERT_EQ(response.status, 200);
  const auto value = parse_json(body_of(response)).value();
  EXPECT_EQ(value.at("type").as_string(), "user");
  EXPECT_EQ(value.at("name").as_string(), "ci");
  EXPECT_EQ(value.at("auth").at("accessToken").at("role").as_string(), "read");
  EXPECT_EQ(value.at("auth").at("accessToken").at("createdAt").as_string(), "2023-11-14T22:13:20.000Z");
  EXPECT_TRUE(value.at("orgs").as_array().empty());
}

TEST(WhoAmI, DoesNotPretendToKnowWhoseAHubTokenIs) {
  const auto value = parse_json(body_of(whoami(kHub))).value();
  EXPECT_EQ(value.at("name").as_string(), "hub-user");
}

TEST(WhoAmI, IsRefusedToNobody) {
  const Response response = whoami(kNobody);
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(field_of(response, "X-Error-Message"), "Invalid username or password.");
}
}  // namespace
}  // namespace hm::server
