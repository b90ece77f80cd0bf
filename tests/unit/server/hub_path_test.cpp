// What a path asks for; docs/hub_protocol.md.
#include "server/hub_path.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace hm::server {
namespace {
struct Asked {
  const char* path;
  Route route;
  const char* name;
  const char* rest;
};
void expect_all(const std::vector<Asked>& all) {
  for (const Asked& one : all) {
    const HubPath got = parse_hub_path(one.path);
    EXPECT_EQ(got.route, one.route) << one.path;
    EXPECT_EQ(got.name, one.name) << one.path;
    EXPECT_EQ(got.rest, one.rest) << one.path;
  }
}

TEST(HubPathTest, EveryMarkerOfTheApiIsFoundBehindNamesOfOneAndTwoParts) {
  const std::vector<std::pair<const char*, Route>> markers{{"revision/main", Route::Revision},
                                                           {"tree/main", Route::Tree},
                                                           {"treesize/main/d", Route::TreeSize},
                                                           {"paths-info/main", Route::PathsInfo},
                                                           {"refs", Route::Refs},
                                                           {"commits/main", Route::Commits},
                                                           {"compare/a..b", Route::Compare},
                                                           {"auth-check", Route::AuthCheck},
                                                           {"scan", Route::Scan},
                                                           {"discussions", Route::Discussions},
                                                           {"discussions/1", Route::Discussions},
                                                           {"settings", Route::OtherOfRepo},
                                                           {"commit/main", Route::OtherOfRepo},
                                                           {"preupload/main", Route::OtherOfRepo}};
  for (const char* kind : {"models", "datasets", "spaces"})
    for (const char* name : {"org/name", "gpt2"})
      for (const auto& [behind, route] : markers) {
        const std::string path = "/api/" + std::string(kind) + "/" + name + "/" + behind;
        const HubPath got = parse_hub_path(path);
        EXPECT_EQ(got.route, route) << path;
        EXPECT_EQ(got.name, name) << path;
        EXPECT_EQ(std::string(api_segment(got.kind)), kind) << path;
        EXPECT_EQ(got.above, "/api/" + std::string(kind) + "/") << path;
      }
}

TEST(HubPathTest, WordsOfMarkersMayBeNames) {
  expect_all({{"/api/models/tree", Route::Info, "tree", ""},
              {"/api/models/org/tree", Route::Info, "org/tree", ""},
              {"/api/models/org/tree/tree/main", Route::Tree, "org/tree", "main"},
              {"/api/models/tree/tree/tree/main", Route::Tree, "tree/tree", "main"},
              {"/resolve/raw/resolve/main/f", Route::Resolve, "resolve/raw", "main/f"},
              {"/gpt2/resolve/main/resolve/x", Route::Resolve, "gpt2", "main/resolve/x"},
              {"/org/resolve", Route::Page, "org/resolve", ""}});
}

TEST(HubPathTest, FilesAndPagesAreFoundForEveryKind) {
  expect_all({{"/org/name/resolve/main/a/b.txt", Route::Resolve, "org/name", "main/a/b.txt"},
              {"/gpt2/resolve/main/a/b.txt", Route::Resolve, "gpt2", "main/a/b.txt"},
              {"/datasets/org/name/resolve/refs/pr/1/f", Route::Resolve, "org/name", "refs/pr/1/f"},
              {"/spaces/org/name/raw/main/f", Route::Raw, "org/name", "main/f"},
              {"/datasets/squad/raw/main/f", Route::Raw, "squad", "main/f"},
              {"/org/name/blob/main/f", Route::Page, "org/name", "main/f"},
              {"/org/name", Route::Page, "org/name", ""},
              {"/org/name/", Route::Page, "org/name", ""},
              {"/gpt2", Route::Page, "gpt2", ""}});
  EXPECT_EQ(parse_hub_path("/datasets/org/name/resolve/main/f").kind, RepoKind::Dataset);
  EXPECT_EQ(parse_hub_path("/datasets/org/name/resolve/main/f").above, "/datasets/");
  EXPECT_TRUE(parse_hub_path("/kernels/org/name/resolve/main/f").kernel);
  EXPECT_FALSE(parse_hub_path("/org/name").kernel);
}

TEST(HubPathTest, GitAndLfsAreFoundWithAndWithoutTheSuffix) {
  for (const char* suffix : {"", ".git"})
    for (const char* kind : {"", "datasets/", "spaces/"})
      for (const auto& [behind, route, rest] : std::vector<std::tuple<const char*, Route, const char*>>{
               {"/info/refs", Route::GitInfoRefs, "refs"},
               {"/git-upload-pack", Route::GitUploadPack, ""},
               {"/git-receive-pack", Route::GitReceivePack, ""},
               {"/info/lfs/objects/batch", Route::LfsBatch, "lfs/objects/batch"},
               {"/info/lfs/objects/abc", Route::LfsObject, "abc"},
               {"/info/lfs/objects/../x", Route::LfsObject, "../x"},
               {"/info/lfs/locks/verify", Route::LfsLocks, "lfs/locks/verify"},
               {"/info/other", Route::Unknown, "other"}}) {
        const std::string path = "/" + std::string(kind) + "org/name" + suffix + behind;
        const HubPath got = parse_hub_path(path);
        EXPECT_EQ(got.route, route) << path;
        EXPECT_EQ(got.name, "org/name") << path;
        EXPECT_EQ(got.rest, rest) << path;
        EXPECT_EQ(got.git_suffix, *suffix != '\0') << path;
      }
}

TEST(HubPathTest, AnEncodedSlashStaysInItsPart) {
  expect_all({{"/org/name/resolve/refs%2Fpr%2F1/f", Route::Resolve, "org/name", "refs%2Fpr%2F1/f"},
              {"/org%2Fname/resolve/main/f", Route::Resolve, "org/name", "main/f"},
              {"/api/models/org%2Fname", Route::Info, "org/name", ""},
              {"/api%2Fmodels/x", Route::Page, "api/models/x", ""}});
  EXPECT_EQ(decoded_parts("a%2Fb/c%252Fd"), (std::vector<std::string>{"a/b", "c%2Fd"}));
}

TEST(HubPathTest, PathsThatLeadNowhereStayUnknown) {
  for (const char* path : {"", "/", "//", "///", "//org/name/resolve/main/f", "/a/b/c", "/a/b/c/resolve/main/f", "/api",
                           "/api/", "/api/nothing", "/api/models/a/b/c", "/api/models/a/b/tree/", "/api//models"})
    EXPECT_TRUE(parse_hub_path(path).route == Route::Unknown || parse_hub_path(path).route == Route::UnknownApi ||
                !is_valid_repo_name(parse_hub_path(path).name))
        << path << " is taken for " << parse_hub_path(path).name;
  expect_all({{"/api/models", Route::Listing, "", ""},
              {"/api/whoami-v2", Route::Whoami, "", ""},
              {"/api/models-tags-by-type", Route::TagsByType, "", ""}});
}

TEST(HubPathTest, NamesThatClimbAreNoNames) {
  for (const char* path : {"/../../resolve/main/f", "/..%2f../resolve/main/f", "/api/models/%2e%2e/%2e%2e",
                           "/./x/resolve/main/f", "/org/../resolve/main/f", "/org/%00/resolve/main/f",
                           "/%2e/git-upload-pack", "/org//resolve/main/f", "/org/na%0ame", "/org/.git/info/refs"})
    EXPECT_FALSE(is_valid_repo_name(parse_hub_path(path).name)) << path;
}

TEST(HubPathTest, APathWithinARepositoryCannotLeaveIt) {
  EXPECT_EQ(repo_path(decoded_parts("main/a/b.txt"), 1), "a/b.txt");
  EXPECT_EQ(repo_path(decoded_parts("main/sub%2Fdir/f"), 1), "sub/dir/f");
  EXPECT_EQ(repo_path(decoded_parts("main/a%252e"), 1), "a%2e");
  for (const char* path :
       {"main", "main/", "main/..", "main/a/../b", "main/%2e%2e/x", "main/..%2fx", "main//x", "main/a//b", "main/%00",
        "main/a%00b", "main/./x", "main/%2Fetc%2Fpasswd", "main/.git/config", "main/a/.GIT/config"})
    EXPECT_EQ(repo_path(decoded_parts(path), 1), std::nullopt) << path;
}

TEST(HubPathTest, OurOwnPagesAreNoRepositories) {
  expect_all(
      {{"/-/health", Route::Own, "", "health"}, {"/-", Route::Own, "", ""}, {"/-/../x", Route::Own, "", "../x"}});
}

TEST(HubPathTest, AResolveCacheIsCutAtItsCommit) {
  const std::string commit(40, 'a');
  for (const char* name : {"org/name", "gpt2"}) {
    const std::string path = "/api/resolve-cache/models/" + std::string(name) + "/" + commit + "/d/f";
    const HubPath got = parse_hub_path(path);
    EXPECT_EQ(got.route, Route::Resolve);
    EXPECT_EQ(got.name, name);
    EXPECT_EQ(got.rest, commit + "/d/f");
  }
  EXPECT_EQ(parse_hub_path("/api/resolve-cache/models/org/name/main/f").route, Route::UnknownApi);
}
}  // namespace
}  // namespace hm::server
