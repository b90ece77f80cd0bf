// Who may have what, as a table: one row per state of a repository and caller, one column per kind of route.
#include <gtest/gtest.h>

#include "server/mirror_access.hpp"
#include "tests/unit/server/server_fixture.hpp"

namespace hm::server {
namespace {
using enum Judgement;

struct Row {
  const char* caller;
  const char* visibility;
  Judgement facts, bytes;        ///< info, tree, refs; resolve, raw, git, LFS
  Judgement bytes_granted_only;  ///< the latter with serve.gated = "granted"
  bool listed;
};
// Callers: nobody; the holder of a Hub token; tokens of this mirror: plain, limited to other/*, with a grant for
// org/*, with org/* as private, and with a glob of another kind.
constexpr Row kTable[] = {
    {"nobody", "public", Granted, Granted, Granted, true},
    {"nobody", "gated-auto", Granted, LogIn, LogIn, true},
    {"nobody", "gated-manual", Granted, LogIn, LogIn, true},
    {"nobody", "private", Absent, Absent, Absent, false},
    {"nobody", "something-new", Absent, Absent, Absent, false},
    {"hub", "public", Granted, Granted, Granted, true},
    {"hub", "gated-auto", Granted, AskUpstream, Denied, true},
    {"hub", "gated-manual", Granted, AskUpstream, Denied, true},
    {"hub", "private", AskUpstream, AskUpstream, Absent, false},
    {"hub", "something-new", AskUpstream, AskUpstream, Absent, false},
    {"plain", "public", Granted, Granted, Granted, true},
    {"plain", "gated-auto", Granted, Denied, Denied, true},
    {"plain", "gated-manual", Granted, Denied, Denied, true},
    {"plain", "private", Absent, Absent, Absent, false},
    {"plain", "something-new", Absent, Absent, Absent, false},
    {"elsewhere", "public", Absent, Absent, Absent, false},
    {"elsewhere", "gated-auto", Absent, Absent, Absent, false},
    {"elsewhere", "private", Absent, Absent, Absent, false},
    {"gated", "public", Granted, Granted, Granted, true},
    {"gated", "gated-auto", Granted, Granted, Granted, true},
    {"gated", "gated-manual", Granted, Granted, Granted, true},
    {"gated", "private", Absent, Absent, Absent, false},
    {"private", "public", Granted, Granted, Granted, true},
    {"private", "gated-auto", Granted, Denied, Denied, true},
    {"private", "private", Granted, Granted, Granted, true},
    {"private", "something-new", Granted, Granted, Granted, true},
    {"elsewhere+gated", "public", Granted, Granted, Granted, true},
    {"elsewhere+gated", "gated-manual", Granted, Granted, Granted, true},
    {"elsewhere+gated", "private", Absent, Absent, Absent, false},
    {"datasets", "gated-auto", Granted, Denied, Denied, true},
    {"datasets", "private", Absent, Absent, Absent, false},
};

CallerKind kind_of(std::string_view caller) {
  return caller == "nobody" ? CallerKind::Nobody : caller == "hub" ? CallerKind::HubToken : CallerKind::MirrorToken;
}
storage::TokenRow token_of(std::string_view caller) {
  storage::TokenRow row = test::token_row("t");
  if (caller.starts_with("elsewhere")) row.repos = {"other/*"};
  if (caller.ends_with("gated")) row.gated = {"nothing/x", "Org/*"};
  if (caller == "private") row.private_repos = {"org/name"};
  if (caller == "datasets") row.gated = row.private_repos = {"datasets/org/*"};
  return row;
}

TEST(Judge, SaysWhatTheTableSays) {
  const RepoId repo{RepoKind::Model, "org/Name"};
  for (const Row& row : kTable) {
    const storage::TokenRow token = token_of(row.caller);
    const CallerKind kind = kind_of(row.caller);
    const std::string where = std::string(row.caller) + ", " + row.visibility;
    EXPECT_EQ(judge(kind, &token, repo, row.visibility, Want::Facts, true), row.facts) << where;
    EXPECT_EQ(judge(kind, &token, repo, row.visibility, Want::Bytes, true), row.bytes) << where;
    EXPECT_EQ(judge(kind, &token, repo, row.visibility, Want::Bytes, false), row.bytes_granted_only) << where;
    EXPECT_EQ(judge(kind, &token, repo, row.visibility, Want::Facts, false) == Granted, row.listed) << where;
  }
}

TEST(Judge, NeverGivesMoreBytesThanFacts) {
  const RepoId repo{RepoKind::Model, "org/name"};
  for (const Row& row : kTable) {
    const storage::TokenRow token = token_of(row.caller);
    const CallerKind kind = kind_of(row.caller);
    const bool hidden = judge(kind, &token, repo, row.visibility, Want::Facts, true) == Absent;
    EXPECT_TRUE(!hidden || judge(kind, &token, repo, row.visibility, Want::Bytes, true) == Absent)
        << row.caller << ", " << row.visibility;
  }
}
}  // namespace
}  // namespace hm::server
