#include "tests/hub_at_scale/world.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "base/text.hpp"
#include "net/http_client.hpp"
#include "tests/hub_at_scale/plant.hpp"
#include "tests/hub_at_scale/transport.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/run.hpp"

namespace hm::test::scale {
namespace {
namespace json = boost::json;
using testing::HasSubstr;
using testing::StartsWith;

Scale small(std::uint64_t models, std::uint64_t datasets = 0, std::uint64_t spaces = 0, std::uint64_t seed = 1) {
  Scale scale;
  scale.models = models;
  scale.datasets = datasets;
  scale.spaces = spaces;
  scale.seed = seed;
  scale.now_ms = ManualClock().unix_ms();
  return scale;
}

Answer get(World& world, const std::string& target, const std::string& authorization = {}) {
  Request request;
  request.target = target;
  request.authorization = authorization;
  return world.handle(request);
}

/// The target of the next page, or an empty string.
std::string next_of(const Answer& answer) {
  const std::string_view link = answer.header("Link");
  const std::string_view origin = "<https://hub.example";
  if (!link.starts_with(origin)) return {};
  return std::string(link.substr(origin.size(), link.find('>') - origin.size()));
}

/// All rows of a listing, page by page; `between` runs after each.
std::vector<json::object> walk(World& world, std::string target, const std::function<void()>& between = {}) {
  std::vector<json::object> rows;
  while (!target.empty()) {
    const Answer answer = get(world, target);
    EXPECT_EQ(answer.status, 200) << answer.body;
    if (answer.status != 200) break;
    json::value page = json::parse(answer.body);
    for (auto& row : page.as_array()) rows.push_back(std::move(row.as_object()));
    target = next_of(answer);
    if (between) between();
  }
  return rows;
}

std::string text(const json::object& row, std::string_view key) { return std::string(row.at(key).as_string()); }

std::set<std::string> visible_rids(const World& world, RepoKind kind) {
  std::set<std::string> out;
  world.for_each(kind, [&](const Truth& truth) {
    if (truth.visible) out.insert(truth.rid.text());
  });
  return out;
}

/// Sorted as the listing says it is: (value, _id); descending values are negated. Times compare as text.
void expect_order(const std::vector<json::object>& rows, std::string_view sort, bool ascending) {
  const auto before = [&](const json::object& a, const json::object& b) {
    const json::value& x = a.at(sort);
    const json::value& y = b.at(sort);
    if (x != y) {
      const bool less = x.is_string() ? x.as_string() < y.as_string() : x.as_int64() < y.as_int64();
      return less == ascending;
    }
    return text(a, "_id") < text(b, "_id");
  };
  for (std::size_t i = 1; i < rows.size(); ++i)
    ASSERT_TRUE(before(rows[i - 1], rows[i]))
        << sort << " at " << i << ": " << json::serialize(rows[i - 1]) << " " << json::serialize(rows[i]);
}

void expect_complete(const World& world, RepoKind kind, const std::vector<json::object>& rows) {
  std::set<std::string> seen;
  for (const auto& row : rows) EXPECT_TRUE(seen.insert(text(row, "_id")).second) << text(row, "_id") << " came twice";
  EXPECT_EQ(seen, visible_rids(world, kind));
}

class Listing : public testing::TestWithParam<std::tuple<std::size_t, std::string, bool>> {};

TEST_P(Listing, HasEachRepositoryOnceInItsOrder) {
  const auto& [page_cap, sort, ascending] = GetParam();
  ManualClock clock;
  HubTraits traits;
  traits.page_cap = page_cap;
  World world(small(20'000, 500, 500), clock, traits);
  const std::string query = "?sort=" + sort + "&direction=" + (ascending ? "1" : "-1") + "&expand[]=" + sort;
  const auto rows = walk(world, "/api/models" + query);
  EXPECT_EQ(rows.size(), world.count(RepoKind::Model));
  expect_order(rows, sort, ascending);
  expect_complete(world, RepoKind::Model, rows);
}

/// Orders that are built already are changed in place: those must be the same as ones built afterwards.
TEST_P(Listing, StaysInOrderWhileRepositoriesChange) {
  const auto& [page_cap, sort, ascending] = GetParam();
  ManualClock clock;
  HubTraits traits;
  traits.page_cap = page_cap;
  World world(small(3'000, 300, 300), clock, traits);
  const std::string target = "/api/models?sort=" + sort + "&direction=" + (ascending ? "1" : "-1") + "&expand=" + sort;
  get(world, target);
  for (std::uint64_t round = 0; round < 20; ++round) {
    clock.advance(700);
    world.mutate_randomly(round, 200);
  }
  const auto rows = walk(world, target);
  expect_order(rows, sort, ascending);
  expect_complete(world, RepoKind::Model, rows);
}

INSTANTIATE_TEST_SUITE_P(Orders, Listing,
                         testing::Combine(testing::Values(std::size_t{1000}, std::size_t{7}),
                                          testing::Values("createdAt", "lastModified", "downloads", "likes",
                                                          "trendingScore"),
                                          testing::Bool()),
                         [](const auto& one) {
                           return std::get<1>(one.param) + (std::get<2>(one.param) ? "_up_" : "_down_") +
                                  std::to_string(std::get<0>(one.param));
                         });

TEST(ListingTest, WalkByCreationMissesNothingThatWasThereThroughout) {
  ManualClock clock;
  World world(small(5'000), clock);
  const auto at_begin = visible_rids(world, RepoKind::Model);
  std::set<std::string> disturbed;
  std::uint64_t round = 0;
  const auto rows = walk(world, "/api/models?sort=createdAt&direction=1&limit=50&expand[]=createdAt", [&] {
    clock.advance(1000);
    Mix mix;
    mix.create = round < 80 ? 30 : 0;  // else the walk would never end
    mix.replace = round < 80 ? 3 : 0;
    for (const Mutation& m : world.mutate_randomly(++round, 20, mix))
      if (m.what == "remove" || m.what == "replace" || m.what == "private") disturbed.insert(m.rid.text());
  });
  EXPECT_GT(disturbed.size(), 100U);
  std::map<std::string, int> seen;
  for (const auto& row : rows) ++seen[text(row, "_id")];
  for (const auto& [rid, times] : seen) EXPECT_EQ(times, 1) << rid;
  for (const std::string& rid : at_begin) EXPECT_TRUE(seen.contains(rid) || disturbed.contains(rid)) << rid;
  EXPECT_GT(seen.size(), at_begin.size()) << "what was created meanwhile stands at the end";
}

TEST(ListingTest, LinkKeepsTheQueryAndNamesTheHostThatWasAsked) {
  ManualClock clock;
  World world(small(100), clock);
  const Answer first = get(world, "/api/models?limit=60&expand[]=sha&expand[]=tags&sort=createdAt&direction=1");
  EXPECT_THAT(first.header("Link"),
              StartsWith("<https://hub.example/api/models?limit=60&expand%5B%5D=sha&expand%5B%5D=tags&sort=createdAt&"
                         "direction=1&cursor="));
  EXPECT_THAT(first.header("Link"), testing::EndsWith(">; rel=\"next\""));
  const Answer second = get(world, next_of(first));
  EXPECT_EQ(second.status, 200);
  EXPECT_EQ(second.header("Link"), "");
  EXPECT_EQ(json::parse(second.body).as_array().size(), 40U);
  EXPECT_EQ(get(world, "/api/models?limit=100").header("Link"), "") << "a full page may be the last";
}

TEST(ListingTest, ExpandGivesTheNamedFieldsAndNoOthers) {
  ManualClock clock;
  World world(small(50, 50, 50), clock);
  for (const auto& row : walk(world, "/api/models?sort=createdAt&expand=sha&expand=gated")) {
    std::set<std::string> keys;
    for (const auto& field : row) keys.insert(field.key());
    EXPECT_EQ(keys, (std::set<std::string>{"_id", "id", "sha", "gated"}));
  }
  const auto rows = walk(world, "/api/models");
  EXPECT_TRUE(rows.front().contains("modelId"));
  EXPECT_FALSE(rows.front().contains("sha"));
  EXPECT_TRUE(walk(world, "/api/models?full=true").front().contains("sha"));
  EXPECT_TRUE(walk(world, "/api/datasets").front().contains("sha"));
  EXPECT_TRUE(walk(world, "/api/spaces?full=true").front().contains("sdk"));
}

TEST(ListingTest, RefusesWhatTheHubRefuses) {
  ManualClock clock;
  World world(small(50, 10, 10), clock);
  const Answer expand = get(world, "/api/models?expand[]=sha&expand[]=readme");
  EXPECT_EQ(expand.status, 400);
  EXPECT_THAT(expand.header("X-Error-Message"),
              StartsWith(R"(Invalid option: expected one of "author"|"baseModels"|"cardData")"));
  EXPECT_EQ(json::parse(expand.body).at("error").as_string(), expand.header("X-Error-Message"));
  const std::string created = "/api/models?limit=3&sort=createdAt&direction=1";
  const std::string next = next_of(get(world, created));
  for (const std::string& bad :
       {std::string("/api/models?sort=size"), std::string("/api/models?direction=2"),
        std::string("/api/models?limit=0"), std::string("/api/models?limit=x"), std::string("/api/models?cursor=abc"),
        std::string("/api/spaces?sort=downloads"), std::string("/api/spaces?expand=gated"),
        created + "&cursor=" + next.substr(next.find("cursor=") + 7, 20),
        "/api/models?sort=lastModified&cursor=" + next.substr(next.find("cursor=") + 7),
        "/api/models?sort=createdAt&cursor=" + next.substr(next.find("cursor=") + 7)})
    EXPECT_EQ(get(world, bad).status, 400) << bad;
}

TEST(ListingTest, FiltersByOwnerTagAndPartOfTheName) {
  ManualClock clock;
  World world(small(5'000), clock);
  std::map<std::string, std::size_t> tags;
  std::map<std::string, std::size_t> authors;
  std::size_t bert = 0;
  for (const auto& row : walk(world, "/api/models?expand=tags&expand=author")) {
    for (const auto& tag : row.at("tags").as_array()) ++tags[std::string(tag.as_string())];
    if (row.contains("author")) ++authors[text(row, "author")];
    if (text(row, "id").find("bert") != std::string::npos) ++bert;
  }
  const auto parent = std::ranges::max_element(
      tags, {}, [](const auto& tag) { return tag.first.starts_with("base_model:quantized:") ? tag.second : 0; });
  ASSERT_GT(parent->second, 10U);
  for (const std::string& tag : {std::string("license:mit"), std::string("safetensors"), parent->first})
    EXPECT_EQ(walk(world, "/api/models?limit=77&filter=" + tag).size(), tags[tag]) << tag;
  const auto author = std::ranges::max_element(authors, {}, [](const auto& one) { return one.second; });
  EXPECT_EQ(walk(world, "/api/models?limit=7&author=" + author->first).size(), author->second);
  EXPECT_GT(bert, 0U);
  EXPECT_EQ(walk(world, "/api/models?search=bert").size(), bert);
}

TEST(TraitsTest, AHubMayLackCursorsSortsDirectionsFieldsAndIds) {
  ManualClock clock;
  HubTraits traits;
  traits.cursors = false;
  traits.only_created_at = true;
  traits.refused_expand = {"usedStorage"};
  traits.direction_refused = true;
  traits.no_rid = true;
  World world(small(1'500), clock, traits);
  const Answer page = get(world, "/api/models?sort=createdAt");
  EXPECT_EQ(page.header("Link"), "");
  EXPECT_EQ(json::parse(page.body).as_array().size(), 1000U);
  EXPECT_THAT(page.body, testing::Not(HasSubstr("\"_id\"")));
  EXPECT_EQ(get(world, "/api/models?sort=lastModified").status, 400);
  EXPECT_EQ(get(world, "/api/models?expand=usedStorage").status, 400);
  EXPECT_EQ(get(world, "/api/models?sort=createdAt&direction=-1").status, 400);
  World usual(small(1'500), clock);
  EXPECT_EQ(get(usual, "/api/models?sort=lastModified&direction=-1&expand=usedStorage").status, 200);
}

/// The first models with two segments that can be read.
std::vector<Truth> some(const World& world, std::size_t n) {
  std::vector<Truth> out;
  world.for_each(RepoKind::Model, [&](const Truth& truth) {
    if (out.size() < n && truth.visible && !truth.disabled && truth.name.find('/') != std::string::npos)
      out.push_back(truth);
  });
  return out;
}

TEST(InfoTest, AnswersByNameAtTheHeadAndAtOlderRevisions) {
  ManualClock clock;
  World world(small(500), clock);
  ASSERT_TRUE(world.touch(some(world, 1).at(0).rid));  // so that there is one before and one after
  const Truth truth = some(world, 1).at(0);
  const json::object info = json::parse(get(world, "/api/models/" + truth.name).body).as_object();
  EXPECT_EQ(text(info, "_id"), truth.rid.text());
  EXPECT_EQ(text(info, "sha"), truth.sha);
  EXPECT_EQ(text(info, "lastModified"), iso8601(truth.last_modified_ms));
  EXPECT_EQ(text(info, "createdAt"), iso8601(truth.created_ms));
  ASSERT_TRUE(world.touch(truth.rid));
  const Truth after = world.find(truth.rid).value();
  EXPECT_NE(after.sha, truth.sha);
  EXPECT_EQ(after.last_modified_ms, clock.unix_ms());
  const auto sha_at = [&](const std::string& revision) {
    return text(
        json::parse(get(world, "/api/models/" + truth.name + "/revision/" + revision + "?expand=sha").body).as_object(),
        "sha");
  };
  EXPECT_EQ(sha_at("main"), after.sha);
  EXPECT_EQ(sha_at(truth.sha), truth.sha);
  const Answer none = get(world, "/api/models/" + truth.name + "/revision/refs%2Fpr%2F1");
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(none.header("X-Error-Code"), "RevisionNotFound");
}

TEST(InfoTest, LeadsFromTheOldNameToTheNewUnlessAnotherHasIt) {
  ManualClock clock;
  World world(small(500), clock);
  const auto repos = some(world, 2);
  const std::string old = "/api/models/" + repos[0].name;
  ASSERT_TRUE(world.rename(repos[0].rid, "somebody-else/new-name"));
  EXPECT_FALSE(world.rename(repos[1].rid, "somebody-else/new-name")) << "taken";
  Answer moved = get(world, old + "/revision/main?expand[]=sha");
  EXPECT_EQ(moved.status, 307);
  EXPECT_EQ(moved.header("Location"), "/api/models/somebody-else/new-name/revision/main?expand[]=sha");
  EXPECT_EQ(get(world, "/api/models/somebody-else/new-name").status, 200);
  ASSERT_TRUE(world.rename(repos[0].rid, "somebody-else/newer-name"));
  EXPECT_EQ(get(world, old).header("Location"), "/api/models/somebody-else/newer-name");
  EXPECT_EQ(get(world, "/api/models/somebody-else/new-name").header("Location"),
            "/api/models/somebody-else/newer-name");
  ASSERT_TRUE(world.rename(repos[1].rid, repos[0].name));
  const Answer taken = get(world, old);
  EXPECT_EQ(taken.status, 200);
  EXPECT_EQ(text(json::parse(taken.body).as_object(), "_id"), repos[1].rid.text());
  ASSERT_TRUE(world.remove(repos[1].rid));
  EXPECT_EQ(get(world, old).status, 401) << "what was taken once leads nowhere";
  ASSERT_TRUE(world.remove(repos[0].rid));
  EXPECT_EQ(get(world, "/api/models/somebody-else/new-name").status, 401);
}

TEST(InfoTest, DoesNotTellWhatIsMissingFromWhatIsPrivate) {
  ManualClock clock;
  World world(small(500), clock);
  const auto repos = some(world, 3);
  ASSERT_TRUE(world.remove(repos[0].rid));
  ASSERT_TRUE(world.set_private(repos[1].rid, true));
  ASSERT_TRUE(world.disable(repos[2].rid, true));
  for (const std::string& name : {std::string("nobody/nothing"), repos[0].name, repos[1].name}) {
    const Answer anonymous = get(world, "/api/models/" + name);
    EXPECT_EQ(anonymous.status, 401);
    EXPECT_EQ(anonymous.header("X-Error-Message"), "Invalid username or password.");
    EXPECT_THAT(anonymous.header("WWW-Authenticate"), StartsWith("Bearer"));
    const Answer known = get(world, "/api/models/" + name, "Bearer hf_x");
    EXPECT_EQ(known.status, 404);
    EXPECT_EQ(known.header("X-Error-Code"), "RepoNotFound");
  }
  EXPECT_EQ(get(world, "/api/datasets/" + repos[2].name).status, 401) << "names are of one kind";
  EXPECT_EQ(get(world, "/api/models/" + repos[2].name).status, 403);
  EXPECT_EQ(world.count(RepoKind::Model), 498U);
  ASSERT_TRUE(world.set_private(repos[1].rid, false));
  EXPECT_EQ(get(world, "/api/models/" + repos[1].name).status, 200);
  EXPECT_FALSE(world.touch(repos[0].rid)) << "removed";
}

TEST(InfoTest, AReplacedRepositoryHasTheNameAndAnotherId) {
  ManualClock clock;
  World world(small(500), clock);
  const Truth truth = some(world, 1).at(0);
  const Rid replacement = world.replace(truth.rid).value();
  EXPECT_NE(replacement, truth.rid);
  const Truth now = world.find(RepoKind::Model, truth.name).value();
  EXPECT_EQ(now.rid, replacement);
  EXPECT_NE(now.sha, truth.sha);
  EXPECT_EQ(now.created_ms, clock.unix_ms());
  EXPECT_FALSE(world.find(truth.rid)->visible);
  EXPECT_EQ(world.count(RepoKind::Model), 500U);
}

TEST(WorldTest, EachRepositoryIsFoundByIdAndByName) {
  ManualClock clock;
  World world(small(30'000, 3'000, 3'000), clock);  // enough for names that are taken twice
  world.mutate_randomly(3, 3'000);
  for (const RepoKind kind : {RepoKind::Model, RepoKind::Dataset, RepoKind::Space}) {
    std::vector<Truth> all;
    world.for_each(kind, [&](const Truth& truth) { all.push_back(truth); });
    std::set<std::string> names;
    for (const Truth& truth : all) {
      EXPECT_EQ(world.find(truth.rid)->name, truth.name);
      if (truth.removed) continue;
      EXPECT_TRUE(names.insert(truth.name).second) << truth.name << " is there twice";
      EXPECT_EQ(world.find(kind, truth.name)->rid, truth.rid);
      EXPECT_TRUE(is_valid_repo_name(truth.name)) << truth.name;
    }
  }
}

TEST(WorldTest, TheSameSeedGivesTheSameBytes) {
  ManualClock clock;
  const auto bytes = [&](std::uint64_t seed, std::uint64_t mutations) {
    World world(small(2'000, 500, 500, seed), clock);
    std::string out;
    for (const Mutation& m : world.mutate_randomly(mutations, 500)) out += render_json(m);
    for (const char* list : {"models", "datasets", "spaces"})
      out += get(world, "/api/" + std::string(list) + "?full=true&sort=lastModified").body;
    world.for_each(RepoKind::Model, [&](const Truth& truth) { out += render_json(truth); });
    return out;
  };
  const std::string once = bytes(1, 1);
  EXPECT_EQ(once, bytes(1, 1));
  EXPECT_NE(once, bytes(2, 1));
  EXPECT_NE(once, bytes(1, 2));
}

TEST(WorldTest, AnIdBeginsWithItsTimeAndManyStandAtTheFloor) {
  ManualClock clock;
  World world(small(20'000), clock);
  std::size_t at_floor = 0;
  std::size_t before_creation = 0;
  world.for_each(RepoKind::Model, [&](const Truth& truth) {
    EXPECT_EQ(std::stoll(truth.rid.text().substr(0, 8), nullptr, 16) * 1000, truth.created_ms);
    EXPECT_LE(truth.created_ms, clock.unix_ms());
    EXPECT_LE(truth.last_modified_ms, clock.unix_ms());
    if (iso8601(truth.created_ms) == "2022-03-02T23:29:04.000Z") ++at_floor;
    if (truth.last_modified_ms < truth.created_ms) ++before_creation;
  });
  EXPECT_NEAR(static_cast<double>(at_floor), 260, 10);
  EXPECT_NEAR(static_cast<double>(before_creation), 1150, 150);
}

TEST(PopulationTest, FewHaveHalfOfTheDownloadsAndMostHaveNearlyNone) {
  const Scale scale = small(230'000);
  std::vector<std::uint64_t> downloads;
  for (const Repo& repo : populate(scale)) downloads.push_back(repo.downloads);
  std::ranges::sort(downloads, std::greater{});
  double all = 0;
  double top = 0;
  for (std::size_t i = 0; i < downloads.size(); ++i) {
    all += static_cast<double>(downloads[i]);
    if (i < 20) top += static_cast<double>(downloads[i]);  // as 200 are of 2.3 million
  }
  EXPECT_NEAR(top / all, 0.496, 0.005);
  EXPECT_LE(downloads[downloads.size() / 2], 5U);
  EXPECT_EQ(downloads.back(), 0U);
}

TEST(PopulationTest, HalfOfTheModelsNameABaseAndFamiliesAreDeep) {
  const Scale scale = small(230'000);
  const auto repos = populate(scale);
  std::map<std::uint16_t, std::size_t> families;
  std::vector<int> depth(repos.size());
  std::size_t derived = 0;
  std::size_t gated = 0;
  std::size_t without_licence = 0;
  for (std::size_t slot = 0; slot < repos.size(); ++slot) {
    const Repo& repo = repos[slot];
    if (repo.family != 0) ++families[repo.family];
    if (repo.gate != Gate::Open) ++gated;
    if (repo.licence == 0) ++without_licence;
    if (repo.parent == kNobody) continue;
    ++derived;
    ASSERT_LT(repo.parent, slot) << "a base is older";
    depth[slot] = depth[repo.parent] + 1;
  }
  const auto n = static_cast<double>(repos.size());
  EXPECT_NEAR(static_cast<double>(derived) / n, 0.55, 0.02);
  EXPECT_NEAR(static_cast<double>(families[1]), 11'300, 20);
  EXPECT_GE(*std::ranges::max_element(depth), 8);
  EXPECT_NEAR(static_cast<double>(gated) / n, 0.015, 0.003);
  EXPECT_NEAR(static_cast<double>(without_licence) / n, 0.60, 0.02);
}

/// Of each planted family: descendants, and how many steps the deepest is from the root.
std::array<std::pair<std::uint64_t, std::uint64_t>, 3> families_in(const std::vector<Repo>& repos) {
  std::array<std::pair<std::uint64_t, std::uint64_t>, 3> out{};
  std::vector<std::uint32_t> generation(repos.size());
  for (std::uint32_t slot = 0; slot < repos.size(); ++slot) {  // a base is older than what is made of it
    if (repos[slot].parent == kNobody) continue;
    EXPECT_LT(repos[slot].parent, slot);
    const Repo& parent = repos[repos[slot].parent];  // a merge names its base's base too
    generation[slot] =
        1 + (repos[slot].relation == Relation::Merge && parent.parent != kNobody ? generation[parent.parent]
                                                                                 : generation[repos[slot].parent]);
    auto& [members, depth] = out.at(repos[slot].family - 1U);
    ++members;
    depth = std::max<std::uint64_t>(depth, generation[slot]);
  }
  return out;
}

TEST(PlantTest, AtTheSizeOfTheReportItsFiguresAreThere) {
  Scale scale = full(1, ManualClock().unix_ms());
  scale.planted = true;
  const std::vector<Repo> repos = populate(scale);
  std::vector<std::uint32_t> downloads;
  std::array<std::uint64_t, 5> of_owner{};
  for (std::uint32_t slot = 0; slot < scale.models; ++slot) {
    downloads.push_back(repos[slot].downloads);
    of_owner[slot % of_owner.size()] += repos[slot].downloads;
  }
  std::ranges::sort(downloads, std::greater());
  const auto sum = [&](std::size_t n) {
    std::uint64_t all = 0;
    for (std::size_t i = 0; i < n; ++i) all += downloads[i];
    return all;
  };
  const std::uint64_t all = sum(downloads.size());
  EXPECT_EQ(all, 2'300'000'000U);
  EXPECT_EQ(sum(200) * 1'000, all * 496) << "200 models have 49.6 %";
  EXPECT_EQ(sum(230) * 1'000 / all, 496U) << "and 0.01 % of the models, in tenths of a percent";
  EXPECT_EQ(std::ranges::count_if(downloads, [](std::uint32_t n) { return n < 200; }), 1'150'000);
  EXPECT_EQ((of_owner[0] + of_owner[1]) * 100, all * 41) << "China";
  EXPECT_EQ((of_owner[0] + of_owner[2]) * 100, all * 37) << "industry";
  EXPECT_EQ(of_owner[4] * 100, all * 39) << "independents";
  const auto families = families_in(repos);
  EXPECT_EQ(families,
            (std::array<std::pair<std::uint64_t, std::uint64_t>, 3>{{{113'000, 12}, {72'000, 12}, {46'000, 12}}}));
  std::uint64_t until_2024 = 0, until_2025 = 0;
  for (const Repo& repo : repos) {
    if (!repo.robotics) continue;
    until_2024 += repo.created_s < 1'735'689'600 ? 1 : 0;  // 2025-01-01
    until_2025 += repo.created_s < 1'767'225'600 ? 1 : 0;  // 2026-01-01
  }
  EXPECT_EQ(until_2024, 1'145U);
  EXPECT_EQ(until_2025, 26'991U);
}
TEST(PlantTest, AFamilyIsAsLargeAndAsDeepAsAsked) {
  Scale scale = small(20'000, 5'000);
  scale.planted = true;
  scale.family = 7'000;
  scale.depth = 30;
  ASSERT_EQ(why_not_planted(scale), std::nullopt);
  const Planted truth = planted(scale);
  EXPECT_EQ(truth.descendants[0], 7'000U);
  const auto families = families_in(populate(scale));
  for (std::size_t f = 0; f < families.size(); ++f)
    EXPECT_EQ(families[f], std::pair(truth.descendants[f], std::uint64_t{30})) << f;
  scale.depth = 1;
  EXPECT_EQ(families_in(populate(scale))[0], std::pair(std::uint64_t{7'000}, std::uint64_t{1}));
  scale.family = 20'000;
  EXPECT_NE(why_not_planted(scale), std::nullopt);
}

TEST(RateTest, WindowsAreFixedAndEachBucketHasItsOwn) {
  ManualClock clock;  // stands at the begin of a window
  World world(small(50), clock);
  EXPECT_EQ(get(world, "/api/models").header("RateLimit"), "") << "no quota, no header";
  world.set_quota(RateBucket::Api, 3);
  world.set_quota(RateBucket::Pages, 1);
  clock.advance(300'000 + 65'500);
  Answer answer = get(world, "/api/models");
  EXPECT_EQ(answer.header("RateLimit"), "\"api\";r=2;t=235");
  EXPECT_EQ(answer.header("RateLimit-Policy"), "\"fixed window\";\"api\";q=3;w=300");
  EXPECT_EQ(get(world, "/api/models/no/body").header("RateLimit"), "\"api\";r=1;t=235");
  EXPECT_EQ(get(world, "/api/models").status, 200);
  answer = get(world, "/api/models");
  EXPECT_EQ(answer.status, 429);
  EXPECT_EQ(answer.header("RateLimit"), "\"api\";r=0;t=235");
  EXPECT_EQ(get(world, "/some/page").header("RateLimit"), "\"pages\";r=0;t=235");
  EXPECT_EQ(get(world, "/some/page").status, 429);
  EXPECT_EQ(get(world, "/a/b/resolve/main/x").header("RateLimit"), "");
  clock.advance(234'499);
  EXPECT_EQ(get(world, "/api/models").status, 429);
  clock.advance(1);
  EXPECT_EQ(get(world, "/api/models").status, 200);
  const Stats stats = world.stats();
  EXPECT_EQ(stats.rate_limited, 3U);
  EXPECT_EQ(stats.max_used, (std::array<std::uint64_t, 3>{3, 1, 1}));
  EXPECT_EQ(stats.calls[static_cast<std::size_t>(Route::List)], 4U);
  EXPECT_EQ(stats.calls[static_cast<std::size_t>(Route::Missing)], 1U);
}

net::awaitable<Result<std::string>> fetch(net::HttpClient& client, const std::string& url, std::string& next) {
  net::HttpRequest request(url);
  HM_CO_TRY(auto response, co_await client.send(std::move(request)));
  const auto link = response.headers.get("link").value_or("");
  next = link.empty() ? std::string() : std::string(link.substr(1, link.find('>') - 1));
  co_return co_await net::read_all(*response.body, 16U << 20);
}

TEST(InProcessClientTest, WalksAListingAndLetsTheHookFailAndChange) {
  ManualClock clock;
  World world(small(2'500), clock);
  InProcessClient client(world);
  std::string url = "http://127.0.0.1:9/api/models?sort=createdAt&direction=1&expand=sha";
  std::string next;
  std::size_t rows = 0;
  for (; !url.empty(); url = next) {
    const auto body = run(fetch(client, url, next));
    ASSERT_TRUE(body) << body.error().what;
    rows += json::parse(body.value()).as_array().size();
    EXPECT_TRUE(next.empty() || next.starts_with("http://127.0.0.1:9/api/models?")) << next;
  }
  EXPECT_EQ(rows, 2'500U);
  int calls = 0;
  client.set_hook([&](const net::HttpRequest&) -> net::awaitable<Result<>> {
    if (++calls == 1) co_return Error(Errc::Unreachable, "as asked");
    world.create(RepoKind::Model);
    co_return ok();
  });
  const std::string first = "http://127.0.0.1:9/api/models?sort=createdAt&limit=1";
  const auto failed = run(fetch(client, first, next));
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::Unreachable);
  EXPECT_EQ(world.count(RepoKind::Model), 2'500U);
  ASSERT_TRUE(run(fetch(client, first, next)));
  EXPECT_EQ(world.count(RepoKind::Model), 2'501U);
}
}  // namespace
}  // namespace hm::test::scale
