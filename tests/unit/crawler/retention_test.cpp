// Who wants a repository, how long its old revisions stay, and that nothing goes for want of knowledge.
#include "crawler/retention.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "crawler/by_hand.hpp"
#include "provenance/listing.hpp"
#include "storage/blob_store_local.hpp"
#include "storage/key_space.hpp"
#include "storage/listing_row.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/memory_index.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/unit/storage/storage_fixture.hpp"

namespace hm::crawler {
namespace {
using storage::Family;
using storage::TargetState;
using test::FailsWith;
using test::Succeeds;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Names = std::vector<std::string>;

constexpr std::int64_t kDayMs = 86'400'000, kNow = 100 * kDayMs;

RetentionRules rules(std::map<std::string, config::PolicyRetention> policies, std::int64_t superseded_days = -1) {
  RetentionRules r;
  r.policies = std::move(policies);
  r.superseded_days = superseded_days;
  return r;
}
/// A complete generation that wanted it for these, and brought it.
Mention mention(std::uint32_t number, std::int64_t day, const Names& policies, Names newest_of = {}) {
  return {number, day * kDayMs, true, std::move(newest_of), policies, policies, false};
}
Evidence evidence(std::vector<Mention> mentions) {
  Evidence e;
  e.mentions = std::move(mentions);
  return e;
}
/// Brought by "a", which keeps nothing of what it does not want, 90 days ago.
const RetentionRules kLetsGo = rules({{"a", {std::nullopt, 30}}});
Evidence let_go() { return evidence({mention(1, 10, {"a"})}); }

bool goes(const RetentionRules& r, const Evidence& e, std::int64_t now_ms = kNow) {
  const Fate fate = judge(r, e, now_ms);
  return fate.unwanted && fate.unwanted->goes;
}
std::string why(const RetentionRules& r, const Evidence& e) {
  const Fate fate = judge(r, e, kNow);
  return fate.unwanted ? fate.unwanted->why : "wanted";
}

TEST(RetentionRule, LetsGoOfWhatNoPolicyWantsAndSaysWhoBroughtItAndSinceWhen) {
  const Fate fate = judge(kLetsGo, let_go(), kNow);
  ASSERT_TRUE(fate.unwanted);
  EXPECT_TRUE(fate.unwanted->goes);
  EXPECT_THAT(fate.unwanted->brought_by, ElementsAre("a"));
  EXPECT_EQ(fate.unwanted->generation, 1U);
  EXPECT_EQ(fate.unwanted->since_ms, 10 * kDayMs);
  EXPECT_THAT(fate.unwanted->why, HasSubstr("policy a; generation 1, begun 1970-01-11"));
}

TEST(RetentionRule, CountsDaysFromTheNewestGenerationThatStillWantedIt) {
  const Evidence e = evidence({mention(2, 70, {"a"}), mention(1, 10, {"a"})});
  EXPECT_FALSE(goes(kLetsGo, e, 100 * kDayMs));
  EXPECT_TRUE(goes(kLetsGo, e, 100 * kDayMs + 1));
  EXPECT_THAT(why(kLetsGo, e), HasSubstr("may go after 1970-04-11"));
}

TEST(RetentionRule, KeepsWhatIsWantedByAnyPolicyOfAPresentFile) {
  const RetentionRules both = rules({{"a", {std::nullopt, 0}}, {"b", {std::nullopt, 0}}});
  const Evidence e = evidence({mention(3, 50, {"b"}, {"b"}), mention(2, 10, {"a"})});
  EXPECT_THAT(judge(both, e, kNow).wanted_by, ElementsAre("b"));
  EXPECT_FALSE(judge(both, e, kNow).unwanted);
  EXPECT_FALSE(goes(kLetsGo, e)) << "b's file is gone";
  EXPECT_TRUE(judge(kLetsGo, e, kNow).unwanted);
}

TEST(RetentionRule, NeverLetsGoBecauseAFileWasRemoved) {
  EXPECT_FALSE(goes(rules({{"other", {std::nullopt, 0}}}), let_go()));
  const Evidence e = evidence({mention(2, 10, {"a"}), mention(1, 5, {"gone"})});
  EXPECT_FALSE(goes(kLetsGo, e));
  EXPECT_THAT(why(kLetsGo, e), HasSubstr("policy gone wanted it, and its file is not there"));
}

TEST(RetentionRule, TakesTheLongestOfThePoliciesThatEverWantedIt) {
  const Evidence e = evidence({mention(2, 60, {"a"}), mention(1, 10, {"b"})});
  EXPECT_TRUE(goes(rules({{"a", {std::nullopt, 0}}, {"b", {std::nullopt, 39}}}), e));
  EXPECT_FALSE(goes(rules({{"a", {std::nullopt, 0}}, {"b", {std::nullopt, 40}}}), e));
  EXPECT_TRUE(goes(rules({{"a", {std::nullopt, 39}}, {"b", {std::nullopt, 0}}}), e));
  EXPECT_FALSE(goes(rules({{"a", {std::nullopt, 40}}, {"b", {std::nullopt, 0}}}), e));
  const RetentionRules never = rules({{"a", {std::nullopt, 0}}, {"b", {std::nullopt, -1}}});
  EXPECT_FALSE(goes(never, e));
  EXPECT_THAT(why(never, e), HasSubstr("policy b lets nothing go"));
}

TEST(RetentionRule, NeverLetsGoByDefault) { EXPECT_FALSE(goes(rules({{"a", {}}}), let_go())); }

TEST(RetentionRule, LetsGoOnlyOfWhatAPolicyBrought) {
  EXPECT_THAT(why(kLetsGo, {}), "no policy brought it");
  Evidence e = let_go();
  e.mentions[0].published_for.clear();
  EXPECT_FALSE(goes(kLetsGo, e));
}

TEST(RetentionRule, KeepsWhatIsPinnedLeasedGoneUpstreamOrMirroredByHand) {
  for (bool Evidence::* protection : {&Evidence::pinned, &Evidence::leased, &Evidence::gone, &Evidence::by_hand}) {
    Evidence e = let_go();
    e.*protection = true;
    EXPECT_FALSE(goes(kLetsGo, e));
    EXPECT_TRUE(e.is_protected());
  }
  Evidence e = let_go();
  e.mentions[0].gone = true;
  EXPECT_THAT(why(kLetsGo, e), HasSubstr("cannot delete here"));
}

TEST(RetentionRule, KeepsEverythingOfWhatAGenerationIsAtWorkOn) {
  Evidence e = let_go();
  Mention running = mention(2, 99, {"gone"});
  running.ended = false;
  e.mentions.insert(e.mentions.begin(), running);
  EXPECT_TRUE(judge(kLetsGo, e, kNow).at_work);
  EXPECT_FALSE(judge(kLetsGo, e, kNow).unwanted);
}

TEST(RetentionRule, KeepsWhatAPolicyClaimsAlthoughItIsNoTarget) {
  Evidence e = let_go();
  e.claimed_by = {"a"};
  EXPECT_THAT(judge(kLetsGo, e, kNow).wanted_by, ElementsAre("a"));
  EXPECT_FALSE(goes(kLetsGo, e));
}

TEST(RetentionRule, KeepsWhatAPolicyBroughtThatNowHoldsBack) {
  RetentionRules r = kLetsGo;
  r.holds["a"] = "chose nothing";
  EXPECT_THAT(why(r, let_go()), "policy a chose nothing");
}

TEST(RetentionRule, OldRevisionsStayForTheLongestTimeOfThosePoliciesThatWantIt) {
  auto days = [](const RetentionRules& r, const Names& wanting) {
    return judge(r, evidence({mention(1, 10, wanting, wanting)}), kNow).superseded_days;
  };
  const RetentionRules r = rules({{"a", {30, -1}}, {"b", {90, -1}}, {"never", {-1, -1}}, {"silent", {}}}, 60);
  EXPECT_EQ(days(r, {"a"}), 30);
  EXPECT_EQ(days(r, {"a", "b"}), 90);
  EXPECT_EQ(days(r, {"a", "silent"}), 60) << "as the configuration says";
  EXPECT_EQ(days(r, {"a", "never"}), -1);
  EXPECT_EQ(days(r, {"absent"}), 60) << "no policy of a present file";
  EXPECT_EQ(days(r, {}), 60);
  EXPECT_EQ(judge(r, evidence({mention(1, 10, {"a"})}), kNow).superseded_days, 60) << "a wants it no more";
}

/// The rows that it is read from.
class RetentionTest : public testing::Test {
 protected:
  static constexpr const char* kSrc = "hub.example";
  RepoKey key(char digit) const { return {RepoKind::Model, *Rid::parse(std::string(24, digit))}; }

  /// Mirrored, as `org/<digit>`.
  storage::RepoRow& repo(char digit) {
    storage::RepoRow& row = repos_[digit];
    row.repo = {RepoKind::Model, std::string("org/") + digit};
    row.rid = key(digit).rid;
    row.src = kSrc;
    return row;
  }
  void store_repos() {
    storage::Batch batch;
    for (const auto& [digit, row] : repos_) {
      batch.put(Family::Repos, storage::key::repo(key(digit)), storage::pack(storage::to_json(row)));
      batch.put(Family::Names, storage::key::name(row.repo),
                storage::pack(storage::to_json(storage::NameRow{key(digit), row.repo.name, {}})));
    }
    commit(batch);
  }
  /// A generation that wants the repositories of each policy.
  void generation(const std::map<std::string, std::string>& repos_of, bool ended = true,
                  const std::vector<storage::SkippedRow>& skipped = {}, TargetState state = TargetState::Published,
                  const std::string& src = kSrc) {
    storage::Batch batch;
    storage::GenerationRow row;
    row.number = ++generations_;
    row.src = src;
    row.began_ms = clock_.unix_ms();
    row.ended_ms = ended ? row.began_ms : 0;
    std::map<char, Names> wanted;
    for (const auto& [policy, digits] : repos_of) {
      row.policies.push_back(policy);
      for (const char digit : digits) wanted[digit].push_back(policy);
    }
    for (const auto& [digit, policies] : wanted) {
      storage::TargetRow target;
      target.repo = repo(digit).repo;
      target.key = key(digit);
      target.commit = *Commit::parse(std::string(40, '1'));
      target.policies = policies;
      target.state = state;
      batch.put(Family::Generations, storage::target_key(row.number, target.key, target.commit),
                storage::pack_target(target));
    }
    for (const storage::SkippedRow& one : skipped)
      batch.put(Family::Generations, storage::skipped_key(row.number, one), storage::pack_skipped(one));
    batch.put(Family::Generations, storage::generation_key(row.number), storage::pack_generation(row));
    commit(batch);
    clock_.advance(kDayMs);
  }
  void policy(const std::string& name, const std::string& toml = {}) {
    auto parsed = config::parse_mirror_policy("[select]\nnames = [\"*\"]\n" + toml + "[retention]\nunwanted_days = 0\n",
                                              name, [](const std::string&) -> Result<std::string> { return ""; });
    ASSERT_TRUE(parsed) << parsed.error().what;
    policies_.push_back(std::move(parsed).value());
    policies_.back().name = name;
  }
  /// Those that go.
  Names gone() {
    store_repos();
    const auto retention = Retention::read(*index_, catalog_, policies_, -1);
    EXPECT_THAT(retention, Succeeds());
    Names out;
    for (const auto& [digit, row] : repos_) {
      const auto fate = retention.value().fate_of(row, clock_.unix_ms());
      EXPECT_THAT(fate, Succeeds());
      if (fate && fate.value().unwanted && fate.value().unwanted->goes) out.push_back(row.repo.name);
    }
    return out;
  }
  void commit(const storage::Batch& batch) { ASSERT_THAT(index_->commit(batch), Succeeds()); }

  test::TempDirectory dir_;
  test::ManualClock clock_;
  std::unique_ptr<storage::Index> index_ = test::open_memory_index(test::make_memory_disk());
  std::unique_ptr<storage::BlobStore> blobs_ =
      storage::make_local_blob_store(real_file_system(), storage::DataDir(dir_.path()));
  mirror::Catalog catalog_{*index_, *blobs_, storage::DataDir(dir_.path())};
  std::map<char, storage::RepoRow> repos_;
  std::vector<config::MirrorPolicy> policies_;
  std::uint32_t generations_ = 0;
};

TEST_F(RetentionTest, WhatLeftTheNewestCompleteGenerationOfItsPolicyGoes) {
  policy("p");
  policy("q");
  generation({{"p", "ab"}, {"q", "c"}});
  generation({{"p", "a"}});
  repo('d');  // nobody's
  EXPECT_THAT(gone(), ElementsAre("org/b")) << "that of q is the first one";
}

TEST_F(RetentionTest, AGenerationThatIsNotCompleteSaysNothingYetAndKeepsWhatItIsAtWorkOn) {
  policy("p");
  generation({{"p", "ab"}});
  generation({{"p", "a"}}, false, {}, TargetState::Pending);
  EXPECT_THAT(gone(), IsEmpty());
}

TEST_F(RetentionTest, WhatTheUnfinishedGenerationOfAnotherPolicyBringsStays) {
  policy("p");
  generation({{"p", "abc"}});
  generation({{"p", "a"}});
  generation({{"fresh", "b"}}, false, {}, TargetState::Pending);
  EXPECT_THAT(gone(), ElementsAre("org/c"));
}

TEST_F(RetentionTest, AnotherUpstreamsGenerationDoesNotCount) {
  policy("p");
  generation({{"p", "ab"}});
  generation({{"p", "c"}}, true, {}, TargetState::Published, "elsewhere.example");
  EXPECT_THAT(gone(), IsEmpty());
}

TEST_F(RetentionTest, APolicyThatChoseNothingLetsNothingGo) {
  policy("p");
  generation({{"p", "ab"}});
  generation({{"p", ""}});
  EXPECT_THAT(gone(), IsEmpty());
}

TEST_F(RetentionTest, WhatAPolicyLeftOutIsItsOwnUnlessItIsExcluded) {
  policy("p", "[exclude]\nnames = [\"org/c\"]\n");
  generation({{"p", "abcd"}});
  generation({{"p", "a"}}, true,
             {{{RepoKind::Model, "Org/B"}, "p", "the Hub was asked for its files: not found"},
              {{RepoKind::Model, "org/c"}, "p", "excluded: name \"org/c\""},
              {{RepoKind::Model, "org/d"}, "another", "of a policy whose generation this is not"}});
  EXPECT_THAT(gone(), ElementsAre("org/c", "org/d"));
}

TEST_F(RetentionTest, WhatAnOlderGenerationLeftOutIsNoClaim) {
  policy("p");
  policy("q");
  generation({{"p", "ab"}, {"q", "c"}});
  generation({{"p", "a"}, {"q", "c"}}, true, {{{RepoKind::Model, "org/b"}, "q", "beyond limits.repos_max"}});
  EXPECT_THAT(gone(), IsEmpty());
  generation({{"q", "c"}});
  EXPECT_THAT(gone(), ElementsAre("org/b"));
}

TEST_F(RetentionTest, APolicyThatCannotTellAllThatItLeftOutLetsNothingGo) {
  policy("p");
  generation({{"p", "ab"}});
  std::vector<storage::SkippedRow> skipped;
  for (int n = 1; n < 10'000; ++n) skipped.push_back({{RepoKind::Model, "x/" + std::to_string(n)}, "p", "too large"});
  generation({{"p", "a"}}, true, skipped);
  EXPECT_THAT(gone(), ElementsAre("org/b"));
  skipped.push_back({{RepoKind::Model, "x/last"}, "p", "too large"});
  generation({{"p", "a"}}, true, skipped);
  EXPECT_THAT(gone(), IsEmpty());
}

TEST_F(RetentionTest, WhatNoGenerationEverBroughtStays) {
  policy("p");
  generation({{"p", "ab"}}, true, {}, TargetState::Failed);
  generation({{"p", "a"}});
  EXPECT_THAT(gone(), IsEmpty());
}

TEST_F(RetentionTest, WhatAPolicyNamesAgainStaysBeforeTheNextSync) {
  policy("p");
  generation({{"p", "abc"}});
  generation({{"p", "a"}});
  policies_[0].select.repos.push_back({"org/b", parse_repo_spec("Org/b").value(), "", "select.repos"});
  EXPECT_THAT(gone(), ElementsAre("org/c"));
  repo('c').former_names = {"Old/C"};
  policies_[0].select.repos.push_back({"", parse_repo_spec("old/c").value(), "", "select.repos"});
  EXPECT_THAT(gone(), IsEmpty());
  policies_[0].select.repos.pop_back();
  policies_[0].select.repos.push_back({"", parse_repo_spec(key('c').text()).value(), "", "select.repos"});
  EXPECT_THAT(gone(), IsEmpty());
}

TEST_F(RetentionTest, WhatWasAskedForByHandStays) {
  policy("p");
  repo('b').former_names = {"Old/Name"};
  generation({{"p", "abcdef"}});
  generation({{"p", "a"}});
  storage::TaskQueue queue(*index_, clock_);
  ASSERT_THAT(queue.enqueue({{task_by_hand(kSrc, {RepoKind::Model, "old/name"}, std::nullopt)},
                             {task_by_hand(kSrc, {RepoKind::Model, "ORG/c"}, "v1")},
                             {task_by_hand("elsewhere.example", {RepoKind::Model, "org/d"}, std::nullopt)},
                             // Of `sync`, on a Hub without ids: the name is the key too.
                             {{task_by_hand(kSrc, {RepoKind::Model, "org/d"}, std::nullopt).repo,
                               "mirror:" + std::string(40, '1')}}}),
              Succeeds());
  storage::Batch batch;
  note_by_hand(batch, key('e'));  // under a name that only the Hub knew
  commit(batch);
  EXPECT_THAT(gone(), ElementsAre("org/d", "org/f"));
}

TEST_F(RetentionTest, WhatIsLeasedOrPinnedStays) {
  policy("p");
  generation({{"p", "abcd"}});
  generation({{"p", "a"}});
  repo('b').pins = {std::string(40, '1')};
  storage::TaskQueue queue(*index_, clock_);
  ASSERT_THAT(queue.enqueue({{{key('c'), "visit"}}}), Succeeds());
  ASSERT_THAT(queue.lease(1, "somebody", kDayMs), Succeeds());
  ASSERT_THAT(queue.enqueue({{{key('d'), "visit"}}}), Succeeds());
  EXPECT_THAT(gone(), ElementsAre("org/d"));
}

TEST_F(RetentionTest, WhatUpstreamDoesNotShowAnyMoreStays) {
  policy("p");
  generation({{"p", "abcdef123"}});
  generation({{"p", "a"}});
  repo('b').gone_status = 404;
  repo('c').visibility = "private";
  auto listed = [&](char digit, const std::string& facts, int gone_status, std::int64_t missing_since_ms) {
    storage::ListingRow row;
    row.src = kSrc;
    row.name = repo(digit).repo.name;
    row.facts = facts;
    row.gone_status = gone_status;
    row.missing_since_ms = missing_since_ms;
    row.ordinal = static_cast<std::uint32_t>(repos_.size());
    storage::Batch batch;
    batch.put(Family::Listings, storage::key::repo(key(digit)), storage::pack_listing(row));
    commit(batch);
  };
  listed('d', "{}", 401, 0);
  listed('e', "{}", 0, kNow);
  listed('f', R"({"private":true})", 0, 0);
  listed('1', R"({"disabled":true})", 0, 0);
  listed('2', "{}", 0, 0);
  EXPECT_THAT(gone(), ElementsAre("org/2", "org/3"));
}

TEST_F(RetentionTest, WhatLostItsNameOrWasNotThereWhenItWasWantedLastStays) {
  policy("p");
  generation({{"p", "abc"}});
  generation({{"p", "a"}});
  EXPECT_THAT(gone(), ElementsAre("org/b", "org/c"));
  storage::Batch batch;
  batch.put(Family::Names, storage::key::name(repo('b').repo),
            storage::pack(storage::to_json(storage::NameRow{key('9'), "org/b", {}})));
  storage::TargetRow failed = storage::targets_of_repo(*index_, 1, key('c')).value().at(0);
  failed.commit = *Commit::parse(std::string(40, '2'));
  failed.state = TargetState::Failed;
  failed.failure = "gone";
  batch.put(Family::Generations, storage::target_key(1, failed.key, failed.commit), storage::pack_target(failed));
  commit(batch);
  const auto retention = Retention::read(*index_, catalog_, policies_, -1).value();
  for (const char digit : {'b', 'c'})
    EXPECT_FALSE(retention.fate_of(repo(digit), clock_.unix_ms()).value().unwanted->goes) << digit;
}

TEST_F(RetentionTest, AGenerationThatCannotBeReadIsAnErrorAndNoSilence) {
  policy("p");
  generation({{"p", "ab"}});
  generation({{"p", "a"}});
  storage::Batch batch;
  batch.put(Family::Generations, storage::target_key(1, key('b'), *Commit::parse(std::string(40, '1'))), "x");
  commit(batch);
  store_repos();
  const auto retention = Retention::read(*index_, catalog_, policies_, -1).value();
  EXPECT_THAT(retention.fate_of(repo('b'), clock_.unix_ms()), FailsWith(Errc::Corrupt, "nobody writes"));
}
}  // namespace
}  // namespace hm::crawler
