// What a search finds is what a look at every row finds, in the same order.
#include "provenance/selection.hpp"

#include <gmock/gmock.h>

#include <algorithm>

#include "base/text.hpp"
#include "storage/columns.hpp"
#include "tests/unit/crawler/crawl_fixture.hpp"

namespace hm::crawler {
namespace {
class SelectionTest : public CrawlTest {
 protected:
  SelectionTest() {
    make_hub(3'000);
    for (const RepoKind kind : {RepoKind::Model, RepoKind::Dataset, RepoKind::Space}) {
      auto each = lister(kind);
      sweep(each);
    }
  }
  /// By the rows alone.
  std::vector<std::string> by_rows(const std::function<bool(const provenance::Found&)>& wanted,
                                   const std::function<std::uint64_t(const provenance::Found&)>& value,
                                   std::size_t limit) {
    std::vector<provenance::Found> all;
    EXPECT_TRUE(storage::each_listing(*index_, [&](const RepoKey& key, const storage::ListingRow&) {
      auto found = provenance::find_listed(*index_, key).value();
      if (wanted(*found)) all.push_back(std::move(*found));
      return true;
    }));
    std::sort(all.begin(), all.end(), [&](const provenance::Found& a, const provenance::Found& b) {
      return value(a) != value(b) ? value(a) > value(b) : a.row.ordinal < b.row.ordinal;
    });
    all.resize(std::min(all.size(), limit));
    return names(all);
  }
  static std::vector<std::string> names(const std::vector<provenance::Found>& found) {
    std::vector<std::string> out;
    for (const provenance::Found& f : found) out.push_back(f.key.text() + " " + f.row.name);
    return out;
  }
  void expect_same(const provenance::Filter& filter, provenance::SortBy order,
                   const std::function<bool(const provenance::Found&)>& wanted,
                   const std::function<std::uint64_t(const provenance::Found&)>& value, std::size_t at_least) {
    for (const std::size_t limit : {std::size_t{5}, std::size_t{10'000}}) {
      const auto expected = by_rows(wanted, value, limit);
      EXPECT_EQ(names(provenance::search(*index_, filter, order, limit).value()), expected);
      EXPECT_GE(expected.size(), std::min(at_least, limit));
    }
  }
};
const auto kDownloads = [](const provenance::Found& f) { return f.popularity.downloads; };

TEST_F(SelectionTest, WordsOfNamesWithoutCase) {
  const auto most = provenance::search(*index_, {}, provenance::SortBy::Downloads, 1).value();
  std::string word = most[0].row.name.substr(most[0].row.name.find('/') + 1, 4);
  for (char& c : word) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  provenance::Filter filter;
  filter.words = {word};
  expect_same(
      filter, provenance::SortBy::Downloads,
      [&](const provenance::Found& f) { return ascii_lower(f.row.name).find(ascii_lower(word)) != std::string::npos; },
      kDownloads, 5);
}

TEST_F(SelectionTest, LicenceKindAndGate) {
  provenance::Filter filter;
  filter.kind = RepoKind::Model;
  filter.licences = {"MIT", "apache-2.0"};
  filter.gated = false;
  expect_same(
      filter, provenance::SortBy::Likes,
      [](const provenance::Found& f) {
        return f.key.kind == RepoKind::Model && f.facts.visibility == "public" &&
               std::any_of(f.facts.licences.begin(), f.facts.licences.end(),
                           [](const std::string& l) { return l == "mit" || l == "apache-2.0"; });
      },
      [](const provenance::Found& f) { return f.popularity.likes; }, 20);
}

TEST_F(SelectionTest, TagsLibraryTaskAndParameters) {
  provenance::Filter filter;
  filter.tags = {"safetensors"};
  filter.libraries = {"transformers"};
  filter.parameters_min = 100'000'000;
  filter.parameters_max = 9'000'000'000;
  expect_same(
      filter, provenance::SortBy::Parameters,
      [](const provenance::Found& f) {
        return f.facts.library == "transformers" && f.facts.parameters >= 100'000'000 &&
               f.facts.parameters <= 9'000'000'000 &&
               std::find(f.facts.tags.begin(), f.facts.tags.end(), "safetensors") != f.facts.tags.end();
      },
      [](const provenance::Found& f) { return f.facts.parameters; }, 20);
}

TEST_F(SelectionTest, OwnersGlobsAndTimes) {
  const auto some = provenance::search(*index_, {}, provenance::SortBy::Downloads, 1).value();
  ASSERT_EQ(some.size(), 1U);
  const std::string owner = some[0].row.name.substr(0, some[0].row.name.find('/'));
  provenance::Filter filter;
  filter.owners = {owner};
  filter.names = {owner + "/*"};
  filter.created_since_ms = clock_.unix_ms() - 700 * kDayMs;
  expect_same(
      filter, provenance::SortBy::Created,
      [&](const provenance::Found& f) {
        return f.row.name.starts_with(owner + "/") && f.facts.created_ms / 1000 >= *filter.created_since_ms / 1000;
      },
      [](const provenance::Found& f) { return static_cast<std::uint64_t>(f.facts.created_ms) / 1000; }, 0);
}

TEST_F(SelectionTest, PagesEndBeyondTheLastDateThatAColumnHolds) {
  for (int i = 1; i <= 3; ++i) {
    const Rid rid = *Rid::parse("00000000000000000000000" + std::to_string(i));
    const auto item = parse_json(R"({"_id":")" + rid.text() + R"(","id":"far/m)" + std::to_string(i) +
                                 R"(","createdAt":"2199-01-0)" + std::to_string(i) + R"(T00:00:00.000Z"})");
    ASSERT_TRUE(recorder_->record_listing(
        "hub.example",
        {provenance::read_listing({RepoKind::Model, "far/m" + std::to_string(i)}, rid, item.value().as_object())},
        std::nullopt, {}));
  }
  provenance::Order order{provenance::SortBy::Created, false, std::nullopt};
  std::vector<std::string> seen;
  for (int page = 0; page < 3; ++page) {
    const auto found = provenance::search(*index_, {}, order, 1).value();
    ASSERT_EQ(found.size(), 1U);
    seen.push_back(found[0].row.name);
    order.after = provenance::place_of(found[0], order.by);
  }
  EXPECT_THAT(seen, testing::ElementsAre("far/m1", "far/m2", "far/m3")) << "equal in the column, so in their order";
}

TEST_F(SelectionTest, WhatIsGoneIsLeftOutUnlessAskedFor) {
  const auto most = provenance::search(*index_, {}, provenance::SortBy::Downloads, 1).value();
  ASSERT_TRUE(recorder_->record_listing_gone(most[0].key, 404));
  EXPECT_NE(provenance::search(*index_, {}, provenance::SortBy::Downloads, 1).value()[0].key, most[0].key);
  provenance::Filter filter;
  filter.gone_too = true;
  EXPECT_EQ(provenance::search(*index_, filter, provenance::SortBy::Downloads, 1).value()[0].key, most[0].key);
}

TEST_F(SelectionTest, TwoWordsThatFoldToOneValueAreToldApartByTheRow) {
  // The columns say that everything has the licence; the rows know better.
  storage::ColumnEditor columns(*index_);
  for (std::uint32_t ordinal = 0; ordinal < 3'000; ++ordinal)
    ASSERT_TRUE(columns.set(storage::Column::Licence, ordinal, storage::fold32("no-such-licence")));
  storage::Batch batch;
  columns.flush(batch);
  ASSERT_TRUE(index_->commit(batch));
  provenance::Filter filter;
  filter.licences = {"no-such-licence"};
  EXPECT_TRUE(provenance::search(*index_, filter, provenance::SortBy::Downloads, 20).value().empty());
}
}  // namespace
}  // namespace hm::crawler
