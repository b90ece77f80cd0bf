// tests/unit/crawler/crawl_fixture.hpp: listers against a Hub in the same process, under a clock that waits move.
#pragma once
#include <gtest/gtest.h>

#include <boost/asio/thread_pool.hpp>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "crawler/crawl.hpp"
#include "provenance/selection.hpp"
#include "storage/journal.hpp"
#include "storage/key_space.hpp"
#include "tests/hub_at_scale/transport.hpp"
#include "tests/support/manual_clock.hpp"
#include "tests/support/run.hpp"

namespace hm::crawler {
namespace scale = test::scale;
inline constexpr std::int64_t kMinuteMs = 60'000, kHourMs = 60 * kMinuteMs, kDayMs = 24 * kHourMs;

class CrawlTest : public testing::Test {
 protected:
  CrawlTest()
      : dir_(std::filesystem::temp_directory_path() / ("hm-crawl-" + std::to_string(::getpid()) +
                                                       testing::UnitTest::GetInstance()->current_test_info()->name())) {
    std::filesystem::remove_all(dir_);
    reopen();
  }
  ~CrawlTest() override {
    close();
    std::filesystem::remove_all(dir_);
  }
  /// A Hub of so many models, a quarter as many datasets and half as many Spaces.
  /// @param planted with the figures of tests/hub_at_scale/plant.hpp
  /// @param planted_licences with the lineages of tests/hub_at_scale/plant_licences.hpp
  void make_hub(std::uint64_t models, scale::HubTraits traits = {}, bool planted = false,
                bool planted_licences = false) {
    scale::Scale size;
    size.models = models;
    size.datasets = models / 4;
    size.spaces = models / 2;
    size.now_ms = clock_.unix_ms();
    size.planted = planted;
    size.planted_licences = planted_licences;
    scale_ = size;
    world_.emplace(size, clock_, std::move(traits));
    client_.emplace(*world_);
    budget_.emplace(600'000, clock_.sleeper(), clock_);
    hub::RetryPolicy retry;
    retry.sleep = clock_.sleeper();
    retry.clock = &clock_;
    retry.random = [] { return 0.5; };
    api_.emplace(*client_, net::parse_url("https://hub.example").value(), *budget_, retry);
  }
  void close() {
    recorder_.reset();
    journal_.reset();
    index_.reset();
  }
  /// As after a kill: what is not durable is not known.
  void reopen() {
    close();
    index_ = storage::open_index(dir_.string(), storage::Index::Mode::Write, {}).value();
    journal_.emplace(*index_);
    recorder_.emplace(*index_, *journal_, clock_, "node-a");
  }
  ListerParts parts() { return {*api_, *index_, *recorder_, pool_.get_executor(), clock_}; }
  Lister lister(RepoKind kind = RepoKind::Model) {
    Lister out(parts(), kind, {});
    EXPECT_TRUE(out.load());
    return out;
  }
  ListingReport must(net::awaitable<Result<ListingReport>> step) {
    auto report = test::run(std::move(step));
    EXPECT_TRUE(report) << (report ? "" : report.error().what);
    return report ? report.value() : ListingReport{};
  }
  /// To the end of the sweep under way, or of a new one.
  ListingReport sweep(Lister& lister, const std::function<void()>& between = {}) {
    ListingReport all;
    do {
      all += must(lister.sweep_page());
      if (between) between();
    } while (lister.sweep().running && !testing::Test::HasFailure());
    while (lister.missing() != 0 && !testing::Test::HasFailure()) all += must(lister.ask_for_missing());
    return all;
  }
  std::map<std::string, int> entry_types(std::uint64_t from = 0) const {
    std::map<std::string, int> out;
    EXPECT_TRUE(journal_->each(from, [&](const storage::JournalEntry& e) -> Result<bool> {
      ++out[std::string(e.value.at("t").as_string())];
      return true;
    }));
    return out;
  }
  std::uint64_t entries() const { return journal_->size().value(); }
  std::optional<storage::ListingRow> row(RepoKind kind, const Rid& rid) const {
    return storage::find_listing(*index_, {kind, rid}).value();
  }
  /// What is stored of every repository agrees with what is true, but for what `excused` says.
  void expect_knows_the_truth(RepoKind kind, const std::function<bool(const scale::Truth&)>& excused = {}) {
    std::uint64_t wrong = 0;
    world_->for_each(kind, [&](const scale::Truth& truth) {
      if (excused && excused(truth)) return;
      const auto known = row(kind, truth.rid);
      bool right = known.has_value() || !truth.visible;
      if (known && truth.visible) {
        const auto facts = provenance::read_facts(parse_json(known->facts).value().as_object());
        right = known->gone_status == 0 && known->name == truth.name && facts.head && facts.head->hex() == truth.sha;
      } else if (known) {
        right = known->gone_status != 0;
      }
      if (!right && ++wrong <= 5)
        ADD_FAILURE() << truth.rid.text() << " " << truth.name << (truth.visible ? " visible" : " not visible")
                      << (known ? " known as " + known->name + " gone " + std::to_string(known->gone_status)
                                : " unknown");
    });
    EXPECT_EQ(wrong, 0U);
  }

  const std::filesystem::path dir_;
  test::ManualClock clock_;
  boost::asio::thread_pool pool_{1};
  scale::Scale scale_;
  std::optional<scale::World> world_;
  std::optional<scale::InProcessClient> client_;
  std::optional<hub::RateBudget> budget_;
  std::optional<hub::Api> api_;
  std::unique_ptr<storage::Index> index_;
  std::optional<storage::Journal> journal_;
  std::optional<provenance::Recorder> recorder_;
};
}  // namespace hm::crawler
