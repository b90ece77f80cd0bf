// What a run was asked for survives it, as long as it is not done.
#include "app/unfinished.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>

#include "crawler/by_hand.hpp"

namespace hm::app {
namespace {
crawler::MirrorRequest request(const std::string& text) {
  crawler::MirrorRequest r;
  r.spec = parse_repo_spec(text).value();
  return r;
}
std::vector<std::string> names_of(const std::vector<crawler::MirrorRequest>& requests) {
  std::vector<std::string> names;
  for (const auto& r : requests) names.push_back(r.spec.repo.text() + (r.spec.revision ? "@" + *r.spec.revision : ""));
  std::sort(names.begin(), names.end());
  return names;
}
MirrorOutcome outcome(std::optional<Error> error) {
  MirrorOutcome o;
  o.begun = true;
  o.report.error = std::move(error);
  return o;
}

class Unfinished : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = testing::TempDir() + "hm_unfinished_" + std::to_string(::getpid());
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    auto opened = storage::open_index(folder_ + "/index", storage::Index::Mode::Write, {});
    ASSERT_TRUE(opened) << opened.error().what;
    index_ = std::move(opened).value();
    queue_.emplace(*index_, system_clock());
  }
  void TearDown() override {
    queue_.reset();
    index_.reset();
    std::filesystem::remove_all(folder_);
  }
  std::vector<crawler::MirrorRequest> left(const std::string& upstream = "hub") {
    UnfinishedList list(*index_, *queue_, upstream);
    std::vector<crawler::MirrorRequest> requests;
    const auto added = list.add_to(requests);
    EXPECT_TRUE(added) << (added ? "" : added.error().what);
    return requests;
  }
  std::string folder_;
  /// What the next process does first.
  void give_back_leases() {
    ASSERT_TRUE(queue_->recover([](const std::string&) { return false; }));
  }
  std::unique_ptr<storage::Index> index_;
  std::optional<storage::TaskQueue> queue_;
};

TEST_F(Unfinished, NothingAtFirst) { EXPECT_TRUE(left().empty()); }

TEST_F(Unfinished, DoneOnesAreForgottenOthersStay) {
  UnfinishedList list(*index_, *queue_, "hub");
  ASSERT_TRUE(
      list.begin({request("org/a"), request("org/b"), request("org/c"), request("org/d@v1/x"), request("org/e")}));
  list.ended(0, outcome({}));
  list.ended(1, outcome(Error{Errc::Unreachable, "no answer"}));
  list.ended(2, outcome(Error{Errc::NotFound, "no such repository"}));
  list.ended(3, outcome(Error{Errc::Cancelled, "stopped"}));
  ASSERT_TRUE(list.close());  // org/e was not begun
  EXPECT_EQ(names_of(left()), (std::vector<std::string>{"org/b", "org/d@v1/x", "org/e"}));
}

TEST_F(Unfinished, WhatTheHubAnsweredUnderAnotherNameIsKnownToBeAskedForByHand) {
  UnfinishedList list(*index_, *queue_, "hub");
  ASSERT_TRUE(list.begin({request("old-name"), request("org/b")}));
  storage::RepoRow row;
  row.repo = {RepoKind::Model, "org/new-name"};
  row.rid = *Rid::parse("0123456789abcdef01234567");
  row.src = "hub";
  EXPECT_FALSE(crawler::is_by_hand(*index_, row).value());
  for (const auto& error : {std::optional<Error>(), std::optional<Error>(Error{Errc::Cancelled, "stopped"})}) {
    MirrorOutcome answered = outcome(error);
    answered.report.row = row;
    list.ended(error ? 1 : 0, answered);
    EXPECT_TRUE(crawler::is_by_hand(*index_, row).value());
    row.rid = *Rid::parse("1123456789abcdef01234567");
  }
}

TEST_F(Unfinished, AKilledRunIsFoundAgain) {
  {
    UnfinishedList killed(*index_, *queue_, "hub");
    ASSERT_TRUE(killed.begin({request("org/a"), request("org/b")}));
    killed.ended(0, outcome({}));
  }
  EXPECT_EQ(names_of(left()), std::vector<std::string>{"org/b"});
}

TEST_F(Unfinished, ALaterRunOfOthersLeavesThemUnfinished) {
  {
    UnfinishedList killed(*index_, *queue_, "hub");
    ASSERT_TRUE(killed.begin({request("org/a")}));
  }
  give_back_leases();
  UnfinishedList next(*index_, *queue_, "hub");
  ASSERT_TRUE(next.begin({request("org/b")}));
  next.ended(0, outcome({}));
  ASSERT_TRUE(next.close());
  EXPECT_EQ(names_of(left()), std::vector<std::string>{"org/a"});
  UnfinishedList again(*index_, *queue_, "hub");
  ASSERT_TRUE(again.begin({request("org/A")}));  // names compare without case
  again.ended(0, outcome({}));
  ASSERT_TRUE(again.close());
  EXPECT_TRUE(left().empty());
}

TEST_F(Unfinished, NamedOnesAreNotAddedTwiceAndUpstreamsStayApart) {
  UnfinishedList list(*index_, *queue_, "hub");
  ASSERT_TRUE(list.begin({request("org/a"), request("org/b")}));
  ASSERT_TRUE(list.close());
  std::vector<crawler::MirrorRequest> requests{request("ORG/a")};
  UnfinishedList later(*index_, *queue_, "hub");
  ASSERT_TRUE(later.add_to(requests));
  EXPECT_EQ(names_of(requests), (std::vector<std::string>{"ORG/a", "org/b"}));
  EXPECT_TRUE(left("other:8080").empty());
}

TEST_F(Unfinished, TwoRunsOfTheSameBesideEachOtherLeaveNothing) {
  UnfinishedList one(*index_, *queue_, "hub"), other(*index_, *queue_, "hub");
  ASSERT_TRUE(one.begin({request("org/a"), request("org/b")}));
  ASSERT_TRUE(other.begin({request("org/a"), request("org/c")}));
  one.ended(0, outcome({}));
  one.ended(1, outcome({}));
  other.ended(0, outcome({}));
  other.ended(1, outcome({}));
  ASSERT_TRUE(one.close());
  ASSERT_TRUE(other.close());
  EXPECT_TRUE(left().empty());
  const auto tasks = queue_->each([](const storage::Task& task) {
    EXPECT_EQ(task.state, storage::TaskState::Done) << task.key.what;
    return true;
  });
  EXPECT_TRUE(tasks);
}

TEST_F(Unfinished, MoreThanOneLeaseCallTakes) {
  std::vector<crawler::MirrorRequest> many;
  for (std::size_t i = 0; i < storage::kLeaseCountMax + 5; ++i) many.push_back(request("org/r" + std::to_string(i)));
  UnfinishedList list(*index_, *queue_, "hub");
  ASSERT_TRUE(list.begin(many));
  list.ended(0, outcome({}));
  list.ended(storage::kLeaseCountMax + 4, outcome({}));
  EXPECT_EQ(left().size(), many.size() - 2);
}

TEST(StoredRequests, ComeBackWhole) {
  crawler::MirrorRequest r = request("datasets/org/name@refs/pr/1");
  r.selection.exclude = {"*.bin"};
  r.selection.file_bytes_max = 17;
  r.all_history = true;
  r.pull_requests = true;
  const auto back = unpack_request(pack_request(r, "hub:1"));
  ASSERT_TRUE(back) << back.error().what;
  EXPECT_EQ(back.value().request.spec.repo, r.spec.repo);
  EXPECT_EQ(back.value().request.spec.revision, r.spec.revision);
  EXPECT_EQ(back.value().request.selection.text(), r.selection.text());
  EXPECT_TRUE(back.value().request.all_history && back.value().request.pull_requests);
  EXPECT_EQ(back.value().upstream, "hub:1");
  EXPECT_FALSE(unpack_request("{}"));
  EXPECT_FALSE(unpack_request("[1]"));
  EXPECT_FALSE(unpack_request(""));
}
}  // namespace
}  // namespace hm::app
