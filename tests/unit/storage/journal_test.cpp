#include "storage/journal.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "storage/key_space.hpp"
#include "tests/support/result_matchers.hpp"
#include "tests/unit/storage/storage_fixture.hpp"

namespace hm::storage {
namespace {
using test::FailsWith;
using test::Succeeds;
constexpr const char* kRid = "0123456789abcdef01234567";
constexpr const char* kOtherRid = "ffffffffffffffffffffffff";
constexpr const char* kSrc = "huggingface.co";

json::object entry(const char* rid = kRid, const char* kind = "model", const char* src = kSrc) {
  return {{"t", "snapshot"},          {"src", src},      {"kind", kind}, {"rid", rid},
          {"obs", 1'800'000'000'000}, {"id", "org/name"}};
}

class JournalTest : public ::testing::Test {
 protected:
  Result<std::uint64_t> append(std::vector<json::object> entries) {
    return journal_->append(std::move(entries), {}, nullptr);
  }
  std::vector<std::int64_t> prevs() const {
    std::vector<std::int64_t> out;
    EXPECT_THAT(journal_->each(0,
                               [&](const JournalEntry& e) -> Result<bool> {
                                 EXPECT_EQ(e.sequence, out.size());
                                 out.push_back(e.value.at("prev").as_int64());
                                 return true;
                               }),
                Succeeds());
    return out;
  }
  std::vector<std::uint64_t> sequences_of(const char* src, RepoKind kind) const {
    std::vector<std::uint64_t> out;
    const auto entries = Journal::entries_of(*index_, src, {kind, *Rid::parse(kRid)}, 100).value();
    for (const JournalEntry& e : entries) out.push_back(e.sequence);
    return out;
  }
  test::TempDirectory temp_;
  std::unique_ptr<Index> index_ = open_index(temp_.path() + "/index", Index::Mode::Write, {}).value();
  std::optional<Journal> journal_{std::in_place, *index_};
};

TEST_F(JournalTest, ChainsTheEntriesOfARepository) {
  EXPECT_EQ(journal_->size().value(), 0U);
  EXPECT_EQ(append({entry()}).value(), 0U);
  EXPECT_EQ(append({entry(kOtherRid), entry(), entry(kRid, "dataset"), entry(), entry(kRid, "model", "mirror.example")})
                .value(),
            1U);
  EXPECT_EQ(append({entry()}).value(), 6U);
  EXPECT_EQ(journal_->size().value(), 7U);
  EXPECT_EQ(prevs(), (std::vector<std::int64_t>{-1, -1, 0, -1, 2, -1, 4}));
  EXPECT_EQ(sequences_of(kSrc, RepoKind::Model), (std::vector<std::uint64_t>{0, 2, 4, 6}));
  EXPECT_EQ(sequences_of(kSrc, RepoKind::Dataset), std::vector<std::uint64_t>{3});
  EXPECT_EQ(sequences_of("mirror.example", RepoKind::Model), std::vector<std::uint64_t>{5});
  EXPECT_EQ(sequences_of(kSrc, RepoKind::Space), std::vector<std::uint64_t>{});
}

TEST_F(JournalTest, KnowsEverySourceWhateverTheIdsOfItsRepositoriesEndIn) {
  json::object of_none = entry(kRid, "mirror", "mirror.example");
  of_none.erase("rid");
  ASSERT_THAT(append({entry("0123456789abcdef01234500", "model", "a.example"), entry(kRid, "model", "b.example"),
                      std::move(of_none)}),
              Succeeds());
  EXPECT_EQ(Journal::sources(*index_).value(), (std::vector<std::string>{"a.example", "b.example"}));
}

TEST_F(JournalTest, StoresTheCanonicalForm) {
  ASSERT_THAT(append({entry()}), Succeeds());
  EXPECT_EQ(
      index_->get(Family::Journal, key::u64(0)).value(),
      R"({"id":"org/name","kind":"model","obs":1800000000000,"prev":-1,"rid":"0123456789abcdef01234567","src":"huggingface.co","t":"snapshot","v":1})");
  const auto back = journal_->get(0).value();
  ASSERT_TRUE(back);
  EXPECT_EQ(back->value.at("id").as_string(), "org/name");
  EXPECT_EQ(journal_->get(1).value(), std::nullopt);
}

TEST_F(JournalTest, CommitsWhatFollowsInTheSameBatch) {
  Batch facts;
  facts.put(Family::Manifests, "m", "manifest");
  ASSERT_THAT(journal_->append({entry(), entry()}, std::move(facts),
                               [](const JournalEntry& e, Batch& batch) -> Result<> {
                                 batch.put(Family::Repos, "row" + std::to_string(e.sequence), e.bytes);
                                 return ok();
                               }),
              Succeeds());
  EXPECT_EQ(index_->get(Family::Manifests, "m").value(), "manifest");
  EXPECT_EQ(index_->get(Family::Repos, "row1").value(), journal_->get(1).value()->bytes);
}

TEST_F(JournalTest, AnErrorOfOneEntryWritesNothing) {
  Batch facts;
  facts.put(Family::Manifests, "m", "manifest");
  EXPECT_THAT(journal_->append({entry(), entry("short")}, facts, nullptr), FailsWith(Errc::BadInput, "rid"));
  EXPECT_THAT(journal_->append({entry(), entry()}, facts,
                               [](const JournalEntry& e, Batch&) -> Result<> {
                                 if (e.sequence == 1) return Error{Errc::Corrupt, "cannot derive"};
                                 return ok();
                               }),
              FailsWith(Errc::Corrupt, "cannot derive"));
  EXPECT_EQ(journal_->size().value(), 0U);
  EXPECT_EQ(index_->get(Family::Manifests, "m").value(), std::nullopt);
  EXPECT_EQ(sequences_of(kSrc, RepoKind::Model), std::vector<std::uint64_t>{});
}

TEST_F(JournalTest, RefusesEntriesOfTheWrongForm) {
  auto with = [](const char* name, json::value v) {
    json::object e = entry();
    if (v.is_null())
      e.erase(name);
    else
      e[name] = std::move(v);
    return e;
  };
  const std::pair<json::object, const char*> bad[] = {
      {with("t", nullptr), "\"t\""},
      {with("t", ""), "\"t\""},
      {with("t", 1), "\"t\""},
      {with("src", nullptr), "\"src\""},
      {with("src", ""), "\"src\""},
      {with("src", json::string_view("a\0b", 3)), "\"src\""},
      {with("src", json::string(300, 'x')), "\"src\""},
      {with("kind", "models"), "\"kind\""},
      {with("kind", nullptr), "\"kind\""},
      {with("rid", "0123456789ABCDEF01234567"), "\"rid\""},
      {with("rid", nullptr), "\"rid\""},
      {with("obs", -1), "\"obs\""},
      {with("obs", "now"), "\"obs\""},
      {with("obs", nullptr), "\"obs\""},
      {with("size", 1.5), "integers"},
      {with("id", json::string_view("\xff", 1)), "UTF-8"},
      {with("note", json::string(70'000, 'x')), "65535"},
  };
  for (const auto& [value, why] : bad)
    EXPECT_THAT(append({value}), FailsWith(Errc::BadInput, why)) << json::value(value);
  EXPECT_EQ(journal_->size().value(), 0U);
}

TEST_F(JournalTest, TheLongestEntryHasItsLimitExactly) {
  json::object e = entry();
  e["note"] = "";
  auto empty = e;
  empty["v"] = 1, empty["prev"] = -1;
  const std::size_t room = kJournalEntryBytesMax - canonical_json(empty).value().size();
  e["note"] = json::string(room, 'x');
  EXPECT_THAT(append({e}), Succeeds());
  EXPECT_EQ(journal_->get(0).value()->bytes.size(), kJournalEntryBytesMax);
  e["note"] = json::string(room + 1, 'x');
  e["rid"] = kOtherRid;  // the first of its chain too
  EXPECT_THAT(append({e}), FailsWith(Errc::BadInput, "65536"));
}

TEST_F(JournalTest, IsReadFromAnywhereUntilToldToStop) {
  for (int i = 0; i < 10; ++i) ASSERT_THAT(append({entry()}), Succeeds());
  std::vector<std::uint64_t> seen;
  ASSERT_THAT(journal_->each(
                  4, [&](const JournalEntry& e) -> Result<bool> { return seen.push_back(e.sequence), e.sequence < 7; }),
              Succeeds());
  EXPECT_EQ(seen, (std::vector<std::uint64_t>{4, 5, 6, 7}));
  EXPECT_THAT(journal_->each(0, [&](const JournalEntry&) -> Result<bool> { return Error{Errc::Cancelled, "enough"}; }),
              FailsWith(Errc::Cancelled, "enough"));
  EXPECT_THAT(
      journal_->each(10, [&](const JournalEntry&) -> Result<bool> { return Error{Errc::Internal, "there is none"}; }),
      Succeeds());
}

TEST_F(JournalTest, NoticesGapsAndDamage) {
  for (int i = 0; i < 4; ++i) ASSERT_THAT(append({entry()}), Succeeds());
  auto nothing = [](const JournalEntry&) -> Result<bool> { return true; };
  Batch batch;
  batch.remove(Family::Journal, key::u64(2));
  ASSERT_THAT(index_->commit(batch), Succeeds());
  EXPECT_THAT(journal_->each(0, nothing), FailsWith(Errc::Corrupt, "journal entry 2: it is missing"));
  Batch damage;
  damage.put(Family::Journal, key::u64(2), "{\"v\": 1}");
  ASSERT_THAT(index_->commit(damage), Succeeds());
  EXPECT_THAT(journal_->each(0, nothing), FailsWith(Errc::Corrupt, "canonical"));
  EXPECT_THAT(journal_->get(2), FailsWith(Errc::Corrupt, "journal entry 2"));
}

TEST_F(JournalTest, ChainsWhatIsAboutTheMirrorItself) {
  json::object about_us = entry(kRid, "mirror", "node-a");
  EXPECT_THAT(append({about_us}), FailsWith(Errc::BadInput, "rid"));
  about_us.erase("rid");
  EXPECT_EQ(append({about_us, entry(), about_us}).value(), 0U);
  about_us["src"] = "node-b";
  EXPECT_EQ(append({about_us}).value(), 3U);
  EXPECT_EQ(prevs(), (std::vector<std::int64_t>{-1, -1, 0, -1}));
  json::object about_nothing = entry();
  about_nothing.erase("rid");
  EXPECT_THAT(append({about_nothing}), FailsWith(Errc::BadInput, "rid"));
}

TEST_F(JournalTest, EntriesOfANewerVersionAreRefused) {
  EXPECT_THAT(parse_journal_entry(
                  0, R"({"kind":"model","obs":1,"prev":-1,"rid":"0123456789abcdef01234567","src":"a","t":"x","v":2})"),
              FailsWith(Errc::Refused, "version 2"));
  EXPECT_THAT(parse_journal_entry(
                  0, R"({"kind":"model","obs":1,"prev":0,"rid":"0123456789abcdef01234567","src":"a","t":"x","v":1})"),
              FailsWith(Errc::Corrupt, "prev"));
  EXPECT_THAT(parse_journal_entry(
                  1, R"({"kind":"model","obs":1,"prev":0,"rid":"0123456789abcdef01234567","src":"a","t":"x","v":1})"),
              Succeeds());
  for (const char* text : {"", "[]", "{}", "1", "{\"v\":1,\"v\":1}", "{\"v\":1}", "nonsense"})
    EXPECT_THAT(parse_journal_entry(9, text), FailsWith(Errc::Corrupt, "journal entry 9")) << text;
}

TEST_F(JournalTest, SequencesHaveNoGapsWhateverTheThreads) {
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&] {
        for (int i = 0; i < 25; ++i) EXPECT_THAT(append({entry(), entry(kOtherRid)}), Succeeds());
      });
    }
  }
  const auto chain = prevs();
  ASSERT_EQ(chain.size(), 200U);
  for (std::size_t i = 0; i < chain.size(); ++i) EXPECT_EQ(chain[i], i < 2 ? -1 : static_cast<std::int64_t>(i) - 2);
}

TEST_F(JournalTest, GoesOnAfterReopening) {
  ASSERT_THAT(append({entry(), entry()}), Succeeds());
  journal_.reset();
  index_.reset();
  index_ = open_index(temp_.path() + "/index", Index::Mode::Write, {}).value();
  journal_.emplace(*index_);
  EXPECT_EQ(append({entry()}).value(), 2U);
  EXPECT_EQ(prevs(), (std::vector<std::int64_t>{-1, 0, 1}));
}
}  // namespace
}  // namespace hm::storage
